// The first load of an empty warehouse from one snapshot: under traffic, over keys and values of every kind, and broken in its midst.
import { afterEach, expect, test, vi } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { seedCrm } from '../../sandbox/crm/seed.ts';
import { startTraffic } from '../../sandbox/crm/traffic.ts';
import type { BackfillStatus } from '../../src/daemon/backfill-control.ts';
import { emptyPostgresQueue } from '../faults/empty-queue.ts';
import {
  caughtUp,
  crmPairs,
  done,
  expectEqual,
  openCrmBridge,
  openQuarantine,
  request,
  steps,
  withControl,
} from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';

vi.setConfig({ testTimeout: 120_000 });

let bridge: Bridge;
afterEach(() => bridge.close());

/** What was there is from before the slot, as far as the bridge is concerned. */
async function moveSlot(): Promise<void> {
  await bridge.source.query('SELECT pg_replication_slot_advance($1, pg_current_wal_insert_lsn())', [
    bridge.settings.source.slot,
  ]);
}

/** Ranges whose last rows came by the snapshot, and those that ended in chunks: a chunk has two watermarks. */
async function waysOf(id: string): Promise<{ snapshot: number; chunks: number }> {
  const rows = await bridge.rows<{ way: string }>(
    `SELECT CASE WHEN low_lsn = high_lsn THEN 'snapshot' ELSE 'chunks' END AS way FROM walbridge.backfill WHERE backfill_id = '${id}' AND chunks_done > 0`,
  );
  const chunks = rows.filter(({ way }) => way === 'chunks').length;
  return { snapshot: rows.length - chunks, chunks };
}

const snapshotTaken = () =>
  until('the snapshot', async () => {
    const { rows } = await bridge.source.query<{ pid: number }>(
      "SELECT active_pid AS pid FROM pg_replication_slots WHERE temporary AND slot_name LIKE 'walbridge_load_%' AND database = current_database()",
    );
    return rows[0]?.pid ?? null;
  });

const sum = (found: readonly BackfillStatus[], of: (step: BackfillStatus) => number) =>
  found.reduce((total, step) => total + of(step), 0);

test('a filled CRM arrives whole while it is written to, from the snapshot alone', async () => {
  bridge = await openCrmBridge({ maxTransactionRows: 150, maxBatchRows: 100 });
  const { url } = bridge.settings.source;
  const rows = { accounts: 80, contacts: 400, leads: 200, opportunities: 200, activities: 400 };
  await withClient(url, (client) => seedCrm(client, rows));
  await moveSlot();
  const traffic = await startTraffic(url, { ratePerSecond: 100, hotShare: 0.5 });
  const id = await request(bridge, { all: true, chunkRows: 200, parallel: 3 });
  await bridge.start();
  const loads = await done(bridge, id);
  const { changes } = await traffic.stop();
  await caughtUp(bridge);
  expect(changes).toBeGreaterThan(100);
  await expectEqual(bridge, crmPairs);
  expect(await openQuarantine(bridge)).toEqual([]);
  expect(loads.length).toBeGreaterThan(crmPairs.length);
  expect(loads.every(({ options }) => options.isRange)).toBe(true);
  expect(sum(loads, ({ rowsRead }) => rowsRead)).toBeGreaterThan(500);
  expect(await waysOf(id)).toMatchObject({
    snapshot: loads.filter(({ chunksDone }) => chunksDone > 0).length,
  });
  // The slot and the snapshot are gone with the load.
  const { rowCount } = await bridge.source.query(
    'SELECT FROM pg_replication_slots WHERE temporary AND database = current_database()',
  );
  expect(rowCount).toBe(0);
});

test('paused in its midst, and ended in its midst: what is there stays, the rest comes in chunks', async () => {
  bridge = await openCrmBridge({ maxTransactionRows: 40, maxBatchRows: 40, maxQueuedBytes: 20_000 });
  const { url } = bridge.settings.source;
  const rows = { accounts: 40, contacts: 200, leads: 100, opportunities: 60, activities: 150 };
  await withClient(url, (client) => seedCrm(client, rows));
  await moveSlot();
  const traffic = await startTraffic(url, { ratePerSecond: 40, seed: 3 });
  const id = await request(bridge, { all: true, chunkRows: 30, parallel: 2 });
  const read = async () => sum(await steps(bridge, id), ({ rowsRead }) => rowsRead);
  const more = (than: number) => until('more rows', async () => (await read()) > than, 60_000);
  await bridge.start();
  await more(0);
  await withControl(bridge, (control) => control.steer(id, 'pause'));
  // The stream goes on without the rest.
  await caughtUp(bridge);
  await withControl(bridge, (control) => control.steer(id, 'resume'));
  await more((await read()) + 60);
  await bridge.stop();
  await bridge.start();
  await done(bridge, id);
  await traffic.stop();
  await caughtUp(bridge);
  await expectEqual(bridge, crmPairs);
  expect(await openQuarantine(bridge)).toEqual([]);
  const ways = await waysOf(id);
  expect(ways.snapshot).toBeGreaterThan(0);
  expect(ways.chunks).toBeGreaterThan(0);
});

