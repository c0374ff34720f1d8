// Whether a value fits the column as it really is: checked before it is sent, so that the row goes to quarantine instead
// of being rounded, cut off, padded, or failing a whole batch.
// Guarantees: pure; a value that passes is stored exactly; compiled once a column, a fraction of a microsecond a value.
// https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql
import type { CanonicalValue } from '../canonical/event.ts';
import type { FieldType } from '../canonical/schema.ts';
import type { SqlServerType } from '../mapping/target.ts';
import type { ColumnFacts } from './catalog.ts';
import { charactersOf } from './code-page.ts';
import { otherKind, type Present, type Rule, within } from './column-rule.ts';
import { decimalRule, floatRule, integerRule, moneyRule } from './number-fit.ts';

/** Why a value can't be stored exactly; names types and bounds, never the value. */
interface ColumnMisfit {
  readonly code: 'WB6040' | 'WB6041';
  readonly reason: string;
}

/** undefined where the value fits. */
export type ColumnCheck = (value: CanonicalValue) => ColumnMisfit | undefined;

/** The check of one column, or null where every value of the field fits it. */
export function columnFit(
  field: FieldType,
  column: Pick<ColumnFacts, 'name' | 'type' | 'typeText' | 'nullable' | 'collation'>,
): ColumnCheck | null {
  const rule = column.type === null ? otherKind : ruleOf(field, column.type, column.collation);
  if (rule === null && column.nullable) return null;
  const where = `the column ${column.name} (${column.typeText})`;
  const misfit: ColumnMisfit = {
    code: 'WB6040',
    reason: `${rule?.why ?? ''} don't fit ${where}.`.trimStart(),
  };
  const missing: ColumnMisfit = { code: 'WB6041', reason: `${where} is NOT NULL and the value is null.` };
  return (value) => {
    if (value === null) return column.nullable ? undefined : missing;
    return rule === null || rule.fits(value) ? undefined : misfit;
  };
}

function ruleOf(field: FieldType, type: SqlServerType, collation: string | null): Rule {
  switch (type.name) {
    case 'bit':
      return field.kind === 'boolean' ? null : integerRule(field, 0n, 1n);
    case 'tinyint':
      return integerRule(field, 0n, 255n);
    case 'smallint':
      return integerRule(field, -(2n ** 15n), 2n ** 15n - 1n);
    case 'int':
      return integerRule(field, -(2n ** 31n), 2n ** 31n - 1n);
    case 'bigint':
      return integerRule(field, -(2n ** 63n), 2n ** 63n - 1n);
    case 'decimal':
      return decimalRule(field, (type.precision ?? 18) - (type.scale ?? 0), type.scale ?? 0);
    case 'money':
      return moneyRule(field);
    case 'real':
      return floatRule(field, 24);
    case 'float':
      return floatRule(field, 53);
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar':
      return textRule(field, type, collation);
    case 'binary':
    case 'varbinary':
      return bytesRule(field, type);
    case 'uniqueidentifier':
      return guidRule(field);
    case 'date':
      return field.kind === 'date' ? daysRule(FIRST_DAY, LAST_DAY) : otherKind;
    case 'time':
      return field.kind === 'time-micros' ? stepRule(fractionStep(type)) : otherKind;
    case 'datetimeoffset':
      return field.kind === 'timestamp-micros'
        ? microsRule(FIRST_MICRO, LAST_MICRO, fractionStep(type))
        : otherKind;
    case 'datetime2':
      return instantRule(field, FIRST_DAY, LAST_DAY, fractionStep(type));
    case 'datetime':
      // From 1753; in steps of 1/300 s, of which hundredths are the finest that are whole.
      return instantRule(field, dayOf(1753, 1, 1), LAST_DAY, 10_000);
    case 'smalldatetime':
      return instantRule(field, dayOf(1900, 1, 1), dayOf(2079, 6, 6), 60_000_000);
  }
}

// Text and bytes.

const loneSurrogate = /\p{Surrogate}/u;

