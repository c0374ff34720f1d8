// Empties a queue on PostgreSQL as if its server had lost everything, while its clients go on.
// Guarantees: all tables at once, or an error; a deadlock with a client, which locks them in another order, is tried again.
import pg from 'pg';
import { until } from './until.ts';

const DEADLOCK = '40P01';

export async function emptyPostgresQueue(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname = 'walbridge' AND tablename NOT LIKE '%migration%'`,
    );
    const truncate = `TRUNCATE ${rows.map(({ name }) => name).join(', ')}`;
    await until('the queue to be emptied', () =>
      client.query(truncate).catch((error: { code?: string }) => {
        if (error.code !== DEADLOCK) throw error;
        return null;
      }),
    );
  } finally {
    await client.end();
  }
}