test('rows that nobody has asked for are warned of before the first stream, and never again', async () => {
  const tables = ['a', 'b'].map((table) => ({ schema: 'public', table }));
  const ddl = 'CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)';
  const warnings = async () => {
    bridge.warned.length = 0;
    await bridge.start();
    // Nobody's: it is confirmed once the stream has begun, and moves no lane.
    await bridge.source.query("SELECT pg_logical_emit_message(true, 'test', '')");
    await caughtUp(bridge);
    await bridge.stop();
    return bridge.warned.filter((code) => code === 'WB7031').length;
  };
  bridge = await Bridge.open({ ddl, tables });
  expect(await warnings()).toBe(0);
  await bridge.close();
  bridge = await Bridge.open({ ddl: `${ddl}; INSERT INTO b VALUES (1)`, tables });
  expect(await warnings()).toBe(1);
  const id = await withControl(bridge, (control) => control.requestFirst());
  expect(await withControl(bridge, (control) => control.requestFirst())).toBeNull();
  await withControl(bridge, (control) => control.steer(id ?? '', 'pause'));
  // Not now, somebody has said.
  expect(await warnings()).toBe(0);
  await withControl(bridge, (control) => control.steer(id ?? '', 'resume'));
  await bridge.start();
  await done(bridge, id ?? '');
  expect(await bridge.rows('SELECT id FROM crm.b')).toEqual([{ id: 1 }]);
  expect(await waysOf(id ?? '')).toMatchObject({ chunks: 0 });
});

const oddities = ['odd', 'pair', 'ids', 'parts', 'cut', 'renewed', 'boxes', 'shelves'] as const;
const oddPairs = [
  { source: 'odd', target: 'crm.odd', key: ['w'] },
  { source: 'pair', target: 'crm.pair', key: ['a', 'b'] },
  { source: 'ids', target: 'crm.ids', key: ['id'] },
  { source: 'parts', target: 'crm.parts', key: ['region', 'id'] },
  { source: 'cut', target: 'crm.cut', key: ['id'] },
  { source: 'renewed', target: 'crm.renewed', key: ['id'] },
  { source: 'boxes', target: 'crm.boxes', key: ['id'] },
  { source: 'shelves', target: 'crm.shelves', key: ['id'] },
];

async function openOddities(): Promise<void> {
  bridge = await Bridge.open({
    ddl: `
      CREATE TABLE odd (w varchar(40) COLLATE "en-x-icu" PRIMARY KEY, t text, b bytea, j jsonb, f float8, a text[]);
      CREATE TABLE pair (a int, b varchar(20) COLLATE "en-x-icu", v numeric(10,2), PRIMARY KEY (a, b));
      CREATE TABLE ids (id uuid PRIMARY KEY, at timestamptz);
      CREATE TABLE parts (id int, region varchar(10), v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
      CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
      CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
      CREATE TABLE cut (id int PRIMARY KEY, n int);
      CREATE TABLE renewed (id int PRIMARY KEY, n int);
      CREATE TABLE shelves (id int PRIMARY KEY);
      CREATE TABLE boxes (id int PRIMARY KEY, shelf int NOT NULL REFERENCES shelves);`,
    lane: { maxTransactionRows: 100 },
    tables: oddities.map((table) => ({ schema: 'public', table })),
    edit: (table, mapping) => (table === 'ids' || table === 'cut' ? `${mapping}\nlane: second\n` : mapping),
  });
  await bridge.source.query(
    `INSERT INTO odd SELECT w, t, '\\x0009005c0a'::bytea, '{"a\\tb": "\\\\n"}', -0.1, ARRAY['\\', NULL, 'a"b', '']
     FROM unnest($1::text[], $2::text[]) AS odd(w, t)`,
    [
      ['a', 'A', 'ä', "it's", 'back\\slash', 'tab\there', 'new\nline', '\\N', '\\.', ' lead', 'ß', '$1'],
      ['', null, '\\N', '\\', 'a\tb\nc\r\b\f\v', '\\\\', '\\n', '\u{1F600}', "'", '\\x', '\t', '\n'],
    ],
  );
  await bridge.source.query(`
    INSERT INTO odd (w, t) SELECT (ARRAY['k','K','ö','o','-'])[1 + i % 5] || to_hex(i * 7919), repeat('x', i) FROM generate_series(1, 300) i;
    INSERT INTO pair SELECT i % 7 - 3, chr(97 + i % 26) || CASE WHEN i % 2 = 0 THEN upper(to_hex(i)) ELSE to_hex(i) END, i FROM generate_series(1, 500) i;
    INSERT INTO ids SELECT md5(i::text)::uuid, now() FROM generate_series(1, 500) i;
    INSERT INTO parts SELECT i, (ARRAY['north','south','east'])[1 + i % 3], 'p' || i FROM generate_series(1, 600) i;
    INSERT INTO cut SELECT i, i FROM generate_series(1, 300) i;
    INSERT INTO renewed SELECT i, i FROM generate_series(1, 300) i;
    INSERT INTO shelves SELECT i FROM generate_series(1, 300) i;
    INSERT INTO boxes SELECT i, 301 - i FROM generate_series(1, 300) i`);
  // Rows that come before their parents would go to quarantine.
  await bridge.rows(
    'ALTER TABLE crm.boxes ADD CONSTRAINT FK_boxes FOREIGN KEY (shelf) REFERENCES crm.shelves (id)',
  );
  await moveSlot();
}

