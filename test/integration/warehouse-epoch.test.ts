// Epochs: what an earlier stream sent is applied no more, whatever positions it has; and the books after the source went back.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Lsn, wholeAt } from '../../src/change/position.ts';
import { acceptGap } from '../../src/warehouse/accept-gap.ts';
import { type Entry, enterSource } from '../../src/warehouse/enter-source.ts';
import { skipBatch } from '../../src/warehouse/move-lane.ts';
import { registerLanes } from '../../src/warehouse/register-lanes.ts';
import type { SourceState } from '../../src/warehouse/source-branch.ts';
import { TestLane } from './warehouse-apply-lane.ts';

let lane: TestLane;
const { signal } = new AbortController();
const slot = 's';
const source = (over: Partial<SourceState> = {}): SourceState => ({
  systemIdentifier: '7',
  timelines: [{ id: 1, end: null }],
  publications: ['p'],
  isStandby: false,
  flushed: 1_000_000n,
  confirmed: 8n,
  ...over,
});

beforeAll(async () => {
  lane = await TestLane.open([
    { entity: 't', key: ['id'], columns: { id: ['int', 'int'], v: ['nvarchar(10)', 'string'] } },
  ]);
  await registerLanes(lane.warehouse, ['main'], { systemIdentifier: '7', slot });
});

afterAll(() => lane.close());

const enter = async (over: Partial<SourceState> = {}, written: bigint = source(over).flushed) =>
  (await enterSource(lane.warehouse, slot, source(over), async () => written)) as Entry;
const ids = async () => (await lane.rows('dbo.t', 'id')).map(({ id }) => id);
const row = (id: number) => [{ insert: 't', row: { id, v: 'v' } }];

it('a lane takes batches of its latest epoch, and those of senders that know of none', async () => {
  const first = await enter();
  const early = { ...lane.batch(row(1)), epoch: first.epoch };
  expect(await lane.applier.apply(early, signal)).toMatchObject({ kind: 'applied' });
  const late = { ...lane.batch(row(2)), epoch: first.epoch };
  const second = await enter();
  expect(second.epoch).toBeGreaterThan(first.epoch);
  expect(second.watermarks).toMatchObject([{ lane: 'main', position: early.last }]);
  expect(await lane.applier.apply(late, signal)).toEqual({ kind: 'gap', watermark: early.last });
  expect(await lane.applier.look(late)).toEqual({ kind: 'gap', watermark: early.last });
  // Not even to say that the lane has it.
  expect(await lane.applier.apply(early, signal)).toMatchObject({ kind: 'gap' });
  await expect(
    skipBatch(lane.warehouse, { batch: late, code: 'WB6506', file: '/f', actor: 'me' }),
  ).rejects.toMatchObject({ code: 'WB7212' });
  expect(await ids()).toEqual([1]);
  expect(await lane.applier.apply({ ...late, epoch: second.epoch }, signal)).toMatchObject({
    kind: 'applied',
  });
  await lane.apply(row(3));
  expect(await ids()).toEqual([1, 2, 3]);
});

it('a start waits for the batch that is being applied, and counts it', async () => {
  const to = 4_096n;
  let entering: Promise<Entry> | null = null;
  await lane.warehouse.transaction(async (session) => {
    await session.batch('SELECT lane FROM walbridge.watermark WITH (UPDLOCK, HOLDLOCK)');
    entering = enter();
    // Time enough for one that would not wait.
    for (let turn = 0; turn < 20; turn += 1) await lane.warehouse.batch('SELECT 1 AS one');
    await session.batch(`UPDATE walbridge.watermark SET commit_lsn = ${to}, position = '0/1000'`);
  });
  expect((await entering!).watermarks).toMatchObject([{ position: wholeAt(to) }]);
});

