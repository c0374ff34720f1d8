// What `walbridge generate` gives a text column that refers to another table's key, so that SQL Server joins the two.
// Guarantees: the type is narrowed only where each value is, character by character, one of the key's; whatever is not that sure
// keeps its own type, and what PostgreSQL compares otherwise than a binary collation keeps the database's collation, too.
// https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-PARMS-REFERENCES
import { fieldTypeFor } from '../canonical/avro-type-for.ts';
import type { BaseType, ForeignKey, TableDescription } from '../change/table-description.ts';
import { formatTableName, isSameTable } from '../change/table-name.ts';
import { KEY_COLLATION } from './collation.ts';
import { defaultSqlType } from './default-type.ts';
import { keyOf, keyType } from './generated-key.ts';
import { ownType } from './generated-type.ts';
import type { SqlServerType } from './target.ts';

export interface GeneratedReference {
  /** Null where the column's own type will do. */
  readonly target: SqlServerType | null;
  readonly collation: string;
  readonly comment: string;
}

/** Characters of nvarchar that a nonclustered index takes: 1,700 bytes. */
const MAX_INDEXED = 850;

/** Null for a column that refers to no text key. `referred`: tables that foreign keys refer to; others are not looked at. */
export function referenceOf(
  table: TableDescription,
  column: string,
  referred: readonly TableDescription[],
): GeneratedReference | null {
  let loose: GeneratedReference | null = null;
  for (const key of table.foreignKeys) {
    const found = referenceBy(table, key, column, referred);
    if (found === null) continue;
    if (found.target !== null) return found;
    loose ??= found;
  }
  return loose;
}

function referenceBy(
  table: TableDescription,
  foreignKey: ForeignKey,
  name: string,
  referred: readonly TableDescription[],
): GeneratedReference | null {
  const place = foreignKey.columns.indexOf(name);
  const target = [table, ...referred].find((candidate) => isSameTable(candidate, foreignKey.target));
  if (place < 0 || target === undefined || foreignKey.folding) return null;
  const keyName = foreignKey.targetColumns[place];
  const column = table.columns.find((candidate) => candidate.name === name);
  const keyColumn = target.columns.find((candidate) => candidate.name === keyName);
  const key = keyOf(target);
  if (column === undefined || keyColumn === undefined || !key?.columns.includes(keyColumn.name)) return null;
  if (!isTextAlike(column.baseType, keyColumn.baseType)) return null;

  const to = `${formatTableName(foreignKey.target)} (${keyColumn.name})`;
  const comment = `Refers to ${to}: its collation, so that SQL Server can join the two.`;
  const own = ownType(column);
  const isShort = typeof own?.length === 'number' && own.length <= MAX_INDEXED;
  if (isShort || !isCertain(table, foreignKey)) return { target: own, collation: KEY_COLLATION, comment };
  const ofKey = ownType(keyColumn);
  const type =
    keyType(target, keyColumn, key.columns, ofKey)?.target ??
    ofKey ??
    defaultSqlType(fieldTypeFor(keyColumn.baseType, keyColumn.name));
  const isLimited = keyColumn.baseType.kind === 'base' && type.length !== ofKey?.length;
  const limits = isLimited ? '; longer values go to quarantine, as those of the key do' : '';
  return {
    target: type,
    collation: KEY_COLLATION,
    comment: `Refers to ${to}: its type and collation, so that SQL Server can join the two by an index${limits}.`,
  };
}

/** Texts that are equal to PostgreSQL are so character by character. citext and blank-padded texts of two lengths are not. */
function isTextAlike(column: BaseType, key: BaseType): boolean {
  if (column.kind === 'enum' || key.kind === 'enum') return column.oid === key.oid;
  if (column.kind !== 'base' || key.kind !== 'base') return false;
  if (column.name === 'bpchar' || key.name === 'bpchar')
    return column.name === key.name && column.length === key.length;
  return isVarying(column) && isVarying(key);
}

function isVarying({ name, schema }: BaseType): boolean {
  return schema === 'pg_catalog' && (name === 'text' || name === 'varchar');
}

/** False for a key that was never checked for all rows, and where a NULL beside a value lets it through unchecked. */
function isCertain(table: TableDescription, foreignKey: ForeignKey): boolean {
  if (!foreignKey.validated) return false;
  if (foreignKey.columns.length === 1 || foreignKey.matchFull) return true;
  return foreignKey.columns.every(
    (name) => table.columns.find((column) => column.name === name)?.nullable === false,
  );
}
