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
import { keyJsonWriter, type RowKey, rowKeyReader } from './compaction-key.ts';

interface CompactedAt {
  /** The last event that made the row what it is. */
  readonly at: Position;
  readonly commitTimeMicros: bigint;
}

/** The row is there at the batch's end. */
interface CompactedUpsert extends CompactedAt {
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
interface CompactedDelete extends CompactedAt {
  readonly op: 'delete';
  /** The key's fields only. */
  readonly record: CanonicalRecord;
}

export type CompactedRow = CompactedUpsert | CompactedDelete;

/** The row as the mapping quoted it, or as canonical record where it got so far. */
type RejectedSource =
  | { readonly kind: 'mapped'; readonly keyJson: string; readonly rowJson: string }
  | { readonly kind: 'canonical'; readonly record: CanonicalRecord };

/** A row on its way to quarantine. */
export interface RejectedRow extends CompactedAt {
  readonly target: TargetTable;
  readonly change: 'insert' | 'update' | 'delete';
  readonly rejection: Rejection;
  readonly source: RejectedSource;
}

interface CompactedTable {
  readonly target: TargetTable;
  /** Not null: every row from before the batch goes first. Where the last TRUNCATE stands. */
  readonly truncatedAt: Position | null;
  readonly rows: readonly CompactedRow[];
}

export interface CompactedBatch {
  /** Tables with something to do, in the order of the targets: one order for all batches. */
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
    tables: [...targets.keys()]
      .flatMap((entity) => tables.get(entity)?.result() ?? [])
      .filter((t) => t.truncatedAt !== null || t.rows.length > 0),
    rejected,
  };
}

class TableCompaction {
  readonly #target: TargetTable;
  readonly #keyJson: (record: CanonicalRecord) => string;
  readonly #keyOf: (record: CanonicalRecord) => RowKey | null;
  readonly #fields: ReadonlySet<string>;
  readonly #rejected: RejectedRow[];
  readonly #rows = new Map<RowKey, CompactedRow>();
  #truncatedAt: Position | null = null;
  /** Keys (as JSON) whose last change was rejected: what the batch and the warehouse know of them is out of date. */
  readonly #stale = new Set<string>();

  constructor(target: TargetTable, rejected: RejectedRow[]) {
    this.#target = target;
    this.#keyJson = keyJsonWriter(target);
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
        this.#stale.clear();
        this.#truncatedAt = event.at;
        break;
      case 'reject':
        this.#rejectAsMapped(event);
        break;
    }
  }

  result(): CompactedTable {
    return { target: this.#target, truncatedAt: this.#truncatedAt, rows: [...this.#rows.values()] };
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
    if (this.#stale.size > 0 && this.#isStale(event, absent.length > 0)) {
      this.#reject(event, event.record, rejections.quarantinedOrigin);
      if (previousKey !== key && event.previousKey !== null)
        this.#remove(previousKey, event.previousKey, event);
      return;
    }
    const { at, commitTimeMicros, inserted } = event;
    let row: CompactedUpsert;
    if (absent.length === 0) {
      row = { op: 'upsert', record: event.record, inserted, absent, origin: null, at, commitTimeMicros };
    } else {
      const before = this.#rows.get(previousKey);
      if (before?.op === 'delete' || (before === undefined && this.#truncatedAt !== null)) {
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
    else {
      if (this.#stale.size > 0) this.#stale.delete(this.#keyJson(event.key));
      this.#remove(key, event.key, event);
    }
  }

  #remove(key: RowKey, record: CanonicalRecord, event: CompactedAt): void {
    if (this.#truncatedAt !== null) this.#rows.delete(key);
    else
      this.#rows.set(key, {
        op: 'delete',
        record,
        at: event.at,
        commitTimeMicros: event.commitTimeMicros,
      });
  }

  /** A full image mends its keys; a partial one inherits what is wrong with its row. */
  #isStale(event: UpsertEvent, partial: boolean): boolean {
    const key = this.#keyJson(event.record);
    const previous = event.previousKey === null ? key : this.#keyJson(event.previousKey);
    const stale = partial && this.#stale.has(previous);
    if (stale) this.#stale.add(key);
    else this.#stale.delete(key);
    if (!stale) this.#stale.delete(previous);
    return stale;
  }

  #reject(event: UpsertEvent | DeleteEvent, record: CanonicalRecord, rejection: Rejection): void {
    this.#rejected.push({
      target: this.#target,
      change: event.op === 'delete' ? 'delete' : event.inserted ? 'insert' : 'update',
      rejection,
      source: { kind: 'canonical', record },
      at: event.at,
      commitTimeMicros: event.commitTimeMicros,
    });
  }

  #rejectAsMapped(event: RejectEvent): void {
    const keyJson = event.key === null ? event.keyJson : this.#keyJson(event.key);
    if (event.change !== 'delete') this.#stale.add(keyJson);
    const previousKey = event.previousKey === null ? null : this.#keyOf(event.previousKey);
    if (previousKey !== null && event.previousKey !== null) {
      this.#stale.delete(this.#keyJson(event.previousKey));
      this.#remove(previousKey, event.previousKey, event);
    }
    this.#rejected.push({
      target: this.#target,
      change: event.change,
      rejection: { code: event.code, reason: event.reason },
      source: { kind: 'mapped', keyJson, rowJson: event.rowJson },
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
