// A source that comes back in an earlier state, or on another timeline: its positions are used again for other changes. What the
// warehouse has of WAL that the source has left is noticed, whoever runs when; a failover behind all that it has just works.
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { caughtUp, done, request } from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { SourceBranches } from './source-branches.ts';
import { Bridge } from './types-bridge.ts';

let branches: SourceBranches;
let bridge: Bridge;

beforeAll(async () => {
  branches = await SourceBranches.start();
  bridge = await Bridge.open({
    sourceServer: branches.server,
    ddl: 'CREATE TABLE busy (id int PRIMARY KEY, v text); CREATE TABLE calm (id int PRIMARY KEY, v text); CREATE TABLE unmapped (v text);',
    tables: [
      { schema: 'public', table: 'busy' },
      { schema: 'public', table: 'calm' },
    ],
    edit: (table, mapping) => `${mapping}lane: ${table}\n`,
  });
});

afterAll(async () => {
  await bridge?.close().catch(() => undefined);
  await branches?.close();
});

const write = (table: string, id: number, value: string) =>
  bridge.source.query(
    `INSERT INTO ${table} VALUES (${id}, $1) ON CONFLICT (id) DO UPDATE SET v = excluded.v`,
    [value],
  );
/** WAL of no mapped table: what is written on another branch lies below positions of this one. */
const fill = () =>
  bridge.source.query(`INSERT INTO unmapped SELECT repeat('x', 900) FROM generate_series(1, 1000)`);

const inWarehouse = async (table: string) =>
  (await bridge.rows<{ id: number; v: string }>(`SELECT id, v FROM crm.${table} ORDER BY id`)).map(
    ({ id, v }) => `${id}${v}`,
  );
const inSource = async (table: string) =>
  (await bridge.source.query<{ id: number; v: string }>(`SELECT id, v FROM ${table} ORDER BY id`)).rows.map(
    ({ id, v }) => `${id}${v}`,
  );
const expectEqual = async () => {
  for (const table of ['busy', 'calm']) expect(await inWarehouse(table)).toEqual(await inSource(table));
};

const timelines = async () => {
  const [row] = await bridge.rows<{ json: string }>('SELECT source_json AS json FROM walbridge.slot');
  return (JSON.parse(row!.json) as { timelines: [number, string | null][] }).timelines.map(([id]) => id);
};

const isStandbyOnRecord = async () => {
  const [row] = await bridge.rows<{ json: string }>('SELECT source_json AS json FROM walbridge.slot');
  return (JSON.parse(row!.json) as { isStandby: boolean }).isStandby;
};

const halted = () => bridge.halted();

const bringBack = async (folder: string, how: 'same' | 'recovered' | 'standby') => {
  await branches.run(folder, how);
  await bridge.reconnect();
  if (how === 'recovered')
    await until('the end of the recovery', async () => {
      const { rows } = await bridge.source.query<{ done: boolean }>('SELECT NOT pg_is_in_recovery() AS done');
      return rows[0]?.done;
    });
};

test('a failover behind all that the warehouse has goes on by itself, the daemon running', async () => {
  await bridge.start();
  await write('busy', 1, 'a');
  await write('calm', 1, 'a');
  await caughtUp(bridge);
  const copy = await branches.copyOf(await branches.stop());
  await bringBack(copy, 'standby');
  await bridge.source.query('SELECT pg_promote()');
  await write('busy', 2, 'b');
  await caughtUp(bridge);
  expect(bridge.fault).toBeNull();
  await expectEqual();
  // It may have been read before its promotion was done: the next start puts it on record.
  await bridge.stop();
  await bridge.start();
  await write('busy', 3, 'c');
  await caughtUp(bridge);
  await expectEqual();
  expect(await timelines()).toEqual([1, 2]);
  await bridge.stop();
  // A server may lack the file of its own timeline.
  const history = join(copy, 'data', 'pg_wal', '00000002.history');
  renameSync(history, `${history}.away`);
  await bridge.start();
  await write('calm', 1, 'b');
  await caughtUp(bridge);
  expect(await timelines()).toEqual([2]);
  renameSync(`${history}.away`, history);
});

test('a stand-by is read, promoted meanwhile, and read on, over a restart too', async () => {
  await caughtUp(bridge);
  await bringBack(await branches.stop(), 'standby');
  await until('the stand-by to be read', async () => {
    const { rowCount } = await bridge.source.query('SELECT FROM pg_replication_slots WHERE active');
    return rowCount === 1 && (await isStandbyOnRecord());
  });
  await bridge.source.query('SELECT pg_promote()');
  await write('busy', 4, 'd');
  await write('calm', 2, 'd');
  await caughtUp(bridge);
  await bridge.stop();
  await bridge.start();
  await write('busy', 4, 'e');
  await caughtUp(bridge);
  expect(bridge.fault).toBeNull();
  await expectEqual();
  expect(await timelines()).toEqual([1, 2, 3]);
});

