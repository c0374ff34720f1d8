// The apply side of one lane: takes batches in order and hands each to the warehouse until it is settled.
// Guarantees: a batch never fails out of the queue: transient faults are repeated in place, so that nothing overtakes it;
// a permanent fault halts the lane with the batch kept, until a stop or until the warehouse does not want it any more; at a stop
// the batch goes back to the queue's head.
import { setTimeout as pause } from 'node:timers/promises';
import { type Job, WaitingError } from 'bullmq';
import type { ApplyOutcome, LaneBatch } from '../change/batch.ts';
import { formatPosition } from '../change/position.ts';
import { asWalbridgeError, type WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import { fromJobData, type LaneJobData, type LaneTrouble } from './job.ts';
import { laneQueueName } from './lane-queue.ts';
import type { LaneJobWorker, QueueBackend, SettledValue } from './queue-backend.ts';

type LaneJob = Job<LaneJobData, SettledValue>;

export interface LaneWorkerEvents {
  /** A batch was settled, with how long it waited and worked. */
  settled(lane: string, batch: LaneBatch, outcome: ApplyOutcome): void;
  retrying(lane: string, fault: WalbridgeError, attempt: number): void;
  /** The lane stands still until the daemon is restarted, its mappings are loaded anew, or somebody moves it past the batch. */
  halted(lane: string, fault: WalbridgeError): void;
  /** Somebody has moved a halted lane: the batch is not due any more. */
  released(lane: string, batch: LaneBatch, outcome: ApplyOutcome): void;
  /** A job that another stream wrote was taken out of the queue. */
  foreign(lane: string, job: string): void;
}

export interface LaneWorkerOptions {
  readonly lane: string;
  readonly stream: string;
  readonly apply: (batch: LaneBatch, signal: AbortSignal) => Promise<ApplyOutcome>;
  /** What has become of a batch that is held; null where it is still due. What it throws is asked again. */
  readonly look: (batch: LaneBatch) => Promise<ApplyOutcome | null>;
  readonly backoff: Backoff;
  readonly events: LaneWorkerEvents;
}

/** A killed worker's batch is given to another after about this time and one or two checks. */
const LOCK_MS = 4000;
const STALLED_CHECK_MS = 1000;
/** How often a gap is looked at again before the batch is given up: its predecessor may be about to commit elsewhere. */
const GAP_CHECKS = 4;
const GAP_CHECK_MS = 100;
/** How often a halted lane is looked at. */
const HALT_CHECK_MS = 1000;

export class LaneWorker {
  readonly lane: string;
  readonly #options: LaneWorkerOptions;
  readonly #worker: LaneJobWorker;
  /** Ends waiting: backoffs and halts. */
  readonly #stopping = new AbortController();
  /** Ends the apply in hand. */
  readonly #aborting = new AbortController();

  constructor(backend: QueueBackend, options: LaneWorkerOptions) {
    this.lane = options.lane;
    this.#options = options;
    this.#worker = backend.openWorker(
      laneQueueName(options.lane),
      async (job, token) => {
        try {
          return await this.#settle(job);
        } catch (error) {
          if (!this.#stopping.signal.aborted) throw error;
          await job.moveToWait(token);
          throw new WaitingError();
        }
      },
      {
        concurrency: 1,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        // The largest that BullMQ's PostgreSQL backend takes: a killed worker is never the batch's fault.
        maxStalledCount: 2 ** 31 - 1,
        runRetryDelay: 500,
      },
    );
  }

  /** Takes no further batch; gives the one in work `graceMs`, then abandons it (its transaction rolls back). */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    const deadline = setTimeout(() => this.#aborting.abort(), graceMs);
    try {
      await this.#worker.close();
    } finally {
      clearTimeout(deadline);
    }
  }

  async #settle(job: LaneJob): Promise<SettledValue> {
    const { lane, stream, events } = this.#options;
    let batch: LaneBatch | null;
    try {
      batch = fromJobData(job.data, lane, stream);
    } catch (error) {
      return this.#halt(job, asWalbridgeError(error), null);
    }
    if (batch === null) {
      events.foreign(lane, job.id ?? 'unnamed');
      return { kind: 'foreign', watermark: null, stream };
    }
    const outcome = await this.#apply(job, batch);
    events.settled(lane, batch, outcome);
    const { epoch } = batch;
    const of = { stream, ...(epoch !== undefined && { epoch }) };
    return { kind: outcome.kind, watermark: formatPosition(outcome.watermark), ...of };
  }

  async #apply(job: LaneJob, batch: LaneBatch): Promise<ApplyOutcome> {
    const { apply, look, backoff, events, lane } = this.#options;
    let gapChecks = 0;
    for (;;) {
      let outcome: ApplyOutcome;
      try {
        outcome = await retry(() => apply(batch, this.#aborting.signal), {
          backoff,
          signal: this.#stopping.signal,
          onRetry: (fault, attempt) => {
            events.retrying(lane, fault, attempt);
            this.#report(job, 'retrying', fault);
          },
        });
      } catch (error) {
        this.#stopping.signal.throwIfAborted();
        // One that was skipped, say, while no worker was there.
        const settled = await look(batch).catch(() => null);
        return settled ?? this.#halt(job, asWalbridgeError(error), batch);
      }
      gapChecks += 1;
      if (outcome.kind !== 'gap' || gapChecks > GAP_CHECKS) return outcome;
      await new Promise((resolve) => setTimeout(resolve, GAP_CHECK_MS));
    }
  }

  /** Holds the batch, and with it the lane, until a stop, or until the lane stands elsewhere. `batch`: null where it can't be read. */
  async #halt(job: LaneJob, fault: WalbridgeError, batch: null): Promise<never>;
  async #halt(job: LaneJob, fault: WalbridgeError, batch: LaneBatch): Promise<ApplyOutcome>;
  async #halt(job: LaneJob, fault: WalbridgeError, batch: LaneBatch | null): Promise<ApplyOutcome> {
    const { events, look } = this.#options;
    events.halted(this.lane, fault);
    this.#report(job, 'halted', fault);
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await pause(HALT_CHECK_MS, undefined, { signal }).catch(() => undefined);
      const outcome = batch === null || signal.aborted ? null : await look(batch).catch(() => null);
      if (batch === null || outcome === null) continue;
      events.released(this.lane, batch, outcome);
      return outcome;
    }
    throw fault;
  }

  /** For `walbridge status`; the work does not wait for it. */
  #report(job: LaneJob, state: LaneTrouble['state'], fault: WalbridgeError): void {
    const trouble: LaneTrouble = { state, code: fault.code, what: fault.what, at: new Date().toISOString() };
    job.updateProgress(trouble).catch(() => undefined);
  }
}
