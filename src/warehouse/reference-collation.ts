// Columns that refer to a key under another collation than the key has: SQL Server refuses to compare the two (error 468).
// Guarantees: pure; advice only, one for a column; nothing is altered.
// https://learn.microsoft.com/sql/t-sql/statements/collation-precedence-transact-sql
import { isBinaryCollation, isSameCollation } from '../mapping/collation.ts';
import { hasCollation } from '../mapping/default-type.ts';
import type { KeyReference } from '../mapping/key-reference.ts';
import type { TargetTable } from '../mapping/target.ts';
import { collateStatement } from './adopt-table.ts';
import { type Catalog, type ColumnFacts, type TableFacts, tableKey } from './catalog.ts';
import { plannedCollation } from './create-table.ts';
import type { WarehouseFinding } from './finding.ts';
import { displayTable, isSameName } from './identifier.ts';

interface Side {
  readonly target: TargetTable;
  /** `schema.table.column` */
  readonly object: string;
  /** Null: the database's, whatever that is. */
  readonly collation: string | null;
  /** Null where it is yet to be made. */
  readonly existing: { readonly table: TableFacts; readonly column: ColumnFacts } | null;
}

export function referenceFindings(
  catalog: Catalog,
  targets: readonly TargetTable[],
  references: readonly KeyReference[],
): WarehouseFinding[] {
  const told = new Set<string>();
  return references.flatMap(({ from, to }) => {
    const column = sideOf(catalog, targets, from);
    const key = sideOf(catalog, targets, to);
    if (column === null || key === null || !differ(column, key) || told.has(column.object)) return [];
    told.add(column.object);
    return [finding(column, key)];
  });
}

function sideOf(
  catalog: Catalog,
  targets: readonly TargetTable[],
  { entity, column }: KeyReference['from'],
): Side | null {
  const target = targets.find((candidate) => candidate.entity === entity);
  const planned = target?.columns.find(({ name }) => isSameName(name, column));
  if (target === undefined || planned === undefined) return null;
  const table = catalog.tables.get(tableKey(target));
  const found = table?.columns.find(({ name }) => isSameName(name, column));
  const object = `${displayTable(target)}.${found?.name ?? planned.name}`;
  if (table !== undefined && found !== undefined) {
    if (found.collation === null) return null;
    return { target, object, collation: found.collation, existing: { table, column: found } };
  }
  if (!hasCollation(planned.type)) return null;
  return { target, object, collation: plannedCollation(planned, target.key), existing: null };
}

function differ(a: Side, b: Side): boolean {
  if (a.collation !== null && b.collation !== null) return !isSameCollation(a.collation, b.collation);
  // A database whose own collation is binary is rare, and any other one is not known here.
  const known = a.collation ?? b.collation;
  return known !== null && isBinaryCollation(known);
}

function finding(column: Side, key: Side): WarehouseFinding {
  const collation = key.collation ?? "the database's";
  const { existing } = column;
  // A column that is to become like its key is the rule; the other way round it is the key's collation that is wrong.
  const follows = key.collation !== null && isBinaryCollation(key.collation);
  const mend = !follows
    ? 'Queries need COLLATE, unless the key gets a binary collation.'
    : existing === null
      ? `Say it in the mapping: target: {collation: ${collation}}.`
      : 'Queries need COLLATE, unless the column gets the same collation: drop the indexes on it, run the statement, make them again.';
  return {
    code: 'WB6122',
    severity: 'advice',
    entity: column.target.entity,
    object: column.object,
    message: `The column refers to ${key.object} and has ${column.collation === null ? "the database's collation" : `the collation ${column.collation}`}, not ${collation}: SQL Server refuses a join over the two (error 468). ${mend}`,
    statement:
      existing === null || key.collation === null || !follows
        ? null
        : collateStatement(existing.table.name, existing.column, key.collation),
  };
}
