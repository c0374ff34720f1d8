// What capture does with each change: maps it, encodes it, and hands it to its lane; and what it may acknowledge.
// Guarantees: a change that a lane's watermark covers is left out; a transaction's changes for a lane stay together; the
// acknowledged position never passes a lane's watermark while that lane has anything under way.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { appendEvent, appendTransaction } from '../canonical/batch-codec.ts';
import type { CanonicalEvent } from '../canonical/event.ts';
import { RecordWriter } from '../canonical/record-writer.ts';
import type { ChangeConsumer } from '../capture/change-consumer.ts';
import { BARRIER_PREFIX, WATERMARK_PREFIX } from '../capture/chunk-reader.ts';
import { type Lsn, ORIGIN, type Position, WHOLE, wholeAt } from '../change/position.ts';
import type { LogicalMessage, Relation, SourceChange, SourceTransaction } from '../change/source-change.ts';
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import type { LaneFeed } from '../lanes/feed.ts';
import { acknowledgeable } from '../lanes/ledger.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { RowMapper } from '../mapping/row-mapper.ts';
import type { Unmappable } from '../mapping/unmappable.ts';
import type { Entry } from '../warehouse/enter-source.ts';
import { commitRewritten, type OwedCommit } from '../warehouse/source-branch.ts';
import type { BackfillIntake, DueChunk } from './backfill-intake.ts';

export interface PipelineOptions {
  readonly mappings: readonly CompiledMapping[];
  readonly tables: readonly TableDescription[];
  readonly feeds: ReadonlyMap<string, LaneFeed>;
  /** Where the lanes stand, and what may be expected of the stream; however long the warehouse takes to answer. */
  readonly enter: () => Promise<Pick<Entry, 'watermarks' | 'epoch' | 'owed'>>;
  readonly acknowledge: (lsn: Lsn) => void;
  /** Runs before the stream begins; where it loaded the lanes, they have everything that commits at or before the position. */
  readonly firstLoad: () => Promise<Position | null>;
  /** Chunks of backfills that are under way. */
  readonly backfills: BackfillIntake;
  /** The source's table differs from what the mapping reads. */
  readonly onNotice: (entity: string, notice: Unmappable) => void;
  /** The source's table has columns that the mapping does not read; each is named once. */
  readonly onUnread: (entity: string, columns: readonly string[]) => void;
  /** A table's shape or replica identity has changed since it was last seen. */
  readonly onReshaped: () => void;
}

interface LaneState {
  readonly feed: LaneFeed;
  /** What the lane had when the stream began: changes up to it are left out. */
  start: Position;
  /** Ordinals up to this are left out of the transaction in hand. */
  skipThrough: number;
  /** The lane's buffer has the transaction's head. */
  isHeaded: boolean;
  isTouched: boolean;
}

interface Route {
  readonly lane: LaneState;
  readonly mapper: RowMapper;
  readonly writer: RecordWriter;
}

/** Rows of a chunk that are mapped before anything else gets its turn. */
const ROWS_A_TURN = 1000;

export class CapturePipeline implements ChangeConsumer {
  readonly #options: PipelineOptions;
  readonly #lanes: readonly LaneState[];
  readonly #laneOf: ReadonlyMap<string, LaneState>;
  readonly #writers: ReadonlyMap<CompiledMapping, RecordWriter>;
  readonly #routes = new Map<Relation, readonly Route[]>();
  readonly #unread = new Map<string, Set<string>>();
  #transaction: SourceTransaction | null = null;
  /** Every transaction that commits at or before it was handed to its lanes since the stream began. */
  #consumed: Lsn = 0n;
  /** What the stream has still to bring: it is in the warehouse, and the source has not been told. */
  #owed: readonly OwedCommit[] = [];
  #hasMissedCommit = false;
  #generation = 0;
  #resuming: Promise<void> | null = null;
  /** Why the lanes cannot be resumed. */
  #refusal: { readonly error: unknown } | null = null;

  constructor(options: PipelineOptions) {
    this.#options = options;
    const states = [...options.feeds].map(([name, feed]): [string, LaneState] => [
      name,
      { feed, start: ORIGIN, skipThrough: 0, isHeaded: false, isTouched: false },
    ]);
    this.#laneOf = new Map(states);
    this.#lanes = states.map(([, state]) => state);
    this.#writers = new Map(options.mappings.map((mapping) => [mapping, new RecordWriter(mapping.schema)]));
  }

