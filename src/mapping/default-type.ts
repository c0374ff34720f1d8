// The default SQL Server type of each Avro type (docs/types.md's table), and SQL Server type names as text, both ways.
// Guarantees: `parseSqlType(formatSqlType(t))` is `t`; the default type holds every value of the Avro type that SQL Server
// can hold at all.
// https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql

import type { FieldType, PlainKind } from '../canonical/schema.ts';
import { nearestName } from '../text/nearest-name.ts';
import type { SqlServerType } from './target.ts';

/** Why a text is not a SQL Server type that a mapping may name. */
export interface SqlTypeProblem {
  readonly problem: string;
}

/** SQL Server's widest decimal. */
const MAX_DECIMAL_PRECISION = 38;
/** nvarchar counts UTF-16 code units, in bytes two each: 4,000 is the most beside `max`. */
const MAX_NVARCHAR = 4000;
/** PostgreSQL's NAMEDATALEN - 1: no enum label is longer, whatever labels are added later. */
const MAX_ENUM_LABEL = 63;

/** The type that a column of this field type gets where its mapping names none. */
export function defaultSqlType(type: FieldType): SqlServerType {
  switch (type.kind) {
    case 'decimal':
      return { name: 'decimal', precision: type.precision, scale: type.scale };
    case 'enum':
      return { name: 'nvarchar', length: MAX_ENUM_LABEL };
    default:
      return plainDefaults[type.kind];
  }
}

const plainDefaults: Readonly<Record<PlainKind, SqlServerType>> = {
  boolean: { name: 'bit' },
  int: { name: 'int' },
  long: { name: 'bigint' },
  float: { name: 'real' },
  double: { name: 'float' },
  string: { name: 'nvarchar', length: 'max' },
  bytes: { name: 'varbinary', length: 'max' },
  uuid: { name: 'uniqueidentifier' },
  date: { name: 'date' },
  'time-micros': { name: 'time', scale: 6 },
  'timestamp-micros': { name: 'datetimeoffset', scale: 6 },
  'local-timestamp-micros': { name: 'datetime2', scale: 6 },
};

/** `decimal(18,2)`, `nvarchar(max)`, `datetime2(6)`: as T-SQL writes it. */
export function formatSqlType(type: SqlServerType): string {
  if (type.length !== undefined) return `${type.name}(${type.length})`;
  if (type.precision !== undefined) return `${type.name}(${type.precision},${type.scale ?? 0})`;
  if (type.scale !== undefined) return `${type.name}(${type.scale})`;
  return type.name;
}

/** A type that has a collation. */
export function hasCollation(type: SqlServerType): boolean {
  return type.name === 'char' || type.name === 'varchar' || type.name === 'nchar' || type.name === 'nvarchar';
}

type Shape = 'plain' | 'decimal' | 'fraction' | { readonly longest: number; readonly max: boolean };

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
  char: { longest: 8000, max: false },
  varchar: { longest: 8000, max: true },
  nchar: { longest: MAX_NVARCHAR, max: false },
  nvarchar: { longest: MAX_NVARCHAR, max: true },
  binary: { longest: 8000, max: false },
  varbinary: { longest: 8000, max: true },
  uniqueidentifier: 'plain',
  date: 'plain',
  time: 'fraction',
  datetime: 'plain',
  smalldatetime: 'plain',
  datetime2: 'fraction',
  datetimeoffset: 'fraction',
};
const typeNames = Object.keys(shapes) as SqlServerType['name'][];
const synonyms: Readonly<Record<string, SqlServerType['name']>> = { numeric: 'decimal', integer: 'int' };

/** Parses a type as T-SQL writes it, in any case; `numeric` and `integer` are read as their synonyms. */
export function parseSqlType(text: string): SqlServerType | SqlTypeProblem {
  const match = /^\s*([a-z]\w*)\s*(?:\(\s*(\d+|max)\s*(?:,\s*(\d+)\s*)?\)\s*)?$/i.exec(text);
  if (match === null) {
    return {
      problem: `expected a SQL Server type such as nvarchar(40) or decimal(18,2), found ${quote(text)}`,
    };
  }
  const word = (match[1] ?? '').toLowerCase();
  const name = synonyms[word] ?? typeNames.find((known) => known === word);
  if (name === undefined) return { problem: unknownType(word) };
  const shape = shapes[name];
  const first = match[2]?.toLowerCase();
  const second = match[3];
  if (shape === 'plain') {
    return first === undefined
      ? { name }
      : { problem: `${name} takes nothing in brackets, found ${quote(text)}` };
  }
  if (shape === 'decimal') return decimalType(first, second, text);
  if (second !== undefined) return { problem: `${name} takes one number in brackets, found ${quote(text)}` };
  if (shape === 'fraction') return fractionType(name, first, text);
  return sizedType(name, shape, first, text);
}

function decimalType(first: string | undefined, second: string | undefined, text: string) {
  // 18 and 0 are T-SQL's own defaults.
  const precision = first === undefined ? 18 : Number(first);
  const scale = second === undefined ? 0 : Number(second);
  if (!(precision >= 1 && precision <= MAX_DECIMAL_PRECISION && scale <= precision)) {
    return { problem: `expected decimal(p,s) with 1 <= p <= 38 and s <= p, found ${quote(text)}` };
  }
  return { name: 'decimal', precision, scale } as const;
}

function fractionType(name: SqlServerType['name'], first: string | undefined, text: string) {
  // 7 is T-SQL's own default.
  const scale = first === undefined ? 7 : Number(first);
  if (!(scale >= 0 && scale <= 7)) {
    return { problem: `expected ${name}(0) to ${name}(7), found ${quote(text)}` };
  }
  return { name, scale };
}

function sizedType(
  name: SqlServerType['name'],
  shape: { readonly longest: number; readonly max: boolean },
  first: string | undefined,
  text: string,
): SqlServerType | SqlTypeProblem {
  if (first === 'max' && shape.max) return { name, length: 'max' };
  const length = Number(first);
  if (!(length >= 1 && length <= shape.longest)) {
    const max = shape.max ? ` or ${name}(max)` : '';
    return { problem: `expected ${name}(1) to ${name}(${shape.longest})${max}, found ${quote(text)}` };
  }
  return { name, length };
}

function unknownType(word: string): string {
  const nearest = nearestName(word, typeNames);
  return `a SQL Server type that walbridge writes; there is no ${quote(word)} among them${nearest === null ? '' : `; nearest: ${nearest}`}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
