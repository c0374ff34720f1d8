// A commit that the stream brings to the warehouse before other sessions can see it in the source, as synchronous replication has it:
// a backfill does not undo it, and verify does not take the row for a different one.
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../sandbox/postgres.ts';
import { done, leftOrigin, request } from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';
import { verify } from './verify-rig.ts';

let server: PostgresServer;
let bridge: Bridge;
/** The CRM's session, whose commits wait for a standby; nobody else's do. */
let crm: pg.Client;
let committing: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  server = await startPostgres();
  bridge = await Bridge.open({
    sourceServer: server,
    ddl: 'CREATE TABLE account (id int PRIMARY KEY, v text)',
    tables: [{ schema: 'public', table: 'account' }],
  });
  await bridge.source.query(`DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET synchronous_commit = local', current_database());
  END $$`);
  await bridge.source.query('SET synchronous_commit = local');
  crm = new pg.Client({ connectionString: bridge.settings.source.url });
  await crm.connect();
  await crm.query('SET synchronous_commit = on');
  await bridge.start();
  await crm.query(`INSERT INTO account SELECT n, 'old' FROM generate_series(1, 10) AS n`);
  await leftOrigin(bridge);
  await bridge.source.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
  await bridge.source.query('SELECT pg_reload_conf()');
  // Taken by each process of the server in its own time.
  await until('commits to wait for the standby', async () => {
    committing = crm.query(`UPDATE account SET v = 'old' WHERE id = 1`);
    let isOver = false;
    void committing.then(() => {
      isOver = true;
    });
    const isWaiting = await until('the commit', async () => {
      const { rowCount } = await bridge.source.query(
        `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()`,
      );
      return rowCount === 1 ? 'waits' : isOver ? 'is over' : null;
    });
    await release();
    return isWaiting === 'waits';
  });
});

afterEach(release);

afterAll(async () => {
  await crm?.end();
  await bridge?.close();
  await server?.stop();
});

const warehouseHas = async (id: number, v: string) =>
  (await bridge.rows<{ v: string }>(`SELECT v FROM crm.account WHERE id = ${id}`))[0]?.v === v;

/** Leaves the row in the warehouse as `v`, and for all but the CRM's session in the source as it was. */
async function commitEarly(id: number, v: string): Promise<void> {
  committing = crm.query('UPDATE account SET v = $2 WHERE id = $1', [id, v]);
  await until('the stream to bring the change', () => warehouseHas(id, v));
  const { rows } = await bridge.source.query('SELECT v FROM account WHERE id = $1', [id]);
  expect(rows).toEqual([{ v: 'old' }]);
}

/** The CRM's commit waits for its standby no longer, and all can see it. */
async function release(): Promise<void> {
  await bridge.source.query(
    `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()`,
  );
  await committing;
}

/** Resolves when somebody asks who holds a writer's lock, or when the work is over without it. */
async function writersAreWaitedFor(work: Promise<unknown>): Promise<void> {
  let isOver = false;
  void work.finally(() => {
    isOver = true;
  });
  await until('a wait for the writers', async () => {
    const { rowCount } = await bridge.source.query(
      `SELECT FROM pg_stat_activity WHERE query LIKE '%virtualtransaction = ANY%' AND pid <> pg_backend_pid()`,
    );
    return isOver || rowCount === 1;
  });
}

test('is not undone by a backfill', async () => {
  await commitEarly(1, 'new');
  const backfill = done(bridge, await request(bridge, { entities: ['account'] }));
  await writersAreWaitedFor(backfill);
  await release();
  await backfill;
  expect(await warehouseHas(1, 'new')).toBe(true);
});

test('is no difference for verify', async () => {
  await commitEarly(2, 'new');
  const verifying = verify(bridge);
  await writersAreWaitedFor(verifying);
  await release();
  const { reports } = await verifying;
  expect(reports).toMatchObject([{ entity: 'account', state: 'equal', sourceRows: 10 }]);
});
