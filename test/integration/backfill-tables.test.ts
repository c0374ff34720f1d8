// Backfills over keys of every kind, with planted differences, with faults of their own, and steered by hand.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BackfillStatus } from '../../src/daemon/backfill-control.ts';
import {
  caughtUp,
  done,
  expectEqual,
  openJobs,
  openQuarantine,
  request,
  steps,
  withControl,
} from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const tables = ['sparse', 'pair', 'ids', 'words', 'parts', 'wide', 'filtered', 'dated'] as const;
const ddl = `
  CREATE TABLE sparse (id bigint PRIMARY KEY, v text);
  CREATE TABLE pair (a int, b varchar(20) COLLATE "en-x-icu", v numeric(10,2), PRIMARY KEY (a, b));
  CREATE TABLE ids (id uuid PRIMARY KEY, at timestamptz);
  CREATE TABLE words (w varchar(40) COLLATE "en-x-icu" PRIMARY KEY, n int);
  CREATE TABLE parts (id int, region varchar(10), v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
  CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
  CREATE TABLE wide (id int PRIMARY KEY, n int, body text);
  ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
  CREATE TABLE filtered (id int PRIMARY KEY, kind varchar(10) NOT NULL);
  CREATE TABLE dated (id int PRIMARY KEY, born date, updated_at timestamp);`;

const pairs = [
  { source: 'sparse', target: 'crm.sparse', key: ['id'] },
  { source: 'pair', target: 'crm.pair', key: ['a', 'b'] },
  { source: 'ids', target: 'crm.ids', key: ['id'] },
  { source: 'words', target: 'crm.words', key: ['w'] },
  { source: 'parts', target: 'crm.parts', key: ['region', 'id'] },
  { source: 'wide', target: 'crm.wide', key: ['id'] },
  { source: 'dated', target: 'crm.dated', key: ['id'] },
  { source: 'filtered', target: 'crm.filtered', key: ['id'], expected: "kind = 'kept'" },
];
const pairOf = (table: (typeof tables)[number]) => pairs.filter(({ source }) => source === table);

let bridge: Bridge;
let jobs: Awaited<ReturnType<typeof openJobs>>;
const jobBecomes = (id: string, state: string) =>
  until(`the job to be ${state}`, async () => (await jobs.getJobState(id)) === state, 30_000);

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl,
    tables: tables.map((table) => ({ schema: 'public', table })),
    edit: (table, mapping) => (table === 'filtered' ? `${mapping}\nfilter: kind == "kept"\n` : mapping),
  });
  await bridge.source.query(`
    INSERT INTO sparse SELECT (i::bigint * i * i) * 1000003 - 9000000000, 'v' || i FROM generate_series(1, 700) i;
    INSERT INTO pair SELECT i % 7 - 3, chr(97 + i % 26) || CASE WHEN i % 2 = 0 THEN upper(to_hex(i)) ELSE to_hex(i) END, i FROM generate_series(1, 500) i;
    INSERT INTO ids SELECT md5(i::text)::uuid, now() FROM generate_series(1, 500) i;
    INSERT INTO words SELECT unnest(ARRAY['a','A','ä','b','B','Z','z','a b','a-b','ab','é','e','E','ß','ss','_x','-y','10','9',' lead']), 1;
    INSERT INTO words SELECT (ARRAY['k','K','ö','o','-'])[1 + i % 5] || to_hex(i * 7919), i FROM generate_series(1, 400) i;
    INSERT INTO parts SELECT i, (ARRAY['north','south','east'])[1 + i % 3], 'p' || i FROM generate_series(1, 600) i;
    INSERT INTO wide SELECT i, i, repeat(md5(i::text), 300) FROM generate_series(1, 300) i;
    INSERT INTO dated SELECT i, '2020-01-01'::date + i, CASE WHEN i <> 7 THEN now() AT TIME ZONE 'UTC' - interval '3 hours' * (i + 3) END FROM generate_series(1, 60) i;
    INSERT INTO filtered SELECT i, CASE WHEN i % 3 = 0 THEN 'kept' ELSE 'left' END FROM generate_series(1, 90) i`);
  await bridge.source.query('SELECT pg_replication_slot_advance($1, pg_current_wal_insert_lsn())', [
    bridge.settings.source.slot,
  ]);
  await bridge.start();
  jobs = await openJobs(bridge);
});

