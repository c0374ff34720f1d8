// A target column's canonical text, by three ways that must agree: T-SQL's, from what a SELECT brings, and from the canonical
// value that apply would store there.
// Guarantees: the text is of the value as the column stores it, trailing blanks, case, digits and all; a datetimeoffset counts as
// the instant that it is.
// https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql (styles)
import type { CanonicalValue } from '../canonical/event.ts';
import type { RecordSchema } from '../canonical/schema.ts';
import type { CanonicalForm, CanonicalText } from '../change/row-digest.ts';
import { formatSqlType } from '../mapping/default-type.ts';
import type { SqlServerType, TargetTable } from '../mapping/target.ts';
import { type Catalog, tableKey } from './catalog.ts';
import type { ColumnCheck } from './column-fit.ts';
import { isSameName } from './identifier.ts';
import type { BulkValue } from './session.ts';
import { planStaging } from './staging.ts';

/** TRY_CONVERT: NULL for a text that no value of the type has. */
type OfText = (text: string, convert: 'CONVERT' | 'TRY_CONVERT') => string;

export interface DigestColumn {
  readonly field: string;
  /** As the mapping names it. */
  readonly column: string;
  /** Quoted, as the catalog spells it. */
  readonly name: string;
  readonly form: CanonicalForm;
  /** Null for types without one. */
  readonly collation: string | null;
  /** T-SQL: the canonical text of a column reference, NULL for NULL. */
  readonly text: (reference: string) => string;
  /** T-SQL: the column as the driver brings it without loss, for `ofRead`. */
  readonly read: (reference: string) => string;
  readonly ofRead: (value: unknown) => CanonicalText;
  /** Of a value that `check` lets pass. */
  readonly ofCanonical: (value: CanonicalValue) => CanonicalText;
  readonly check: ColumnCheck | null;
  /** T-SQL: a canonical text (of a parameter or a column of text) in the column's type; null where it has no way back. */
  readonly ofText: OfText | null;
  /** Both sides order its values alike. */
  readonly isOrdered: boolean;
}

export interface DigestTable {
  readonly target: TargetTable;
  readonly columns: readonly DigestColumn[];
}

/** The mapped columns as the catalog has them. Throws WB6507 and WB6508 where the table or a column of it is missing. */
export function planDigest(target: TargetTable, schema: RecordSchema, catalog: Catalog): DigestTable {
  const staging = planStaging(target, schema, catalog);
  const facts = catalog.tables.get(tableKey(target));
  const columns = target.columns.map((column, index): DigestColumn => {
    const planned = staging.columns[index];
    if (planned === undefined)
      throw new RangeError(`${target.entity}: column ${column.name} was not planned`);
    const type = facts?.columns.find(({ name }) => isSameName(name, column.name))?.type ?? column.type;
    const { field, name, collation, check, toBulk } = planned;
    const spelling = spellingOf(type, collation);
    return {
      ...spelling,
      field,
      column: column.name,
      name,
      collation,
      check,
      ofCanonical: (value) => (value === null ? null : spelling.ofBulk(toBulk(value))),
      ofRead: (value) => (value === null || value === undefined ? null : spelling.ofDriver(value)),
    };
  });
  return { target, columns };
}

interface Spelling {
  readonly form: CanonicalForm;
  readonly text: (reference: string) => string;
  readonly read: (reference: string) => string;
  readonly ofDriver: (value: unknown) => string;
  /** Of a value as staging-column.ts hands it to the bulk load. */
  readonly ofBulk: (value: BulkValue) => string;
  readonly ofText: OfText | null;
  readonly isOrdered: boolean;
}

const itself = (reference: string) => reference;
const BIN = 'COLLATE Latin1_General_BIN2';
/** Of the seven digits that a canonical time has, those that the bridge never fills. */
const SEVENTH = '0';

