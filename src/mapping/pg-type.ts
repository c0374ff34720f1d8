// PostgreSQL types as mappings see them: by OID in a RELATION message, by the field that a text is meant for, and by whether
// a column's value may be stored out of line.
// Guarantees: a type that is not known is treated as its own text, which is exact.
// https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
import type { PgType } from '../canonical/pg-text.ts';
import type { FieldType, PlainKind } from '../canonical/schema.ts';
import type { SourceColumn } from '../change/source-change.ts';
import type { ColumnDescription, TableDescription } from '../change/table-description.ts';

/** OIDs that never change, of the types whose text a decoder reads; all others are text to a mapping. */
const builtin: ReadonlyMap<number, string> = new Map(
  Object.entries({
    bool: 16,
    bytea: 17,
    name: 19,
    int8: 20,
    int2: 21,
    int4: 23,
    text: 25,
    oid: 26,
    json: 114,
    float4: 700,
    float8: 701,
    bpchar: 1042,
    varchar: 1043,
    date: 1082,
    time: 1083,
    timestamp: 1114,
    timestamptz: 1184,
    numeric: 1700,
    uuid: 2950,
    jsonb: 3802,
    _json: 199,
    _bool: 1000,
    _bytea: 1001,
    _name: 1003,
    _int2: 1005,
    _int4: 1007,
    _text: 1009,
    _bpchar: 1014,
    _varchar: 1015,
    _int8: 1016,
    _float4: 1021,
    _float8: 1022,
    _timestamp: 1115,
    _date: 1182,
    _time: 1183,
    _timestamptz: 1185,
    _numeric: 1231,
    _uuid: 2951,
    _jsonb: 3807,
  }).map(([name, oid]) => [oid, name]),
);

/**
 * The column's type below its domains: from the catalogue where that still agrees, else by its OID. The stream names a domain
 * by its own OID, a query's result by that of its base type.
 */
export function pgTypeOf(column: SourceColumn, described: TableDescription | undefined): PgType {
  const known = described?.columns.find(
    ({ name, typeOid, baseType }) =>
      name === column.name && (typeOid === column.typeOid || baseType.oid === column.typeOid),
  );
  if (known !== undefined) return known.baseType;
  const name = builtin.get(column.typeOid);
  if (name === undefined) return textType;
  return name.startsWith('_')
    ? { name, kind: 'array', elementTypeName: name.slice(1) }
    : { name, kind: 'base', elementTypeName: null };
}

export const textType: PgType = { name: 'text', kind: 'base', elementTypeName: null };

const naturalNames: Readonly<Record<PlainKind, string>> = {
  boolean: 'bool',
  int: 'int4',
  long: 'int8',
  float: 'float4',
  double: 'float8',
  string: 'text',
  bytes: 'bytea',
  uuid: 'uuid',
  date: 'date',
  'time-micros': 'time',
  'timestamp-micros': 'timestamptz',
  'local-timestamp-micros': 'timestamp',
};

/** The type whose text a field reads without any conversion: of constants, lookups and expressions. */
export function naturalPgType(type: FieldType): PgType {
  if (type.kind === 'decimal') return { name: 'numeric', kind: 'base', elementTypeName: null };
  if (type.kind === 'enum') return { name: type.name, kind: 'enum', elementTypeName: null };
  return { name: naturalNames[type.kind], kind: 'base', elementTypeName: null };
}

const textNames = new Set(['text', 'varchar', 'bpchar', 'citext', 'name']);

export function isText(type: PgType): boolean {
  return type.kind === 'enum' || textNames.has(type.name);
}

/** Fixed-length types, in bytes. Everything else has variable length. */
const fixedBytes: ReadonlyMap<string, number> = new Map([
  ['bool', 1],
  ['int2', 2],
  ['int4', 4],
  ['float4', 4],
  ['date', 4],
  ['oid', 4],
  ['int8', 8],
  ['float8', 8],
  ['money', 8],
  ['time', 8],
  ['timestamp', 8],
  ['timestamptz', 8],
  ['pg_lsn', 8],
  ['macaddr', 6],
  ['macaddr8', 8],
  ['timetz', 12],
  ['interval', 16],
  ['uuid', 16],
  ['point', 16],
  ['line', 24],
  ['circle', 24],
  ['lseg', 32],
  ['box', 32],
  ['name', 64],
]);
/** A row longer than this has its longest values moved out of line. */
const TOAST_THRESHOLD = 2000;

/**
 * Whether the server may leave the column out of an UPDATE because its value, stored out of line, did not change. The
 * longest values move first, so a column can only be moved where a row of values no longer than its own is too long.
 * Assumes that the table's toast_tuple_target is not lowered.
 * https://www.postgresql.org/docs/current/storage-toast.html
 */
export function mayBeToasted(column: ColumnDescription, table: TableDescription): boolean {
  if (isFixed(column)) return false;
  const longest = longestBytes(column);
  let row = 24 + Math.ceil(table.columns.length / 8);
  for (const other of table.columns) {
    row += isFixed(other) ? longestBytes(other) + 8 : Math.min(longest, longestBytes(other)) + 4;
  }
  return row > TOAST_THRESHOLD;
}

function isFixed(column: ColumnDescription): boolean {
  return column.baseType.kind === 'enum' || fixedBytes.has(column.baseType.name);
}

function longestBytes({ baseType }: ColumnDescription): number {
  if (baseType.kind === 'enum') return 4;
  const fixed = fixedBytes.get(baseType.name);
  if (fixed !== undefined) return fixed;
  // Four bytes a character at most, and the length word.
  if (isText(baseType) && baseType.length !== null) return 4 * baseType.length + 4;
  // Four decimal digits in two bytes, and the header.
  if (baseType.numeric !== null) return Math.ceil(baseType.numeric.precision / 4) * 2 + 12;
  return Number.POSITIVE_INFINITY;
}
