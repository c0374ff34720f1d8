// How a value travels to its column: the staging column's type, the value as bulk loaded, and the CONVERTs there and back.
// Guarantees: exact. What tedious takes through JS numbers or Dates (decimals, dates, times) travels as text.
import type { CanonicalValue } from '../canonical/event.ts';
import type { FieldType } from '../canonical/schema.ts';
import { formatSqlType as typeText } from '../mapping/default-type.ts';
import type { SqlServerType } from '../mapping/target.ts';
import type { BulkColumn, BulkValue } from './session.ts';
import { dateText, offsetText, timestampText, timeText } from './staging-time.ts';

export interface StagingColumn {
  readonly bulk: Pick<BulkColumn, 'type' | 'length'>;
  /** The staging column's declaration without name and nullability; collated as the target's column where it is text. */
  readonly declaration: string;
  /** A canonical value, never null, as the bulk load takes it. */
  readonly toBulk: (value: NonNullable<CanonicalValue>) => BulkValue;
  /** T-SQL: the staged value in the target column's type. */
  readonly toTarget: (expression: string) => string;
  /** T-SQL: the target's value in the staging column's type. */
  readonly toStaging: (expression: string) => string;
}

const NUMBER_TEXT = 48;
const TIME_TEXT = 40;
const asIs = (value: NonNullable<CanonicalValue>): BulkValue => value;
const same = (expression: string): string => expression;

/** `type` and `collation` are the target column's own; null for types without one. */
export function stagingColumn(
  type: SqlServerType,
  field: FieldType,
  collation: string | null,
): StagingColumn {
  switch (type.name) {
    case 'bit':
      return asItself(type.name, Boolean);
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'real':
    case 'float':
      return asItself(type.name, Number);
    case 'bigint':
      return asItself(type.name, (value) => (typeof value === 'number' ? value : BigInt(wholeOf(value))));
    case 'uniqueidentifier':
      return asItself(type.name, asIs);
    case 'decimal':
      return asText(type, NUMBER_TEXT, numberText, null);
    case 'money':
      // Style 2: all four decimals.
      return asText(type, NUMBER_TEXT, numberText, 2);
    case 'date':
      return asText(type, TIME_TEXT, (value) => dateText(Number(value)), 23);
    case 'time':
      return asText(type, TIME_TEXT, (value) => timeText(Number(value)), 121);
    case 'datetime2':
      return asText(type, TIME_TEXT, (value) => timestampText(microsOf(value, field), ' '), 121);
    case 'datetimeoffset':
      return asText(type, TIME_TEXT, (value) => offsetText(microsOf(value, field)), 121);
    case 'datetime':
    case 'smalldatetime':
      // With a T: these two read other formats by the session's DATEFORMAT. They take three digits at most.
      return asText(type, TIME_TEXT, (value) => timestampText(microsOf(value, field), 'T').slice(0, 23), 126);
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar': {
      const length = type.length ?? 1;
      const staged = length === 'max' || length > 4000 ? 'max' : length;
      const declaration = `nvarchar(${staged})${collation === null ? '' : ` COLLATE ${collation}`}`;
      const narrow = type.name === 'char' || type.name === 'varchar';
      return {
        bulk: { type: 'nvarchar', length: staged },
        declaration,
        toBulk: String,
        toTarget: type.name === 'nvarchar' ? same : (text) => `CONVERT(${typeText(type)}, ${text})`,
        toStaging: narrow ? (value) => `CONVERT(nvarchar(${staged}), ${value})` : same,
      };
    }
    case 'binary':
    case 'varbinary': {
      const length = type.length ?? 1;
      return {
        bulk: { type: 'varbinary', length },
        declaration: `varbinary(${length})`,
        toBulk: asIs,
        toTarget: type.name === 'varbinary' ? same : (value) => `CONVERT(${typeText(type)}, ${value})`,
        toStaging: same,
      };
    }
  }
}

function asItself(
  name: 'bit' | 'tinyint' | 'smallint' | 'int' | 'bigint' | 'real' | 'float' | 'uniqueidentifier',
  toBulk: StagingColumn['toBulk'],
): StagingColumn {
  return { bulk: { type: name }, declaration: name, toBulk, toTarget: same, toStaging: same };
}

/** column-fit.ts lets only whole numbers through to here. */
function wholeOf(value: NonNullable<CanonicalValue>): bigint | boolean | string {
  return typeof value === 'string' ? value.replace(/\.0*$/, '') : (value as bigint | boolean);
}

function numberText(value: NonNullable<CanonicalValue>): string {
  return typeof value === 'boolean' ? String(Number(value)) : String(value);
}

/**
 * `style` is for the way back only. On the way in, the text is in the one format that each type reads the same under every
 * language, DATEFORMAT and compatibility level: https://learn.microsoft.com/sql/t-sql/data-types/datetime2-transact-sql
 */
function asText(
  type: SqlServerType,
  length: number,
  toBulk: StagingColumn['toBulk'],
  style: number | null,
): StagingColumn {
  const styled = style === null ? '' : `, ${style}`;
  const declaration = `varchar(${length})`;
  return {
    bulk: { type: 'varchar', length },
    declaration: `${declaration} COLLATE Latin1_General_BIN2`,
    toBulk,
    toTarget: (text) => `CONVERT(${typeText(type)}, ${text})`,
    toStaging: (value) => `CONVERT(${declaration}, ${value}${styled})`,
  };
}

function microsOf(value: NonNullable<CanonicalValue>, field: FieldType): number | bigint {
  if (field.kind === 'date') return BigInt(Number(value)) * 86_400_000_000n;
  return typeof value === 'bigint' ? value : Number(value);
}
