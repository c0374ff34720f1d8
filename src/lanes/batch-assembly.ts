// Gathers a lane's event frames into batches of whole transactions.
// Guarantees: a batch ends at a transaction's end, unless one transaction alone passes the lane's limits; then it ends
// within it, at a position that says so. Batches chain: each begins where the one before ended.
import type { LaneBatch } from '../change/batch.ts';
import { GrowingBuffer } from '../change/growing-buffer.ts';
import type { Position } from '../change/position.ts';

export interface BatchLimits {
  /** A batch is full at this many events or bytes, counted at transaction ends. */
  readonly maxBatchRows: number;
  readonly maxBatchBytes: number;
  /** A transaction with more events or bytes than this in one lane is applied in parts. */
  readonly maxTransactionRows: number;
  readonly maxTransactionBytes: number;
}

interface Boundary {
  readonly bytes: number;
  readonly changes: number;
  readonly position: Position;
  readonly commitTimeMicros: bigint;
}

export class BatchAssembly {
  /** Where the encoder appends frames. */
  readonly buffer = new GrowingBuffer();
  readonly #lane: string;
  readonly #limits: BatchLimits;
  readonly #epoch: number | undefined;
  #previous: Position;
  #changes = 0;
  #whole: Boundary | null = null;
  /** The transaction in hand has been cut: it is not whole any more, and its further parts need be no larger than a batch. */
  #isParted = false;

  constructor(lane: string, limits: BatchLimits, start: Position, epoch?: number) {
    this.#lane = lane;
    this.#limits = limits;
    this.#epoch = epoch;
    this.#previous = start;
  }

  /** The position that the next batch will begin at. */
  get previous(): Position {
    return this.#previous;
  }

  /** True where whole transactions wait to be sent. */
  get hasWhole(): boolean {
    return this.#whole !== null;
  }

  /** True where the waiting whole transactions fill a batch. */
  get isFull(): boolean {
    const whole = this.#whole;
    return (
      whole !== null &&
      (whole.changes >= this.#limits.maxBatchRows || whole.bytes >= this.#limits.maxBatchBytes)
    );
  }

  /** Counts one event just appended. True: the transaction in hand has passed the limits, call `cutPart`. */
  countEvent(): boolean {
    this.#changes += 1;
    const before = this.#whole;
    const changes = this.#changes - (before?.changes ?? 0);
    const bytes = this.buffer.length - (before?.bytes ?? 0);
    const { maxBatchRows, maxBatchBytes, maxTransactionRows, maxTransactionBytes } = this.#limits;
    if (changes >= maxTransactionRows || bytes >= maxTransactionBytes) return true;
    return this.#isParted && (changes >= maxBatchRows || bytes >= maxBatchBytes);
  }

  /** The transaction in hand ended: everything appended so far is whole. */
  commit(position: Position, commitTimeMicros: bigint): void {
    this.#whole = { bytes: this.buffer.length, changes: this.#changes, position, commitTimeMicros };
    this.#isParted = false;
  }

  /** All whole transactions as one batch, or null where there are none. */
  cutWhole(): LaneBatch | null {
    const whole = this.#whole;
    return whole === null ? null : this.#cut(whole);
  }

  /**
   * Everything appended, with a transaction that goes on behind it. Call `cutWhole` first: earlier transactions
   * must not become visible with half of a later one.
   */
  cutPart(position: Position, commitTimeMicros: bigint): LaneBatch {
    this.#isParted = true;
    return this.#cut({ bytes: this.buffer.length, changes: this.#changes, position, commitTimeMicros });
  }

  #cut(at: Boundary): LaneBatch {
    const batch: LaneBatch = {
      lane: this.#lane,
      previous: this.#previous,
      last: at.position,
      ...(this.#epoch !== undefined && { epoch: this.#epoch }),
      payload: this.buffer.take(at.bytes),
      changes: at.changes,
      commitTimeMicros: at.commitTimeMicros,
    };
    this.#previous = at.position;
    this.#changes -= at.changes;
    this.#whole = null;
    return batch;
  }
}
