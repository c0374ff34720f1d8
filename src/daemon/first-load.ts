// The first load of an empty warehouse: everything that was asked for, from one snapshot, before the stream begins.
// Guarantees: the snapshot's place in the order of commits is known, and the stream begins exactly behind it: nothing is left out,
// nothing comes twice. Rows are sent once the lane has durably left its origin, so that nothing older and no second snapshot can
// mix with them; whatever ends the load early, what is recorded is in the warehouse, and chunks bring the rest: docs/backfill.md

import { setTimeout as pause } from 'node:timers/promises';
import { RecordWriter } from '../canonical/record-writer.ts';
import { ChunkReader } from '../capture/chunk-reader.ts';
import { ExportedSnapshot } from '../capture/exported-snapshot.ts';
import { readSlotHealth, runsShort, type SlotHealth } from '../capture/slot-health.ts';
import { snapshotSettled, tableFiles } from '../capture/snapshot-reader.ts';
import { withSource } from '../capture/source-client.ts';
import { comparePositions, formatLsn, ORIGIN, type Position, wholeAt } from '../change/position.ts';
import type { SourceTransaction } from '../change/source-change.ts';
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import type { WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import type { LaneFeed } from '../lanes/feed.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { splitBackfill } from '../warehouse/backfill-split.ts';
import type { BackfillStatus } from '../warehouse/backfill-step.ts';
import { readBackfills, startBackfill } from '../warehouse/backfill-store.ts';
import { findFilledTarget } from '../warehouse/filled-target.ts';
import { readSelfReferences } from '../warehouse/self-reference.ts';
import type { Warehouse } from '../warehouse/session.ts';
import { parentsFirst } from './backfill-order.ts';
import { chunkTableOf } from './backfill-table.ts';
import type { sourceOf } from './connections.ts';
import { wholeRequest } from './first-load-due.ts';
import { leftToChunks, unreadable } from './first-load-fault.ts';
import { LaneLoad, type LoadRange, USUAL_READERS } from './first-load-lane.ts';
import type { FaultLog, Logger } from './log.ts';

export interface FirstLoadOptions {
  readonly mappings: readonly CompiledMapping[];
  readonly tables: readonly TableDescription[];
  readonly feeds: ReadonlyMap<string, LaneFeed>;
  readonly source: ReturnType<typeof sourceOf>;
  readonly slot: string;
  readonly warehouse: Warehouse;
  readonly backoff: Backoff;
  /** Ends the stream in hand, and begins it anew at the watermarks. */
  readonly restartStream: () => void;
  readonly faults: FaultLog;
  readonly log: Logger;
}

/** How long the snapshot may wait for transactions that write. */
const SNAPSHOT_WITHIN_MS = 60_000;
const WATCH_MS = 2_000;
/** A snapshot keeps the source from removing dead rows: not held for a warehouse that takes nothing. */
const STALLED_AFTER_MS = 300_000;

const UNFINISHED = ['queued', 'running', 'paused', 'failed'] as const;

export class FirstLoad {
  readonly #options: FirstLoadOptions;
  readonly #signal: AbortSignal;
  /** Requests that a snapshot could not be had for: left to chunks. */
  readonly #declined = new Set<string>();

  constructor(options: FirstLoadOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Whether a request could be loaded from a snapshot if the stream began anew. `unfinished`: every step that is not done. */
  isDue(unfinished: readonly BackfillStatus[]): boolean {
    return this.isAtOrigin && this.#due(unfinished).length > 0;
  }

  /** Before the stream begins. Returns where it begins then; null where nothing was loaded. Throws the signal's reason. */
  async run(): Promise<Position | null> {
    const { warehouse, faults } = this.#options;
    if (!this.isAtOrigin) return null;
    let steps: readonly BackfillStatus[] = [];
    let loaded: Position | null = null;
    try {
      steps = this.#due(await this.#retry(() => readBackfills(warehouse, { states: UNFINISHED })));
      if (steps.length > 0) loaded = await this.#load(steps);
    } catch (error) {
      this.#signal.throwIfAborted();
      faults.report('first load', unreadable('everything', error));
    }
    if (loaded === null) for (const { id } of steps) this.#declined.add(id);
    return loaded;
  }

  /** Nothing was ever streamed. */
  get isAtOrigin(): boolean {
    return [...this.#options.feeds.values()].every(
      ({ watermark }) => comparePositions(watermark, ORIGIN) === 0,
    );
  }

  #due(unfinished: readonly BackfillStatus[]): readonly BackfillStatus[] {
    const entities = this.#options.mappings.map(({ entity }) => entity);
    return wholeRequest(
      unfinished.filter(({ id }) => !this.#declined.has(id)),
      entities,
    );
  }

  async #load(due: readonly BackfillStatus[]): Promise<Position | null> {
    const { source, feeds, log, mappings, tables, faults } = this.#options;
    const targets = mappings.map(({ target }) => target);
    const filled = await this.#retry(() => findFilledTarget(this.#options.warehouse, targets));
    if (filled !== null) {
      log.info({ entity: filled }, 'the warehouse has rows already: the backfill goes in chunks');
      return null;
    }
    const [selfReferring] = await this.#retry(() => readSelfReferences(this.#options.warehouse, targets));
    if (selfReferring !== undefined) {
      // Pieces come in the key's order, from several places at once.
      const { schema, table } = selfReferring.from;
      const reason = `rows of ${schema}.${table} have to stand behind those that they refer to.`;
      faults.report('first load', leftToChunks('everything', reason));
      return null;
    }
    const order = parentsFirst(mappings, tables);
    const ranges = await this.#planned(due);
    if (ranges === null) return null;
    const files = await tableFiles(
      source,
      ranges.map(({ table }) => table),
      this.#signal,
    );
    const snapshot = await ExportedSnapshot.take(source, SNAPSHOT_WITHIN_MS, this.#signal);
    try {
      await snapshotSettled(source, snapshot.name, SNAPSHOT_WITHIN_MS, this.#signal);
    } catch (error) {
      await snapshot.close();
      throw error;
    }
    const { lsn, takenAtMicros } = snapshot;
    // What commits at `lsn` is not in the snapshot: the last position that is covered is the one before.
    const transaction: SourceTransaction = { xid: 0, commitLsn: lsn - 1n, commitTimeMicros: takenAtMicros };
    const ending = new AbortController();
    const lanes = [...feeds.values()].map((feed) => {
      const ofLane = ranges.flatMap((range, index) =>
        range.mapping.lane === feed.lane ? [{ ...range, files: files[index] ?? '' }] : [],
      );
      return new LaneLoad(
        { ...this.#options, feed, ranges: ofLane, order, transaction, snapshot: snapshot.name },
        this.#signal,
      );
    });
    log.info(
      { lanes: lanes.length, ranges: ranges.length, position: formatLsn(lsn) },
      'first load from a snapshot begins; the stream waits for its end',
    );
    // From here on the lanes are on their way to the snapshot's position, whatever becomes of the load.
    const startedAt = performance.now();
    const watching = this.#watch(lanes, ending.signal);
    let isBroken = false;
    try {
      await Promise.all(lanes.map((lane) => lane.send()));
      await snapshot.close();
      await Promise.all(lanes.map((lane) => lane.settle()));
      faults.clear('first load');
    } catch (error) {
      this.#signal.throwIfAborted();
      faults.report('first load', unreadable('the rest', error));
      isBroken = true;
    } finally {
      ending.abort();
      await Promise.all([watching, snapshot.close()]);
    }
    const sum = (of: (lane: LaneLoad) => number) => lanes.reduce((total, lane) => total + of(lane), 0);
    log.info(
      {
        rows: sum(({ rows }) => rows),
        rangesLeft: sum(({ left }) => left),
        milliseconds: Math.round(performance.now() - startedAt),
      },
      'first load ended',
    );
    if (isBroken || lanes.some((lane) => lane.isBroken)) this.#options.restartStream();
    return wholeAt(lsn - 1n);
  }

  /** Started in the control table and cut into ranges; null where somebody paused or cancelled the request. */
  async #planned(due: readonly BackfillStatus[]): Promise<Omit<LoadRange, 'files'>[] | null> {
    const { mappings, tables, warehouse, source } = this.#options;
    const reader = await ChunkReader.open(source, this.#signal);
    try {
      const ranges: Omit<LoadRange, 'files'>[] = [];
      for (const step of due) {
        const mapping = mappings.find(({ entity }) => entity === step.entity);
        if (mapping === undefined) return null;
        const described = tables.find((one) => isSameTable(one, mapping.source));
        const table = chunkTableOf(mapping, described);
        const whole = { from: step.fromKey, to: step.toKey, where: null, since: null };
        const parallel = step.options.parallel ?? USUAL_READERS;
        let parts: readonly BackfillStatus[] = [step];
        if (!step.options.isRange && parallel > 1) {
          const boundaries = await reader.boundaries(table, whole, parallel);
          const split = await this.#retry(() => splitBackfill(warehouse, step, boundaries));
          if (split === null) return null;
          parts = split;
        }
        const writer = new RecordWriter(mapping.schema);
        for (const part of parts) {
          const estimate = await reader.estimate(table, { ...whole, from: part.fromKey, to: part.toKey });
          if (!(await this.#retry(() => startBackfill(warehouse, part, estimate)))) return null;
          ranges.push({ step: part, mapping, described, table, writer });
        }
      }
      return ranges;
    } finally {
      await reader.close(this.#signal);
    }
  }

  /** Ends the reading where the source's WAL runs short, or the warehouse takes nothing: the stream has to begin. */
  async #watch(lanes: readonly LaneLoad[], ended: AbortSignal): Promise<void> {
    const { source, slot, faults } = this.#options;
    let first: SlotHealth | null = null;
    let [progress, since] = ['', Date.now()];
    for (;;) {
      await pause(WATCH_MS, undefined, { signal: AbortSignal.any([ended, this.#signal]) }).catch(
        () => undefined,
      );
      if (ended.aborted || this.#signal.aborted) return;
      const health = await withSource(source, (client) => readSlotHealth(client, slot)).catch(() => null);
      first ??= health;
      const isShort = health !== null && first !== null && runsShort(first, health);
      const now = lanes.map(({ durable }) => durable).join();
      if (now !== progress) [progress, since] = [now, Date.now()];
      const isStalled = Date.now() - since > STALLED_AFTER_MS;
      if (!isShort && !isStalled) continue;
      const reason = isShort
        ? 'the WAL that the source may keep for the slot runs short.'
        : `the warehouse has taken nothing for ${STALLED_AFTER_MS / 1000} s.`;
      faults.report('first load', leftToChunks('the rest', reason));
      for (const lane of lanes) lane.stopReading();
      return;
    }
  }

  #retry<T>(work: () => Promise<T>): Promise<T> {
    const { backoff, faults } = this.#options;
    const onRetry = (fault: WalbridgeError) => faults.report('first load', fault);
    return retry(work, { backoff, signal: this.#signal, onRetry });
  }
}
