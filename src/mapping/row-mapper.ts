// Source changes to canonical events, for one mapping and one RELATION message.
// Guarantees: `map` never throws; each change gives one event, or none where a filter leaves its row out; a row that cannot be
// mapped gives a reject event that holds it as it came.
import type { CanonicalEvent, CanonicalRecord, CanonicalValue } from '../canonical/event.ts';
import type { PgType } from '../canonical/pg-text.ts';
import type { Position } from '../change/position.ts';
import type { Relation, SourceChange, SourceRow, SourceTransaction } from '../change/source-change.ts';
import type { TableDescription } from '../change/table-description.ts';
import { type ParsedExpression, type TypedExpression, typeExpression } from './expression.ts';
import { bindField, type FieldFiller, sentInputs } from './field-filler.ts';
import { pgTypeOf } from './pg-type.ts';
import type { RecordPlan } from './record-plan.ts';
import type { Lookups } from './transform.ts';
import { rejections, Unmappable } from './unmappable.ts';

export interface RowMapper {
  /** Null where the filter leaves the row out and the target has nothing of it. */
  map(change: SourceChange, transaction: SourceTransaction): CanonicalEvent | null;
  /** What the relation changed against the mapping: vanished columns, types that no longer fit. Rows may be rejected. */
  readonly notices: readonly Unmappable[];
  /** Columns of the source that the mapping does not read. */
  readonly unread: readonly string[];
}

/** What a mapper needs beside the relation. */
export interface MapperPlan {
  readonly entity: string;
  readonly record: RecordPlan;
  /** Columns that identify a row in the source; null: those that the target's key is made of. */
  readonly sourceKey: readonly string[] | null;
  readonly filter: ParsedExpression | null;
  readonly lookups: Lookups;
}

/** `described` tells what a RELATION message does not: the types below domains, and of types made by users. */
export function bindRows(plan: MapperPlan, relation: Relation, described?: TableDescription): RowMapper {
  const columns = new Map<string, PgType>(
    relation.columns.map((column) => [column.name, pgTypeOf(column, described)]),
  );
  const fields = plan.record.fields.map((field) => bindField(field, columns, plan.lookups));
  const key = plan.record.key.map((field) => bindField(field, columns, plan.lookups).fill);
  const filter = plan.filter === null ? null : bindFilter(plan.filter, columns);
  const read = new Set([
    ...plan.record.fields.flatMap((field) => field.inputs),
    ...(plan.filter?.columns ?? []),
  ]);
  const keyInputs = [...new Set(plan.record.key.flatMap((field) => field.inputs))];
  const state: MapperState = {
    entity: plan.entity,
    fillers: fields.map((field) => field.fill),
    constants: plan.record.constants,
    keyFillers: key,
    keyFields: plan.record.key.map((field) => field.field.name),
    keyInputs,
    keyColumns: plan.sourceKey ?? keyInputs,
    filter: filter === null || filter instanceof Unmappable ? null : filter,
    filterFault: filter instanceof Unmappable ? filter : null,
  };
  return {
    map: (change, transaction) => mapSafely(state, change, transaction),
    notices: [
      ...fields.flatMap((field) => field.notice ?? []),
      ...(filter instanceof Unmappable ? [filter] : []),
    ],
    unread: relation.columns.map((column) => column.name).filter((name) => !read.has(name)),
  };
}

interface BoundFilter {
  readonly inputs: readonly string[];
  readonly expression: TypedExpression;
}

interface MapperState {
  readonly entity: string;
  readonly fillers: readonly FieldFiller[];
  readonly constants: RecordPlan['constants'];
  readonly keyFillers: readonly FieldFiller[];
  readonly keyFields: readonly string[];
  readonly keyInputs: readonly string[];
  readonly keyColumns: readonly string[];
  readonly filter: BoundFilter | null;
  readonly filterFault: Unmappable | null;
}

interface EventBase {
  readonly entity: string;
  readonly at: Position;
  readonly commitTimeMicros: bigint;
}

function bindFilter(
  parsed: ParsedExpression,
  columns: ReadonlyMap<string, PgType>,
): BoundFilter | Unmappable {
  const missing = parsed.columns.find((column) => !columns.has(column));
  if (missing !== undefined) {
    return new Unmappable(rejections.vanishedColumn, `filter: the source table has no column "${missing}"`);
  }
  const typed = typeExpression(parsed, columns);
  if ('problem' in typed) return new Unmappable(rejections.changedType, `filter: ${typed.problem}`);
  return { inputs: parsed.columns, expression: typed };
}

function mapSafely(state: MapperState, change: SourceChange, tx: SourceTransaction): CanonicalEvent | null {
  const base: EventBase = {
    entity: state.entity,
    at: { lsn: tx.commitLsn, ordinal: change.ordinal },
    commitTimeMicros: tx.commitTimeMicros,
  };
  try {
    const result = mapChange(state, change, base);
    return result instanceof Unmappable ? rejectEvent(state, change, base, result) : result;
  } catch (error) {
    const name = error instanceof Error ? error.name : typeof error;
    const why = new Unmappable(rejections.unforeseen, `an unforeseen error (${name}) while mapping the row`);
    return rejectEvent(state, change, base, why);
  }
}

