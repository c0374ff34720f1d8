// One step of a backfill from where it stands to its end, chunk by chunk.
// Guarantees: progress is recorded for chunks that the lane's watermark has passed, never before; whatever is lost on the way
// (connection, stream, process) costs the reading of two chunks again; a chunk is small, and at most two are under way.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { CanonicalEvent } from '../canonical/event.ts';
import { type ChunkRead, ChunkReader } from '../capture/chunk-reader.ts';
import type { ChunkRange, KeyValues } from '../capture/chunk-statement.ts';
import { ChunkWindow, type WindowKind } from '../capture/chunk-window.ts';
import { comparePositions, type Lsn } from '../change/position.ts';
import type { Relation, SourceChange, SourceRow, SourceTransaction } from '../change/source-change.ts';
import type { TableDescription } from '../change/table-description.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import type { LaneFeed } from '../lanes/feed.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { readIncompleteKeys, readTargetKeys } from '../warehouse/backfill-keys.ts';
import {
  type BackfillStatus,
  finishBackfill,
  recordChunk,
  recordTrouble,
  startBackfill,
} from '../warehouse/backfill-store.ts';
import type { Warehouse } from '../warehouse/session.ts';
import { type BackfillIntake, type ChunkOutcome, highMark, lowMark } from './backfill-intake.ts';
import { chunkTableOf, keyWayBack, readColumnsOf } from './backfill-table.ts';
import type { sourceOf } from './connections.ts';

export interface BackfillContext {
  readonly mapping: CompiledMapping;
  readonly described: TableDescription | undefined;
  readonly feed: LaneFeed;
  readonly intake: BackfillIntake;
  readonly source: ReturnType<typeof sourceOf>;
  readonly warehouse: Warehouse;
  readonly backoff: Backoff;
  readonly onTrouble: (fault: WalbridgeError) => void;
}

/** Characters of values in a chunk, about: two chunks are in memory at most. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const MOST_UNDER_WAY = 2;
const WATERMARK_POLL_MS = 20;
const INCOMPLETE_ROUNDS = 5;
const MOST_SPOILED = 20;

type Handed = Extract<ChunkOutcome, { kind: 'handed' }>;

/** A chunk that the lane has. */
interface UnderWay extends Handed {
  readonly lowLsn: Lsn;
  readonly highLsn: Lsn;
  readonly rowsRead: number;
  readonly lastKey: KeyValues | null;
  readonly isLast: boolean;
}

interface Read extends ChunkRead {
  /** Rows or keys that were looked at. */
  readonly examined: number;
}

export class BackfillRun {
  readonly #step: BackfillStatus;
  readonly #context: BackfillContext;
  readonly #signal: AbortSignal;
  readonly #table: ReturnType<typeof chunkTableOf>;
  readonly #range: ChunkRange;
  #reader: ChunkReader | null = null;
  /** Behind it, everything is still to be done. */
  #doneKey: KeyValues | null;

  /** An abort ends it where it stands; the control table says where. */
  constructor(step: BackfillStatus, context: BackfillContext, signal: AbortSignal) {
    this.#step = step;
    this.#context = context;
    this.#signal = signal;
    this.#table = chunkTableOf(context.mapping, context.described);
    this.#range = { from: step.fromKey, to: step.toKey, where: step.options.where };
    this.#doneKey = step.doneKey;
  }

