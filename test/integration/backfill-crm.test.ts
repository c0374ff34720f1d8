// Backfills of a CRM that had rows before the bridge: under live traffic, through restarts, steered.
import { afterEach, expect, test, vi } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { type SeedOptions, seedCrm } from '../../sandbox/crm/seed.ts';
import { startTraffic } from '../../sandbox/crm/traffic.ts';
import {
  caughtUp,
  crmPairs,
  done,
  expectEqual,
  leftOrigin,
  openCrmBridge,
  openQuarantine,
  request,
  steps,
} from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import type { Bridge } from './types-bridge.ts';

vi.setConfig({ testTimeout: 120_000 });

let bridge: Bridge;
afterEach(() => bridge.close());

async function openFilled(rows: SeedOptions = {}, lane = {}): Promise<void> {
  bridge = await openCrmBridge(lane);
  // Before the slot, as far as the bridge is concerned: the slot is moved behind it.
  await withClient(bridge.settings.source.url, (client) => seedCrm(client, rows));
  await bridge.source.query('SELECT pg_replication_slot_advance($1, pg_current_wal_insert_lsn())', [
    bridge.settings.source.slot,
  ]);
}

test('a filled CRM arrives whole while it is written to', async () => {
  await openFilled();
  await bridge.start();
  const traffic = await startTraffic(bridge.settings.source.url, {
    ratePerSecond: 300,
    truncate: true,
    hotShare: 0.5,
  });
  await leftOrigin(bridge);
  const id = await request(bridge, { all: true, chunkRows: 200 });
  const steps = await done(bridge, id);
  const { changes } = await traffic.stop();
  await caughtUp(bridge);
  expect(changes).toBeGreaterThan(100);
  expect(steps.map(({ entity }) => entity).sort()).toEqual(
    crmPairs.map(({ target }) => target.slice(4)).sort(),
  );
  expect(steps.reduce((sum, { rowsYielded }) => sum + rowsYielded, 0)).toBeGreaterThan(0);
  await expectEqual(bridge, crmPairs);
  expect(await openQuarantine(bridge)).toEqual([]);
});

test('it goes on where it stood when the daemon ends and begins again', async () => {
  const rows = { accounts: 80, contacts: 300, leads: 150, opportunities: 150, activities: 300 };
  // Chunks are applied in parts, and a restart may find one half done.
  await openFilled(rows, { maxTransactionRows: 40, maxBatchRows: 40 });
  await bridge.start();
  const traffic = await startTraffic(bridge.settings.source.url, { ratePerSecond: 40, seed: 2 });
  await leftOrigin(bridge);
  const id = await request(bridge, { all: true, chunkRows: 60 });
  const chunksDone = async () => (await steps(bridge, id)).reduce((sum, step) => sum + step.chunksDone, 0);
  for (let restarts = 0, seen = 0; restarts < 3; restarts += 1) {
    await until('more chunks', async () => (await chunksDone()) > seen + 2, 60_000);
    await bridge.stop();
    seen = await chunksDone();
    await bridge.start();
  }
  await done(bridge, id);
  await traffic.stop();
  await caughtUp(bridge);
  await expectEqual(bridge, crmPairs);
  expect(await openQuarantine(bridge)).toEqual([]);
});
