// One lane's part of a first load: ranges read from the snapshot at several places at once, sent as the parts of one transaction.
// Guarantees: a table's rows are sent behind all of its parents'; progress is recorded for rows that the lane's watermark has
// passed at the snapshot's own position, which no other process ever writes; memory holds one piece a reader.
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { appendEvent, appendTransaction } from '../canonical/batch-codec.ts';
import type { CanonicalEvent } from '../canonical/event.ts';
import type { RecordWriter } from '../canonical/record-writer.ts';
import type { ChunkTable, KeyValues } from '../capture/chunk-statement.ts';
import { type SnapshotPiece, SnapshotReader } from '../capture/snapshot-reader.ts';
import { ORIGIN, WHOLE, wholeAt } from '../change/position.ts';
import type { SourceTransaction } from '../change/source-change.ts';
import type { TableDescription } from '../change/table-description.ts';
import type { WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import type { LaneFeed } from '../lanes/feed.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { BackfillStatus } from '../warehouse/backfill-step.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { EntityOrder } from './backfill-order.ts';
import { readColumnsOf } from './backfill-table.ts';
import type { sourceOf } from './connections.ts';
import { leftToChunks, unreadable } from './first-load-fault.ts';
import { LoadLedger } from './first-load-ledger.ts';
import type { FaultLog } from './log.ts';

export interface LoadRange {
  readonly step: BackfillStatus;
  readonly mapping: CompiledMapping;
  readonly described: TableDescription | undefined;
  readonly table: ChunkTable;
  readonly writer: RecordWriter;
  /** The table's files from before the snapshot. */
  readonly files: string;
}

export interface LaneLoadOptions {
  readonly feed: LaneFeed;
  readonly ranges: readonly LoadRange[];
  readonly order: EntityOrder;
  /** What the rows are the changes of: the snapshot's own. */
  readonly transaction: SourceTransaction;
  readonly snapshot: string;
  readonly source: ReturnType<typeof sourceOf>;
  readonly warehouse: Warehouse;
  readonly backoff: Backoff;
  readonly faults: FaultLog;
}

/** Bytes of a piece, about, and of COPY's text at most. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** Ranges and tables at once where the request does not say: nobody waits for the stream yet. */
export const USUAL_READERS = 4;
const POLL_MS = 50;
/** Rows that are mapped before anything else gets its turn. */
const ROWS_A_TURN = 1_000;

type RangeState = 'pending' | 'sending' | 'sent' | 'left';

export class LaneLoad {
  readonly #options: LaneLoadOptions;
  readonly #signal: AbortSignal;
  readonly #states: Map<LoadRange, RangeState>;
  readonly #ledger: LoadLedger;
  #ordinal = 0;
  #isHeaded = false;
  #isStopped = false;
  #isSent = false;
  #recording: Promise<void> = Promise.resolve();
  #wakers: (() => void)[] = [];

  constructor(options: LaneLoadOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#ledger = new LoadLedger(options, signal, (step) => {
      for (const [range, state] of this.#states) {
        if (range.step === step && state === 'sending') this.#states.set(range, 'left');
      }
    });
    const rank = ({ step }: LoadRange) => options.order.entities.indexOf(step.entity);
    const ranges = [...options.ranges].sort((a, b) => rank(a) - rank(b) || a.step.range - b.step.range);
    this.#states = new Map(ranges.map((range) => [range, 'pending']));
  }

  /** Rows that were recorded. */
  get rows(): number {
    return this.#ledger.rows;
  }

  /** Ranges that are left to chunks. */
  get left(): number {
    return [...this.#states.values()].filter((state) => state === 'left').length;
  }

  /** How far the warehouse is: of the snapshot's transaction. */
  get durable(): number {
    const { lsn, ordinal } = this.#options.feed.watermark;
    return lsn === this.#options.transaction.commitLsn ? ordinal : -1;
  }

  /** The queue has lost a part, or somebody else has moved the lane on: nothing that is sent from here on counts. */
  get isBroken(): boolean {
    const { feed, transaction } = this.#options;
    return feed.isAbandoned || feed.watermark.lsn > transaction.commitLsn;
  }

  /** Leaves to chunks what was not read yet. */
  stopReading(): void {
    this.#isStopped = true;
    this.#wake();
  }

  /** Sends every range, or what it gets to; resolves when nothing more is read. Throws the signal's reason. */
  async send(): Promise<void> {
    const { ranges, feed, transaction } = this.#options;
    this.#emptyTargets();
    await this.#cut();
    await this.#until(() => feed.watermark.lsn !== ORIGIN.lsn || this.#isStopped);
    const readers = Math.max(1, ...ranges.map(({ step }) => step.options.parallel ?? USUAL_READERS));
    this.#recording = this.#ledger.record(
      () => this.durable,
      () => this.isBroken || (this.#isSent && this.durable === WHOLE),
    );
    // Thrown by `settle`.
    this.#recording.catch(() => undefined);
    await Promise.all(Array.from({ length: Math.min(readers, ranges.length) }, () => this.#work()));
    for (const [range, state] of this.#states) if (state !== 'sent') this.#states.set(range, 'left');
    if (!this.isBroken) feed.commit(wholeAt(transaction.commitLsn), transaction.commitTimeMicros);
    this.#isSent = true;
  }

  /** Resolves when all that was sent is in the warehouse and recorded, or will never be known to be. */
  settle(): Promise<void> {
    return this.#recording;
  }

  /**
   * Alone in the first part. The targets were empty, but a batch of an earlier stream may still have been on its way, and what it
   * brought may be gone from the source by now. Once this part is there, nothing older can reach the lane, nor can a second
   * snapshot be taken for it.
   */
  #emptyTargets(): void {
    const { commitLsn, commitTimeMicros } = this.#options.transaction;
    const writers = new Map(this.#options.ranges.map(({ step, writer }) => [step.entity, writer]));
    for (const [entity, writer] of writers) {
      this.#ordinal += 1;
      const at = { lsn: commitLsn, ordinal: this.#ordinal };
      this.#append({ op: 'truncate', entity, at, commitTimeMicros }, writer);
    }
  }

  /** True where the part is full. */
  #append(event: CanonicalEvent, writer: RecordWriter): boolean {
    const { feed, transaction } = this.#options;
    if (!this.#isHeaded) {
      appendTransaction(feed.buffer, transaction.commitLsn, transaction.commitTimeMicros);
      this.#isHeaded = true;
    }
    appendEvent(feed.buffer, event, writer);
    return feed.countEvent();
  }

  /** Takes one range after the other, as long as one can be begun. */
  async #work(): Promise<void> {
    const { source, snapshot } = this.#options;
    const reader = new SnapshotReader(source, snapshot, this.#signal);
    try {
      for (;;) {
        const range = this.#next();
        if (range === null) {
          const isSomeoneSending = [...this.#states.values()].includes('sending');
          if (!isSomeoneSending || this.#isOver) return;
          await new Promise<void>((resolve) => this.#wakers.push(resolve));
          continue;
        }
        this.#states.set(range, 'sending');
        try {
          this.#states.set(range, (await this.#sendRange(range, reader)) ? 'sent' : 'left');
        } catch (error) {
          this.#signal.throwIfAborted();
          const { entity } = range.step;
          this.#options.faults.report(`first load of ${entity}`, unreadable(entity, error));
          this.#states.set(range, 'left');
        }
        this.#wake();
      }
    } finally {
      this.#wake();
      await reader.close();
    }
  }

  get #isOver(): boolean {
    return this.#isStopped || this.isBroken || this.#signal.aborted;
  }

  /** The first range whose parents are all sent. Where they are left to chunks, so are their children. */
  #next(): LoadRange | null {
    if (this.#isOver) return null;
    const { parents } = this.#options.order;
    for (const [range, state] of this.#states) {
      if (state !== 'pending') continue;
      const before = parents.get(range.step.entity) ?? [];
      const states = [...this.#states].flatMap(([{ step }, of]) =>
        before.includes(step.entity) ? [of] : [],
      );
      if (states.includes('left')) this.#states.set(range, 'left');
      else if (states.every((of) => of === 'sent')) return range;
    }
    return null;
  }

  /** True when all of it was sent. */
  async #sendRange(range: LoadRange, reader: SnapshotReader): Promise<boolean> {
    const { step, mapping, table, files } = range;
    const { backoff, faults } = this.#options;
    const limits = { rows: step.options.chunkRows, bytes: PIECE_BYTES };
    const columns = readColumnsOf(mapping);
    const keys = { from: step.fromKey, to: step.toKey };
    const onRetry = (fault: WalbridgeError) => faults.report(`first load of ${step.entity}`, fault);
    for (let after: KeyValues | null = null; !this.#isOver && this.#states.get(range) === 'sending'; ) {
      const behind: KeyValues | null = after;
      const piece: SnapshotPiece | null = await retry(
        () => reader.read({ table, columns, range: keys, after: behind, files, limits }),
        { backoff, signal: this.#signal, onRetry },
      );
      if (piece === null) {
        const reason = 'it was truncated or rewritten meanwhile, and the snapshot shows nothing of it.';
        faults.report(`first load of ${step.entity}`, leftToChunks(step.entity, reason));
        return false;
      }
      await this.#sendPiece(range, piece);
      if (piece.isLast) return true;
      after = piece.lastKey;
    }
    return false;
  }

  async #sendPiece(range: LoadRange, piece: SnapshotPiece): Promise<void> {
    const { feed, transaction } = this.#options;
    const mapper = range.mapping.bind(piece.relation, range.described);
    let rowsWritten = 0;
    let turn = 0;
    for (const row of piece.rows) {
      this.#ordinal += 1;
      const change = { op: 'insert', relation: piece.relation, row, ordinal: this.#ordinal } as const;
      const event = mapper.map(change, transaction);
      turn += 1;
      if (event !== null) {
        rowsWritten += 1;
        if (this.#append(event, range.writer)) await this.#cut();
      }
      if (turn % ROWS_A_TURN === 0) await nextTurn();
    }
    this.#ledger.add({
      step: range.step,
      ordinal: this.#ordinal,
      lastKey: piece.lastKey,
      rowsRead: piece.count,
      rowsWritten,
      isLast: piece.isLast,
    });
    await feed.room();
  }

  /** Others may append from here on, to the next part; this reader waits for room. */
  #cut(): Promise<void> {
    const { feed, transaction } = this.#options;
    this.#isHeaded = false;
    return feed.cut({ lsn: transaction.commitLsn, ordinal: this.#ordinal }, transaction.commitTimeMicros);
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.isBroken) await pause(POLL_MS, undefined, { signal: this.#signal });
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}
