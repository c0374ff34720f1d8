// A queue of one's own on each of BullMQ's servers, to be emptied and to be refused.
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { afterEach, inject } from 'vitest';
import { createQueue } from '../../sandbox/address.ts';
import { laneQueueName } from '../../src/lanes/lane-queue.ts';
import type { LaneWorkerOptions } from '../../src/lanes/lane-worker.ts';
import { QueueBackend, type QueueBackendSettings } from '../../src/lanes/queue-backend.ts';

export interface Bench {
  readonly settings: QueueBackendSettings;
  readonly backend: QueueBackend;
  flush(): Promise<void>;
  /** From here on the queue's server refuses what a restart asks of it; resolves with what ends that. */
  refuse(): Promise<() => Promise<void>>;
}

/** Of a worker that nobody listens to. */
export const silentEvents: LaneWorkerOptions['events'] = {
  settled: () => undefined,
  retrying: () => undefined,
  halted: () => undefined,
  released: () => undefined,
  foreign: () => undefined,
};

/** What the tests of a file put into it is done after each of them, the last first. */
export function cleanupsAfterEach(): (() => Promise<unknown>)[] {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  return cleanups;
}

export async function redisBench(): Promise<Bench> {
  const { redis } = inject('sandbox');
  if (redis === null) throw new Error(inject('redisMissing') ?? 'no Redis');
  const settings: QueueBackendSettings = { kind: 'redis', url: redis, prefix: `t-${randomUUID()}` };
  const flush = async () => {
    const client = new Redis(redis);
    const keys = await client.keys(`${settings.prefix}:*`);
    if (keys.length > 0) await client.del(...keys);
    await client.quit();
  };
  const refuse = async () => {
    const client = new Redis(redis);
    const meta = `${settings.prefix}:${laneQueueName('main')}:meta`;
    await client.set(meta, 'no hash');
    return async () => {
      await client.del(meta);
      await client.quit();
    };
  };
  return { settings, backend: new QueueBackend(settings, () => undefined), flush, refuse };
}

export async function postgresBench(): Promise<Bench> {
  const connectionString = await createQueue(inject('sandbox'), `lanes_${randomUUID().slice(0, 8)}`);
  const settings: QueueBackendSettings = { kind: 'postgres', connectionString, schema: 'bullmq' };
  const flush = async () => {
    const client = new Client({ connectionString });
    await client.connect();
    await client.query('DELETE FROM bullmq.job; DELETE FROM bullmq.meta');
    await client.end();
  };
  const refuse = async () => {
    const client = new Client({ connectionString });
    await client.connect();
    await client.query('ALTER TABLE bullmq.meta RENAME TO away');
    return async () => {
      await client.query('ALTER TABLE bullmq.away RENAME TO meta');
      await client.end();
    };
  };
  return { settings, backend: new QueueBackend(settings, () => undefined), flush, refuse };
}