afterAll(async () => {
  await jobs.close();
  await bridge.close();
});

test('keys of every kind, in ranges of the snapshot of a first load', async () => {
  const found = await done(bridge, await request(bridge, { all: true, chunkRows: 37, parallel: 2 }));
  await expectEqual(bridge, pairs);
  const rows: Record<string, number> = {};
  for (const { entity, rowsRead } of found) rows[entity] = (rows[entity] ?? 0) + rowsRead;
  expect(rows).toEqual({
    sparse: 700,
    pair: 500,
    ids: 500,
    words: 420,
    parts: 600,
    wide: 300,
    filtered: 90,
    dated: 60,
  });
  expect(await openQuarantine(bridge)).toEqual([]);
});

test('the same in chunks, several ranges of a table at once', async () => {
  await bridge.rows(tables.map((table) => `DELETE FROM crm.${table}`).join('; '));
  const id = await request(bridge, { all: true, chunkRows: 37, parallel: 3 });
  const found = await done(bridge, id);
  await expectEqual(bridge, pairs);
  const of = (entity: string) => found.filter((step) => step.entity === entity);
  for (const [entity, rows, ranges] of [
    ['sparse', 700, 3],
    ['pair', 500, 3],
    ['ids', 500, 3],
    ['words', 420, 3],
    ['parts', 600, 3],
    ['wide', 300, 3],
    ['filtered', 90, 3],
  ] as const) {
    const read = of(entity).map(({ rowsRead }) => rowsRead);
    // About a third each: none of them is read twice, none is left out.
    expect([entity, read.length, read.reduce((sum, count) => sum + count, 0)]).toEqual([
      entity,
      ranges,
      rows,
    ]);
    for (const count of read) expect(count).toBeCloseTo(rows / ranges, -1);
  }
  expect(await openQuarantine(bridge)).toEqual([]);
});

test('ranges of a table without statistics and of an emptied one; a range asked for is split within', async () => {
  await bridge.rows('DELETE FROM crm.sparse');
  const id = await request(bridge, {
    entities: ['sparse'],
    fromKey: '0',
    toKey: '200000000000000',
    parallel: 4,
  });
  const found = await done(bridge, id);
  expect(found.map(({ fromKey }) => fromKey?.[0]).slice(0, 1)).toEqual(['0']);
  expect(found).toHaveLength(4);
  expect(found.at(-1)?.toKey).toEqual(['200000000000000']);
  const { rows } = await bridge.source.query(
    'SELECT count(*)::int AS n FROM sparse WHERE id >= 0 AND id < 200000000000000',
  );
  expect(await bridge.rows('SELECT COUNT(*) AS n FROM crm.sparse')).toEqual(rows);
  await bridge.source.query('CREATE TEMP TABLE kept AS TABLE filtered; DELETE FROM filtered');
  await caughtUp(bridge);
  expect(await done(bridge, await request(bridge, { entities: ['filtered'], parallel: 4 }))).toHaveLength(1);
  await bridge.source.query('INSERT INTO filtered TABLE kept');
  await caughtUp(bridge);
  await done(bridge, await request(bridge, { entities: ['sparse'] }));
  await expectEqual(bridge, pairs);
});

test('--since takes the rows that were changed since, by the column that has a name for it', async () => {
  await bridge.rows('DELETE FROM crm.dated');
  const [step] = await done(bridge, await request(bridge, { entities: ['dated'], since: '3 days' }));
  expect(step).toMatchObject({ rowsRead: 19, options: { since: { column: 'updated_at' } } });
  await done(
    bridge,
    await request(bridge, { entities: ['dated'], since: '2020-01-15', sinceColumn: 'born' }),
  );
  const { rows } = await bridge.source.query(
    "SELECT count(*)::int AS n FROM dated WHERE updated_at >= now() - interval '3 days' OR born >= '2020-01-15'",
  );
  expect(await bridge.rows('SELECT COUNT(*) AS n FROM crm.dated')).toEqual(rows);
  await done(bridge, await request(bridge, { entities: ['dated'] }));
  await expectEqual(bridge, pairOf('dated'));
  const refusal = (wanted: Parameters<typeof request>[1]) =>
    request(bridge, { entities: ['dated'], ...wanted }).then(
      () => 'not refused',
      (error: unknown) => String(error),
    );
  expect(await refusal({ since: 'last week' })).toContain('neither a time nor an interval');
  expect(await refusal({ since: '3' })).toContain('neither a time nor an interval');
  expect(await refusal({ since: '3 days', sinceColumn: 'update_at' })).toContain('nearest: updated_at');
  expect(await refusal({ since: '3 days', entities: ['sparse'] })).toContain('none is called updated_at');
  expect(await refusal({ since: '3 days', prune: true })).toContain('--prune with --since');
});