  /** Throws permanent faults, and the signal's reason. */
  async run(): Promise<void> {
    try {
      if (!(await this.#start())) return;
      const isComplete = await this.#work();
      if (isComplete)
        await this.#atWarehouse(() => finishBackfill(this.#context.warehouse, this.#step, null));
    } finally {
      await this.#closeReader();
    }
  }

  async #start(): Promise<boolean> {
    const estimated =
      this.#step.kind !== 'backfill' || this.#step.rowsEstimated !== null
        ? null
        : await this.#atSource((reader) => reader.estimate(this.#table, this.#range));
    return this.#atWarehouse(() => startBackfill(this.#context.warehouse, this.#step, estimated));
  }

  async #work(): Promise<boolean> {
    switch (this.#step.kind) {
      case 'truncate':
        return this.#truncate();
      case 'prune':
        return this.#chunks((after) => this.#pruneChunk(after));
      case 'backfill':
        return (await this.#chunks((after) => this.#copyChunk(after))) && (await this.#completeRows());
    }
  }

  /** Chunk after chunk to the end; false where somebody paused or cancelled it. */
  async #chunks(next: (after: KeyValues | null) => Promise<UnderWay | null>): Promise<boolean> {
    let underWay: UnderWay[] = [];
    let after = this.#doneKey;
    let isLast = false;
    const again = () => {
      [underWay, after, isLast] = [[], this.#doneKey, false];
    };
    for (;;) {
      if (!isLast) {
        const chunk = await next(after);
        if (chunk === null) {
          // Lost with the stream: those before it are, too.
          again();
          continue;
        }
        underWay.push(chunk);
        ({ isLast } = chunk);
        after = chunk.lastKey ?? after;
      }
      while (underWay.length >= (isLast ? 1 : MOST_UNDER_WAY)) {
        const [first] = underWay;
        if (first === undefined || !(await this.#isDurable(first))) {
          again();
          break;
        }
        underWay.shift();
        if (!(await this.#record(first))) return false;
        if (isLast && underWay.length === 0) return true;
      }
    }
  }

  async #record(chunk: UnderWay): Promise<boolean> {
    const isPrune = this.#step.kind === 'prune';
    const isRunning = await this.#atWarehouse(() =>
      recordChunk(this.#context.warehouse, this.#step, {
        doneKey: chunk.lastKey,
        lowLsn: chunk.lowLsn,
        highLsn: chunk.highLsn,
        rowsRead: chunk.rowsRead,
        rowsWritten: isPrune ? 0 : chunk.written,
        rowsYielded: chunk.yielded,
        rowsPruned: isPrune ? chunk.written : 0,
      }),
    );
    this.#doneKey = chunk.lastKey ?? this.#doneKey;
    return isRunning;
  }

  /** True when the watermark has passed the chunk. False: the stream began anew before, and it may be without the chunk. */
  async #isDurable({ position, generation }: Handed): Promise<boolean> {
    const { feed, intake } = this.#context;
    for (;;) {
      // In this order: after a restart the watermark passes the position without the chunk's rows.
      if (intake.generation !== generation) return false;
      if (comparePositions(feed.watermark, position) >= 0) return true;
      await pause(WATERMARK_POLL_MS, undefined, { signal: this.#signal });
    }
  }

  #copyChunk(after: KeyValues | null): Promise<UnderWay | null> {
    const columns = readColumnsOf(this.#context.mapping);
    const limits = { rows: this.#step.options.chunkRows, bytes: CHUNK_BYTES };
    return this.#bracket('rows', async (reader) => {
      const chunk = await reader.read(this.#table, columns, this.#range, after, limits);
      return { ...chunk, examined: chunk.rows.length };
    });
  }

  /** Keys of the warehouse that the source has no more. When they are read does not matter: the source's word does. */
  async #pruneChunk(after: KeyValues | null): Promise<UnderWay | null> {
    const { mapping, warehouse } = this.#context;
    const limit = this.#step.options.chunkRows;
    const keys = await this.#atWarehouse(() => readTargetKeys(warehouse, mapping.target, after, limit));
    const way = wayBack(mapping);
    const places = way.map(({ column }) => mapping.target.key.indexOf(column));
    const sourceKeys = keys.map((key) => places.map((place) => key[place] ?? ''));
    return this.#bracket('absent', async (reader) => ({
      ...(await reader.readAbsent(this.#table, this.#range, sourceKeys)),
      lastKey: keys.at(-1) ?? null,
      isLast: keys.length < limit,
      examined: keys.length,
    }));
  }

