// SQL Server's data types: names, precedence, and the PostgreSQL type that holds each.
// (Data types: https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql)
import type { SqlType } from '../session.ts';
import { sqlError, unsupported } from './errors.ts';

export type TypeName = SqlType['name'];
export type Category = 'number' | 'string' | 'binary' | 'guid' | 'date';

/** Highest first (Data type precedence). */
const PRECEDENCE =
  `xml datetimeoffset datetime2 datetime smalldatetime date time float real decimal numeric money bigint int smallint
  tinyint bit uniqueidentifier sysname nvarchar nchar varchar char varbinary binary`.split(
    /\s+/,
  ) as readonly TypeName[];

const STRINGS = new Set<TypeName>(['char', 'varchar', 'nchar', 'nvarchar', 'sysname', 'xml']);
const DATES = new Set<TypeName>(['date', 'time', 'datetime', 'smalldatetime', 'datetime2', 'datetimeoffset']);

export function category(type: SqlType): Category {
  if (STRINGS.has(type.name)) return 'string';
  if (DATES.has(type.name)) return 'date';
  if (type.name === 'uniqueidentifier') return 'guid';
  return type.name === 'binary' || type.name === 'varbinary' ? 'binary' : 'number';
}

export const isUnicode = (type: SqlType): boolean =>
  type.name === 'nvarchar' || type.name === 'nchar' || type.name === 'sysname' || type.name === 'xml';
export const isFixed = (type: SqlType): boolean => ['char', 'nchar', 'binary'].includes(type.name);
export const isDecimal = (type: SqlType): boolean => type.name === 'decimal' || type.name === 'numeric';
export const isFloat = (type: SqlType): boolean => type.name === 'float' || type.name === 'real';
export const isInteger = (type: SqlType): boolean =>
  ['tinyint', 'smallint', 'int', 'bigint'].includes(type.name);

export const INT: SqlType = { name: 'int' };
export const BIGINT: SqlType = { name: 'bigint' };
export const FLOAT: SqlType = { name: 'float' };
export const SYSNAME: SqlType = { name: 'sysname', length: 128 };
export const nvarchar = (length: number | 'max'): SqlType => ({ name: 'nvarchar', length });
export const varchar = (length: number | 'max'): SqlType => ({ name: 'varchar', length });
export const decimal = (precision: number, scale: number): SqlType => ({ name: 'decimal', precision, scale });

const SYNONYMS: Readonly<Record<string, TypeName>> = {
  integer: 'int',
  dec: 'decimal',
  'double precision': 'float',
  character: 'char',
  'national character': 'nchar',
  'char varying': 'varchar',
};

/** A type as written: `size` holds the numbers in parentheses. `cast` lengths default to 30, declared ones to 1. */
export function declared(written: string, size: readonly (number | 'max')[], cast: boolean): SqlType {
  const lower = written.toLowerCase();
  const name = SYNONYMS[lower] ?? (lower as TypeName);
  if (!PRECEDENCE.includes(name)) {
    const known = [
      'rowversion',
      'timestamp',
      'text',
      'ntext',
      'image',
      'sql_variant',
      'smallmoney',
      'geography',
      'geometry',
      'hierarchyid',
    ];
    if (known.includes(lower)) throw unsupported(`data type ${lower}`);
    throw sqlError(2715, written);
  }
  const [first, second] = size;
  const number = typeof first === 'number' ? first : undefined;
  if (name === 'xml') return nvarchar('max');
  if (name === 'sysname') return SYSNAME;
  if (name === 'decimal' || name === 'numeric') {
    const precision = number ?? 18;
    const scale = typeof second === 'number' ? second : 0;
    if (precision < 1 || precision > 38 || scale > precision) {
      throw sqlError(2750, precision);
    }
    return { name, precision, scale };
  }
  if (name === 'float' && number !== undefined && number <= 24) return { name: 'real' };
  if (name === 'time' || name === 'datetime2' || name === 'datetimeoffset')
    return { name, scale: number ?? 7 };
  if (STRINGS.has(name) || name === 'binary' || name === 'varbinary') {
    const limit = name.startsWith('n') ? 4000 : 8000;
    if (number !== undefined && (number < 1 || number > limit)) {
      throw sqlError(131, number, name);
    }
    return { name, length: first ?? (cast ? 30 : 1) };
  }
  return { name };
}