test('prune deletes what the source has no more, within the range only', async () => {
  await bridge.rows(`INSERT INTO crm.sparse (id, v) VALUES (-9000000001, 'x'), (5, 'x'), (9000000000, 'x');
    INSERT INTO crm.pair (a, b, v) VALUES (-3, N'zz-extra', 1), (9, N'a', 1);
    INSERT INTO crm.words (w, n) VALUES (N'not there', 1), (N'Ab', 2);
    INSERT INTO crm.ids (id) VALUES ('00000000-0000-0000-0000-000000000001');
    INSERT INTO crm.parts (id, region, v) VALUES (1000, N'north', N'x');
    INSERT INTO crm.filtered (id, kind) VALUES (1, N'kept')`);
  const [, prune] = await done(
    bridge,
    await request(bridge, { entities: ['sparse'], fromKey: '0', toKey: '8000000000', prune: true }),
  );
  // Of a key that both sides put in the same order no others are looked at.
  const { rows: within } = await bridge.source.query(
    'SELECT count(*)::int + 1 AS n FROM sparse WHERE id >= 0 AND id < 8000000000',
  );
  expect(prune).toMatchObject({ kind: 'prune', rowsRead: within[0].n, rowsPruned: 1 });
  const composite = { fromKey: '[-1, "c"]', toKey: '[2, "a"]', prune: true };
  await done(bridge, await request(bridge, { entities: ['pair'], ...composite }));
  expect(await bridge.rows("SELECT id FROM crm.sparse WHERE v = N'x' ORDER BY id")).toEqual([
    { id: '-9000000001' },
    { id: '9000000000' },
  ]);
  const found = await done(bridge, await request(bridge, { all: true, prune: true, chunkRows: 50 }));
  await expectEqual(bridge, pairs);
  const pruned = found
    .filter(({ kind }) => kind === 'prune')
    .map(({ entity, rowsPruned }) => [entity, rowsPruned]);
  expect(Object.fromEntries(pruned)).toMatchObject({
    sparse: 2,
    pair: 2,
    words: 2,
    ids: 1,
    parts: 1,
    wide: 0,
  });
});

