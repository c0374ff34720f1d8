// CREATE TABLE for a mapping whose table doesn't exist yet.
// Guarantees: pure; text keys get a binary collation, so that 'a' and 'A' stay two rows.
import { KEY_COLLATION } from '../mapping/collation.ts';
import { formatSqlType, hasCollation } from '../mapping/default-type.ts';
import type { SqlServerType, TargetColumn, TargetTable } from '../mapping/target.ts';
import type { WarehouseFinding } from './finding.ts';
import { displayTable, isSameName, quoteName, quoteTable } from './identifier.ts';
import { keyBytes, MAX_KEY_BYTES, MAX_KEY_COLUMNS } from './key-width.ts';
import { MAX_ROW_BYTES, rowSize } from './row-size.ts';

/** sysname's length. */
const LONGEST_NAME = 128;

export function createTable(target: TargetTable): { statements: string[]; findings: WarehouseFinding[] } {
  const findings = [...keyFindings(target), ...nameFindings(target), ...sizeFindings(target)];
  const lines = [
    ...target.columns.map((column) => columnDefinition(column, target.key)),
    ...metadataColumns(target).map(({ name, type }) => `${quoteName(name)} ${formatSqlType(type)} NULL`),
    `CONSTRAINT ${quoteName(keyName('PK', target.table))} PRIMARY KEY CLUSTERED (${target.key.map(quoteName).join(', ')})`,
  ];
  const sql = `CREATE TABLE ${quoteTable(target)} (\n${lines.map((line) => `  ${line}`).join(',\n')}\n)`;
  return { statements: [sql], findings };
}

/** `[name] type COLLATE … NOT NULL` */
export function columnDefinition(column: TargetColumn, key: readonly string[]): string {
  const collation = plannedCollation(column, key);
  const collate = collation === null ? '' : ` COLLATE ${collation}`;
  return `${quoteName(column.name)} ${formatSqlType(column.type)}${collate} ${column.nullable ? 'NULL' : 'NOT NULL'}`;
}

/** Of a column that is made for the mapping; null for the database's own, and for types without one. */
export function plannedCollation(column: TargetColumn, key: readonly string[]): string | null {
  if (!hasCollation(column.type)) return null;
  const inKey = key.some((name) => isSameName(name, column.name));
  return column.collation ?? (inKey ? KEY_COLLATION : null);
}

/** The metadata columns that a mapping asks for, with their types. They're nullable: older rows have none. */
export function metadataColumns(target: TargetTable): { name: string; type: SqlServerType }[] {
  const { commitLsn, commitTime, operation, appliedAt } = target.metadata;
  const wanted: [string | undefined, SqlServerType][] = [
    [commitLsn, { name: 'varchar', length: 20 }],
    [commitTime, { name: 'datetimeoffset', scale: 6 }],
    [operation, { name: 'char', length: 1 }],
    [appliedAt, { name: 'datetimeoffset', scale: 6 }],
  ];
  return wanted.flatMap(([name, type]) => (name === undefined ? [] : { name, type }));
}

/** `PK_contacts`, cut to what a name may be long. */
export function keyName(prefix: string, table: string): string {
  return `${prefix}_${table}`.slice(0, LONGEST_NAME);
}

/** Findings of a key that no clustered index takes. */
function keyFindings(target: TargetTable): WarehouseFinding[] {
  const columns = target.columns.filter((column) => target.key.some((name) => isSameName(name, column.name)));
  const finding = (object: string, message: string): WarehouseFinding => ({
    code: 'WB6101',
    severity: 'error',
    entity: target.entity,
    object,
    message,
    statement: null,
  });
  const table = displayTable(target);
  const unbounded = columns.filter((column) => keyBytes(column.type) === Number.POSITIVE_INFINITY);
  if (unbounded.length > 0) {
    return unbounded.map((column) =>
      finding(
        `${table}.${column.name}`,
        `A key column can't be ${formatSqlType(column.type)}; expected a length that keeps the key within ${MAX_KEY_BYTES} bytes, such as nvarchar(100): longer keys go to quarantine.`,
      ),
    );
  }
  const bytes = columns.reduce((sum, column) => sum + keyBytes(column.type), 0);
  if (bytes > MAX_KEY_BYTES) {
    return [
      finding(
        table,
        `The key takes up to ${bytes} bytes (${columns.map((column) => `${column.name} ${formatSqlType(column.type)}`).join(', ')}); SQL Server's clustered index ends at ${MAX_KEY_BYTES}. State shorter lengths in the mapping: longer keys go to quarantine.`,
      ),
    ];
  }
  if (target.key.length > MAX_KEY_COLUMNS) {
    return [finding(table, `The key has ${target.key.length} columns; SQL Server takes ${MAX_KEY_COLUMNS}.`)];
  }
  return [];
}

/** A table that SQL Server refuses (1701). */
function sizeFindings(target: TargetTable): WarehouseFinding[] {
  const { least } = rowSize([...target.columns, ...metadataColumns(target)].map(({ type }) => type));
  if (least <= MAX_ROW_BYTES) return [];
  return [
    {
      code: 'WB6118',
      severity: 'error',
      entity: target.entity,
      object: displayTable(target),
      message: `A row of NULLs would take ${least} bytes; SQL Server's rows end at ${MAX_ROW_BYTES}. Map fewer columns, or state smaller types (a time's or decimal's fewer digits, or varchar).`,
      statement: null,
    },
  ];
}

function nameFindings(target: TargetTable): WarehouseFinding[] {
  const names = [
    target.schema,
    target.table,
    ...target.columns.map((column) => column.name),
    ...metadataColumns(target).map((column) => column.name),
  ];
  return names
    .filter((name) => name.length === 0 || name.length > LONGEST_NAME)
    .map((name) => ({
      code: 'WB6102',
      severity: 'error',
      entity: target.entity,
      object: displayTable(target),
      message: `The name ${JSON.stringify(name.slice(0, 40))} has ${name.length} characters; expected 1 to ${LONGEST_NAME}.`,
      statement: null,
    }));
}
