// One step of a backfill from where it stands to its end, chunk by chunk.
// Guarantees: progress is recorded for chunks that the lane's watermark has passed, never before; whatever is lost on the way
// (connection, stream, process) costs the reading of two chunks again; a chunk is small, and at most two are under way.
import { setTimeout as pause } from 'node:timers/promises';
import type { SelfReference } from '../capture/ancestor-statement.ts';
import type { ChunkRange, KeyValues } from '../capture/chunk-statement.ts';
import { comparePositions } from '../change/position.ts';
import { asWalbridgeError } from '../fault/fault.ts';
import { retry } from '../fault/retry.ts';
import { readIncompleteKeys } from '../warehouse/backfill-keys.ts';
import { splitBackfill } from '../warehouse/backfill-split.ts';
import type { BackfillStatus } from '../warehouse/backfill-step.ts';
import { finishBackfill, recordChunk, startBackfill } from '../warehouse/backfill-store.ts';
import { readSelfReferences } from '../warehouse/self-reference.ts';
import { selfReferencesOf, withAncestors } from './backfill-ancestors.ts';
import { type BackfillContext, ChunkTaker, emptyRelation, type UnderWay } from './backfill-chunk.ts';
import type { HandedChunk } from './backfill-intake.ts';
import { PruneKeys } from './backfill-prune.ts';
import { chunkTableOf, keyWayBack, nextKeys, readColumnsOf } from './backfill-table.ts';

/** Characters of values in a chunk, about: two chunks are in memory at most. */
const CHUNK_BYTES = 8 * 1024 * 1024;
const MOST_UNDER_WAY = 2;
const WATERMARK_POLL_MS = 20;
const INCOMPLETE_ROUNDS = 5;

export class BackfillRun {
  #step: BackfillStatus;
  readonly #context: BackfillContext;
  readonly #signal: AbortSignal;
  readonly #table: ReturnType<typeof chunkTableOf>;
  #range: ChunkRange;
  readonly #chunk: ChunkTaker;
  readonly #pruneKeys: PruneKeys;
  /** Of the target on itself, in the warehouse. */
  #references: readonly SelfReference[] = [];
  /** Behind it, everything is still to be done. */
  #doneKey: KeyValues | null;

  /** An abort ends it where it stands; the control table says where. */
  constructor(step: BackfillStatus, context: BackfillContext, signal: AbortSignal) {
    this.#step = step;
    this.#context = context;
    this.#signal = signal;
    this.#table = chunkTableOf(context.mapping, context.described);
    this.#range = rangeOf(step);
    this.#doneKey = step.doneKey;
    this.#chunk = new ChunkTaker(step, context, this.#table, signal);
    this.#pruneKeys = new PruneKeys(context.mapping, context.warehouse);
  }

  /** Throws permanent faults, and the signal's reason. */
  async run(): Promise<void> {
    try {
      if (!(await this.#split()) || !(await this.#start())) return;
      const isComplete = await this.#work();
      if (isComplete) await this.#retry(() => finishBackfill(this.#context.warehouse, this.#step, null));
    } finally {
      await this.#chunk.close();
    }
  }

  /** Into key ranges, where it is to be worked on at several places at once. False where it was paused or cancelled. */
  async #split(): Promise<boolean> {
    const { kind, options } = this.#step;
    const { parallel } = options;
    if (kind === 'truncate' || options.isRange || parallel === null || parallel < 2) return true;
    const boundaries =
      kind === 'prune'
        ? await this.#targetBoundaries(parallel)
        : await this.#retry(() =>
            this.#chunk.withReader((reader) => reader.boundaries(this.#table, this.#range, parallel)),
          );
    const ranges = await this.#retry(() => splitBackfill(this.#context.warehouse, this.#step, boundaries));
    const first = ranges?.[0];
    if (first === undefined) return false;
    this.#step = first;
    this.#range = rangeOf(first);
    this.#context.onSplit();
    return true;
  }