  #truncate(): Promise<boolean> {
    const nothing = {
      relation: emptyRelation(this.#table),
      rows: [],
      lastKey: null,
      isLast: true,
      examined: 0,
    };
    return this.#chunks(() =>
      this.#bracket(
        'rows',
        async () => nothing,
        ({ commitLsn, commitTimeMicros }) => [
          { op: 'truncate', entity: this.#step.entity, at: { lsn: commitLsn, ordinal: 1 }, commitTimeMicros },
        ],
      ),
    );
  }

  /**
   * Rows that reached a place behind the scan by a change of their key, with unchanged TOAST values left out: in quarantine, since
   * the warehouse had no row to complete them with. They are read by their keys.
   */
  async #completeRows(): Promise<boolean> {
    const { mapping, warehouse } = this.#context;
    const way = keyWayBack(mapping);
    if ('problem' in way) return true;
    const limit = this.#step.options.chunkRows;
    for (let round = 0, last = ''; round < INCOMPLETE_ROUNDS; round += 1) {
      const found = await this.#atWarehouse(() => readIncompleteKeys(warehouse, this.#step.entity, limit));
      const keys = found
        .map((key) => way.map(({ field }) => key[field]))
        .filter((key): key is string[] => !key.includes(undefined));
      // What is left then is of rows that the source has no more.
      const isMended = keys.length === 0 || JSON.stringify(keys) === last;
      if (isMended) return true;
      last = JSON.stringify(keys);
      const chunk = await this.#bracket('rows', async (reader) => ({
        ...(await reader.readKeys(this.#table, readColumnsOf(mapping), keys)),
        examined: keys.length,
      }));
      if (chunk !== null && (await this.#isDurable(chunk)) && !(await this.#record(chunk))) return false;
    }
    return true;
  }

  /** A chunk from its low watermark to its hand-over. Null where it is to be done again: the stream began anew. */
  async #bracket(
    kind: WindowKind,
    read: (reader: ChunkReader) => Promise<Read>,
    events?: (transaction: SourceTransaction) => readonly CanonicalEvent[],
  ): Promise<UnderWay | null> {
    for (let attempt = 0; attempt < MOST_SPOILED; attempt += 1) {
      const chunk = await this.#retry(() => this.#attempt(kind, read, events));
      if (chunk === 'void') return null;
      if (chunk !== 'spoiled') return chunk;
    }
    throw new WalbridgeError({
      code: 'WB7022',
      kind: 'permanent',
      what: `A chunk of ${this.#step.entity} was overtaken by changes ${MOST_SPOILED} times: too many, or such as do not carry the key of the mapping.`,
      safe: 'Nothing was written for it; what was done before stands.',
      next: 'Resume it at a quieter time or with fewer --chunk-rows; `walbridge check` tells whether the replica identity holds the key.',
    });
  }

  /** With a window of its own each time: what an interrupted one has noted is of no use to the next. */
  async #attempt(
    kind: WindowKind,
    read: (reader: ChunkReader) => Promise<Read>,
    events?: (transaction: SourceTransaction) => readonly CanonicalEvent[],
  ): Promise<UnderWay | 'void' | 'spoiled'> {
    const { intake, mapping } = this.#context;
    const { id, entity, range, lane } = this.#step;
    const token = `${id}/${entity}/${range}/${randomUUID()}`;
    const window = new ChunkWindow(mapping.source, this.#table.key, kind);
    let relation = emptyRelation(this.#table);
    const { outcome, abandon } = intake.open({
      token,
      lane,
      entity,
      window,
      events: (rows, transaction) => events?.(transaction) ?? this.#events(kind, relation, rows, transaction),
    });
    this.#signal.addEventListener('abort', abandon, { once: true });
    try {
      const sent = await this.#atSource(async (reader) => {
        const lowLsn = await reader.mark(lowMark(token));
        await reader.writersEnded(this.#table, this.#signal, (pids) => this.#waiting(pids));
        const chunk = await read(reader);
        relation = chunk.relation;
        window.fill(chunk.rows);
        return { ...chunk, lowLsn, highLsn: await reader.mark(highMark(token)) };
      });
      const settled = await outcome;
      this.#signal.throwIfAborted();
      if (settled.kind !== 'handed') return settled.kind;
      const { lowLsn, highLsn, lastKey, isLast, examined } = sent;
      return { ...settled, lowLsn, highLsn, lastKey, isLast, rowsRead: examined };
    } finally {
      this.#signal.removeEventListener('abort', abandon);
      abandon();
    }
  }

  *#events(
    kind: WindowKind,
    relation: Relation,
    rows: readonly SourceRow[],
    transaction: SourceTransaction,
  ): Generator<CanonicalEvent> {
    const { mapping, described } = this.#context;
    const mapper = mapping.bind(relation, described);
    let ordinal = 0;
    for (const row of rows) {
      ordinal += 1;
      const change: SourceChange =
        kind === 'rows'
          ? { op: 'insert', relation, row, ordinal }
          : { op: 'delete', relation, old: row, ordinal };
      // A row that the filter leaves out, as an update of it would tell the warehouse.
      const event =
        mapper.map(change, transaction) ??
        (this.#step.options.prune
          ? mapper.map({ op: 'update', relation, row, old: null, ordinal }, transaction)
          : null);
      if (event !== null) yield event;
    }
  }

  #waiting(pids: readonly string[]): void {
    const fault = new WalbridgeError({
      code: 'WB7020',
      kind: 'transient',
      what: `The backfill of ${this.#step.entity} waits for transactions that write to its table: process ${pids.join(', ')}.`,
      safe: 'The stream goes on, and nobody waits for the backfill.',
      next: 'It goes on by itself when they end; pg_stat_activity shows what they do.',
    });
    this.#context.onTrouble(fault);
    recordTrouble(this.#context.warehouse, this.#step, fault.code, fault.what).catch(() => undefined);
  }

  /** With a connection to the source, made anew after each transient fault. */
  #atSource<T>(work: (reader: ChunkReader) => Promise<T>): Promise<T> {
    return this.#retry(async () => {
      this.#reader ??= await ChunkReader.open(this.#context.source, this.#signal);
      try {
        return await work(this.#reader);
      } catch (error) {
        await this.#closeReader();
        throw error;
      }
    });
  }

  #atWarehouse<T>(work: () => Promise<T>): Promise<T> {
    return this.#retry(work);
  }

  #retry<T>(work: () => Promise<T>): Promise<T> {
    const { backoff, onTrouble } = this.#context;
    return retry(work, { backoff, signal: this.#signal, onRetry: onTrouble });
  }

  async #closeReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    await reader?.close(this.#signal);
  }
}

function wayBack(mapping: CompiledMapping) {
  const way = keyWayBack(mapping);
  if (!('problem' in way)) return way;
  throw new WalbridgeError({
    code: 'WB7021',
    kind: 'permanent',
    what: `The entity ${mapping.entity} cannot be pruned: ${way.problem}.`,
    safe: 'Nothing was deleted.',
    next: 'Use --truncate-first in place of --prune, or map the key columns as they are.',
  });
}

function emptyRelation({ schema, table }: { readonly schema: string; readonly table: string }): Relation {
  return { oid: 0, schema, table, replicaIdentity: 'default', columns: [] };
}
