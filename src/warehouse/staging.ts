// The staging table of one target: a #temporary table with a batch's compacted rows, upserts and deletes together.
// Guarantees: everything that DML needs to know of a row is in its staged row; compiled once a target, used for every batch.
import type { CanonicalRecord } from '../canonical/event.ts';
import type { RecordSchema } from '../canonical/schema.ts';
import { formatLsn, type Position } from '../change/position.ts';
import type { TargetColumn, TargetTable } from '../mapping/target.ts';
import type { TableFacts } from './catalog.ts';
import type { CompactedRow } from './compaction.ts';
import { isSameName, quoteName, quoteTable } from './identifier.ts';
import type { BulkColumn, BulkValue } from './session.ts';
import { type StagingColumn, stagingColumn } from './staging-column.ts';
import { offsetText } from './staging-time.ts';

/** Column `o` of a staged row. */
export const operations = { delete: 0, insert: 1, update: 2 } as const;

export interface PlannedColumn extends StagingColumn {
  readonly target: TargetColumn;
  /** The target's column, quoted. */
  readonly name: string;
  /** The staging column: c0, c1, … */
  readonly staged: string;
  /** The staging column of the key's value before the batch: k0, k1, …; null outside the key. */
  readonly origin: string | null;
  /** As the catalog knows it; null for types without one. */
  readonly collation: string | null;
}

/** Columns in the staging table, in order: r (row number), o (operation), [l, t] metadata, c0…, then for partial images m, k0…. */
export interface TargetPlan {
  readonly target: TargetTable;
  /** The target table, quoted. */
  readonly table: string;
  readonly columns: readonly PlannedColumn[];
  readonly keys: readonly PlannedColumn[];
  readonly facts: TableFacts | undefined;
  /** Columns of the table that no mapping names and that can be written: an existing row keeps them. */
  readonly legacy: readonly string[];
}

export function planTarget(
  target: TargetTable,
  schema: RecordSchema,
  facts: TableFacts | undefined,
): TargetPlan {
  const types = new Map(schema.fields.map((field) => [field.name, field.type]));
  const columns = target.columns.map((column, index): PlannedColumn => {
    const type = types.get(column.field);
    if (type === undefined) throw new RangeError(`${target.entity}: no field ${column.field} in its schema`);
    const known = facts?.columns.find((candidate) => isSameName(candidate.name, column.name));
    const collation = known?.collation ?? (isText(column) ? 'Latin1_General_BIN2' : null);
    const keyIndex = target.key.indexOf(column.name);
    return {
      ...stagingColumn(column, type, collation),
      target: column,
      name: quoteName(column.name),
      staged: `c${index}`,
      origin: keyIndex < 0 ? null : `k${keyIndex}`,
      collation,
    };
  });
  const keys = target.key.map((name) => columns.find((column) => column.target.name === name));
  const written = [...target.columns.map((column) => column.name), ...Object.values(target.metadata)];
  return {
    target,
    table: quoteTable(target),
    columns,
    keys: keys.filter((column) => column !== undefined),
    facts,
    legacy: (facts?.columns ?? [])
      .filter((column) => !column.computed && !column.generated)
      .filter((column) => !written.some((name) => isSameName(name, column.name)))
      .map((column) => quoteName(column.name)),
  };
}

function isText(column: TargetColumn): boolean {
  return ['char', 'varchar', 'nchar', 'nvarchar'].includes(column.type.name);
}

/** A staging table to be made, loaded and read within one transaction. */
export interface Staging {
  readonly plan: TargetPlan;
  /** `#s0` */
  readonly name: string;
  readonly truncatedAt: Position | null;
  readonly rows: readonly CompactedRow[];
  readonly upserts: number;
  readonly deletes: number;
  /** The columns that some row of the batch leaves to the warehouse's value; empty where every image is full. */
  readonly absent: readonly PlannedColumn[];
}

export function stage(
  plan: TargetPlan,
  number: number,
  truncatedAt: Position | null,
  rows: readonly CompactedRow[],
): Staging {
  let upserts = 0;
  const absentFields = new Set<string>();
  for (const row of rows) {
    if (row.op === 'delete') continue;
    upserts += 1;
    for (const field of row.absent) absentFields.add(field);
  }
  return {
    plan,
    name: `#s${number}`,
    truncatedAt,
    rows,
    upserts,
    deletes: rows.length - upserts,
    absent: plan.columns.filter((column) => absentFields.has(column.target.field)),
  };
}

export function createStaging(staging: Staging): string {
  const { plan, absent } = staging;
  const { metadata } = plan.target;
  const columns = [
    'r int NOT NULL',
    'o tinyint NOT NULL',
    ...(metadata.commitLsn === undefined ? [] : ['l varchar(20) COLLATE Latin1_General_BIN2 NULL']),
    ...(metadata.commitTime === undefined ? [] : ['t varchar(40) COLLATE Latin1_General_BIN2 NULL']),
    ...plan.columns.map((column) => `${column.staged} ${column.declaration} NULL`),
    ...(absent.length === 0
      ? []
      : [
          `m varchar(${absent.length}) COLLATE Latin1_General_BIN2 NULL`,
          ...plan.keys.map((column) => `${column.origin} ${column.declaration} NULL`),
        ]),
  ];
  return `CREATE TABLE ${staging.name} (${columns.join(', ')});`;
}

export function stagingBulkColumns({ plan, absent }: Staging): BulkColumn[] {
  const { metadata } = plan.target;
  return [
    { name: 'r', type: 'int', nullable: false },
    { name: 'o', type: 'tinyint', nullable: false },
    ...(metadata.commitLsn === undefined ? [] : [text('l', 20)]),
    ...(metadata.commitTime === undefined ? [] : [text('t', 40)]),
    ...plan.columns.map((column) => ({ ...column.bulk, name: column.staged, nullable: true })),
    ...(absent.length === 0
      ? []
      : [
          text('m', absent.length),
          ...plan.keys.map((column) => ({ ...column.bulk, name: column.origin ?? '', nullable: true })),
        ]),
  ];
}

function text(name: string, length: number): BulkColumn {
  return { name, type: 'varchar', length, nullable: true };
}

/** The rows as the bulk load takes them, made one by one; `r` is the row's index. */
export function* stagingRows(staging: Staging): Generator<BulkValue[]> {
  const { plan, absent, rows } = staging;
  const { metadata } = plan.target;
  const withLsn = metadata.commitLsn !== undefined;
  const withTime = metadata.commitTime !== undefined;
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index];
    if (row === undefined) break;
    const values: BulkValue[] = [index, operationOf(row)];
    if (withLsn) values.push(formatLsn(row.at.lsn));
    if (withTime) values.push(offsetText(row.commitTimeMicros));
    push(values, plan.columns, row.record);
    if (absent.length > 0) {
      if (row.op === 'upsert' && row.origin !== null) {
        values.push(absent.map((column) => (row.absent.includes(column.target.field) ? '1' : '0')).join(''));
        push(values, plan.keys, row.origin);
      } else {
        values.push(null);
        for (let key = 0; key < plan.keys.length; key += 1) values.push(null);
      }
    }
    yield values;
  }
}

function push(values: BulkValue[], columns: readonly PlannedColumn[], record: CanonicalRecord): void {
  for (const column of columns) {
    const value = record[column.target.field];
    values.push(value === null || value === undefined ? null : column.toBulk(value));
  }
}

function operationOf(row: CompactedRow): number {
  if (row.op === 'delete') return operations.delete;
  return row.inserted ? operations.insert : operations.update;
}
