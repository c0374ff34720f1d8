// From PostgreSQL's text output to canonical values: one decoder per pair of source type and field type, chosen once.
// Guarantees: exact or a Misfit, never rounded, cut or guessed; decoders don't throw.
// https://www.postgresql.org/docs/current/datatype.html
import type { BaseType } from '../change/table-description.ts';
import type { CanonicalValue } from './event.ts';
import { Misfit, misfits } from './misfit.ts';
import { dateOfText, timeOfText, timestampOfText, timestamptzOfText } from './pg-datetime.ts';
import { arrayToJson, compositeToJson, hstoreToJson } from './pg-json.ts';
import { decimalDecoder, doubleOfText, floatOfText, intOfText, longOfText } from './pg-number.ts';
import type { FieldType } from './schema.ts';

/** What a decoder must know of a source column's type, below its domains. */
export type PgType = Pick<BaseType, 'name' | 'kind' | 'elementTypeName'>;

export type PgTextDecoder = (text: string) => CanonicalValue | Misfit;

const integers = ['int2', 'int4', 'int8', 'oid'];
const texts = ['text', 'varchar', 'bpchar', 'name', 'citext', 'uuid', 'char'];

/** Null where no value of the source type can become the field type without a transform. */
export function pgTextDecoder(pgType: PgType, type: FieldType): PgTextDecoder | null {
  switch (type.kind) {
    case 'string':
      return stringDecoder(pgType);
    case 'boolean':
      return pgType.name === 'bool' ? booleanOfText : null;
    case 'int':
      return integers.includes(pgType.name) ? intOfText : null;
    case 'long':
      return integers.includes(pgType.name) ? longOfText : null;
    case 'float':
      return pgType.name === 'float4' ? floatOfText : null;
    case 'double':
      return doubleSources.includes(pgType.name) ? doubleOfText : null;
    case 'decimal':
      return [...integers, 'numeric'].includes(pgType.name)
        ? decimalDecoder(type.precision, type.scale)
        : null;
    case 'date':
      return pgType.name === 'date' ? dateOfText : null;
    case 'time-micros':
      return pgType.name === 'time' ? timeOfText : null;
    case 'timestamp-micros':
      return pgType.name === 'timestamptz' ? timestamptzOfText : null;
    case 'local-timestamp-micros':
      return pgType.name === 'timestamp' ? timestampOfText : null;
    case 'uuid':
      return [...texts, 'uuid'].includes(pgType.name) ? uuidOfText : null;
    case 'bytes':
      return pgType.name === 'bytea' ? bytesOfText : null;
    case 'enum':
      return pgType.kind === 'enum' || texts.includes(pgType.name) ? enumDecoder(type.symbols) : null;
  }
}

/** Types whose every value a double holds exactly; float4's shortest text would become another double. */
const doubleSources = ['float8', 'int2', 'int4', 'oid'];

const malformedBoolean = new Misfit(misfits.malformed, 'neither t nor f');
const malformedUuid = new Misfit(misfits.malformed, "not PostgreSQL's text of a uuid");
const malformedBytes = new Misfit(misfits.malformed, 'not bytea in hex format');
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function stringDecoder(pgType: PgType): PgTextDecoder {
  if (pgType.kind === 'array') return arrayToJson(pgType.elementTypeName);
  if (pgType.kind === 'composite') return compositeToJson;
  if (pgType.name === 'hstore') return hstoreToJson;
  return sameText;
}

function sameText(text: string): string {
  return text;
}

function booleanOfText(text: string): boolean | Misfit {
  if (text === 't') return true;
  return text === 'f' ? false : malformedBoolean;
}

function uuidOfText(text: string): string | Misfit {
  return uuidPattern.test(text) ? text : malformedUuid;
}

function bytesOfText(text: string): Buffer | Misfit {
  if (!text.startsWith('\\x')) return malformedBytes;
  const bytes = Buffer.from(text.slice(2), 'hex');
  return bytes.length * 2 === text.length - 2 ? bytes : malformedBytes;
}

function enumDecoder(symbols: readonly string[]): PgTextDecoder {
  const known = new Set(symbols);
  const unknown = new Misfit(misfits.enumSymbol, `not one of the enum's ${symbols.length} symbols`);
  return (text) => (known.has(text) ? text : unknown);
}
