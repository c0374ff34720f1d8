// A column's type as the catalog views state it, as a type that a mapping could name.
// https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-columns-transact-sql
import { formatSqlType } from '../mapping/default-type.ts';
import type { SqlServerType } from '../mapping/target.ts';

type Shape = 'plain' | 'bytes' | 'utf16' | 'decimal' | 'fraction';

const shapes: Readonly<Record<SqlServerType['name'], Shape>> = {
  bit: 'plain',
  tinyint: 'plain',
  smallint: 'plain',
  int: 'plain',
  bigint: 'plain',
  real: 'plain',
  float: 'plain',
  decimal: 'decimal',
  money: 'plain',
  char: 'bytes',
  varchar: 'bytes',
  nchar: 'utf16',
  nvarchar: 'utf16',
  binary: 'bytes',
  varbinary: 'bytes',
  uniqueidentifier: 'plain',
  date: 'plain',
  time: 'fraction',
  datetime: 'plain',
  smalldatetime: 'plain',
  datetime2: 'fraction',
  datetimeoffset: 'fraction',
};

/** float(1) to float(24) are real; the catalog says which by name. numeric is decimal's synonym, sysname nvarchar(128). */
const synonyms: ReadonlyMap<string, SqlServerType['name']> = new Map([
  ['numeric', 'decimal'],
  ['sysname', 'nvarchar'],
]);

/** `maxLength` in bytes, -1 for (max), as sys.columns.max_length. `type` is null for types that no mapping may name. */
export function catalogColumnType(
  typeName: string,
  maxLength: number,
  precision: number,
  scale: number,
): { readonly type: SqlServerType | null; readonly typeText: string } {
  const lower = typeName.toLowerCase();
  const name =
    synonyms.get(lower) ?? (Object.hasOwn(shapes, lower) ? (lower as SqlServerType['name']) : null);
  if (name === null) return { type: null, typeText: lower };
  const type = shaped(name, maxLength, precision, scale);
  return { type, typeText: formatSqlType(type) };
}

function shaped(
  name: SqlServerType['name'],
  maxLength: number,
  precision: number,
  scale: number,
): SqlServerType {
  switch (shapes[name]) {
    case 'plain':
      return { name };
    case 'bytes':
      return { name, length: maxLength === -1 ? 'max' : maxLength };
    case 'utf16':
      return { name, length: maxLength === -1 ? 'max' : maxLength / 2 };
    case 'decimal':
      return { name, precision, scale };
    case 'fraction':
      return { name, scale };
  }
}
