// The staging table of one target: a #temporary table with a batch's compacted rows, upserts and deletes together.
// Guarantees: everything that DML needs to know of a row is in its staged row; compiled once a target, used for every batch; a
// session makes the table once and empties it for each batch, so that the server need not make plans anew.
import { createHash } from 'node:crypto';
import type { CanonicalRecord } from '../canonical/event.ts';
import type { RecordSchema } from '../canonical/schema.ts';
import { formatLsn, type Lsn, type Position } from '../change/position.ts';
import type { TargetTable } from '../mapping/target.ts';
import { applyFaults } from './apply-fault.ts';
import { type Catalog, tableKey } from './catalog.ts';
import { type ColumnCheck, columnFit } from './column-fit.ts';
import type { CompactedRow } from './compaction.ts';
import { displayTable, isSameName, quoteName, quoteTable } from './identifier.ts';
import type { BulkColumn, BulkValue } from './session.ts';
import { type StagingColumn, stagingColumn } from './staging-column.ts';
import { offsetText } from './staging-time.ts';

/** Column `o` of a staged row. */
const operations = { delete: 0, insert: 1, update: 2 } as const;

export interface PlannedColumn extends StagingColumn {
  readonly field: string;
  /** The target's column, quoted, as the catalog spells it: a database may tell case. */
  readonly name: string;
  /** The staging column: c0, c1, … */
  readonly staged: string;
  /** The staging column of the key's value before the batch: k0, k1, …; null outside the key. */
  readonly origin: string | null;
  /** As the catalog knows it; null for types without one. */
  readonly collation: string | null;
  /** Of a type that stores trailing blanks or zero bytes, and ignores them when it compares. */
  readonly variable: boolean;
  /** Null where every value of the field fits. */
  readonly check: ColumnCheck | null;
}

/** Columns in the staging table, in order: r (row number), o (operation), [l, t] metadata, c0…, then for partial images m, k0…. */
export interface StagingPlan {
  readonly target: TargetTable;
  /** The staging table: one name for one target and one list of columns, for the session keeps it. */
  readonly name: string;
  /** Its columns, declared. */
  readonly declarations: string;
  /** The target table, quoted. */
  readonly table: string;
  readonly columns: readonly PlannedColumn[];
  readonly keys: readonly PlannedColumn[];
  /** Has an IDENTITY column. */
  readonly numbered: boolean;
  /** Columns of the table that no mapping names and that can be written: an existing row keeps them. */
  readonly legacy: readonly string[];
}

/** Throws WB6507 and WB6508 where the table or a column of it is missing. */
export function planStaging(target: TargetTable, schema: RecordSchema, catalog: Catalog): StagingPlan {
  const facts = catalog.tables.get(tableKey(target));
  if (facts === undefined) throw applyFaults.tableMissing(displayTable(target));
  const columns = target.columns.map((column, index): PlannedColumn => {
    const field = schema.fields.find((candidate) => candidate.name === column.field);
    const known = facts.columns.find((candidate) => isSameName(candidate.name, column.name));
    if (field === undefined || known === undefined) {
      throw applyFaults.columnMissing(displayTable(target), column.name);
    }
    const keyIndex = target.key.indexOf(column.name);
    return {
      ...stagingColumn(known.type ?? column.type, field.type, known.collation),
      field: column.field,
      name: quoteName(known.name),
      staged: `c${index}`,
      origin: keyIndex < 0 ? null : `k${keyIndex}`,
      collation: known.collation,
      variable: ['varchar', 'nvarchar', 'varbinary'].includes(known.type?.name ?? ''),
      check: columnFit(field.type, known),
    };
  });
  const written = [...target.columns.map((column) => column.name), ...Object.values(target.metadata)];
  const keys = target.key.flatMap((name) => columns[target.columns.findIndex((c) => c.name === name)] ?? []);
  const table = quoteTable(facts.name);
  const declarations = declare(target, columns, keys);
  return {
    target,
    name: `#s_${createHash('sha256').update(`${table} ${declarations}`).digest('hex').slice(0, 16)}`,
    declarations,
    table,
    columns,
    keys,
    numbered: facts.columns.some((column) => column.identity),
    legacy: facts.columns
      .filter((column) => !column.computed && !column.generated)
      .filter((column) => !written.some((name) => isSameName(name, column.name)))
      .map((column) => quoteName(column.name)),
  };
}

/** A staging table to be loaded and read within one transaction. */
export interface Staging {
  readonly plan: StagingPlan;
  readonly truncatedAt: Position | null;
  readonly rows: readonly CompactedRow[];
  readonly upserts: number;
  readonly deletes: number;
  /** The columns that some row of the batch leaves to the warehouse's value; empty where every image is full. */
  readonly absent: readonly PlannedColumn[];
}

export function stage(
  plan: StagingPlan,
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
    truncatedAt,
    rows,
    upserts,
    deletes: rows.length - upserts,
    absent: plan.columns.filter((column) => absentFields.has(column.field)),
  };
}

/** Most columns of a staging table beside those of the mapping: r, o, l, t, m and k0…. */
export function stagingOverhead(target: Pick<TargetTable, 'key'>): number {
  return 5 + target.key.length;
}

function declare(
  target: TargetTable,
  columns: readonly PlannedColumn[],
  keys: readonly PlannedColumn[],
): string {
  const { metadata } = target;
  return [
    'r int NOT NULL',
    'o tinyint NOT NULL',
    ...(metadata.commitLsn === undefined ? [] : ['l varchar(20) COLLATE Latin1_General_BIN2 NULL']),
    ...(metadata.commitTime === undefined ? [] : ['t varchar(40) COLLATE Latin1_General_BIN2 NULL']),
    ...columns.map((column) => `${column.staged} ${column.declaration} NULL`),
    `m varchar(${columns.length}) COLLATE Latin1_General_BIN2 NULL`,
    ...keys.map((column) => `${column.origin} ${column.declaration} NULL`),
  ].join(', ');
}

/**
 * T-SQL: the #temporary table is there and empty. Made once a session, which keeps tempdb's own tables out of each batch's way.
 * https://learn.microsoft.com/sql/t-sql/functions/object-id-transact-sql (a temporary table's name is in tempdb)
 */
export function emptyTable(name: string, declarations: string): string {
  return `IF OBJECT_ID(N'tempdb..${name}') IS NULL CREATE TABLE ${name} (${declarations}) ELSE TRUNCATE TABLE ${name};`;
}

/** Without the columns that no row of this batch fills. */
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
          text('m', plan.columns.length),
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
  // Rows of one transaction mostly follow one another.
  let lsn: Lsn | null = null;
  let lsnText = '';
  let time: bigint | null = null;
  let timeText = '';
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index];
    if (row === undefined) break;
    const values: BulkValue[] = [index, operationOf(row)];
    if (withLsn) {
      if (row.at.lsn !== lsn) {
        lsn = row.at.lsn;
        lsnText = formatLsn(lsn);
      }
      values.push(lsnText);
    }
    if (withTime) {
      if (row.commitTimeMicros !== time) {
        time = row.commitTimeMicros;
        timeText = offsetText(time);
      }
      values.push(timeText);
    }
    push(values, plan.columns, row.record);
    if (absent.length > 0) {
      if (row.op === 'upsert' && row.origin !== null) {
        values.push(absent.map((column) => (row.absent.includes(column.field) ? '1' : '0')).join(''));
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
    const value = record[column.field];
    values.push(value === null || value === undefined ? null : column.toBulk(value));
  }
}

function operationOf(row: CompactedRow): number {
  if (row.op === 'delete') return operations.delete;
  return row.inserted ? operations.insert : operations.update;
}
