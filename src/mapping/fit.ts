// Whether a target column holds every value of a field exactly: in general, for checks, and value by value, for rows.
// Guarantees: nothing that SQL Server would round, cut off, pad or replace passes as fitting.
// https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql
import type { CanonicalValue } from '../canonical/event.ts';
import { describeType, type FieldType } from '../canonical/schema.ts';
import { defaultSqlType, formatSqlType } from './default-type.ts';
import type { SqlServerType } from './target.ts';

/** True where the value fits. Never called with null. */
export type Fits = (value: CanonicalValue) => boolean;

export type Fit =
  /** `fits` is null where every value of the field type does; `narrow` says which do not. */
  | { readonly holds: true; readonly fits: Fits | null; readonly narrow: string | null }
  /** No column of the type is right for the field. */
  | { readonly holds: false; readonly expected: string };

const all: Fit = { holds: true, fits: null, narrow: null };

export function fitOf(type: FieldType, target: SqlServerType): Fit {
  switch (type.kind) {
    case 'boolean':
      return target.name === 'bit' ? all : refuse(type);
    case 'int':
      return integerFit(type, target, 10);
    case 'long':
      return integerFit(type, target, 19);
    case 'float':
      if (target.name === 'real')
        return { holds: true, fits: (value) => normal(value, MIN_REAL), narrow: null };
      return target.name === 'float' ? finite : refuse(type);
    case 'double':
      return target.name === 'float' ? finite : refuse(type);
    case 'decimal':
      return decimalFit(type, target);
    case 'string':
    case 'enum':
    case 'uuid':
      return textFit(type, target);
    case 'bytes':
      return target.name === 'varbinary'
        ? upTo(target, (value) => (value as Buffer).length, 'bytes')
        : refuse(type);
    case 'date':
      return target.name === 'date' || target.name === 'datetime2' ? all : refuse(type);
    case 'time-micros':
      return micros(type, target, ['time']);
    case 'timestamp-micros':
      return micros(type, target, ['datetimeoffset', 'datetime2']);
    case 'local-timestamp-micros':
      return micros(type, target, ['datetime2']);
  }
}

function refuse(type: FieldType): Fit {
  return { holds: false, expected: `${formatSqlType(defaultSqlType(type))} for ${describeType(type)}` };
}

/** Smallest normal numbers: SQL Server documents none below, and no NaN and no infinities. */
const MIN_REAL = 1.1754943508222875e-38;
const MIN_FLOAT = 2.2250738585072014e-308;

function normal(value: CanonicalValue, smallest: number): boolean {
  const number = value as number;
  return Number.isFinite(number) && (number === 0 || Math.abs(number) >= smallest);
}

const finite: Fit = { holds: true, fits: (value) => normal(value, MIN_FLOAT), narrow: null };

function integerFit(type: FieldType, target: SqlServerType, digits: number): Fit {
  if (target.name === 'bigint') return all;
  if (target.name === 'decimal') {
    return (target.precision ?? 18) - (target.scale ?? 0) >= digits ? all : refuse(type);
  }
  if (type.kind === 'long') return refuse(type);
  if (target.name === 'int') return all;
  if (target.name === 'smallint') return between(-32768, 32767, target);
  return target.name === 'tinyint' ? between(0, 255, target) : refuse(type);
}

function between(least: number, most: number, target: SqlServerType): Fit {
  return {
    holds: true,
    fits: (value) => (value as number) >= least && (value as number) <= most,
    narrow: `values outside ${target.name}`,
  };
}

function decimalFit(type: Extract<FieldType, { kind: 'decimal' }>, target: SqlServerType): Fit {
  const shape = decimalShape(target);
  if (shape === null || shape.scale < type.scale) return refuse(type);
  const digits = shape.precision - shape.scale;
  if (digits >= type.precision - type.scale) return all;
  return {
    holds: true,
    fits: (value) => integerDigits(value as string) <= digits,
    narrow: `values of more than ${digits} digits before the point`,
  };
}

function decimalShape(target: SqlServerType): { precision: number; scale: number } | null {
  if (target.name === 'decimal') return { precision: target.precision ?? 18, scale: target.scale ?? 0 };
  // money counts to 2^63 / 10,000: 14 whole digits fit, 15 may not.
  if (target.name === 'money') return { precision: 18, scale: 4 };
  return target.name === 'bigint' ? { precision: 18, scale: 0 } : null;
}

function integerDigits(text: string): number {
  const start = text.startsWith('-') ? 1 : 0;
  const point = text.indexOf('.');
  const digits = (point < 0 ? text.length : point) - start;
  return digits === 1 && text[start] === '0' ? 0 : digits;
}

const ascii = /^[\x20-\x7e\s]*$/;

function textFit(type: FieldType, target: SqlServerType): Fit {
  if (type.kind === 'uuid' && target.name === 'uniqueidentifier') return all;
  if (target.name === 'char' || target.name === 'nchar') {
    // Fixed-length columns pad: only a uuid's 36 characters come back as they were.
    return type.kind === 'uuid' && target.length === 36 ? all : refuse(type);
  }
  if (type.kind === 'enum' && typeof target.length === 'number') {
    const longest = Math.max(0, ...type.symbols.map((symbol) => symbol.length));
    if (longest > target.length) return refuse(type);
  }
  if (target.name === 'nvarchar') return upTo(target, (value) => (value as string).length, 'characters');
  if (target.name !== 'varchar') return refuse(type);
  const length = target.length === 'max' ? Number.POSITIVE_INFINITY : (target.length ?? 1);
  return {
    holds: true,
    fits: (value) => (value as string).length <= length && ascii.test(value as string),
    narrow:
      type.kind === 'string' ? 'values with characters beyond ASCII, which a code page may not have' : null,
  };
}

function upTo(target: SqlServerType, size: (value: CanonicalValue) => number, unit: string): Fit {
  const { length } = target;
  if (length === 'max' || length === undefined) return all;
  return {
    holds: true,
    fits: (value) => size(value) <= length,
    narrow: `values of more than ${length} ${unit}`,
  };
}

function micros(type: FieldType, target: SqlServerType, names: readonly SqlServerType['name'][]): Fit {
  return names.includes(target.name) && (target.scale ?? 7) >= 6 ? all : refuse(type);
}
