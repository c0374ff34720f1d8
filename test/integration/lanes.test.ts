// A lane on real BullMQ, on Redis and on PostgreSQL: order, restarts, gaps, losses and backpressure.

import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import type { ApplyOutcome, LaneBatch } from '../../src/change/batch.ts';
import { comparePositions, ORIGIN, type Position, wholeAt } from '../../src/change/position.ts';
import { WalbridgeError } from '../../src/fault/fault.ts';
import { type FeedLimits, LaneFeed } from '../../src/lanes/feed.ts';
import { readHaltedBatch } from '../../src/lanes/halted-batch.ts';
import { LaneQueue, laneQueueName, readLaneQueue } from '../../src/lanes/lane-queue.ts';
import { LaneWorker } from '../../src/lanes/lane-worker.ts';
import { cleanupsAfterEach, postgresBench, redisBench, silentEvents } from './queue-bench.ts';

const limits: FeedLimits = {
  maxBatchRows: 100,
  maxBatchBytes: 1_000_000,
  maxTransactionRows: 1_000,
  maxTransactionBytes: 10_000_000,
  maxQueuedBytes: 10_000,
};

/** Keeps what a lane applied, with the watermark rule of the warehouse and nothing else. */
class AppliedLog {
  watermark: Position = ORIGIN;
  readonly payloads: string[] = [];
  look(batch: LaneBatch): ApplyOutcome | null {
    if (comparePositions(this.watermark, batch.last) >= 0)
      return { kind: 'skipped', watermark: this.watermark };
    if (comparePositions(this.watermark, batch.previous) < 0)
      return { kind: 'gap', watermark: this.watermark };
    return null;
  }
  apply(batch: LaneBatch): ApplyOutcome {
    const settled = this.look(batch);
    if (settled !== null) return settled;
    this.payloads.push(batch.payload.toString());
    this.watermark = batch.last;
    return { kind: 'applied', watermark: this.watermark };
  }
}

const transient = () =>
  new WalbridgeError({ code: 'WB6001', kind: 'transient', what: 'Away.', safe: '', next: '' });

const cleanups = cleanupsAfterEach();

