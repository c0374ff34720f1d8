// Servers that go away for a while, a batch damaged in the queue, a transaction larger than a lane takes at once.
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import sql from 'mssql';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { seedCrm } from '../../sandbox/crm/seed.ts';
import { startTraffic } from '../../sandbox/crm/traffic.ts';
import { startRedis } from '../../sandbox/redis.ts';
import { type Bridge, createBridge } from './bridge.ts';
import type { Daemon } from './daemon.ts';
import { until } from './until.ts';
import { judge } from './verdict.ts';

const MEBIBYTE = 1024 * 1024;
const maxTransactionRows = 500;
let bridge: Bridge;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), {
    name: 'outages',
    backend: 'redis',
    settings: { lane: { maxBatchRows: 300, maxTransactionRows, maxQueuedBytes: MEBIBYTE } },
  });
}, 120_000);

afterAll(() => bridge.remove());

test('a batch damaged in the queue halts the lane loudly, stays where it is, and comes again from the WAL', async () => {
  const capture = bridge.run('capture');
  await capture.untilLogged('reading the slot');
  await withClient(bridge.crm, (client) =>
    seedCrm(client, { accounts: 20, contacts: 60, leads: 20, opportunities: 40, activities: 60 }),
  );
  const redis = new Redis(bridge.queue.redis!.port);
  try {
    const job = await until('a batch waits in the queue', async () => {
      for (const key of await redis.keys('walbridge:walbridge-lane-main:*..*')) {
        if ((await redis.hget(key, 'data')) !== null) return key;
      }
      return null;
    });
    const data = JSON.parse((await redis.hget(job, 'data'))!) as { payload: string };
    const payload = Buffer.from(data.payload, 'base64');
    payload[payload.length >> 1]! ^= 0xff;
    await redis.hset(job, 'data', JSON.stringify({ ...data, payload: payload.toString('base64') }));

    const apply = bridge.run('apply');
    const halt = await apply.untilLogged('lane halted');
    expect(halt).toMatchObject({ level: 50, code: expect.stringMatching(/^WB6/) });
    expect(await redis.exists(job)).toBe(1);
    const status = await bridge.command('status', '--json');
    expect(status.code).toBe(1);
    expect(JSON.parse(status.stdout)).toMatchObject({
      lanes: [{ trouble: { state: 'halted', code: halt.code } }],
    });
    await apply.stop();
    expect(await redis.exists(job)).toBe(1);

    await bridge.queue.empty();
    const again = bridge.run('apply');
    await bridge.caughtUp();
    await Promise.all([again.stop(), capture.stop()]);
  } finally {
    redis.disconnect();
  }
  expect((await judge(bridge)).faults).toEqual([]);
});

test('a transaction larger than the lane takes at once goes in parts, says so, and survives SIGKILL in its midst', async () => {
  let [capture, apply] = [bridge.run('capture'), bridge.run('apply')];
  await withClient(bridge.crm, (client) =>
    client.query(`INSERT INTO activities (id, kind, subject, body, occurred_at)
      SELECT i, 'bulk', 'large ' || i, repeat(md5(i::text), 4), '2025-01-01Z' FROM generate_series(100001, 103000) i`),
  );
  const said = await until('capture says that it parts the transaction', () =>
    capture.lines.find(({ msg }) => msg.includes('applied in parts')),
  );
  expect(said.position).toMatch(/\+\d+$/);
  await until('some parts are applied', async () => (await partsApplied()) >= 2);
  await Promise.all([capture.kill(), apply.kill()]);
  expect(await partsApplied()).toBeLessThan(3000 / maxTransactionRows - 1);
  [capture, apply] = [bridge.run('capture'), bridge.run('apply')];
  await bridge.caughtUp();
  await Promise.all([capture.stop(), apply.stop()]);
  expect(await partsApplied()).toBeGreaterThanOrEqual(3000 / maxTransactionRows - 1);
  expect((await judge(bridge)).faults).toEqual([]);
});

test('while the warehouse is away, memory is bounded and the source keeps the WAL', async () => {
  const daemon = bridge.run('all');
  await bridge.caughtUp();
  bridge.network.refuse(true);
  try {
    const before = await confirmed();
    // Twenty times what may wait in the queue, then eighty times as much: only the first may cost memory.
    await insertMebibytes(0, 20);
    await daemon.untilLogged('WB6002', 60_000);
    const memory = residentBytes(daemon);
    await insertMebibytes(20, 80);
    expect(residentBytes(daemon) - memory).toBeLessThan(100 * MEBIBYTE);
    expect(await confirmed()).toBeLessThanOrEqual(before + BigInt(MEBIBYTE));
    const status = JSON.parse((await bridge.command('status', '--json')).stdout) as { problems: string[] };
    expect(status.problems.join()).toContain('warehouse');
  } finally {
    bridge.network.refuse(false);
  }
  await bridge.caughtUp();
  await daemon.stop();
  expect((await judge(bridge)).faults).toEqual([]);
});

test('the queue server goes for a while and comes back empty', async () => {
  const daemon = bridge.run('all');
  await bridge.caughtUp();
  const traffic = await startTraffic(bridge.crm, { seed: 3, ratePerSecond: 300 });
  await until('there is traffic', () => traffic.stats.changes > 100);
  const { redis } = bridge.queue;
  await redis!.kill();
  await daemon.untilLogged('WB5001', 60_000);
  const { changes } = traffic.stats;
  await until('there is more traffic', () => traffic.stats.changes > changes + 100);
  const again = await startRedis({ port: redis!.port });
  if ('missing' in again) throw new Error(again.missing);
  try {
    await traffic.stop();
    await bridge.caughtUp();
    expect(await daemon.stop()).toMatchObject({ code: 0 });
  } finally {
    await again.stop();
  }
  expect((await judge(bridge)).faults).toEqual([]);
});

/** A transaction each, deleted again so that little is left to compare. */
async function insertMebibytes(from: number, count: number): Promise<void> {
  await withClient(bridge.crm, async (client) => {
    for (let number = from; number < from + count; number += 1) {
      await client.query(`INSERT INTO activities (id, kind, subject, body, occurred_at)
        SELECT 200000 + ${number} * 30 + i, 'bulk', 'away', repeat(md5(random()::text), 1000), '2025-01-01Z'
        FROM generate_series(1, 30) i`);
      if (number % 10 > 0)
        await client.query(
          `DELETE FROM activities WHERE id BETWEEN ${200_001 + number * 30} AND ${200_030 + number * 30}`,
        );
    }
  });
}

async function partsApplied(): Promise<number> {
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  try {
    const { recordset } = await pool
      .request()
      .query<{ parts: number }>('SELECT COUNT(*) AS parts FROM walbridge.batch_log WHERE is_part = 1');
    return recordset[0]!.parts;
  } finally {
    await pool.close();
  }
}

/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
function residentBytes(daemon: Daemon): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) * 1024;
}

async function confirmed(): Promise<bigint> {
  return withClient(bridge.crm, async (client) => {
    const { rows } = await client.query<{ bytes: string }>(
      `SELECT (confirmed_flush_lsn - '0/0')::text AS bytes FROM pg_replication_slots WHERE slot_name = $1`,
      [bridge.name],
    );
    return BigInt(rows[0]!.bytes);
  });
}
