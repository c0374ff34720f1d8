// The jobs of requests for backfills on real BullMQ, on Redis and on PostgreSQL: woken, shown, ended, lost, given back.
import { describe, expect, it, vi } from 'vitest';
import { BackfillQueue, backfillQueueName } from '../../src/lanes/backfill-queue.ts';
import { BackfillWorker } from '../../src/lanes/backfill-worker.ts';
import { QueueBackend } from '../../src/lanes/queue-backend.ts';
import { until } from './capture-recorder.ts';
import { cleanupsAfterEach, postgresBench, redisBench } from './queue-bench.ts';

const running = { state: 'running', rows: 5, estimated: 20, error: null } as const;
const cleanups = cleanupsAfterEach();

describe.each([
  ['Redis', redisBench],
  ['PostgreSQL', postgresBench],
] as const)('on %s', (_name, open) => {
  async function start() {
    const bench = await open();
    const name = backfillQueueName('slot');
    const jobs = await bench.backend.openQueue(name);
    cleanups.push(() => jobs.close());
    const queue = await BackfillQueue.open(bench.backend, 'slot', 'here/slot', false);
    cleanups.push(() => queue.close());
    const onWake = vi.fn<() => void>();
    const worker = (source = 'here/slot') => {
      const made = new BackfillWorker(bench.backend, { slot: 'slot', source, onWake });
      cleanups.push(() => made.close());
      return made;
    };
    const state = async (id: string, wanted: string) =>
      until(`${id} to be ${wanted}`, async () => (await jobs.getJobState(id)) === wanted);
    return { bench, jobs, queue, onWake, worker, state };
  }

  it('wakes the daemon, shows how far it is, and ends with the request; asked for again, it is a new one', async () => {
    const { jobs, queue, onWake, worker, state } = await start();
    const daemon = worker();
    await queue.announce('a');
    await until('the job', async () => daemon.held.has('a'));
    expect(onWake).toHaveBeenCalled();
    daemon.show('a', running);
    const progress = await until('its progress', async () => (await jobs.getJob('a'))?.progress);
    expect(progress).toEqual({ state: 'running', rows: 5, estimated: 20 });
    // Asked for twice, it is one.
    await queue.announce('a');
    daemon.show('a', { ...running, state: 'failed', error: 'WB7022 (contacts): overtaken' });
    await state('a', 'failed');
    expect((await jobs.getJob('a'))?.failedReason).toBe('WB7022 (contacts): overtaken');
    expect(daemon.held.size).toBe(0);
    await queue.announce('a');
    await until('the job of the resumed one', async () => daemon.held.has('a'));
    daemon.show('a', { ...running, state: 'done', rows: 20 });
    await state('a', 'completed');
    expect((await jobs.getJob('a'))?.returnvalue).toEqual({ kind: 'done', rows: 20, estimated: 20 });
    const woken = onWake.mock.calls.length;
    await queue.nudge();
    await until('the nudge', async () => onWake.mock.calls.length > woken);
    await until('nothing to be left of it', async () => {
      const { completed, active, waiting } = await jobs.getJobCounts('completed', 'active', 'waiting');
      return completed === 1 && active === 0 && waiting === 0;
    });
  });

  it('gives the job back where another daemon takes the slot over, and makes it anew where the queue was emptied', async () => {
    const { bench, queue, worker, state } = await start();
    const first = worker();
    await queue.announce('a');
    await until('the job', async () => first.held.has('a'));
    await first.close();
    await state('a', 'waiting');
    const second = worker();
    await until('the job', async () => second.held.has('a'));
    await bench.flush();
    second.show('a', running);
    await until('the loss to be noticed', async () => second.held.size === 0);
    await queue.announce('a');
    await until('the job', async () => second.held.has('a'));
    second.show('a', { ...running, state: 'cancelled' });
    await state('a', 'completed');
  });

  it('keeps its hands off what another bridge has asked for', async () => {
    const { jobs, queue, onWake, worker, state } = await start();
    worker('there/slot');
    await queue.announce('a');
    await state('a', 'completed');
    expect((await jobs.getJob('a'))?.returnvalue).toEqual({ kind: 'foreign' });
    expect(onWake).not.toHaveBeenCalled();
  });
});

it.each([
  { kind: 'redis', url: 'redis://127.0.0.1:1', prefix: 'x' },
  { kind: 'postgres', connectionString: 'postgresql://x:x@127.0.0.1:1/x', schema: 'x' },
] as const)('a command does not wait for a server that is away: $kind', async (settings) => {
  const faults = vi.fn();
  const backend = new QueueBackend(settings, faults, 'command');
  await expect(BackfillQueue.open(backend, 'slot', 'here/slot', false)).rejects.toThrow('WB5001');
});
