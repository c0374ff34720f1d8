// A field's Avro type as JSON, read into a FieldType and written from one.
// Guarantees: only types with a codec pass; `fieldTypeJson` is the inverse of `parseFieldType`.
// https://avro.apache.org/docs/1.11.1/specification/#logical-types
import { nearestName } from '../text/nearest-name.ts';
import type { FieldType, NullBranch, PlainKind } from './schema.ts';
import { isObject, quote, type Report } from './schema-json.ts';

/** The widest decimal that the warehouse and the codecs hold. */
export const MAX_PRECISION = 38;

const primitives = ['boolean', 'int', 'long', 'float', 'double', 'string', 'bytes'] as const;
const typeNames = [...primitives, 'enum'];
/** Logical types and the type that each stands on. */
const logicalBases: Readonly<Record<string, string>> = {
  decimal: 'bytes',
  uuid: 'string',
  date: 'int',
  'time-micros': 'long',
  'timestamp-micros': 'long',
  'local-timestamp-micros': 'long',
};

export interface ParsedType {
  readonly type: FieldType;
  readonly nullBranch: NullBranch;
}

/** `enums`: names of the enums met so far, to which this adds. */
export function parseFieldType(
  json: unknown,
  path: string,
  report: Report,
  enums: Set<string>,
): ParsedType | null {
  if (!Array.isArray(json)) {
    const type = parseBranch(json, path, report, enums);
    return type === null ? null : { type, nullBranch: 'none' };
  }
  const nullAt = json.indexOf('null');
  if (json.length !== 2 || nullAt < 0) {
    report('WB3005', path, `the union ${quote(json)}`, '["null", T]: a union of null and one type');
    return null;
  }
  const type = parseBranch(json[1 - nullAt], `${path}.${1 - nullAt}`, report, enums);
  return type === null ? null : { type, nullBranch: nullAt === 0 ? 'first' : 'second' };
}

function parseBranch(json: unknown, path: string, report: Report, enums: Set<string>): FieldType | null {
  const object = isObject(json) ? json : { type: json };
  const base = object.type;
  if (base === 'enum') return parseEnum(object, path, report, enums);
  if (typeof base !== 'string' || !primitives.some((name) => name === base)) {
    const nearest = typeof base === 'string' ? nearestName(base, typeNames) : null;
    report('WB3005', path, quote(base), `one of ${typeNames.join(', ')}`, nearest);
    return null;
  }
  if (object.logicalType === undefined) return { kind: base as PlainKind };
  const logical = String(object.logicalType);
  const expected = logicalBases[logical];
  if (expected === undefined) {
    const known = Object.keys(logicalBases);
    report(
      'WB3006',
      `${path}.logicalType`,
      quote(logical),
      `one of ${known.join(', ')}`,
      nearestName(logical, known),
    );
    return null;
  }
  if (expected !== base) {
    report('WB3006', `${path}.logicalType`, `${logical} over ${base}`, `${logical} over ${expected}`);
    return null;
  }
  return logical === 'decimal' ? parseDecimal(object, path, report) : { kind: logical as PlainKind };
}

function parseDecimal(json: Record<string, unknown>, path: string, report: Report): FieldType | null {
  const precision = json.precision;
  const scale = json.scale ?? 0;
  if (!isInteger(precision) || precision < 1 || precision > MAX_PRECISION) {
    report('WB3006', `${path}.precision`, quote(precision), `a whole number from 1 to ${MAX_PRECISION}`);
    return null;
  }
  if (!isInteger(scale) || scale < 0 || scale > precision) {
    report('WB3006', `${path}.scale`, quote(scale), `a whole number from 0 to the precision, ${precision}`);
    return null;
  }
  return { kind: 'decimal', precision, scale };
}

function parseEnum(
  json: Record<string, unknown>,
  path: string,
  report: Report,
  enums: Set<string>,
): FieldType | null {
  const { name, symbols } = json;
  if (typeof name !== 'string' || !/^[A-Za-z_][\w.]*$/.test(name) || enums.has(name)) {
    report('WB3004', `${path}.name`, quote(name), 'a name that no other type of the record has');
    return null;
  }
  enums.add(name);
  const texts = Array.isArray(symbols) ? symbols.filter((symbol) => typeof symbol === 'string') : [];
  if (!Array.isArray(symbols) || texts.length === 0 || texts.length !== symbols.length) {
    report('WB3004', `${path}.symbols`, quote(symbols), 'a list of at least one symbol');
    return null;
  }
  const fallback = json.default ?? null;
  if (fallback !== null && !texts.some((symbol) => symbol === fallback)) {
    const nearest = typeof fallback === 'string' ? nearestName(fallback, texts) : null;
    report('WB3004', `${path}.default`, quote(fallback), 'one of the symbols', nearest);
    return null;
  }
  return { kind: 'enum', name, symbols: texts, fallback: fallback as string | null };
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value);
}

/** The type as an .avsc file writes it, without a null branch. */
export function fieldTypeJson(type: FieldType): string | Readonly<Record<string, unknown>> {
  if (type.kind === 'enum') {
    const fallback = type.fallback === null ? {} : { default: type.fallback };
    return { type: 'enum', name: type.name, symbols: type.symbols, ...fallback };
  }
  if (type.kind === 'decimal') {
    return { type: 'bytes', logicalType: 'decimal', precision: type.precision, scale: type.scale };
  }
  const base = logicalBases[type.kind];
  return base === undefined ? type.kind : { type: base, logicalType: type.kind };
}