function spellingOf(type: SqlServerType, collation: string | null): Spelling {
  switch (type.name) {
    case 'bit':
      return plain(
        'boolean',
        type,
        (c) => `CONVERT(varchar(1), ${c})`,
        (value) => (value ? '1' : '0'),
      );
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return {
        ...plain('integer', type, (c) => `CONVERT(varchar(20), ${c})`, String),
        ofText: (text, convert) => `${convert}(${type.name === 'bigint' ? 'bigint' : 'int'}, ${text})`,
        isOrdered: true,
      };
    case 'decimal':
      return decimal(type, type.scale ?? 0, '');
    case 'money':
      // Style 2: all four decimals.
      return decimal(type, 4, ', 2');
    case 'real':
      return float('float4', 4);
    case 'float':
      return float('float8', 8);
    case 'uniqueidentifier':
      return plain(
        'uuid',
        type,
        (c) => `CONVERT(varchar(36), ${c})`,
        (value) => String(value).toUpperCase(),
      );
    case 'date':
      return {
        ...asText({ kind: 'date' }, (c) => `CONVERT(varchar(10), ${c}, 23)`, itself),
        ofText: (text, convert) => `${convert}(date, ${text}, 23)`,
        isOrdered: true,
      };
    case 'time':
      return {
        ...asText({ kind: 'time' }, clockText, sevenDigits),
        ofText: (text, convert) => `${convert}(time(7), ${text}, 121)`,
      };
    case 'datetime2':
      return {
        ...asText({ kind: 'timestamp' }, instantText, sevenDigits),
        ofText: (text, convert) => `${convert}(datetime2(7), ${text}, 121)`,
        isOrdered: true,
      };
    case 'datetimeoffset':
      return {
        ...asText(
          { kind: 'timestamp' },
          (c) => instantText(`SWITCHOFFSET(${c}, '+00:00')`),
          (text) => sevenDigits(text.slice(0, -' +00:00'.length)),
        ),
        ofText: (text, convert) => `${convert}(datetimeoffset(7), ${text} + ' +00:00', 121)`,
        isOrdered: true,
      };
    case 'datetime':
    case 'smalldatetime':
      // Not by way of datetime2, which a compatibility level decides how to fill: three digits are all that there are.
      return asText(
        { kind: 'timestamp' },
        (c) => `CONVERT(varchar(23), ${c}, 121) + '0000'`,
        (text) => `${text.replace('T', ' ')}0000`,
      );
    case 'char':
    case 'varchar':
    case 'nchar':
    case 'nvarchar': {
      const wide = type.name === 'nvarchar' ? itself : (c: string) => `CONVERT(nvarchar(max), ${c})`;
      return {
        ...plain('text', type, (c) => `(${wide(c)} ${BIN})`, String),
        // As the column collates, or its index would not be used.
        ofText: (text, convert) =>
          `${convert}(${formatSqlType(type)}, ${text}${collation === null ? '' : ` COLLATE ${collation}`})`,
      };
    }
    case 'binary':
    case 'varbinary':
      return {
        ...plain(
          'bytes',
          type,
          (c) => `CONVERT(varchar(max), ${c}, 1)`,
          (value) => hexOf(value as Buffer),
        ),
        ofText: (text, convert) => `${convert}(${formatSqlType(type)}, ${text}, 1)`,
      };
  }
}

/** The driver brings the value itself; it and the staged one are spelt by one function. */
function plain(
  kind: 'boolean' | 'integer' | 'uuid' | 'bytes' | 'text',
  type: SqlServerType,
  text: (reference: string) => string,
  spell: (value: unknown) => string,
): Spelling {
  return {
    form: { kind },
    text,
    read: itself,
    ofDriver: spell,
    ofBulk: spell,
    ofText: (value, convert) => `${convert}(${type.name}, ${value})`,
    isOrdered: false,
  };
}

/** The driver would lose something: the server spells the value. */
function asText(
  form: CanonicalForm,
  text: (reference: string) => string,
  ofStaged: (text: string) => string,
): Spelling {
  return {
    form,
    text,
    read: text,
    ofDriver: String,
    ofBulk: (value) => ofStaged(String(value)),
    ofText: null,
    isOrdered: false,
  };
}

function decimal(type: SqlServerType, scale: number, style: string): Spelling {
  return {
    ...asText(
      { kind: 'decimal', scale },
      (c) => `CONVERT(varchar(48), ${c}${style})`,
      (text) => atScale(text, scale),
    ),
    ofText: (text, convert) => `${convert}(${formatSqlType(type)}, ${text})`,
    isOrdered: true,
  };
}

/** Its bits, the sign's first, as an integer; fewer bytes than a bigint has are filled up on the left. */
function float(kind: 'float4' | 'float8', bytes: 4 | 8): Spelling {
  const spell = (value: unknown) => {
    const buffer = Buffer.alloc(bytes);
    if (bytes === 4) buffer.writeFloatBE(Number(value));
    else buffer.writeDoubleBE(Number(value));
    return String(bytes === 4 ? buffer.readUInt32BE() : buffer.readBigInt64BE());
  };
  return {
    form: { kind },
    text: (c) => `CONVERT(varchar(20), CONVERT(bigint, CONVERT(binary(${bytes}), ${c})))`,
    read: itself,
    ofDriver: spell,
    ofBulk: spell,
    ofText: null,
    isOrdered: false,
  };
}

function instantText(reference: string): string {
  return `CONVERT(varchar(10), ${reference}, 23) + ' ' + ${clockText(reference)}`;
}

function clockText(reference: string): string {
  return `CONVERT(varchar(16), CONVERT(time(7), ${reference}), 121)`;
}

function sevenDigits(text: string): string {
  return `${text}${SEVENTH}`;
}

function hexOf(bytes: Buffer): string {
  return `0x${bytes.toString('hex').toUpperCase()}`;
}

/** Plain text of a number that has no more than `scale` decimals but zeros. */
function atScale(text: string, scale: number): string {
  const [whole = '0', fraction = ''] = text.split('.');
  return scale === 0 ? whole : `${whole}.${fraction.slice(0, scale).padEnd(scale, '0')}`;
}