/** The PostgreSQL type that holds values of `type`. */
export function pgType(type: SqlType): string {
  switch (type.name) {
    case 'bit':
      return 'boolean';
    case 'tinyint':
      return 'smallint';
    case 'float':
      return 'float8';
    case 'decimal':
    case 'numeric':
      return `numeric(${type.precision ?? 18},${type.scale ?? 0})`;
    case 'money':
      return 'numeric(19,4)';
    case 'binary':
    case 'varbinary':
      return 'bytea';
    case 'uniqueidentifier':
      return 'uuid';
    case 'time':
      return `time(${Math.min(type.scale ?? 7, 6)})`;
    case 'datetime2':
      return `timestamp(${Math.min(type.scale ?? 7, 6)})`;
    case 'datetime':
      return 'timestamp(3)';
    case 'smalldatetime':
      return 'timestamp(0)';
    case 'datetimeoffset':
      return '_sandbox.dto';
    case 'date':
    case 'smallint':
    case 'int':
    case 'bigint':
    case 'real':
      return type.name;
    default:
      return 'bpchar';
  }
}

/** A number type as the decimal that holds all its values. */
export function asDecimal(type: SqlType): SqlType {
  switch (type.name) {
    case 'bit':
      return decimal(1, 0);
    case 'tinyint':
      return decimal(3, 0);
    case 'smallint':
      return decimal(5, 0);
    case 'int':
      return decimal(10, 0);
    case 'bigint':
      return decimal(19, 0);
    case 'money':
      return decimal(19, 4);
    default:
      return isDecimal(type) ? type : decimal(38, 10);
  }
}

/** Bytes of a value, for types that always take as many. */
export function fixedBytes(type: SqlType): number | undefined {
  const fraction = (type.scale ?? 7) <= 2 ? 3 : (type.scale ?? 7) <= 4 ? 4 : 5;
  switch (type.name) {
    case 'bit':
    case 'tinyint':
      return 1;
    case 'smallint':
      return 2;
    case 'date':
      return 3;
    case 'int':
    case 'real':
    case 'smalldatetime':
      return 4;
    case 'bigint':
    case 'float':
    case 'money':
    case 'datetime':
      return 8;
    case 'time':
      return fraction;
    case 'datetime2':
      return fraction + 3;
    case 'datetimeoffset':
      return fraction + 5;
    case 'uniqueidentifier':
      return 16;
    default:
      return undefined;
  }
}

const longer = (a: SqlType, b: SqlType): number | 'max' =>
  a.length === 'max' || b.length === 'max' ? 'max' : Math.max(a.length ?? 1, b.length ?? 1);

/** The type of CASE, COALESCE, UNION and comparison over both: the one of higher precedence, wide enough for both. */
export function common(a: SqlType, b: SqlType): SqlType {
  const [high, low] = PRECEDENCE.indexOf(a.name) <= PRECEDENCE.indexOf(b.name) ? [a, b] : [b, a];
  const kind = category(high);
  if (kind === 'string' && category(low) === 'string') {
    const name = isUnicode(high)
      ? high.name === 'nchar' && low.name !== 'nchar' && low.name !== 'char'
        ? 'nvarchar'
        : high.name === 'sysname'
          ? 'nvarchar'
          : high.name
      : high.name;
    return { name, length: longer(a, b) };
  }
  if (kind === 'binary' && category(low) === 'binary') return { name: high.name, length: longer(a, b) };
  if (isDecimal(high) && category(low) === 'number') {
    const [x, y] = [asDecimal(high), asDecimal(low)];
    const scale = Math.max(x.scale ?? 0, y.scale ?? 0);
    const whole = Math.max((x.precision ?? 0) - (x.scale ?? 0), (y.precision ?? 0) - (y.scale ?? 0));
    return {
      name: high.name,
      precision: Math.min(38, whole + scale),
      scale: Math.min(scale, Math.max(0, 38 - whole)),
    };
  }
  if (high.name === low.name && high.scale !== undefined) {
    return { ...high, scale: Math.max(high.scale, low.scale ?? 0) };
  }
  return high;
}

/** Result types of decimal arithmetic (Precision, scale, and length): reduced to 38 digits, at least six of them decimals. */
export function arithmetic(op: string, a: SqlType, b: SqlType): SqlType {
  const [p1, s1, p2, s2] = [a.precision ?? 18, a.scale ?? 0, b.precision ?? 18, b.scale ?? 0];
  let precision: number;
  let scale: number;
  if (op === '*') {
    precision = p1 + p2 + 1;
    scale = s1 + s2;
  } else if (op === '/') {
    scale = Math.max(6, s1 + p2 + 1);
    precision = p1 - s1 + s2 + scale;
  } else if (op === '%') {
    scale = Math.max(s1, s2);
    precision = Math.min(p1 - s1, p2 - s2) + scale;
  } else {
    scale = Math.max(s1, s2);
    precision = scale + Math.max(p1 - s1, p2 - s2) + 1;
  }
  if (precision > 38) {
    const whole = precision - scale;
    scale =
      op === '+' || op === '-'
        ? Math.max(0, Math.min(scale, 38 - whole))
        : Math.max(Math.min(scale, 6), 38 - whole);
    precision = 38;
  }
  return decimal(precision, scale);
}
