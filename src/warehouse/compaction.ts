// Compaction: the events of a batch become at most one row per table and key.
// Guarantees: applying the result to the state before the batch gives what replaying its events one by one gives. A field
// that no event of the batch sent is named as absent together with the key that holds its value in the warehouse.
import type {
  CanonicalEvent,
  CanonicalRecord,
  DeleteEvent,
  RejectEvent,
  UpsertEvent,
} from '../canonical/event.ts';
import type { Position } from '../change/position.ts';
import type { TargetTable } from '../mapping/target.ts';
import { applyFaults, type Rejection, rejections } from './apply-fault.ts';
import { type RowKey, rowKeyReader } from './compaction-key.ts';

interface CompactedAt {
  /** The last event that made the row what it is. */
  readonly at: Position;
  readonly commitTimeMicros: bigint;
}

/** The row is there at the batch's end. */
export interface CompactedUpsert extends CompactedAt {
  readonly op: 'upsert';
  readonly record: CanonicalRecord;
  /** Whether the last event was an INSERT of the source: it doesn't depend on where batches are cut. */
  readonly inserted: boolean;
  /** Fields whose values are those of the row that had the key `origin` before the batch. */
  readonly absent: readonly string[];
  /** Null for a full image. */
  readonly origin: CanonicalRecord | null;
}

/** No row of this key is there at the batch's end. */
export interface CompactedDelete extends CompactedAt {
  readonly op: 'delete';
  /** The key's fields only. */
  readonly record: CanonicalRecord;
}

export type CompactedRow = CompactedUpsert | CompactedDelete;

/** A row on its way to quarantine. */
export interface RejectedRow extends CompactedAt {
  readonly target: TargetTable;
  readonly change: 'insert' | 'update' | 'delete';
  readonly rejection: Rejection;
  /** As the mapping gave it, or the canonical record where the row got so far. */
  readonly source: { readonly keyJson: string; readonly rowJson: string } | CanonicalRecord;
}

export interface CompactedTable {
  readonly target: TargetTable;
  /** Every row from before the batch goes first. */
  readonly truncated: boolean;
  readonly rows: readonly CompactedRow[];
}

export interface CompactedBatch {
  /** Tables with something to do, in the order the batch mentions them. */
  readonly tables: readonly CompactedTable[];
  readonly rejected: readonly RejectedRow[];
}

/**
 * Compacts events in their order. Keys compare exactly, byte by byte: what a collation would make equal stays apart here.
 * Throws WB6501 for an entity that no target knows: nothing of the batch may be applied then.
 */
export function compact(
  events: Iterable<CanonicalEvent>,
  targets: ReadonlyMap<string, TargetTable>,
): CompactedBatch {
  const tables = new Map<string, TableCompaction>();
  const rejected: RejectedRow[] = [];
  for (const event of events) {
    let table = tables.get(event.entity);
    if (table === undefined) {
      const target = targets.get(event.entity);
      if (target === undefined) throw applyFaults.unknownEntity(event.entity);
      table = new TableCompaction(target, rejected);
      tables.set(event.entity, table);
    }
    table.add(event);
  }
  return {
    tables: [...tables.values()]
      .map((table) => table.result())
      .filter((t) => t.truncated || t.rows.length > 0),
    rejected,
  };
}

class TableCompaction {
  readonly #target: TargetTable;
  readonly #keyOf: (record: CanonicalRecord) => RowKey | null;
  readonly #fields: ReadonlySet<string>;
  readonly #rejected: RejectedRow[];
  readonly #rows = new Map<RowKey, CompactedRow>();
  #truncated = false;

  constructor(target: TargetTable, rejected: RejectedRow[]) {
    this.#target = target;
    this.#keyOf = rowKeyReader(target);
    this.#fields = new Set(target.columns.map((column) => column.field));
    this.#rejected = rejected;
  }

  add(event: CanonicalEvent): void {
    switch (event.op) {
      case 'upsert':
        this.#upsert(event);
        break;
      case 'delete':
        this.#delete(event);
        break;
      case 'truncate':
        this.#rows.clear();
        this.#truncated = true;
        break;
      case 'reject':
        this.#rejectAsMapped(event);
        break;
    }
  }

  result(): CompactedTable {
    return { target: this.#target, truncated: this.#truncated, rows: [...this.#rows.values()] };
  }

  #upsert(event: UpsertEvent): void {
    const key = this.#keyOf(event.record);
    const previousKey = event.previousKey === null ? key : this.#keyOf(event.previousKey);
    if (key === null || previousKey === null) {
      this.#reject(event, event.record, rejections.incompleteKey);
      return;
    }
    const absent =
      event.absent.length === 0 ? event.absent : event.absent.filter((field) => this.#fields.has(field));
    const { at, commitTimeMicros, inserted } = event;
    let row: CompactedUpsert;
    if (absent.length === 0) {
      row = { op: 'upsert', record: event.record, inserted, absent, origin: null, at, commitTimeMicros };
    } else {
      const before = this.#rows.get(previousKey);
      if (before?.op === 'delete' || (before === undefined && this.#truncated)) {
        this.#reject(event, event.record, rejections.missingOrigin);
        return;
      }
      row =
        before === undefined
          ? {
              op: 'upsert',
              record: event.record,
              inserted,
              absent,
              origin: event.previousKey ?? event.record,
              at,
              commitTimeMicros,
            }
          : merge(before, event, absent);
    }
    if (previousKey !== key && event.previousKey !== null)
      this.#remove(previousKey, event.previousKey, event);
    this.#rows.set(key, row);
  }

  #delete(event: DeleteEvent): void {
    const key = this.#keyOf(event.key);
    if (key === null) this.#reject(event, event.key, rejections.incompleteKey);
    else this.#remove(key, event.key, event);
  }

  #remove(key: RowKey, record: CanonicalRecord, event: CompactedAt): void {
    if (this.#truncated) this.#rows.delete(key);
    else
      this.#rows.set(key, {
        op: 'delete',
        record,
        at: event.at,
        commitTimeMicros: event.commitTimeMicros,
      });
  }

  #reject(event: UpsertEvent | DeleteEvent, record: CanonicalRecord, rejection: Rejection): void {
    this.#rejected.push({
      target: this.#target,
      change: event.op === 'delete' ? 'delete' : event.inserted ? 'insert' : 'update',
      rejection,
      source: record,
      at: event.at,
      commitTimeMicros: event.commitTimeMicros,
    });
  }

  #rejectAsMapped(event: RejectEvent): void {
    this.#rejected.push({
      target: this.#target,
      change: event.change,
      rejection: { code: event.code, reason: event.reason },
      source: { keyJson: event.keyJson, rowJson: event.rowJson },
      at: event.at,
      commitTimeMicros: event.commitTimeMicros,
    });
  }
}

/** A partial image over what the batch already knows of the row. */
function merge(before: CompactedUpsert, event: UpsertEvent, absent: readonly string[]): CompactedUpsert {
  const stillAbsent =
    before.absent.length === 0 ? before.absent : before.absent.filter((f) => absent.includes(f));
  return {
    op: 'upsert',
    record: { ...before.record, ...event.record },
    inserted: event.inserted,
    absent: stillAbsent,
    origin: stillAbsent.length === 0 ? null : before.origin,
    at: event.at,
    commitTimeMicros: event.commitTimeMicros,
  };
}