  restarted(): void {
    // What was consumed before counts no more: it comes again, and until then nothing says that the lanes have it.
    this.#consumed = 0n;
    this.#generation += 1;
    this.#transaction = null;
    this.#options.backfills.restarted();
    const before = this.#resuming ?? Promise.resolve();
    const resuming = before
      .catch(() => undefined)
      .then(() => this.#resume())
      .then(() => {
        if (this.#resuming === resuming) this.#resuming = null;
      });
    this.#refusal = null;
    // Thrown where the stream waits for it, or hears that the source is idle.
    resuming.catch((error: unknown) => {
      if (this.#resuming === resuming) this.#refusal = { error };
    });
    this.#resuming = resuming;
  }

  /** The lanes do not know yet where to begin. */
  get isResuming(): boolean {
    return this.#resuming !== null;
  }

  /** Grows with each start of the stream: what was known of one before may not be true of this one's server. */
  get generation(): number {
    return this.#generation;
  }

  async #resume(): Promise<void> {
    const { watermarks, epoch, owed } = await this.#options.enter();
    const positions = new Map(watermarks.map(({ lane, position }) => [lane, position]));
    this.#owed = owed;
    for (const lane of this.#lanes) {
      lane.start = positions.get(lane.feed.lane) ?? ORIGIN;
      await lane.feed.restart(lane.start, epoch);
    }
    const loaded = await this.#options.firstLoad();
    if (loaded !== null) for (const lane of this.#lanes) lane.start = loaded;
  }

  relation(relation: Relation, previous: Relation | null): void {
    const { mappings, tables, onNotice, onReshaped } = this.#options;
    if (previous !== null) {
      this.#routes.delete(previous);
      onReshaped();
    }
    const described = tables.find((one) => isSameTable(one, relation));
    const routes: Route[] = [];
    for (const mapping of mappings) {
      const { schema, table } = mapping.source;
      const lane = this.#laneOf.get(mapping.lane);
      const writer = this.#writers.get(mapping);
      if (schema !== relation.schema || table !== relation.table || !lane || !writer) continue;
      const mapper = mapping.bind(relation, described);
      for (const notice of mapper.notices) onNotice(mapping.entity, notice);
      this.#nameUnread(mapping.entity, mapper.unread);
      routes.push({ lane, mapper, writer });
    }
    this.#routes.set(relation, routes);
  }

  #nameUnread(entity: string, columns: readonly string[]): void {
    const named = this.#unread.get(entity) ?? new Set();
    this.#unread.set(entity, named);
    const fresh = columns.filter((column) => !named.has(column));
    for (const column of fresh) named.add(column);
    if (fresh.length > 0) this.#options.onUnread(entity, fresh);
  }

  begin(transaction: SourceTransaction): Promise<void> | undefined {
    if (this.#resuming !== null) return this.#resuming.then(() => this.begin(transaction));
    if (this.#owed.length > 0) this.#settleOwed(transaction);
    this.#transaction = transaction;
    for (const lane of this.#lanes) {
      const { start } = lane;
      lane.isHeaded = false;
      lane.isTouched = false;
      if (transaction.commitLsn > start.lsn) lane.skipThrough = 0;
      else if (transaction.commitLsn < start.lsn || start.ordinal === WHOLE) lane.skipThrough = WHOLE;
      else {
        // The lane has the first part of this transaction: its end is still owed, even if nothing follows.
        lane.skipThrough = start.ordinal;
        lane.isTouched = true;
      }
    }
    return undefined;
  }

  change(change: SourceChange): Promise<void> | undefined {
    this.#options.backfills.changed(change);
    const routes = this.#routes.get(change.relation);
    const transaction = this.#transaction;
    if (routes === undefined || transaction === null) return undefined;
    let passed: LaneState[] | undefined;
    for (const { lane, mapper, writer } of routes) {
      if (change.ordinal <= lane.skipThrough) continue;
      const event = mapper.map(change, transaction);
      if (event === null) continue;
      if (append(lane, transaction, event, writer) && !passed?.includes(lane)) {
        passed ??= [];
        passed.push(lane);
      }
    }
    // Behind all events of the change: a part ends between changes, never within one that several mappings read.
    return passed === undefined ? undefined : this.#part(passed, transaction, change.ordinal);
  }

  async #part(lanes: readonly LaneState[], transaction: SourceTransaction, ordinal: number): Promise<void> {
    for (const lane of lanes) {
      lane.isHeaded = false;
      await lane.feed.part({ lsn: transaction.commitLsn, ordinal }, transaction.commitTimeMicros);
    }
  }

  commit(transaction: SourceTransaction): Promise<void> | undefined {
    let rooms: Promise<void>[] | undefined;
    for (const lane of this.#lanes) {
      if (!lane.isTouched) continue;
      lane.feed.commit(wholeAt(transaction.commitLsn), transaction.commitTimeMicros);
      const room = lane.feed.room();
      if (room !== undefined) rooms = [...(rooms ?? []), room];
    }
    this.#transaction = null;
    this.#consumed = transaction.commitLsn;
    return rooms === undefined ? undefined : Promise.all(rooms).then(() => undefined);
  }

  message({ transactional, prefix, content }: LogicalMessage): Promise<void> | undefined {
    const transaction = this.#transaction;
    if (!transactional || transaction === null) return undefined;
    if (prefix === BARRIER_PREFIX) this.#pass(content.toString('utf8'));
    if (prefix !== WATERMARK_PREFIX) return undefined;
    const due = this.#options.backfills.marked(content.toString('utf8'), transaction);
    return due === null ? undefined : this.#handOver(due, transaction);
  }

  /** The lane's watermark moves on with the transaction, though there is nothing to write. */
  #pass(name: string): void {
    const lane = this.#laneOf.get(name);
    if (lane !== undefined && lane.skipThrough !== WHOLE) lane.isTouched = true;
  }

  /** A chunk's rows are the changes of the transaction that brought its high watermark. */
  async #handOver({ bracket, events, handed }: DueChunk, transaction: SourceTransaction): Promise<void> {
    const lane = this.#laneOf.get(bracket.lane);
    const mapping = this.#options.mappings.find(({ entity }) => entity === bracket.entity);
    const writer = mapping === undefined ? undefined : this.#writers.get(mapping);
    if (lane === undefined || writer === undefined) return;
    // Also where no row is left to write: the lane's watermark tells that the chunk is done.
    lane.isTouched = true;
    let written = 0;
    for (const event of events) {
      written += 1;
      if (append(lane, transaction, event, writer)) await this.#part([lane], transaction, event.at.ordinal);
      if (written % ROWS_A_TURN === 0) await nextTurn();
    }
    handed(wholeAt(transaction.commitLsn), written);
  }

  /** Throws WB6303 where the stream has passed a commit that a lane has, without it. */
  #settleOwed({ commitLsn, commitTimeMicros }: SourceTransaction): void {
    this.#requireOwed(commitLsn - 1n);
    this.#owed = this.#owed.filter(
      (owed) => owed.lsn !== commitLsn || !isSameMoment(owed.commitTimeMicros, commitTimeMicros),
    );
    this.#requireOwed(commitLsn);
  }

  #requireOwed(passed: Lsn): void {
    const missed = this.#owed.find(({ lsn }) => lsn <= passed);
    if (missed === undefined) return;
    this.#hasMissedCommit = true;
    throw commitRewritten(missed.lane, missed.lsn);
  }

  /** The stream ended with WB6303 because its WAL is not the one that a lane was filled from. */
  get hasMissedCommit(): boolean {
    return this.#hasMissedCommit;
  }

  idle(lsn: Lsn): void {
    if (this.#refusal !== null) throw this.#refusal.error;
    if (this.#resuming === null && this.#owed.length > 0) this.#requireOwed(lsn);
    if (lsn > this.#consumed) this.#consumed = lsn;
    const durable = this.acknowledgeable();
    if (durable !== null) this.#options.acknowledge(durable);
  }

  /** What the source may forget: everything that commits at or before it. Null while nobody knows. */
  acknowledgeable(): Lsn | null {
    if (this.#resuming !== null || this.#consumed === 0n) return null;
    return acknowledgeable(
      this.#lanes.map((lane) => lane.feed.progress),
      this.#consumed,
    );
  }
}

/** Not to the microsecond: it was in the warehouse meanwhile. */
function isSameMoment(a: bigint, b: bigint): boolean {
  return a - b < 10_000n && b - a < 10_000n;
}

/** True where the lane's share of the transaction has passed the lane's limits. */
function append(
  lane: LaneState,
  transaction: SourceTransaction,
  event: CanonicalEvent,
  writer: RecordWriter,
): boolean {
  const { feed } = lane;
  if (!lane.isHeaded) {
    appendTransaction(feed.buffer, transaction.commitLsn, transaction.commitTimeMicros);
    lane.isHeaded = true;
    lane.isTouched = true;
  }
  appendEvent(feed.buffer, event, writer);
  return feed.countEvent();
}