test('prune in ranges of the warehouse: every key is asked about once, also after a pause', async () => {
  await bridge.rows(`INSERT INTO crm.sparse (id, v) VALUES (-9000000001, 'x'), (5, 'x'), (9000000000000000000, 'x');
    INSERT INTO crm.pair (a, b, v) VALUES (-9, N'', 1), (0, N'zz-extra', 1), (9, N'a', 1);
    INSERT INTO crm.words (w, n) VALUES (N'!', 1), (N'not there', 1), (N'\uffee', 2);
    INSERT INTO crm.ids (id) VALUES ('00000000-0000-0000-0000-000000000000'), ('80000000-8000-8000-8000-800000000000'), ('ffffffff-ffff-ffff-ffff-ffffffffffff');
    INSERT INTO crm.parts (id, region, v) VALUES (-1, N'', N'x'), (1000, N'north', N'x'), (1, N'z', N'x')`);
  const split = ['sparse', 'pair', 'words', 'ids', 'parts'];
  const held: Record<string, number> = {};
  for (const table of split) {
    const [row] = await bridge.rows<{ n: number }>(`SELECT COUNT(*) AS n FROM crm.${table}`);
    held[table] = row?.n ?? 0;
  }
  const id = await request(bridge, { entities: split, prune: true, parallel: 3, chunkRows: 50 });
  const begun = ({ kind, chunksDone }: BackfillStatus) => kind === 'prune' && chunksDone > 0;
  await until('a chunk of a prune', async () => (await steps(bridge, id)).some(begun), 60_000);
  await withControl(bridge, (control) => control.steer(id, 'pause'));
  await withControl(bridge, (control) => control.steer(id, 'resume'));
  const found = (await done(bridge, id)).filter(({ kind }) => kind === 'prune');
  await expectEqual(bridge, pairs);
  for (const table of split) {
    const ranges = found.filter(({ entity }) => entity === table);
    const asked = ranges.map(({ rowsRead }) => rowsRead);
    const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
    const pruned = sum(ranges.map(({ rowsPruned }) => rowsPruned));
    // A chunk that the pause cut off may have deleted its keys without being counted; it finds them no more when it comes again.
    expect([table, ranges.length, sum(asked) - pruned]).toEqual([table, 3, (held[table] ?? 0) - 3]);
    for (const count of asked) expect(count).toBeCloseTo((held[table] ?? 0) / 3, -1);
    expect(pruned).toBeLessThanOrEqual(3);
  }
  // A range that was asked for is split within, and holds.
  await bridge.rows("INSERT INTO crm.sparse (id, v) VALUES (-1, 'x'), (6, 'x'), (9000000000000000000, 'x')");
  const within = { entities: ['sparse'], fromKey: '0', toKey: '200000000000000', prune: true, parallel: 2 };
  const ranged = (await done(bridge, await request(bridge, within))).filter(({ kind }) => kind === 'prune');
  expect(ranged.map(({ fromKey, toKey }) => [fromKey, toKey])).toEqual(
    Array.from({ length: 2 }, () => [['0'], ['200000000000000']]),
  );
  expect(await bridge.rows("SELECT id FROM crm.sparse WHERE v = N'x' ORDER BY id")).toEqual([
    { id: '-1' },
    { id: '9000000000000000000' },
  ]);
  await done(bridge, await request(bridge, { entities: ['sparse'], prune: true }));
  await expectEqual(bridge, pairOf('sparse'));
});

test('a condition and a range leave the rest alone; --truncate-first leaves nothing behind', async () => {
  await bridge.rows(`UPDATE crm.sparse SET v = N'stale'; UPDATE crm.pair SET v = 0;
    INSERT INTO crm.ids (id) VALUES ('00000000-0000-0000-0000-000000000002')`);
  const id = await request(bridge, { entities: ['sparse'], where: "v LIKE 'v1%' -- only these" });
  const [step] = await done(bridge, id);
  const expected = Number(
    (await bridge.source.query("SELECT count(*) FROM sparse WHERE v LIKE 'v1%'")).rows[0].count,
  );
  expect(step).toMatchObject({ rowsRead: expected, rowsWritten: expected });
  expect(await bridge.rows("SELECT COUNT(*) AS n FROM crm.sparse WHERE v <> N'stale'")).toEqual([
    { n: expected },
  ]);
  await done(bridge, await request(bridge, { entities: ['pair'], fromKey: '[-1, ""]', toKey: '[2, "c"]' }));
  const inRange = `(a, b) >= (-1, '') AND (a, b) < (2, 'c')`;
  const { rows } = await bridge.source.query(`SELECT count(*)::int AS n FROM pair WHERE ${inRange}`);
  expect(await bridge.rows('SELECT COUNT(*) AS n FROM crm.pair WHERE v <> 0')).toEqual(rows);
  const found = await done(
    bridge,
    await request(bridge, { entities: ['sparse', 'pair', 'ids'], truncateFirst: true }),
  );
  expect(found.map(({ kind }) => kind)).toEqual([
    'truncate',
    'backfill',
    'truncate',
    'backfill',
    'truncate',
    'backfill',
  ]);
  await expectEqual(bridge, pairs);
});

