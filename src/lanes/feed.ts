// Capture's end of a lane: gathers events into batches, queues them, and bounds what is under way.
// Guarantees: batches are queued in order, one at a time; bytes in the queue stay under the limit (then `room` holds the
// caller back); a batch that vanished from the queue is noticed at the next audit, before anything behind it is acknowledged.
import { setTimeout as pause } from 'node:timers/promises';
import type { LaneBatch } from '../change/batch.ts';
import type { GrowingBuffer } from '../change/growing-buffer.ts';
import { comparePositions, type Position } from '../change/position.ts';
import { asWalbridgeError, type WalbridgeError } from '../fault/fault.ts';
import { BatchAssembly, type BatchLimits } from './batch-assembly.ts';
import { type LaneQueue, MAX_ORDER } from './lane-queue.ts';
import { type LaneProgress, Ledger } from './ledger.ts';

export interface FeedLimits extends BatchLimits {
  /** Payload bytes that may wait in the queue before reading stops. */
  readonly maxQueuedBytes: number;
}

export interface FeedEvents {
  /** The queue lost something: the lane must be read again from its watermark. */
  lost(lane: string, reason: string): void;
  /** The queue's server refused or is away; sending is repeated. */
  retrying(lane: string, fault: WalbridgeError): void;
  /** A transaction passed the lane's limits and is applied in parts. */
  parted(lane: string, at: Position): void;
  /** The queue's server has the batch. */
  queued?(batch: LaneBatch): void;
}

/**
 * While the apply side has this many batches, further transactions gather into the next, unless that is full: small batches when
 * idle, large under load. One, for each more that waits its turn adds its own time to every later change's; full ones queue up.
 */
const PIPELINE_BATCHES = 1;
const RETRY_MS = 250;

export class LaneFeed {
  readonly lane: string;
  readonly #queue: LaneQueue;
  readonly #limits: FeedLimits;
  readonly #events: FeedEvents;
  readonly #signal: AbortSignal;
  #assembly: BatchAssembly;
  #ledger = new Ledger();
  #watermark: Position;
  #epoch: number | undefined;
  #sending: Promise<void> = Promise.resolve();
  #unsent = 0;
  #order = 0;
  #flushScheduled = false;
  #openTransaction = false;
  /** The chain is broken: nothing is sent, held back or acknowledged until the restart. */
  #abandoned = false;
  #wakers: (() => void)[] = [];

