// One chunk of a backfill: from its low watermark over its reading to its hand-over at the high one.
// Guarantees: each try has watermarks and a window of its own; a try that was interrupted, or overtaken by the stream, leaves
// nothing behind.
import { randomUUID } from 'node:crypto';
import type { CanonicalEvent } from '../canonical/event.ts';
import { type ChunkRead, ChunkReader } from '../capture/chunk-reader.ts';
import type { ChunkTable, KeyValues } from '../capture/chunk-statement.ts';
import { ChunkWindow, type WindowKind } from '../capture/chunk-window.ts';
import type { Lsn } from '../change/position.ts';
import type { Relation, SourceChange, SourceRow, SourceTransaction } from '../change/source-change.ts';
import type { TableDescription } from '../change/table-description.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import type { LaneFeed } from '../lanes/feed.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { BackfillStatus } from '../warehouse/backfill-step.ts';
import { recordTrouble } from '../warehouse/backfill-store.ts';
import type { Warehouse } from '../warehouse/session.ts';
import { type BackfillIntake, type HandedChunk, highMark, lowMark } from './backfill-intake.ts';
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
  /** The step was split: there are others beside it now. */
  readonly onSplit: () => void;
}

const MOST_SPOILED = 20;

/** A chunk that the lane has. */
export interface UnderWay extends HandedChunk {
  readonly lowLsn: Lsn;
  readonly highLsn: Lsn;
  readonly rowsRead: number;
  readonly lastKey: KeyValues | null;
  readonly isLast: boolean;
}

export interface ExaminedChunk extends ChunkRead {
  /** Rows or keys that were looked at. */
  readonly examined: number;
}

export class ChunkTaker {
  readonly #step: BackfillStatus;
  readonly #context: BackfillContext;
  readonly #table: ChunkTable;
  readonly #signal: AbortSignal;
  #reader: ChunkReader | null = null;

  constructor(step: BackfillStatus, context: BackfillContext, table: ChunkTable, signal: AbortSignal) {
    this.#step = step;
    this.#context = context;
    this.#table = table;
    this.#signal = signal;
  }

  /** A chunk from its low watermark to its hand-over. Null where it is to be done again: the stream began anew. */
  async take(
    kind: WindowKind,
    read: (reader: ChunkReader) => Promise<ExaminedChunk>,
    events?: (transaction: SourceTransaction) => readonly CanonicalEvent[],
  ): Promise<UnderWay | null> {
    for (let attempt = 0; attempt < MOST_SPOILED; attempt += 1) {
      const chunk = await retry(() => this.#attempt(kind, read, events), {
        backoff: this.#context.backoff,
        signal: this.#signal,
        onRetry: this.#context.onTrouble,
      });
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
    read: (reader: ChunkReader) => Promise<ExaminedChunk>,
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
      const sent = await this.withReader(async (reader) => {
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

  /** On a connection of its own, which the next call takes over unless this one fails. */
  async withReader<T>(work: (reader: ChunkReader) => Promise<T>): Promise<T> {
    this.#reader ??= await ChunkReader.open(this.#context.source, this.#signal);
    try {
      return await work(this.#reader);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    await reader?.close(this.#signal);
  }
}

export function emptyRelation({
  schema,
  table,
}: {
  readonly schema: string;
  readonly table: string;
}): Relation {
  return { oid: 0, schema, table, replicaIdentity: 'default', columns: [] };
}