test('hot rows whose large values do not change are completed, also where their key moves behind the scan', async () => {
  await bridge.rows('DELETE FROM crm.wide');
  const url = bridge.settings.source.url;
  const { Client } = (await import('pg')).default;
  const writer = new Client({ connectionString: url });
  await writer.connect();
  let isStopped = false;
  let writes = 0;
  const writing = (async () => {
    for (let round = 0; !isStopped; round += 1) {
      await writer.query('UPDATE wide SET n = n + 1 WHERE id = ANY ($1)', [[1, 150, 151, 299]]);
      // From ahead of the scan to behind it, without the large value.
      await writer.query('UPDATE wide SET id = -id WHERE id = $1', [300 - round]);
      await writer.query('DELETE FROM wide WHERE id = $1', [100 + round]);
      writes += 3;
    }
  })();
  const id = await request(bridge, { entities: ['wide'], chunkRows: 20 });
  await done(bridge, id).finally(() => {
    isStopped = true;
  });
  await writing;
  await writer.end();
  expect(writes).toBeGreaterThan(10);
  await caughtUp(bridge);
  // What moved after the end of the scan was complete by then; what moved before was read by its key.
  await expectEqual(bridge, pairOf('wide'));
  expect(await openQuarantine(bridge)).toEqual([]);
});

test('a transaction that is open across the watermarks wins, whatever it did before them', async () => {
  const { Client } = (await import('pg')).default;
  const writer = new Client({ connectionString: bridge.settings.source.url });
  await writer.connect();
  await writer.query(`BEGIN; UPDATE sparse SET v = 'late' WHERE v = 'v5'; DELETE FROM sparse WHERE v = 'v6'`);
  await bridge.rows('DELETE FROM crm.sparse');
  // Its session idles within the transaction: nobody waits for it.
  await done(bridge, await request(bridge, { entities: ['sparse'] }));
  await writer.query('COMMIT');
  await writer.end();
  await caughtUp(bridge);
  await expectEqual(bridge, pairOf('sparse'));
});

test('it waits for a transaction that may be in the midst of its commit, and says so', async () => {
  const { Client } = (await import('pg')).default;
  const writer = new Client({ connectionString: bridge.settings.source.url });
  await writer.connect();
  const writing = writer.query(
    `BEGIN; UPDATE sparse SET v = 'slow' WHERE v = 'v7'; SELECT pg_sleep(4); COMMIT`,
  );
  await until('the writer', async () => {
    const locks = await bridge.source.query(
      "SELECT FROM pg_locks WHERE relation = 'sparse'::regclass AND mode = 'RowExclusiveLock'",
    );
    return locks.rowCount;
  });
  const id = await request(bridge, { entities: ['sparse'] });
  const waiting = await until('the reason', async () => {
    const [step] = await steps(bridge, id);
    return step?.errorCode === null ? null : step;
  });
  expect(waiting).toMatchObject({ state: 'running', errorCode: 'WB7020', chunksDone: 0 });
  await writing;
  expect((await done(bridge, id))[0]).toMatchObject({ errorCode: null });
  await writer.end();
  await caughtUp(bridge);
  await expectEqual(bridge, pairOf('sparse'));
});

test('pause, resume and cancel', async () => {
  await bridge.rows('DELETE FROM crm.sparse');
  const id = await request(bridge, { entities: ['sparse'], chunkRows: 5 });
  await until('a chunk', async () => ((await steps(bridge, id))[0]?.chunksDone ?? 0) > 0, 60_000);
  await withControl(bridge, (control) => control.steer(id.slice(0, 13), 'pause'));
  const paused = (await steps(bridge, id))[0];
  expect(paused?.state).toBe('paused');
  // As long as three looks of the daemon at the table: nothing moves any more.
  await pause(3000);
  expect((await steps(bridge, id))[0]).toMatchObject({ state: 'paused', chunksDone: paused?.chunksDone });
  await withControl(bridge, (control) => control.steer(id, 'resume'));
  const [step] = await done(bridge, id);
  const { rows } = await bridge.source.query<{ n: number }>('SELECT count(*)::int AS n FROM sparse');
  expect(step?.rowsWritten).toBeGreaterThanOrEqual(rows[0]?.n ?? 0);
  await expectEqual(bridge, pairOf('sparse'));
  await jobBecomes(id, 'completed');
  expect((await jobs.getJob(id))?.returnvalue).toEqual({
    kind: 'done',
    rows: step?.rowsRead,
    estimated: step?.rowsEstimated,
  });
  await expect(withControl(bridge, (control) => control.steer(id, 'cancel'))).rejects.toThrow('WB7026');
  const other = await request(bridge, { entities: ['sparse'], chunkRows: 1 });
  await jobBecomes(other, 'active');
  // An emptied queue: the daemon goes on, and asks for a job in which it can be seen.
  await jobs.obliterate({ force: true });
  await jobBecomes(other, 'active');
  const [cancelled] = await withControl(bridge, (control) => control.steer(other, 'cancel'));
  expect(cancelled?.state).toBe('cancelled');
  await jobBecomes(other, 'completed');
  expect((await jobs.getJob(other))?.returnvalue).toMatchObject({ kind: 'cancelled' });
});