  constructor(
    queue: LaneQueue,
    limits: FeedLimits,
    watermark: Position,
    events: FeedEvents,
    signal: AbortSignal,
  ) {
    this.lane = queue.lane;
    this.#queue = queue;
    this.#limits = limits;
    this.#events = events;
    this.#signal = signal;
    this.#watermark = watermark;
    this.#assembly = new BatchAssembly(queue.lane, limits, watermark);
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    queue.onSettled((outcome, epoch) => {
      // What another stream sent may be of other WAL, under the same positions.
      if (epoch !== this.#epoch) return;
      if (outcome.kind === 'gap') this.#abandon('the apply side found a batch missing');
      else this.confirm(outcome.watermark);
    });
  }

  /** Where the encoder appends the frames of events, each followed by `countEvent`. */
  get buffer(): GrowingBuffer {
    return this.#assembly.buffer;
  }

  get watermark(): Position {
    return this.#watermark;
  }

  get queuedBatches(): number {
    return this.#ledger.batches;
  }

  get queuedBytes(): number {
    return this.#ledger.bytes;
  }

  get progress(): LaneProgress {
    return {
      watermark: this.#watermark,
      outstanding:
        this.#abandoned || this.#ledger.batches > 0 || this.#openTransaction || this.#assembly.hasWhole,
    };
  }

  /** Forgets everything under way, empties the queue and begins again at the warehouse's watermark, in the lane's new epoch. */
  async restart(watermark: Position, epoch?: number): Promise<void> {
    this.#abandoned = true;
    await this.#sending.catch(() => undefined);
    await this.#untilTaken(() => this.#queue.prepare());
    if (this.#signal.aborted) return;
    this.#watermark = watermark;
    this.#ledger = new Ledger();
    this.#epoch = epoch;
    this.#assembly = new BatchAssembly(this.lane, this.#limits, watermark, epoch);
    this.#openTransaction = false;
    this.#abandoned = false;
    this.#wake();
  }

  /** Counts an event appended to `buffer`. True: call `part`, and begin the transaction's frames anew behind it. */
  countEvent(): boolean {
    this.#openTransaction = true;
    return this.#assembly.countEvent();
  }

  /** The chain is broken: nothing is sent until the restart. */
  get isAbandoned(): boolean {
    return this.#abandoned;
  }

  /** Sends the transaction in hand up to here; what came before it goes first, in a batch of its own. */
  part(position: Position, commitTimeMicros: bigint): Promise<void> {
    this.#events.parted(this.lane, position);
    return this.cut(position, commitTimeMicros);
  }

  /** As `part`, of what was never one transaction. What is appended from here on is of the next batch. */
  async cut(position: Position, commitTimeMicros: bigint): Promise<void> {
    this.#flush();
    this.#send(this.#assembly.cutPart(position, commitTimeMicros));
    await this.room();
  }

  /** The transaction's events are all appended. */
  commit(position: Position, commitTimeMicros: bigint): void {
    this.#openTransaction = false;
    this.#assembly.commit(position, commitTimeMicros);
    if (this.#assembly.isFull) this.#flush();
    else this.#scheduleFlush();
  }

  /** A promise while the queue holds all it may: await it before handing over more. */
  room(): Promise<void> | undefined {
    if (!this.#isCrowded()) return undefined;
    return this.#untilRoom();
  }

  /** The warehouse's watermark as read from it. */
  confirm(watermark: Position): void {
    if (comparePositions(watermark, this.#watermark) > 0) this.#watermark = watermark;
    if (this.#ledger.confirm(watermark)) this.#wake();
    if (this.#assembly.hasWhole) this.#scheduleFlush();
  }

  /** Looks whether the oldest unconfirmed batch is still in the queue; `readWatermark` asks the warehouse. */
  async audit(readWatermark: () => Promise<Position>): Promise<void> {
    const head = this.#ledger.head;
    if (head === undefined || this.#unsent > 0 || (await this.#queue.holds(head.id))) return;
    // It may have been applied and removed a moment ago: only the watermark tells.
    const watermark = await readWatermark();
    this.confirm(watermark);
    if (this.#ledger.head === head && comparePositions(watermark, head.last) < 0) {
      this.#abandon('a batch vanished from the queue');
    }
  }

  /** Resolves when everything handed over so far is in the queue. */
  async flushed(): Promise<void> {
    this.#flush();
    await this.#sending;
  }

  #isCrowded(): boolean {
    if (this.#abandoned) return false;
    return this.#ledger.bytes >= this.#limits.maxQueuedBytes || this.#unsent > 1;
  }

  #abandon(reason: string): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    this.#wake();
    this.#events.lost(this.lane, reason);
  }

  async #untilRoom(): Promise<void> {
    while (this.#isCrowded() && !this.#signal.aborted) {
      await new Promise<void>((resolve) => this.#wakers.push(resolve));
    }
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  // Deferred by a turn, so that transactions that arrived together travel together.
  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#ledger.batches >= PIPELINE_BATCHES) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      if (this.#ledger.batches < PIPELINE_BATCHES) this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#assembly.cutWhole();
    if (batch !== null) this.#send(batch);
  }

  #send(batch: LaneBatch): void {
    const ledger = this.#ledger;
    // Begins anew whenever nothing is under way. Should it ever run over, the batch that overtakes is a gap, and is sent again.
    this.#order = ledger.batches === 0 ? 1 : (this.#order % MAX_ORDER) + 1;
    const order = this.#order;
    ledger.add(batch);
    this.#unsent += 1;
    this.#sending = this.#sending.then(async () => {
      try {
        // A restart has forgotten the batch: the WAL brings it again.
        if (ledger !== this.#ledger || this.#abandoned) return;
        await this.#untilTaken(async () => {
          await this.#queue.add(batch, order);
          this.#events.queued?.(batch);
        });
      } finally {
        this.#unsent -= 1;
        this.#wake();
      }
    });
    this.#sending.catch(() => undefined);
  }

  /** Repeats while the queue's server refuses or is away: it is a buffer, and waited for. */
  async #untilTaken(work: () => Promise<void>): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await work();
        return;
      } catch (error) {
        if (this.#signal.aborted) return;
        this.#events.retrying(this.lane, asWalbridgeError(error));
        await pause(RETRY_MS, undefined, { signal: this.#signal }).catch(() => undefined);
      }
    }
  }
}