function textRule(field: FieldType, type: SqlServerType, collation: string | null): Rule {
  if (field.kind !== 'string' && field.kind !== 'enum' && field.kind !== 'uuid') return otherKind;
  const length = lengthOf(type);
  const fixed = type.name === 'char' || type.name === 'nchar';
  const sized = (size: number) => (fixed ? size === length : size <= length);
  const sizes = fixed ? `Texts of other than ${length}` : `Texts of more than ${length}`;
  if (type.name === 'nchar' || type.name === 'nvarchar') {
    if (length === Number.POSITIVE_INFINITY) return null;
    return { why: `${sizes} UTF-16 code units`, fits: (value) => sized((value as string).length) };
  }
  if (collation !== null && /_UTF8$/i.test(collation)) {
    return {
      why: `${sizes} bytes of UTF-8, or with half a surrogate pair,`,
      fits: (value) => sized(Buffer.byteLength(value as string)) && !loneSurrogate.test(value as string),
    };
  }
  const characters = charactersOf(collation);
  return {
    why: `${sizes} characters, or with characters outside the code page,`,
    fits: (value) => sized((value as string).length) && characters.test(value as string),
  };
}

function bytesRule(field: FieldType, type: SqlServerType): Rule {
  if (field.kind !== 'bytes') return otherKind;
  const length = lengthOf(type);
  if (type.name === 'binary') {
    return {
      why: `Values of other than ${length} bytes`,
      fits: (value) => (value as Buffer).length === length,
    };
  }
  if (length === Number.POSITIVE_INFINITY) return null;
  return { why: `Values of more than ${length} bytes`, fits: (value) => (value as Buffer).length <= length };
}

function lengthOf(type: SqlServerType): number {
  return type.length === 'max' ? Number.POSITIVE_INFINITY : (type.length ?? 1);
}

const guid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

function guidRule(field: FieldType): Rule {
  if (field.kind === 'uuid') return null;
  if (field.kind !== 'string') return otherKind;
  return { why: 'Texts that are not a uuid in lower case', fits: (value) => guid.test(value as string) };
}

// Dates and times.

/** Days since 1970-01-01 of 0001-01-01 and 9999-12-31. */
const FIRST_DAY = -719_162;
const LAST_DAY = 2_932_896;
const DAY_MICROS = 86_400_000_000n;
const FIRST_MICRO = BigInt(FIRST_DAY) * DAY_MICROS;
const LAST_MICRO = BigInt(LAST_DAY + 1) * DAY_MICROS - 1n;

/** Days since 1970-01-01; month from 1. */
function dayOf(year: number, month: number, day: number): number {
  return Date.UTC(year, month - 1, day) / 86_400_000;
}

/** Microseconds between two neighbours. */
function fractionStep(type: SqlServerType): number {
  return 10 ** Math.max(0, 6 - (type.scale ?? 7));
}

function daysRule(first: number, last: number): Rule {
  return {
    why: 'Dates out of range',
    fits: (value) => (value as number) >= first && (value as number) <= last,
  };
}

function stepRule(step: number): Rule {
  if (step === 1) return null;
  return { why: `Times finer than ${step} microseconds`, fits: (value) => isMultiple(value, step) };
}

function instantRule(field: FieldType, firstDay: number, lastDay: number, step: number): Rule {
  switch (field.kind) {
    case 'date':
      return daysRule(firstDay, lastDay);
    case 'timestamp-micros':
    case 'local-timestamp-micros':
      return microsRule(BigInt(firstDay) * DAY_MICROS, BigInt(lastDay + 1) * DAY_MICROS - 1n, step);
    default:
      return otherKind;
  }
}

function microsRule(first: bigint, last: bigint, step: number): Rule {
  const inRange = within(first, last);
  return {
    why: `Times out of range or finer than ${step} microseconds`,
    fits: (value) => inRange(value) && (step === 1 || isMultiple(value, step)),
  };
}

function isMultiple(value: Present, step: number): boolean {
  return typeof value === 'bigint' ? value % BigInt(step) === 0n : (value as number) % step === 0;
}
