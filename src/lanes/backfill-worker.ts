// The queue of requests for backfills, from the side of the daemon that reads the slot: wakes it, and shows how far each is.
// Guarantees: a job is held until its request has ended, and goes back to the queue when the daemon lets go of the slot; it carries
// no work, so that a stalled one that comes twice is only looked at twice. Nothing here waits for the queue's server.
import { setTimeout as pause } from 'node:timers/promises';
import { type Job, UnrecoverableError, WaitingError } from 'bullmq';
import {
  type BackfillFigures,
  type BackfillJobData,
  type BackfillJobResult,
  backfillJobSchema,
  backfillQueueName,
} from './backfill-queue.ts';
import type { JobWorker, QueueBackend } from './queue-backend.ts';

export type BackfillRequestState = 'queued' | 'running' | 'paused' | 'failed' | 'cancelled' | 'done';

/** A request as its job shows it. */
export interface BackfillRequestView extends BackfillFigures {
  readonly state: BackfillRequestState;
  /** Why it has failed. */
  readonly error: string | null;
}

export interface BackfillWorkerOptions {
  readonly slot: string;
  /** Names the source and slot. */
  readonly source: string;
  /** Somebody has asked for something, or steered it. */
  readonly onWake: () => void;
}

/** Requests that are shown at once; further ones wait in the queue, and are worked on all the same. */
const MOST_HELD = 100;
/** A killed daemon's job is given to the next after about this time. */
const LOCK_MS = 15_000;
const STALLED_CHECK_MS = 5_000;
/** How long a daemon that lets go waits for the queue's server to take its jobs back. */
const CLOSE_WITHIN_MS = 2_000;
/** BullMQ's code of a job that is not there. */
const JOB_IS_GONE = -1;

interface Held {
  readonly job: Job<BackfillJobData, BackfillJobResult>;
  readonly settle: (result: BackfillJobResult) => void;
  readonly fail: (error: Error) => void;
  shown: string;
}

export class BackfillWorker {
  readonly #options: BackfillWorkerOptions;
  readonly #worker: JobWorker<BackfillJobData, BackfillJobResult>;
  readonly #held = new Set<Held>();
  #isClosing = false;

  constructor(backend: QueueBackend, options: BackfillWorkerOptions) {
    this.#options = options;
    this.#worker = backend.openWorker<BackfillJobData, BackfillJobResult>(
      backfillQueueName(options.slot),
      (job, token) => this.#take(job, token),
      {
        concurrency: MOST_HELD,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        // The largest that BullMQ's PostgreSQL backend takes: a killed daemon is never the request's fault.
        maxStalledCount: 2 ** 31 - 1,
        runRetryDelay: 500,
      },
    );
  }

  /** Ids of the requests whose jobs are here. */
  get held(): ReadonlySet<string> {
    return new Set([...this.#held].flatMap(({ job }) => job.data.id ?? []));
  }

  /** Shows it as the job's progress; ends the job where the request has ended. */
  show(id: string, view: BackfillRequestView): void {
    for (const held of this.#held) {
      if (held.job.data.id !== id) continue;
      const { state, error, rows, estimated } = view;
      if (state === 'done' || state === 'cancelled') held.settle({ kind: state, rows, estimated });
      else if (state === 'failed') held.fail(new UnrecoverableError(error ?? 'failed'));
      else this.#progress(held, view);
    }
  }

  /** Gives the jobs in hand back to the queue, and takes no more. Where the server is away, their locks run out. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const closing = this.#worker.close();
    for (const held of this.#held) held.fail(new WaitingError());
    await Promise.race([closing, pause(CLOSE_WITHIN_MS, undefined, { ref: false })]);
  }

  async #take(
    job: Job<BackfillJobData, BackfillJobResult>,
    token: string | undefined,
  ): Promise<BackfillJobResult> {
    const asked = backfillJobSchema.safeParse(job.data);
    if (!asked.success || asked.data.source !== this.#options.source) return { kind: 'foreign' };
    this.#options.onWake();
    if (asked.data.id === null) return { kind: 'seen' };
    let held: Held | undefined;
    try {
      return await new Promise<BackfillJobResult>((settle, fail) => {
        if (this.#isClosing) throw new WaitingError();
        held = { job, settle, fail, shown: '' };
        this.#held.add(held);
      });
    } catch (error) {
      if (this.#isClosing) await job.moveToWait(token);
      throw error;
    } finally {
      if (held !== undefined) this.#held.delete(held);
    }
  }

  #progress(held: Held, { state, rows, estimated }: BackfillRequestView): void {
    const shown = JSON.stringify({ state, rows, estimated });
    if (shown === held.shown) return;
    held.shown = shown;
    held.job.updateProgress({ state, rows, estimated }).catch((error: unknown) => {
      // Somebody has emptied the queue: there is nothing left to show it on.
      if ((error as { code?: unknown }).code === JOB_IS_GONE) held.fail(new WaitingError());
      else held.shown = '';
    });
  }
}
