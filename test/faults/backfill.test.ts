// Backfills through the command line; the small versions of `npm run bench:load`: an initial load under traffic whose daemons are
// killed in its midst, and a range that is backfilled while its keys are hot.
import sql from 'mssql';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startRedis } from '../../sandbox/redis.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { backfillHotRange, differences, initialLoad } from './loads.ts';
import { until } from './until.ts';

let bridge: Bridge;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), {
    name: 'backfill',
    backend: 'redis',
    // Small parts, so that there is a midst to be killed in.
    settings: { lane: { maxBatchRows: 200, maxTransactionRows: 300, maxQueuedBytes: 100_000 } },
  });
}, 120_000);

afterAll(() => bridge.remove());

test('init --load asks for every entity, once', async () => {
  const asked = await bridge.command('init', '--load');
  expect(asked).toMatchObject({ code: 0 });
  const id = /^backfill (\S+) of every entity/m.exec(asked.stdout)?.[1] ?? '';
  const again = await bridge.command('init', '--load');
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toContain('Nothing was asked for');
  const shown = await bridge.command('backfill', 'cancel', id, '--json');
  expect(shown.stdout.trim().split('\n')).toHaveLength(bridge.pairs.length);
});

test('kill -9 of apply, capture and both: equal afterwards, and so is a range whose keys are hot', async () => {
  const { roles, ...load } = await initialLoad(bridge, {
    seed: { accounts: 80, contacts: 2_400, leads: 150, opportunities: 150, activities: 200 },
    ratePerSecond: 50,
    kills: [
      [0.15, 'apply'],
      [0.35, 'capture'],
      [0.65, 'both'],
    ],
    withinMs: 240_000,
    extra: ['--chunk-rows', '150'],
  });
  expect(load.faults).toEqual([]);
  expect(load.rows).toBeGreaterThanOrEqual(2_980);
  expect(load.ranges.snapshot).toBeGreaterThan(0);
  expect(load.ranges.chunks).toBeGreaterThan(0);
  const hot = await backfillHotRange(bridge, { round: 0, range: [1_000, 2_000], withinMs: 60_000 });
  expect(hot.faults).toEqual([]);
  expect(hot.writes).toBeGreaterThan(10);
  await Promise.all([roles.capture.stop(), roles.apply.stop()]);
});

test('the queue is away when it is asked, the daemon is killed, the queue is emptied: equal afterwards', async () => {
  let daemon = bridge.run('all');
  await daemon.untilLogged('reading the slot');
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  await pool
    .request()
    .query('DELETE FROM crm.activities WHERE id % 2 = 0; UPDATE crm.activities SET id = -id');
  const { redis } = bridge.queue;
  await redis!.kill();
  // What a command that is killed between the control table and the queue leaves is the same: rows without a job.
  const asked = await bridge.command(
    'backfill',
    'activities',
    '--prune',
    '--chunk-rows',
    '5',
    '--detach',
    '--json',
  );
  expect(asked).toMatchObject({ code: 0 });
  expect(asked.stderr).toMatch(/^WB7027 .* by itself\.$/m);
  const { id } = JSON.parse(asked.stdout) as { id: string };
  await daemon.kill();
  const again = await startRedis({ port: redis!.port });
  if ('missing' in again) throw new Error(again.missing);
  try {
    daemon = bridge.run('all');
    await until('a chunk', async () => {
      const { recordset } = await pool
        .request()
        .query(`SELECT 1 FROM walbridge.backfill WHERE backfill_id = '${id}' AND chunks_done > 0`);
      return recordset.length > 0;
    });
    await again.flushAll();
    expect(await bridge.command('backfill', 'show', id, '--follow', '--json')).toMatchObject({ code: 0 });
    await bridge.caughtUp();
    expect(await daemon.stop()).toMatchObject({ code: 0 });
  } finally {
    await pool.close();
    await again.stop();
  }
  expect(await differences(bridge, bridge.pairs)).toEqual([]);
});

test('the command refuses what cannot be done, and names what can', async () => {
  const unknown = await bridge.command('backfill', 'contact');
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('nearest: contacts');
  const risky = await bridge.command('backfill', 'contacts', '--prune', '--where', 'id > 5');
  expect(risky.code).toBe(2);
  expect(risky.stderr).toContain('--prune with --where');
  const key = await bridge.command('backfill', 'opportunity_contacts', '--from-key', '7');
  expect(key.stderr).toContain('["opportunity_id", "contact_id"]');
  const since = await bridge.command('backfill', 'contacts', '--since', 'last week');
  expect(since.code).toBe(2);
  expect(since.stderr).toContain('neither a time nor an interval');
  const list = await bridge.command('backfill', 'list');
  expect(list.code).toBe(0);
  // A line for what was split, not one a range.
  expect(list.stdout.match(/ contacts +│ backfill/g)).toHaveLength(3);
});
