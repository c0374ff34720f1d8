// A Redis that fails over behind one address: the former primary stays up, as a replica that refuses writes on the connections that
// it has. They have to be made anew, or the lane stands still for ever.
import { randomUUID } from 'node:crypto';
import { createServer, connect as dial, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../sandbox/guarded.ts';
import { type RedisServer, startRedis } from '../../sandbox/redis.ts';
import type { LaneBatch } from '../../src/change/batch.ts';
import { ORIGIN, type Position, wholeAt } from '../../src/change/position.ts';
import { LaneFeed } from '../../src/lanes/feed.ts';
import { LaneQueue } from '../../src/lanes/lane-queue.ts';
import { LaneWorker } from '../../src/lanes/lane-worker.ts';
import { QueueBackend } from '../../src/lanes/queue-backend.ts';
import { until } from './capture-recorder.ts';
import { silentEvents } from './queue-bench.ts';

const servers: RedisServer[] = [];
const sockets = new Set<Socket>();
let target = 0;
const proxy = createServer((near) => {
  const far = dial(target, '127.0.0.1');
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    sockets.add(one);
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
    one.pipe(other);
  }
});

beforeAll(async () => {
  for (let count = 0; count < 2; count += 1) {
    const server = await startRedis();
    if ('missing' in server) throw new Error(server.missing);
    servers.push(server);
  }
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  proxy.close();
  await Promise.all(servers.map((server) => server.stop()));
});

it('a lane goes on when its Redis fails over to another, which may lack what was queued', async () => {
  const [first, second] = servers as [RedisServer, RedisServer];
  target = first.port;
  const port = await freePort();
  await new Promise<void>((resolve) => void proxy.listen(port, '127.0.0.1', resolve));
  const backend = new QueueBackend(
    { kind: 'redis', url: `redis://127.0.0.1:${port}`, prefix: `t-${randomUUID()}` },
    () => undefined,
  );
  const queue = await LaneQueue.open(backend, 'main', 'stream');
  const stop = new AbortController();
  const limits = {
    maxBatchRows: 100,
    maxBatchBytes: 1_000_000,
    maxTransactionRows: 1_000,
    maxTransactionBytes: 10_000_000,
    maxQueuedBytes: 10_000,
  };
  const events = { lost: () => undefined, retrying: () => undefined, parted: () => undefined };
  const feed = new LaneFeed(queue, limits, ORIGIN, events, stop.signal);
  let watermark: Position = ORIGIN;
  const worker = new LaneWorker(backend, {
    lane: 'main',
    stream: 'stream',
    apply: async (batch: LaneBatch) => {
      watermark = batch.last;
      return { kind: 'applied', watermark };
    },
    look: async () => null,
    backoff: { initialMs: 20, maximumMs: 100 },
    events: silentEvents,
  });
  const commit = (lsn: bigint) => {
    feed.buffer.append(Buffer.from('x'));
    feed.countEvent();
    feed.commit(wholeAt(lsn), 0n);
  };
  try {
    await feed.restart(ORIGIN);
    commit(8n);
    await until('the first', () => watermark.lsn === 8n && feed.queuedBatches === 0);

    target = second.port;
    const former = new Redis(first.port, '127.0.0.1');
    await former.replicaof('127.0.0.1', second.port);
    await former.quit();
    commit(16n);
    await until('what was read meanwhile', () => watermark.lsn === 16n, 30_000);
    commit(24n);
    await until('what came after', () => watermark.lsn === 24n && feed.queuedBatches === 0);
    expect(feed.isAbandoned).toBe(false);
  } finally {
    stop.abort();
    await worker.stop(100);
    await queue.close();
  }
});
