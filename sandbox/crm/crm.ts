// The CRM's database: creating it and naming its tables.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { type PostgresAddress, postgresUrl } from '../postgres.ts';

/** Parents before their children. */
export const crmTables = [
  'accounts',
  'contacts',
  'leads',
  'opportunities',
  'opportunity_contacts',
  'activities',
] as const;

/** Creates database `name` with the CRM's empty tables (schema.sql). @returns its connection string. */
export async function createCrmDatabase(server: PostgresAddress, name: string): Promise<string> {
  await createDatabase(server, name);
  const connectionString = postgresUrl(server, name);
  const schema = readFileSync(new URL('./schema.sql', import.meta.url), 'utf8');
  await withClient(connectionString, (client) => client.query(schema));
  return connectionString;
}

export async function createDatabase(
  server: PostgresAddress,
  name: string,
  template = 'template1',
): Promise<void> {
  await withClient(postgresUrl(server, 'postgres'), (client) =>
    client.query(
      `CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE ${client.escapeIdentifier(template)}`,
    ),
  );
}

export async function withClient<T>(
  connectionString: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