test('a condition that the source does not understand is refused at the request, in its words and with the place', async () => {
  const refusal = (where: string, ...entities: string[]) =>
    request(bridge, { entities, where }).then(
      () => 'not refused',
      (error: { code: string; what: string }) => `${error.code} ${error.what}`,
    );
  const asked = (await withControl(bridge, (control) => control.list())).length;
  const column = await refusal("v = '💥' AND idd > 7", 'sparse', 'ids');
  expect(column).toMatch(/^WB7024 /);
  expect(column).toMatch(
    /^sparse: column "idd" does not exist, at character 13: idd > 7 \(Perhaps you meant to reference the column "t.id"/m,
  );
  expect(column).toMatch(/^ids: column "v" does not exist, at character 1: v = /m);
  expect(await refusal('id = = 1', 'ids')).toContain('syntax error at or near "=", at character 6: = 1');
  expect(await refusal("updated_at > 'yesterdy'", 'dated')).toContain(
    'invalid input syntax for type timestamp: "yesterdy", at character 14',
  );
  expect(await refusal('id = 1) OR (id', 'dated')).toContain('argument of OR must be type boolean');
  expect(await refusal('id = $1', 'dated')).toContain('requires 1');
  // Nothing can be put behind it.
  const behind = 'true); COMMIT; DELETE FROM public.dated; COMMIT; SELECT (1';
  expect(await refusal(behind, 'dated')).toContain('multiple commands');
  const { rows } = await bridge.source.query('SELECT count(*)::int AS n FROM dated');
  expect(rows[0].n).toBeGreaterThan(0);
  expect(await withControl(bridge, (control) => control.list())).toHaveLength(asked);
});

test('a backfill that fails says why, and the stream goes on', async () => {
  // Planned it is fine, which is all that a request looks at.
  const where = "pg_catalog.query_to_xml('SELECT no_such_column', true, false, '') IS NULL";
  const id = await request(bridge, { entities: ['ids'], where, prune: false });
  await until('the failure', async () => (await steps(bridge, id))[0]?.state === 'failed', 60_000);
  const [step] = await steps(bridge, id);
  expect(step).toMatchObject({
    state: 'failed',
    errorCode: 'WB2003',
    error: expect.stringContaining('--where may be the cause: column "no_such_column" does not exist.'),
  });
  await jobBecomes(id, 'failed');
  expect((await jobs.getJob(id))?.failedReason).toContain('WB2003 (ids)');
  const failed = await jobs.getJob(id);
  await withControl(bridge, (control) => control.steer(id, 'resume'));
  await until('a job of its own', async () => {
    const job = await jobs.getJob(id);
    return job?.timestamp !== failed?.timestamp && job?.failedReason !== undefined;
  });
  await withControl(bridge, (control) => control.steer(id, 'cancel'));
  await bridge.source.query('CREATE SEQUENCE s');
  const writing = await request(bridge, {
    entities: ['ids'],
    where: "pg_notify(id::text, id::text) IS NULL OR nextval('public.s') > 0",
  });
  await until('the failure', async () => (await steps(bridge, writing))[0]?.state === 'failed', 60_000);
  expect((await bridge.source.query('SELECT is_called FROM s')).rows).toEqual([{ is_called: false }]);
  await bridge.source.query("INSERT INTO ids VALUES ('11111111-0000-0000-0000-000000000001', NULL)");
  await caughtUp(bridge);
  await expectEqual(bridge, pairOf('ids'));
});