test('changes, TRUNCATE and rewritten tables between the snapshot and its reading', async () => {
  await openOddities();
  const id = await request(bridge, { all: true, chunkRows: 70 });
  // Without the apply role the load stands where the snapshot is taken and nothing is read.
  await bridge.start(['capture']);
  await snapshotTaken();
  await bridge.source.query(`
    TRUNCATE cut; INSERT INTO cut SELECT i, -i FROM generate_series(200, 400) i;
    ALTER TABLE renewed ALTER n TYPE int USING n + 0;
    UPDATE pair SET v = -v WHERE a < 0; DELETE FROM ids WHERE id::text < '4'; UPDATE pair SET a = a + 100 WHERE a = 3;
    UPDATE parts SET region = 'north' WHERE region = 'south' AND id % 2 = 0; DELETE FROM odd WHERE w = 'ä'`);
  // As a batch of an earlier stream would, that was still on its way: rows that the source has no more.
  await bridge.rows(
    `INSERT INTO crm.cut (id, n) VALUES (-1, 0); INSERT INTO crm.pair (a, b, v) VALUES (-50, N'late', 1)`,
  );
  await bridge.start(['apply']);
  await done(bridge, id);
  await caughtUp(bridge);
  await expectEqual(bridge, oddPairs);
  expect(await openQuarantine(bridge)).toEqual([]);
  const order = await bridge.rows<{ entity: string }>(
    `SELECT TOP (1) entity FROM walbridge.backfill WHERE backfill_id = '${id}' AND entity IN ('boxes', 'shelves') ORDER BY finished_at`,
  );
  expect(order).toEqual([{ entity: 'shelves' }]);
  // The two tables with new files were left to chunks; a truncated one read by the snapshot would be empty, which is right, too.
  const found = await bridge.rows<{ entity: string }>(
    `SELECT DISTINCT entity FROM walbridge.backfill WHERE backfill_id = '${id}' AND low_lsn < high_lsn ORDER BY entity`,
  );
  expect(found.map(({ entity }) => entity)).toEqual(['cut', 'renewed']);
});

test('an emptied queue, then the end of the connection that holds the snapshot', async () => {
  await openOddities();
  const id = await request(bridge, { all: true, chunkRows: 70 });
  await bridge.start(['capture']);
  const first = await snapshotTaken();
  await until('the first part', async () => (await bridge.queue()).depth > 0);
  await emptyPostgresQueue(bridge.settings.queue.url);
  // Nothing of the first had arrived: a second snapshot is as good.
  const second = await until('another snapshot', async () => {
    const pid = await snapshotTaken();
    return pid === first ? null : pid;
  });
  await bridge.source.query("DELETE FROM ids WHERE id::text < '8'");
  await bridge.source.query('SELECT pg_terminate_backend($1)', [second]);
  await bridge.start(['apply']);
  await done(bridge, id);
  await caughtUp(bridge);
  await expectEqual(bridge, oddPairs);
  expect(await waysOf(id)).toMatchObject({ snapshot: 0 });
});

test('tables that somebody else has filled are no first load, and keep what they have', async () => {
  await openOddities();
  await bridge.rows(`INSERT INTO crm.ids (id) VALUES ('00000000-0000-0000-0000-000000000001')`);
  const id = await request(bridge, { all: true });
  await bridge.start();
  await done(bridge, id);
  expect(await waysOf(id)).toEqual({ snapshot: 0, chunks: oddPairs.length });
  expect(
    await bridge.rows("SELECT COUNT(*) AS n FROM crm.ids WHERE id = '00000000-0000-0000-0000-000000000001'"),
  ).toEqual([{ n: 1 }]);
  await done(bridge, await request(bridge, { entities: ['ids'], prune: true }));
  await expectEqual(bridge, oddPairs);
});
