// The jobs of the requests for backfills, as the daemon that reads the slot keeps them: how far each is, ended when the request is.
// Guarantees: what is shown comes from the control table; a request without a job gets one; nobody waits for the queue's server.
import { setTimeout as pause } from 'node:timers/promises';
import { asWalbridgeError } from '../fault/fault.ts';
import { BackfillQueue } from '../lanes/backfill-queue.ts';
import { type BackfillRequestView, BackfillWorker } from '../lanes/backfill-worker.ts';
import type { QueueBackend } from '../lanes/queue-backend.ts';
import { type BackfillStatus, requestState } from '../warehouse/backfill-step.ts';
import { readBackfills } from '../warehouse/backfill-store.ts';
import type { SqlSession } from '../warehouse/session.ts';
import type { FaultLog } from './log.ts';

export interface BackfillJobsOptions {
  readonly backend: QueueBackend;
  readonly slot: string;
  /** Names the source and slot. */
  readonly source: string;
  readonly warehouse: SqlSession;
  readonly faults: FaultLog;
  readonly onWake: () => void;
}

/** A request that moves and has had no job here for so long gets one: the queue was emptied, or away when it was asked for. */
const MISSING_MS = 5_000;
const CLOSE_WITHIN_MS = 2_000;

export class BackfillJobs {
  readonly #options: BackfillJobsOptions;
  #worker: BackfillWorker | null = null;
  #queue: BackfillQueue | null = null;
  #looking: Promise<void> | null = null;
  readonly #missingSince = new Map<string, number>();

  constructor(options: BackfillJobsOptions) {
    this.#options = options;
  }

  /** While this process reads the slot. `unfinished`: every step that is not done. Goes on in the background, one look at a time. */
  look(unfinished: readonly BackfillStatus[]): void {
    const { faults } = this.#options;
    this.#looking ??= this.#look(unfinished)
      .then(
        () => faults.clear('jobs of backfills'),
        (error: unknown) => faults.report('jobs of backfills', asWalbridgeError(error)),
      )
      .finally(() => {
        this.#looking = null;
      });
  }

  /** Another process reads the slot from here on, or none: the jobs go back to the queue. */
  async release(): Promise<void> {
    const [worker, queue] = [this.#worker, this.#queue];
    [this.#worker, this.#queue] = [null, null];
    this.#missingSince.clear();
    await worker?.close();
    if (queue !== null)
      await Promise.race([queue.close(), pause(CLOSE_WITHIN_MS, undefined, { ref: false })]);
  }

  async #look(unfinished: readonly BackfillStatus[]): Promise<void> {
    const { backend, slot, source, warehouse, onWake } = this.#options;
    this.#worker ??= new BackfillWorker(backend, { slot, source, onWake });
    const worker = this.#worker;
    const { held } = worker;
    for (const id of held) worker.show(id, viewOf(await readBackfills(warehouse, { id })));
    const now = performance.now();
    const ids = new Set(unfinished.map((step) => step.id));
    for (const id of this.#missingSince.keys()) if (!ids.has(id)) this.#missingSince.delete(id);
    for (const id of ids) {
      const state = requestState(unfinished.filter((step) => step.id === id));
      if (held.has(id) || (state !== 'queued' && state !== 'running')) {
        this.#missingSince.delete(id);
        continue;
      }
      const since = this.#missingSince.get(id) ?? now;
      const isMissing = now - since >= MISSING_MS;
      this.#missingSince.set(id, isMissing ? now : since);
      if (isMissing) await this.#announce(id);
    }
  }

  async #announce(id: string): Promise<void> {
    const { backend, slot, source } = this.#options;
    this.#queue ??= await BackfillQueue.open(backend, slot, source, true);
    await this.#queue.announce(id);
  }
}

/** All steps of one request. */
export function viewOf(steps: readonly BackfillStatus[]): BackfillRequestView {
  const reading = steps.filter(({ kind }) => kind === 'backfill');
  const estimates = reading.flatMap(({ rowsEstimated }) => rowsEstimated ?? []);
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const failed = steps.find(({ state }) => state === 'failed');
  return {
    state: requestState(steps),
    rows: sum(reading.map(({ rowsRead }) => rowsRead)),
    estimated: estimates.length === 0 ? null : sum(estimates),
    error: failed === undefined ? null : `${failed.errorCode} (${failed.entity}): ${failed.error}`,
  };
}