it('what the books have of changes that are no more makes room for those that take their places', async () => {
  const fork = 8_192n;
  const quarantined = (lsn: Lsn, ordinal: number, isOpen: boolean) =>
    lane.warehouse.batch(`INSERT INTO walbridge.quarantine (lane, commit_lsn, ordinal, position, entity, code, reason, change, key_json, batch, quarantined_at, resolved_at, resolved_by)
VALUES ('main', ${lsn}, ${ordinal}, 'x', 't', 'WB3101', 'r', 'insert', '{}', 'b', SYSDATETIMEOFFSET(), ${isOpen ? 'NULL, NULL' : `SYSDATETIMEOFFSET(), 'stream'`})`);
  const logged = (lsn: Lsn) =>
    lane.warehouse.batch(`INSERT INTO walbridge.batch_log (lane, commit_lsn, ordinal, position, previous_lsn, previous_ordinal, previous_position, changes, rows_inserted, rows_updated, rows_deleted, tables_truncated, rows_quarantined, is_part, milliseconds, applied_at)
VALUES ('main', ${lsn}, 1, 'x', 0, 0, 'x', 1, 0, 0, 0, 0, 0, 0, 0, SYSDATETIMEOFFSET())`);
  await quarantined(fork - 8n, 1, true);
  await logged(fork - 8n);
  const goBack = async (timeline: number) => {
    await quarantined(fork, 1, true);
    await quarantined(fork, 2, false);
    await logged(fork);
    await lane.warehouse.batch(
      `UPDATE walbridge.watermark SET commit_lsn = ${fork + 800n}, replay_lsn = ${fork + 1600n}, replay_ordinal = 1`,
    );
    const timelines = [
      { id: 1, end: fork },
      { id: timeline, end: null },
    ];
    await expect(enter({ timelines })).rejects.toMatchObject({ code: 'WB6303', kind: 'permanent' });
    await lane.warehouse.transaction((session) =>
      acceptGap(session, {
        slot,
        source: source({ timelines, confirmed: 4_000n }),
        writtenBy: async () => source().flushed,
        entities: null,
        actor: 'me',
        backfill: `b${timeline}`,
      }),
    );
    expect((await enter({ timelines, confirmed: 4_000n })).watermarks).toMatchObject([
      { position: wholeAt(fork - 1n), replay: null },
    ]);
  };
  await goBack(2);
  await goBack(3);
  expect(
    await lane.rows(
      'walbridge.quarantine',
      "CONVERT(varchar(20), commit_lsn) AS lsn, CONVERT(varchar(20), ordinal) AS place, COALESCE(resolved_by, 'open') AS by_whom",
      'commit_lsn, ordinal DESC',
    ),
  ).toEqual([
    { lsn: '8184', place: '1', by_whom: 'open' },
    { lsn: '8192', place: '-1', by_whom: 'b3' },
    { lsn: '8192', place: '-2', by_whom: 'stream' },
  ]);
  expect(
    (await lane.rows('walbridge.batch_log', 'CONVERT(varchar(20), commit_lsn) AS lsn', 'commit_lsn')).at(-1),
  ).toEqual({ lsn: '8184' });
});

it('a source that was asked before a lane went on is asked again, not taken for one that went back', async () => {
  await enter();
  await lane.warehouse.batch(`UPDATE walbridge.watermark SET commit_lsn = 2000000 WHERE lane = N'main'`);
  const later = await enter({ flushed: 1_999_999n }, 2_000_001n);
  expect(later.watermarks).toMatchObject([{ lane: 'main', position: { lsn: 2_000_000n } }]);
  // Nor by who asks for a backfill of everything while the stream goes on.
  const accepted = await lane.warehouse.transaction((session) =>
    acceptGap(session, {
      slot,
      source: source({ flushed: 1_999_999n }),
      writtenBy: async () => 2_000_001n,
      entities: null,
      actor: 'me',
      backfill: 'all',
    }),
  );
  expect(accepted).toBe(false);
  expect(await lane.rows('walbridge.watermark', 'CONVERT(varchar(20), commit_lsn) AS lsn')).toEqual([
    { lsn: '2000000' },
  ]);
  await expect(enter({ flushed: 1_999_999n }, 2_000_000n)).rejects.toMatchObject({ code: 'WB6303' });
});
