// A lane set back while the daemon runs: what it had applied comes again, in order, and nothing of the books is doubled; where the
// source has forgotten, it is refused, with the earliest position.
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lsn, parseLsn } from '../../src/change/position.ts';
import { openQueueBackend } from '../../src/daemon/connections.ts';
import { initialise } from '../../src/daemon/init.ts';
import { FaultLog } from '../../src/daemon/log.ts';
import { rewind } from '../../src/daemon/move-lane.ts';
import { readLaneQueue } from '../../src/lanes/lane-queue.ts';
import { caughtUp } from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';

let bridge: Bridge;

// `calm` is held in some tests, and holds the source's WAL with it.
beforeAll(async () => {
  bridge = await Bridge.open({
    ddl: 'CREATE TABLE busy (id int PRIMARY KEY, v text, n float8); CREATE TABLE calm (id int PRIMARY KEY);',
    tables: [
      { schema: 'public', table: 'busy' },
      { schema: 'public', table: 'calm' },
    ],
    edit: (table, mapping) => `${mapping}lane: ${table}\n`,
  });
});

afterAll(() => bridge?.close());

/** Keeps the lane `calm` from applying the row that is written for it, until the work is done. */
async function whileCalmIsHeld(id: number, work: () => Promise<void>): Promise<void> {
  await bridge.warehouse.transaction(async (session) => {
    await session.batch(
      `DECLARE @g int; EXEC @g = sp_getapplock @Resource = N'walbridge.lane.calm', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0; SELECT @g AS g;`,
    );
    await bridge.source.query('INSERT INTO calm VALUES ($1)', [id]);
    await work();
  });
}

const backend = () => openQueueBackend(bridge.settings, new FaultLog(pino({ level: 'silent' })));
const busy = async () =>
  (await bridge.rows<{ id: number; v: string }>('SELECT id, v FROM crm.busy ORDER BY id')).map(
    ({ id, v }) => `${id}${v}`,
  );
const sourceBusy = async () =>
  (
    await bridge.source.query<{ id: number; v: string }>(
      `SELECT id, v FROM busy WHERE n <> 'NaN' ORDER BY id`,
    )
  ).rows.map(({ id, v }) => `${id}${v}`);
const log = () =>
  bridge.rows<{ position: string; previous: string; changes: string }>(
    `SELECT position, previous_position AS previous, changes FROM walbridge.batch_log WHERE lane = N'busy' ORDER BY commit_lsn, ordinal`,
  );
const quarantine = () =>
  bridge.rows('SELECT commit_lsn, ordinal FROM walbridge.quarantine ORDER BY commit_lsn');
const now = async (): Promise<Lsn> => {
  const { rows } = await bridge.source.query<{ lsn: string }>(
    `SELECT pg_current_wal_insert_lsn()::text AS lsn`,
  );
  return parseLsn(rows[0]!.lsn);
};
const arrived = (row: string) => until(`${row} to arrive`, async () => (await busy()).includes(row));

test('a rewound lane is applied again by the running daemon, and the books are not doubled', async () => {
  await bridge.start();
  await bridge.source.query(`INSERT INTO busy VALUES (1, 'a', 1), (2, 'a', 1)`);
  await caughtUp(bridge);
  await whileCalmIsHeld(1, async () => {
    const before = await now();
    await bridge.source.query(`UPDATE busy SET v = 'b' WHERE id = 1`);
    await bridge.source.query(`INSERT INTO busy VALUES (3, 'a', 'NaN')`);
    await arrived('1b');
    await bridge.source.query('DELETE FROM busy WHERE id = 2');
    await bridge.source.query(`INSERT INTO busy VALUES (4, 'c', 1)`);
    await arrived('4c');
    const [logged, quarantined] = [await log(), await quarantine()];
    expect(quarantined).toHaveLength(1);

    await bridge.warehouse.batch(
      `UPDATE crm.busy SET v = N'damaged'; INSERT INTO crm.busy (id, v, n) VALUES (2, N'z', 1)`,
    );
    const done = await rewind(bridge.settings, 'busy', { lsn: before }, 'somebody');
    expect(done).toMatchObject({ lane: 'busy', to: { lsn: before } });
    expect(done.changes).toBeGreaterThanOrEqual(4);
    await until('the lane to be where it was', async () => {
      if (bridge.fault !== null) throw bridge.fault;
      const [row] = await bridge.rows<{ lsn: string; replay: string | null }>(
        `SELECT CONVERT(varchar(20), commit_lsn) AS lsn, CONVERT(varchar(20), replay_lsn) AS replay FROM walbridge.watermark WHERE lane = N'busy'`,
      );
      return row?.replay === null && BigInt(row.lsn) >= done.from.lsn;
    });
    expect(await busy()).toEqual(['1b', '4c']);
    expect(await log()).toEqual(logged);
    expect(await quarantine()).toEqual(quarantined);
    expect(await bridge.rows(`SELECT actor, subject FROM walbridge.audit WHERE action = 'rewind'`)).toEqual([
      { actor: 'somebody', subject: 'busy' },
    ]);
  });
  await bridge.source.query(`INSERT INTO busy VALUES (5, 'd', 1)`);
  await caughtUp(bridge);
  expect(await busy()).toEqual(await sourceBusy());
  // The chain of the log goes on where it was.
  const rows = await log();
  for (const [index, { previous }] of rows.entries())
    if (index > 0) expect(previous).toBe(rows[index - 1]!.position);
});