function mapChange(
  state: MapperState,
  change: SourceChange,
  base: EventBase,
): CanonicalEvent | Unmappable | null {
  if (change.op === 'truncate') return { ...base, op: 'truncate' };
  if (change.op === 'delete') {
    const key = keyOf(state, change.old);
    return key instanceof Unmappable ? key : { ...base, op: 'delete', key };
  }
  const old = change.op === 'update' ? change.old : null;
  const row = withKey(state, change.row, old);
  const kept = passes(state, row);
  if (kept instanceof Unmappable) return kept;
  if (!kept) {
    if (change.op === 'insert') return null;
    const key = keyOf(state, keyKnown(state, old) ? old : row);
    return key instanceof Unmappable ? key : { ...base, op: 'delete', key };
  }
  return upsert(state, row, old, change.op === 'insert', base);
}

function upsert(
  state: MapperState,
  row: SourceRow,
  old: SourceRow | null,
  inserted: boolean,
  base: EventBase,
): CanonicalEvent | Unmappable {
  const record: CanonicalRecord = {};
  const absent: string[] = [];
  for (const fill of state.fillers) {
    const why = fill(row, record, absent);
    if (why !== undefined) return why;
  }
  for (const [field, value] of state.constants) record[field] = value;
  for (const field of state.keyFields) {
    if (record[field] === undefined) return missingKey();
  }
  let previousKey: CanonicalRecord | null = null;
  if (keyKnown(state, old)) {
    const before = keyOf(state, old);
    if (before instanceof Unmappable) return before;
    if (!isSameKey(state, before, record)) previousKey = before;
  }
  return {
    entity: base.entity,
    at: base.at,
    commitTimeMicros: base.commitTimeMicros,
    op: 'upsert',
    inserted,
    record,
    absent,
    previousKey,
  };
}

function passes(state: MapperState, row: SourceRow): boolean | Unmappable {
  const { filter } = state;
  if (state.filterFault !== null) return state.filterFault;
  if (filter === null) return true;
  if (sentInputs(row, filter.inputs) !== 'all') {
    return new Unmappable(
      rejections.partialInputs,
      'filter: the server left out an unchanged value that it needs',
    );
  }
  const verdict = filter.expression.evaluate(row);
  return verdict instanceof Unmappable
    ? new Unmappable(verdict.code, `filter: ${verdict.reason}`)
    : verdict === 't';
}

function keyOf(state: MapperState, row: SourceRow): CanonicalRecord | Unmappable {
  const key: CanonicalRecord = {};
  const absent: string[] = [];
  for (const fill of state.keyFillers) {
    const why = fill(row, key, absent);
    if (why !== undefined) return why;
  }
  return absent.length > 0 ? missingKey() : key;
}

/** For a row that is rejected already, whatever the reason. */
function keyIfMappable(state: MapperState, row: SourceRow): CanonicalRecord | null {
  try {
    const key = keyOf(state, row);
    return key instanceof Unmappable ? null : key;
  } catch {
    return null;
  }
}

function isSameKey(state: MapperState, a: CanonicalRecord, b: CanonicalRecord): boolean {
  return state.keyFields.every((field) => same(a[field], b[field]));
}

function missingKey(): Unmappable {
  return new Unmappable(rejections.missingKey, 'the change does not carry the whole key of the row');
}

/** Whether the old row holds the key: it does under each replica identity that has the key's columns. */
function keyKnown(state: MapperState, old: SourceRow | null): old is SourceRow {
  return old !== null && sentInputs(old, state.keyInputs) === 'all';
}

/** A key value that TOAST left out of the new row stands in the old one. */
function withKey(state: MapperState, row: SourceRow, old: SourceRow | null): SourceRow {
  if (old === null) return row;
  let filled: Record<string, SourceRow[string]> | null = null;
  for (const input of state.keyInputs) {
    if (row[input] !== undefined || old[input] === undefined) continue;
    filled ??= { ...row };
    filled[input] = old[input];
  }
  return filled ?? row;
}

function same(a: CanonicalValue | undefined, b: CanonicalValue | undefined): boolean {
  return a === b || (Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b));
}

function rejectEvent(
  state: MapperState,
  change: SourceChange,
  base: EventBase,
  why: Unmappable,
): CanonicalEvent {
  // A truncate has no row and nothing that could fail.
  if (change.op === 'truncate') return { ...base, op: 'truncate' };
  const row = change.op === 'delete' ? change.old : change.row;
  const old = change.op === 'update' ? change.old : null;
  const sourceKey = Object.fromEntries(
    state.keyColumns.map((column) => [column, row[column] ?? old?.[column] ?? null]),
  );
  const key = keyIfMappable(state, withKey(state, row, old));
  const before = keyKnown(state, old) ? keyIfMappable(state, old) : null;
  const isMoved = before !== null && !(key !== null && isSameKey(state, before, key));
  return {
    ...base,
    op: 'reject',
    code: why.code,
    reason: why.reason,
    change: change.op,
    key,
    previousKey: isMoved ? before : null,
    keyJson: JSON.stringify(sourceKey),
    rowJson: JSON.stringify(row),
  };
}