describe.each([
  ['Redis', redisBench],
  ['PostgreSQL', postgresBench],
] as const)('a lane on %s', (_name, open) => {
  async function start(
    options: { apply?: (batch: LaneBatch, log: AppliedLog) => Promise<ApplyOutcome> } = {},
  ) {
    const bench = await open();
    const log = new AppliedLog();
    const queue = await LaneQueue.open(bench.backend, 'main', 's');
    cleanups.push(() => queue.close());
    const lost = vi.fn<(lane: string, reason: string) => void>();
    const retrying = vi.fn<(lane: string, fault: WalbridgeError) => void>();
    const abort = new AbortController();
    cleanups.push(async () => abort.abort());
    const feed = new LaneFeed(
      queue,
      limits,
      ORIGIN,
      { lost, retrying, parted: () => undefined },
      abort.signal,
    );
    await feed.restart(ORIGIN);
    const halted = vi.fn<(lane: string, fault: WalbridgeError) => void>();
    const released = vi.fn<(lane: string, batch: LaneBatch, outcome: ApplyOutcome) => void>();
    const worker = () => {
      const made = new LaneWorker(bench.backend, {
        lane: 'main',
        stream: 's',
        apply: async (batch) => (options.apply ? options.apply(batch, log) : log.apply(batch)),
        look: async (batch) => log.look(batch),
        backoff: { initialMs: 5, maximumMs: 20 },
        events: { ...silentEvents, halted, released },
      });
      cleanups.push(() => made.stop(1_000));
      return made;
    };
    let lsn = 0n;
    const transaction = (text: string) => {
      lsn += 1n;
      feed.buffer.append(Buffer.from(text));
      feed.countEvent();
      feed.commit(wholeAt(lsn), 0n);
    };
    const { signal } = abort;
    return {
      bench,
      log,
      queue,
      feed,
      signal,
      lost,
      retrying,
      halted,
      released,
      worker,
      transaction,
      lsn: () => lsn,
    };
  }

  const until = (condition: () => boolean) =>
    vi.waitFor(() => expect(condition()).toBe(true), { timeout: 30_000 });

  it('hears nothing of what an earlier epoch sent', async () => {
    let begun = false;
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const lane = await start({
      apply: async (batch, log) => {
        if (batch.epoch === 2) return log.apply(batch);
        begun = true;
        await released;
        return { kind: 'applied', watermark: wholeAt(99n) };
      },
    });
    await lane.feed.restart(ORIGIN, 1);
    lane.worker();
    lane.transaction('a');
    await until(() => begun);
    await lane.feed.restart(ORIGIN, 2);
    lane.transaction('b');
    release();
    await until(() => lane.log.payloads.length > 0 && lane.feed.queuedBatches === 0);
    expect(lane.log.payloads).toEqual(['b']);
    expect(lane.feed.watermark).toEqual(wholeAt(2n));
    expect(lane.lost).not.toHaveBeenCalled();
  });

  it('applies everything in order with two workers and failing applies, and confirms it', async () => {
    let tries = 0;
    const lane = await start({
      apply: async (batch, log) => {
        tries += 1;
        if (tries % 3 === 0) throw transient();
        return log.apply(batch);
      },
    });
    lane.worker();
    lane.worker();
    const expected: string[] = [];
    for (let index = 0; index < 200; index += 1) {
      const text = `<${index}>`;
      expected.push(text);
      lane.transaction(text);
      if (index % 7 === 0) await lane.feed.room();
      if (index % 20 === 0) await lane.feed.flushed();
    }
    await until(() => !lane.feed.progress.outstanding);
    expect(lane.log.payloads.join('')).toBe(expected.join(''));
    expect(lane.feed.watermark).toEqual(wholeAt(200n));
    expect(lane.lost).not.toHaveBeenCalled();
    expect(await readLaneQueue(lane.bench.backend, 'main')).toEqual({ depth: 0, trouble: null });
  });

  it('holds the sender back while the queue holds its fill', async () => {
    const lane = await start();
    lane.transaction('x'.repeat(limits.maxQueuedBytes));
    await lane.feed.flushed();
    const listeners = getEventListeners(lane.signal, 'abort').length;
    const room = lane.feed.room();
    expect(room).toBeInstanceOf(Promise);
    // A lane waits for room millions of times in a daemon's life.
    expect(getEventListeners(lane.signal, 'abort')).toHaveLength(listeners);
    lane.worker();
    await room;
    expect(lane.log.payloads).toHaveLength(1);
  });

  it('notices an emptied queue and fills it again from the watermark', async () => {
    const lane = await start();
    lane.transaction('a');
    await lane.feed.flushed();
    await lane.feed.audit(async () => lane.log.watermark);
    expect(lane.lost).not.toHaveBeenCalled();
    await lane.bench.flush();
    await lane.feed.audit(async () => lane.log.watermark);
    expect(lane.lost).toHaveBeenCalledOnce();
    await lane.feed.restart(lane.log.watermark);
    lane.transaction('a');
    lane.worker();
    await until(() => lane.log.payloads.length === 1);
  });

  it('reports a missing batch instead of applying what comes behind it', async () => {
    const lane = await start();
    await lane.queue.add(
      {
        lane: 'main',
        previous: wholeAt(5n),
        last: wholeAt(6n),
        payload: Buffer.from('later'),
        changes: 1,
        commitTimeMicros: 0n,
      },
      1,
    );
    lane.worker();
    await until(() => lane.lost.mock.calls.length > 0);
    expect(lane.log.payloads).toEqual([]);
  });

  it('halts on a permanent fault with the batch kept, and another worker goes on with it', async () => {
    let broken = true;
    const lane = await start({
      apply: async (batch, log) => {
        if (broken)
          throw new WalbridgeError({ code: 'WB6500', kind: 'permanent', what: 'Bad.', safe: '', next: '' });
        return log.apply(batch);
      },
    });
    const first = lane.worker();
    lane.transaction('a');
    await lane.feed.flushed();
    lane.transaction('b');
    await lane.feed.flushed();
    await until(() => lane.halted.mock.calls.length === 1);
    await vi.waitFor(async () =>
      expect(await readLaneQueue(lane.bench.backend, 'main')).toMatchObject({
        depth: 2,
        trouble: { state: 'halted', code: 'WB6500' },
      }),
    );
    await first.stop(1_000);
    expect((await readLaneQueue(lane.bench.backend, 'main')).depth).toBe(2);
    broken = false;
    lane.worker();
    await until(() => lane.log.payloads.join('') === 'ab');
    expect(lane.lost).not.toHaveBeenCalled();
  });

  it('tells what a halted lane holds, and lets it go on once somebody has moved it past the batch', async () => {
    const lane = await start({
      apply: async (batch, log) => {
        if (batch.payload.toString() === 'poison')
          throw new WalbridgeError({ code: 'WB6500', kind: 'permanent', what: 'Bad.', safe: '', next: '' });
        return log.apply(batch);
      },
    });
    expect(await readHaltedBatch(lane.bench.backend, 'main', 's')).toBeNull();
    const first = lane.worker();
    lane.transaction('poison');
    await lane.feed.flushed();
    lane.transaction('b');
    await lane.feed.flushed();
    await until(() => lane.halted.mock.calls.length === 1);
    const held = await vi.waitFor(async () => {
      const found = await readHaltedBatch(lane.bench.backend, 'main', 's');
      expect(found).toMatchObject({
        batch: { previous: ORIGIN, last: wholeAt(1n) },
        trouble: { code: 'WB6500' },
      });
      return found;
    });
    expect(held?.batch.payload.toString()).toBe('poison');
    expect(await readHaltedBatch(lane.bench.backend, 'main', 'another stream')).toBeNull();
    // A stopped worker has put it back: it is found there, too.
    await first.stop(1_000);
    expect(await readHaltedBatch(lane.bench.backend, 'main', 's')).toMatchObject({
      batch: { last: wholeAt(1n) },
    });
    lane.worker();
    await until(() => lane.halted.mock.calls.length === 2);
    lane.log.watermark = wholeAt(1n);
    await until(() => lane.log.payloads.join('') === 'b');
    expect(lane.released).toHaveBeenCalledOnce();
    await until(() => !lane.feed.progress.outstanding);
    expect(lane.lost).not.toHaveBeenCalled();
  });

  it('gives a halted batch up where the lane was set back to before it', async () => {
    let broken = true;
    const lane = await start({
      apply: async (batch, log) => {
        if (broken && batch.payload.toString() === 'b')
          throw new WalbridgeError({ code: 'WB6500', kind: 'permanent', what: 'Bad.', safe: '', next: '' });
        return log.apply(batch);
      },
    });
    lane.worker();
    lane.transaction('a');
    await lane.feed.flushed();
    await until(() => lane.log.payloads.length === 1);
    lane.transaction('b');
    await lane.feed.flushed();
    await until(() => lane.halted.mock.calls.length === 1);
    broken = false;
    lane.log.watermark = ORIGIN;
    await until(() => lane.lost.mock.calls.length > 0);
    expect(lane.released.mock.calls[0]?.[2]).toMatchObject({ kind: 'gap' });
  });

  it('takes a foreign job out of the way', async () => {
    const lane = await start();
    const foreign = await LaneQueue.open(lane.bench.backend, 'main', 'another source');
    cleanups.push(() => foreign.close());
    await foreign.add(
      {
        lane: 'main',
        previous: ORIGIN,
        last: wholeAt(9n),
        payload: Buffer.from('foreign'),
        changes: 1,
        commitTimeMicros: 0n,
      },
      1,
    );
    lane.worker();
    lane.transaction('ours');
    await until(() => lane.log.payloads.length === 1);
    expect(lane.log.payloads).toEqual(['ours']);
    expect(laneQueueName('main')).toContain('main');
  });

  it('believes no worker of another stream', async () => {
    const lane = await start();
    const heard: ApplyOutcome[] = [];
    lane.queue.onSettled((outcome) => heard.push(outcome));
    // Another bridge that was given the same prefix: its positions mean nothing here.
    const theirs = await LaneQueue.open(lane.bench.backend, 'main', 'another source');
    cleanups.push(() => theirs.close());
    const theirLog = new AppliedLog();
    const theirWorker = new LaneWorker(lane.bench.backend, {
      lane: 'main',
      stream: 'another source',
      apply: async (batch) => theirLog.apply(batch),
      look: async () => null,
      backoff: { initialMs: 5, maximumMs: 20 },
      events: silentEvents,
    });
    await theirs.add(
      {
        lane: 'main',
        previous: ORIGIN,
        last: wholeAt(9n),
        payload: Buffer.from('theirs'),
        changes: 1,
        commitTimeMicros: 0n,
      },
      1,
    );
    await until(() => theirLog.payloads.length === 1);
    await theirWorker.stop(1_000);
    lane.transaction('ours');
    lane.worker();
    // Events come in order: theirs would have been heard by now.
    await until(() => heard.some(({ watermark }) => watermark.lsn === 1n));
    expect(heard).toEqual([{ kind: 'applied', watermark: wholeAt(1n) }]);
    expect(lane.feed.watermark).toEqual(wholeAt(1n));
  });

  it('begins again when the queue answers again', async () => {
    const lane = await start();
    const mend = await lane.bench.refuse();
    const restarted = lane.feed.restart(ORIGIN);
    await until(() => lane.retrying.mock.calls.length > 0);
    await mend();
    await restarted;
    lane.transaction('a');
    lane.worker();
    await until(() => lane.log.payloads.length === 1);
  });
});
