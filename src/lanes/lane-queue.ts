// Capture's side of one lane's queue: adds batches, empties it, and hears what became of them.
// Guarantees: one batch is worked on at a time over all workers of all machines (BullMQ's global concurrency).
import type { ApplyOutcome, LaneBatch } from '../change/batch.ts';
import { parsePosition } from '../change/position.ts';
import { batchId, type LaneTrouble, toJobData, troubleSchema } from './job.ts';
import { type LaneJobEvents, type LaneJobQueue, type QueueBackend, queueFault } from './queue-backend.ts';

/** BullMQ's name of a lane's queue: both roles must agree on it. */
export function laneQueueName(lane: string): string {
  return `walbridge-lane-${lane}`;
}

/** BullMQ's highest priority number. */
export const MAX_ORDER = 2 ** 21 - 1;

export class LaneQueue {
  readonly lane: string;
  readonly #stream: string;
  readonly #queue: LaneJobQueue;
  readonly #events: LaneJobEvents;

  private constructor(lane: string, stream: string, queue: LaneJobQueue, events: LaneJobEvents) {
    this.lane = lane;
    this.#stream = stream;
    this.#queue = queue;
    this.#events = events;
  }

  /** `stream` names the source and slot. Throws WB5001 (transient) where the queue's server is away. */
  static async open(backend: QueueBackend, lane: string, stream: string): Promise<LaneQueue> {
    const queue = await backend
      .openQueue(laneQueueName(lane))
      .catch((error) => Promise.reject(queueFault(error)));
    const events = await backend.openEvents(laneQueueName(lane)).catch(async (error) => {
      await queue.close();
      throw queueFault(error);
    });
    return new LaneQueue(lane, stream, queue, events);
  }

  /** Calls back for each batch of this stream that a worker of it finished, soon after. `epoch`: the batch's. */
  onSettled(settled: (outcome: ApplyOutcome, epoch: number | undefined) => void): void {
    this.#events.on('completed', ({ returnvalue }) => {
      const { kind, watermark, stream, epoch } = returnvalue;
      // Positions of another stream would confirm batches that nobody has applied.
      if (stream !== this.#stream) return;
      if (kind === 'foreign' || watermark === null) return;
      settled({ kind, watermark: parsePosition(watermark) }, epoch);
    });
  }

  /** Before a lane begins or begins again: drops what waits, since the WAL brings it again, and sets what the queue must hold to. */
  async prepare(): Promise<void> {
    try {
      await this.#queue.setGlobalConcurrency(1);
      await this.#queue.drain(true);
    } catch (error) {
      throw queueFault(error);
    }
  }

  /**
   * Resolves when the queue's server has the batch. `order` (1 to MAX_ORDER) ranks it among those waiting: as BullMQ's
   * priority it holds whatever puts a job back, where arrival alone would not (a stalled job goes to the tail on PostgreSQL).
   */
  async add(batch: LaneBatch, order: number): Promise<void> {
    try {
      await this.#queue.add('batch', toJobData(batch, this.#stream), {
        jobId: batchId(batch),
        priority: order,
        removeOnComplete: true,
        removeOnFail: true,
      });
    } catch (error) {
      throw queueFault(error);
    }
  }

  /** Whether the queue still has the batch, waiting or in work. */
  async holds(id: string): Promise<boolean> {
    try {
      const state = await this.#queue.getJobState(id);
      return state !== 'unknown' && state !== 'failed' && state !== 'completed';
    } catch (error) {
      throw queueFault(error);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#events.close(), this.#queue.close()]);
  }
}

/** Creates what BullMQ needs for the lane; a worker must not meet a server without it. */
export async function ensureLaneQueue(backend: QueueBackend, lane: string): Promise<void> {
  const queue = await backend
    .openQueue(laneQueueName(lane))
    .catch((error) => Promise.reject(queueFault(error)));
  await queue.close();
}

export interface LaneQueueStatus {
  /** Batches waiting or in work. */
  readonly depth: number;
  /** What holds up the batch in work, if anything does. */
  readonly trouble: LaneTrouble | null;
}

/** What a lane's queue holds, read from outside: no worker is needed for it. */
export async function readLaneQueue(backend: QueueBackend, lane: string): Promise<LaneQueueStatus> {
  const reader = new LaneQueueReader(backend, lane);
  try {
    return await reader.read();
  } finally {
    await reader.close();
  }
}

/** The same again and again, over one connection. */
export class LaneQueueReader {
  readonly lane: string;
  readonly #backend: QueueBackend;
  #queue: Promise<LaneJobQueue> | null = null;

  constructor(backend: QueueBackend, lane: string) {
    this.#backend = backend;
    this.lane = lane;
  }

  /** Waits for a server that is away. Throws WB5001 (transient) where it answers otherwise than expected. */
  async read(): Promise<LaneQueueStatus> {
    this.#queue ??= this.#backend.openQueue(laneQueueName(this.lane));
    const opening = this.#queue;
    let queue: LaneJobQueue;
    try {
      queue = await opening;
    } catch (error) {
      if (this.#queue === opening) this.#queue = null;
      throw queueFault(error);
    }
    try {
      const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
      const depth = Object.values(counts).reduce((sum, count) => sum + count, 0);
      const [active] = (counts.active ?? 0) > 0 ? await queue.getActive(0, 0) : [];
      const trouble = troubleSchema.safeParse(active?.progress);
      return { depth, trouble: trouble.success ? trouble.data : null };
    } catch (error) {
      throw queueFault(error);
    }
  }

  async close(): Promise<void> {
    const queue = this.#queue;
    this.#queue = null;
    await (await queue?.catch(() => null))?.close();
  }
}
