// What all readings of the catalog views share: which tables, rows by table, and views that may be missing.
// Guarantees: a view that the server lacks or the login may not see is an answer (null), never a failure.
import { tableKey } from './catalog.ts';
import { quoteText, type TableName } from './identifier.ts';
import type { SqlSession } from './session.ts';
import { WarehouseError } from './sql-fault.ts';

export interface OfTable {
  readonly schema_name: string;
  readonly table_name: string;
}

/** A WHERE condition that keeps the rows of `tables`; names by the catalog's own collation. */
export function among(tables: readonly TableName[], schema: string, table: string): string {
  const each = tables.map(
    (name) => `(${schema} = ${quoteText(name.schema)} AND ${table} = ${quoteText(name.table)})`,
  );
  return `(${each.join(' OR ')})`;
}

/**
 * The rows, or null where the server doesn't know what is asked for, or the login may not ask. Throws what is transient.
 * Not within a transaction: under XACT_ABORT the refusal would end it.
 */
export async function readIfPossible<Row>(session: SqlSession, sql: string): Promise<readonly Row[] | null> {
  try {
    return (await session.batch<Row>(sql)).rows;
  } catch (error) {
    if (error instanceof WarehouseError && error.fault.scope !== 'transient') return null;
    throw error;
  }
}

export function byTable<Row extends OfTable>(rows: readonly Row[]): Map<string, Row[]> {
  return groupBy(rows, (row) => tableKey({ schema: row.schema_name, table: row.table_name }));
}

export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
