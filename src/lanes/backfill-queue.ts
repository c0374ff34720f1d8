// The queue of requests for backfills, from the side of those who ask.
// Guarantees: a job carries no work but the name of a request that stands in the warehouse's control table: lost, doubled or handed
// to two daemons, it changes nothing. Jobs that have ended are kept for a week, a hundred at most.
import { z } from 'zod';
import { type JobQueue, type QueueBackend, queueFault } from './queue-backend.ts';

/** BullMQ's name of the queue: bridges that share a server and a prefix differ in their slots. */
export function backfillQueueName(slot: string): string {
  return `walbridge-backfill-${slot}`;
}

export const backfillJobSchema = z.object({
  format: z.literal(1),
  /** Names the source and slot. */
  source: z.string(),
  /** The request; null: it says only that one was steered. */
  id: z.string().nullable(),
});

export type BackfillJobData = z.output<typeof backfillJobSchema>;

/** What a job's return value says. `seen`: it said only that a request was steered; `foreign`: of another bridge. */
export type BackfillJobResult =
  | ({ readonly kind: 'done' | 'cancelled' } & BackfillFigures)
  | { readonly kind: 'seen' | 'foreign' };

export interface BackfillFigures {
  readonly rows: number;
  /** Null where nothing is known yet. */
  readonly estimated: number | null;
}

export type BackfillJobQueue = JobQueue<BackfillJobData, BackfillJobResult>;

const KEPT = { age: 7 * 24 * 3600, count: 100 };

export class BackfillQueue {
  readonly #queue: BackfillJobQueue;
  readonly #source: string;

  private constructor(queue: BackfillJobQueue, source: string) {
    this.#queue = queue;
    this.#source = source;
  }

  /** `source` names the source and slot. `migrate`: as for `openQueue`. Throws WB5001. */
  static async open(
    backend: QueueBackend,
    slot: string,
    source: string,
    migrate: boolean,
  ): Promise<BackfillQueue> {
    try {
      const name = backfillQueueName(slot);
      return new BackfillQueue(
        await backend.openQueue<BackfillJobData, BackfillJobResult>(name, migrate),
        source,
      );
    } catch (error) {
      throw queueFault(error);
    }
  }

  /** There is a job for the request from here on, unless it had one that has not ended. Throws WB5001. */
  async announce(id: string): Promise<void> {
    try {
      // BullMQ would take it for the new one.
      const state = await this.#queue.getJobState(id);
      if (state === 'completed' || state === 'failed') await this.#queue.remove(id);
      await this.#queue.add('backfill', this.#data(id), {
        jobId: id,
        removeOnComplete: KEPT,
        removeOnFail: KEPT,
      });
    } catch (error) {
      throw queueFault(error);
    }
  }

  /** Wakes the daemon: a request was steered. Throws WB5001. */
  async nudge(): Promise<void> {
    try {
      await this.#queue.add('look', this.#data(null), { removeOnComplete: true, removeOnFail: true });
    } catch (error) {
      throw queueFault(error);
    }
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  #data(id: string | null): BackfillJobData {
    return { format: 1, source: this.#source, id };
  }
}