test('a source restored to before what the warehouse has halts capture, until everything is asked for', async () => {
  const earlier = await branches.copyOf(await branches.stop());
  await bringBack(await branches.copyOf(earlier), 'same');
  await write('busy', 3, 'gone');
  await write('calm', 1, 'gone');
  await bridge.source.query('DELETE FROM busy WHERE id = 1');
  await fill();
  await write('busy', 4, 'gone');
  await caughtUp(bridge);
  expect(await inWarehouse('busy')).toEqual(['2b', '3gone', '4gone']);
  const former = await branches.stop();

  await bringBack(earlier, 'recovered');
  // At LSNs that the lane has passed on the other branch.
  await write('busy', 5, 'new');
  await write('busy', 3, 'new');
  const { rows } = await bridge.source.query<{ slot: string }>(
    `SELECT (confirmed_flush_lsn - '0/0')::text AS slot FROM pg_replication_slots`,
  );
  expect(await halted()).toMatchObject({
    code: 'WB6303',
    kind: 'permanent',
    what: expect.stringMatching(
      /parted from the one that was read at 0\/[0-9A-F]+ \(timelines 1 to .*, 2 to .*, 3 to .*, 4; before: 1 to .*, 2 to .*, 3\)/,
    ),
    next: expect.stringContaining('walbridge backfill --all --prune'),
  });
  const after = await bridge.source.query<{ slot: string }>(
    `SELECT (confirmed_flush_lsn - '0/0')::text AS slot FROM pg_replication_slots`,
  );
  // Nothing that the other branch was told is told to this one.
  expect(after.rows).toEqual(rows);
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6303' });

  // Was it the wrong server? The right one goes on as if nothing had been.
  const restored = await branches.stop();
  await bringBack(former, 'same');
  await bridge.start();
  await write('busy', 6, 'gone');
  await caughtUp(bridge);
  expect(await inWarehouse('busy')).toEqual(['2b', '3gone', '4gone', '6gone']);
  await bridge.stop();
  await branches.stop();

  await bringBack(restored, 'same');
  await request(bridge, { entities: ['busy', 'calm'], prune: true });
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6303' });
  const id = await request(bridge, { all: true, prune: true });
  // Still below what the lane had.
  await write('busy', 7, 'new');
  await bridge.start();
  await done(bridge, id);
  await write('calm', 2, 'new');
  await caughtUp(bridge);
  expect(await inWarehouse('busy')).toEqual(['1a', '2b', '3new', '4e', '5new', '7new']);
  await expectEqual();
  const [audit] = await bridge.rows<{ detail: string }>(
    `SELECT detail_json AS detail FROM walbridge.audit WHERE action = 'accept gap'`,
  );
  expect(JSON.parse(audit!.detail)).toMatchObject({
    backfill: id,
    fork: expect.any(String),
    lanes: [{ lane: 'busy' }, { lane: 'calm' }],
  });
  await bridge.stop();
});

/** A state to come back to, and a source that goes on from it, with the daemon; returns the state's folder. */
async function forget(work: () => Promise<void>): Promise<string> {
  await bridge.stop();
  const earlier = await branches.copyOf(await branches.stop());
  await bringBack(await branches.copyOf(earlier), 'same');
  await bridge.start();
  await work();
  await caughtUp(bridge);
  await bridge.stop();
  await branches.stop();
  return earlier;
}

const goOn = async () => {
  const id = await request(bridge, { all: true, prune: true });
  await write('busy', 20, 'later');
  await bridge.start();
  await done(bridge, id);
  await caughtUp(bridge);
  await expectEqual();
};

test('WAL that is lost within a timeline is noticed by its end, and remembered when that has passed', async () => {
  const earlier = await forget(async () => {
    await fill();
    await write('busy', 8, 'gone');
  });
  await bringBack(earlier, 'same');
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6303', what: expect.stringContaining('it has WAL up to') });
  await write('busy', 9, 'new');
  await fill();
  await fill();
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB7004', what: expect.stringContaining('since WB6303') });
  await goOn();
});

test('WAL that was lost and written anew is noticed by a commit that does not come again', async () => {
  const earlier = await forget(async () => {
    await write('busy', 10, 'gone');
  });
  await bringBack(earlier, 'same');
  await write('busy', 11, 'new');
  await fill();
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6303', what: expect.stringContaining('was written anew') });
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB7004' });
  await goOn();
});

test('a slot made anew behind a fork is noticed, though positions on the other branch had passed it', async () => {
  const earlier = await forget(async () => {
    await fill();
    await fill();
  });
  await bringBack(earlier, 'recovered');
  await bridge.source.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
  await write('busy', 12, 'lost');
  await bridge.source.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [
    bridge.settings.source.slot,
  ]);
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6302' });
  await goOn();
});

test('a stand-by without the slot is waited for until it is promoted', async () => {
  await bridge.stop();
  await bridge.source.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
  await bringBack(await branches.stop(), 'standby');
  await bridge.start(['capture']);
  const seen = new Set<number>();
  await until('three tries', async () => {
    const { rows } = await bridge.source.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE backend_type = 'walsender'`,
    );
    for (const { pid } of rows) seen.add(pid);
    return seen.size >= 3;
  });
  expect(bridge.fault).toBeNull();
  await bridge.source.query('SELECT pg_promote()');
  expect(await halted()).toMatchObject({ code: 'WB2010' });
});
