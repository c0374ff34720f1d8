// A batch that is poison through and through: however often it comes, the warehouse refuses it. Skipped, it is passed once, and only
// from where it was looked at.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { comparePositions } from '../../src/change/position.ts';
import { skipBatch } from '../../src/warehouse/move-lane.ts';
import { TestLane } from './warehouse-apply-lane.ts';

let lane: TestLane;
const { signal } = new AbortController();

beforeAll(async () => {
  lane = await TestLane.open(
    [{ entity: 't', key: ['id'], columns: { id: ['int', 'int'], v: ['nvarchar(10)', 'string'] } }],
    [`ALTER TABLE dbo.t ADD CONSTRAINT no_poison CHECK (v <> N'poison')`],
  );
  lane.applier = await lane.newApplier({ limits: { maxRefusedRows: 2 } });
});

afterAll(() => lane.close());

const rows = (from: number, v: string) =>
  [0, 1, 2, 3].map((n) => ({ insert: 't', row: { id: from + n, v } }));
const request = (batch: ReturnType<TestLane['batch']>) => ({
  batch,
  code: 'WB6506',
  file: '/f',
  actor: 'somebody',
});

it('passes a poisoned batch, and what comes behind it is applied', async () => {
  await lane.apply(rows(0, 'good'));
  const poison = lane.batch(rows(10, 'poison'));
  const behind = lane.batch(rows(20, 'good'));
  for (let times = 2; times > 0; times -= 1)
    await expect(lane.applier.apply(poison, signal)).rejects.toMatchObject({
      code: 'WB6506',
      kind: 'permanent',
    });
  expect(await lane.applier.look(poison)).toBeNull();
  expect(await lane.applier.apply(behind, signal)).toMatchObject({ kind: 'gap' });

  // Nothing is passed from elsewhere.
  await expect(skipBatch(lane.warehouse, request(behind))).rejects.toMatchObject({ code: 'WB7212' });
  await skipBatch(lane.warehouse, request(poison));
  await expect(skipBatch(lane.warehouse, request(poison))).rejects.toMatchObject({ code: 'WB7212' });
  expect(await lane.applier.look(poison)).toMatchObject({ kind: 'skipped', watermark: poison.last });
  expect(await lane.applier.apply(poison, signal)).toMatchObject({ kind: 'skipped' });
  expect(await lane.applier.apply(behind, signal)).toMatchObject({ kind: 'applied' });

  expect(await lane.rows('dbo.t', 'id')).toEqual([0, 1, 2, 3, 20, 21, 22, 23].map((id) => ({ id })));
  expect(await lane.quarantine()).toEqual([]);
  expect(await lane.rows('walbridge.batch_log', 'changes, rows_inserted, is_skipped', 'commit_lsn')).toEqual([
    { changes: '4', rows_inserted: '4', is_skipped: null },
    { changes: '4', rows_inserted: '0', is_skipped: true },
    { changes: '4', rows_inserted: '4', is_skipped: null },
  ]);
  expect(await lane.rows('walbridge.audit', 'actor, action, subject')).toEqual([
    { actor: 'somebody', action: 'skip', subject: 'main' },
  ]);
  expect(comparePositions(poison.last, behind.previous)).toBe(0);
});