  /** None where the warehouse does not answer: counting a large table may take longer than a statement may. */
  async #targetBoundaries(parts: number): Promise<readonly KeyValues[]> {
    try {
      return await this.#pruneKeys.boundaries(this.#step, parts);
    } catch (error) {
      const fault = asWalbridgeError(error);
      if (fault.kind !== 'transient') throw error;
      this.#context.onTrouble(fault);
      return [];
    }
  }

  async #start(): Promise<boolean> {
    const { keys } = this.#step.options;
    const estimated =
      this.#step.kind !== 'backfill' || this.#step.rowsEstimated !== null
        ? null
        : keys !== undefined
          ? keys.length
          : await this.#retry(() =>
              this.#chunk.withReader((reader) => reader.estimate(this.#table, this.#range)),
            );
    return this.#retry(() => startBackfill(this.#context.warehouse, this.#step, estimated));
  }

  async #work(): Promise<boolean> {
    switch (this.#step.kind) {
      case 'truncate':
        return this.#truncate();
      case 'prune':
        return this.#chunks((after) => this.#pruneChunk(after));
      case 'backfill':
        this.#references = selfReferencesOf(
          this.#context.mapping,
          await this.#retry(() =>
            readSelfReferences(this.#context.warehouse, [this.#context.mapping.target]),
          ),
        );
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
      while (underWay.length >= (isLast ? 1 : this.#mostUnderWay)) {
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

  /** Live changes wait for what is on the way: with several ranges each has one there while it reads the next. */
  get #mostUnderWay(): number {
    return (this.#step.options.parallel ?? 1) > 1 ? 1 : MOST_UNDER_WAY;
  }

  async #record(chunk: UnderWay): Promise<boolean> {
    const isPrune = this.#step.kind === 'prune';
    const isRunning = await this.#retry(() =>
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
  async #isDurable({ position, generation }: HandedChunk): Promise<boolean> {
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
    const named = nextKeys(this.#step.options, after);
    if (named !== null) {
      return this.#chunk.take('rows', async (reader) => ({
        ...(await reader.readKeys(this.#table, columns, named.keys)),
        lastKey: named.keys.at(-1) ?? null,
        isLast: named.isLast,
        examined: named.keys.length,
      }));
    }
    return this.#chunk.take('rows', async (reader) => {
      const chunk = await reader.read(this.#table, columns, this.#range, after, limits);
      const rows = await withAncestors(reader, chunk, {
        table: this.#table,
        columns,
        range: this.#range,
        references: this.#references,
      });
      return { ...chunk, rows, examined: chunk.rows.length };
    });
  }

  /** Keys of the warehouse that the source has no more. When they are read does not matter: the source's word does. */
  async #pruneChunk(after: KeyValues | null): Promise<UnderWay | null> {
    const named = nextKeys(this.#step.options, after);
    if (named !== null) {
      return this.#chunk.take('absent', async (reader) => ({
        ...(await reader.readAbsent(this.#table, { from: null, to: null }, named.keys)),
        lastKey: named.keys.at(-1) ?? null,
        isLast: named.isLast,
        examined: named.keys.length,
      }));
    }
    const { keys, lastKey } = await this.#retry(() => this.#pruneKeys.next(this.#step, after));
    return this.#chunk.take('absent', async (reader) => ({
      ...(await reader.readAbsent(this.#table, this.#range, keys)),
      lastKey,
      isLast: keys.length < this.#step.options.chunkRows,
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
      this.#chunk.take(
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
   * the warehouse had no row to complete them with; and rows that came there before the row of the same table that they refer to.
   * They are read by their keys.
   */
  async #completeRows(): Promise<boolean> {
    const { mapping, warehouse } = this.#context;
    const way = keyWayBack(mapping);
    if ('problem' in way || this.#step.options.keys !== undefined) return true;
    const limit = this.#step.options.chunkRows;
    for (let round = 0, last = ''; round < INCOMPLETE_ROUNDS; round += 1) {
      const found = await this.#retry(() =>
        readIncompleteKeys(warehouse, this.#step.entity, limit, this.#references.length > 0),
      );
      const keys = found
        .map((key) => way.map(({ field }) => key[field]))
        .filter((key): key is string[] => !key.includes(undefined));
      // What is left then is of rows that the source has no more.
      const isMended = keys.length === 0 || JSON.stringify(keys) === last;
      if (isMended) return true;
      last = JSON.stringify(keys);
      const chunk = await this.#chunk.take('rows', async (reader) => ({
        ...(await reader.readKeys(this.#table, readColumnsOf(mapping), keys)),
        examined: keys.length,
      }));
      if (chunk !== null && (await this.#isDurable(chunk)) && !(await this.#record(chunk))) return false;
    }
    return true;
  }

  #retry<T>(work: () => Promise<T>): Promise<T> {
    const { backoff, onTrouble } = this.#context;
    return retry(work, { backoff, signal: this.#signal, onRetry: onTrouble });
  }
}

function rangeOf({ fromKey, toKey, options }: BackfillStatus): ChunkRange {
  return { from: fromKey, to: toKey, where: options.where, since: options.since };
}