test('a time finds its position, also where the lane had idled before', async () => {
  await caughtUp(bridge);
  await whileCalmIsHeld(2, async () => {
    const { rows } = await bridge.source.query<{ micros: string }>(
      `SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text AS micros`,
    );
    await bridge.source.query(`UPDATE busy SET v = 'e' WHERE id = 4`);
    await arrived('4e');
    await bridge.warehouse.batch(`UPDATE crm.busy SET v = N'damaged' WHERE id = 4`);
    const { batches, changes } = await rewind(
      bridge.settings,
      'busy',
      { timeMicros: BigInt(rows[0]!.micros) },
      'somebody',
    );
    expect({ batches, changes }).toEqual({ batches: 1, changes: 1 });
    await arrived('4e');
  });
  await caughtUp(bridge);
  expect(await busy()).toEqual(await sourceBusy());
});

test('a rewind of a stopped bridge is taken up at the next start, after a stop in its midst too', async () => {
  await caughtUp(bridge);
  // The lane halts, and lets the bridge stop at once.
  await bridge.warehouse.batch('DROP TABLE crm.calm');
  await bridge.source.query('INSERT INTO calm VALUES (3)');
  await until(
    'calm to halt',
    async () => (await readLaneQueue(backend(), 'calm')).trouble?.state === 'halted',
  );
  const before = await now();
  await bridge.source.query(`UPDATE busy SET v = 'f' WHERE id = 4`);
  await arrived('4f');
  await bridge.stop();
  await bridge.warehouse.batch(`UPDATE crm.busy SET v = N'damaged' WHERE id = 4`);
  await rewind(bridge.settings, 'busy', { lsn: before }, 'somebody');
  await bridge.start(['capture']);
  await bridge.stop();
  await initialise(bridge.settings, false, 'test', pino({ level: 'silent' }));
  await bridge.start();
  await arrived('4f');
  await caughtUp(bridge);
  expect(await busy()).toEqual(await sourceBusy());
});

test('what the source has forgotten is refused, with the earliest position', async () => {
  await caughtUp(bridge);
  const [first] = await log();
  const refusal = await rewind(bridge.settings, 'busy', { lsn: parseLsn(first!.position) }, 'somebody').catch(
    (error: unknown) => error as { code: string; next: string },
  );
  expect(refusal).toMatchObject({ code: 'WB7203' });
  const earliest = /--to ([0-9A-F]+\/[0-9A-F]+)/.exec((refusal as { next: string }).next)?.[1];
  expect(earliest).toBeDefined();
  await expect(rewind(bridge.settings, 'busy', { timeMicros: 0n }, 'somebody')).rejects.toMatchObject({
    code: 'WB7203',
  });
  // Everything is confirmed: there is nothing to apply again.
  await expect(
    rewind(bridge.settings, 'busy', { lsn: parseLsn(earliest!) }, 'somebody'),
  ).rejects.toMatchObject({
    code: 'WB7202',
  });
  await expect(
    rewind(bridge.settings, 'busy', { timeMicros: BigInt(Date.now() + 60_000) * 1000n }, 'somebody'),
  ).rejects.toMatchObject({ code: 'WB7202' });
  await expect(rewind(bridge.settings, 'bsuy', { lsn: 1n }, 'somebody')).rejects.toMatchObject({
    code: 'WB7201',
    what: expect.stringContaining('nearest: busy'),
  });
  expect(bridge.fault).toBeNull();
});
