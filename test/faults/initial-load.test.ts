// The small versions of `npm run bench:load`: an initial load under traffic, killed three times; a range backfilled while it is hot.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Bridge, createBridge } from './bridge.ts';
import { backfillHotRange, initialLoad, type Roles } from './loads.ts';

let bridge: Bridge;
let roles: Roles;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), {
    name: 'initial_load',
    backend: 'redis',
    settings: { lane: { maxBatchRows: 200, maxTransactionRows: 300, maxQueuedBytes: 100_000 } },
  });
}, 120_000);

afterAll(() => bridge.remove());

test('an initial load under traffic, with apply, capture and both killed: equal afterwards', async () => {
  const load = await initialLoad(bridge, {
    seed: { accounts: 100, contacts: 4_000, leads: 200, opportunities: 200, activities: 300 },
    ratePerSecond: 60,
    kills: [
      [0.15, 'apply'],
      [0.35, 'capture'],
      [0.65, 'both'],
    ],
    withinMs: 120_000,
    extra: ['--chunk-rows', '150'],
  });
  roles = load.roles;
  expect(load.faults).toEqual([]);
  expect(load.rows).toBeGreaterThanOrEqual(4_800);
  expect(load.ranges.snapshot).toBeGreaterThan(0);
  expect(load.ranges.chunks).toBeGreaterThan(0);
});

test('a range whose keys are hot, backfilled and pruned: equal each time', async () => {
  for (let round = 0; round < 2; round += 1) {
    const { faults, writes } = await backfillHotRange(bridge, {
      round,
      range: [1_000, 3_000],
      withinMs: 60_000,
    });
    expect(faults).toEqual([]);
    expect(writes).toBeGreaterThan(10);
  }
  await Promise.all([roles.capture.stop(), roles.apply.stop()]);
});
