// Conversions between SQL Server's types, explicit (CAST, CONVERT, TRY_…) and implicit.
// (https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql)
import type { SqlType } from '../session.ts';
import { fromBinary, limited, toBinary } from './convert-binary.ts';
import { sqlError, unsupported } from './errors.ts';
import { type Bound, type ColumnMeta, shown, type TableMeta, text } from './scope.ts';
import { asDecimal, category, isFixed, isFloat, isInteger, isUnicode, pgType } from './types.ts';

export interface Conversion {
  readonly style?: number;
  /** TRY_CAST, TRY_CONVERT: NULL in place of an error. */
  readonly attempt?: boolean;
  readonly implicit?: boolean;
}

/** Throws 206 or 257 where SQL Server allows no such conversion. */
export function convert(e: Bound, to: SqlType, how: Conversion = {}): Bound {
  const result = (sql: string): Bound => ({
    sql,
    type: to,
    nullable: e.nullable || how.attempt === true,
    collation: category(to) === 'string' ? e.collation : null,
    ...(e.literal !== undefined && { literal: e.literal }),
  });
  if (e.untypedNull) return { ...result(`NULL::${pgType(to)}`), untypedNull: true };
  const [from, into] = [category(e.type), category(to)];
  const attempt = how.attempt === true;
  if (from === 'string') return result(fromString(e, to, how.style ?? 0, attempt));
  if (into === 'string') return result(toText(e, to, how.style ?? 0));
  if (from === 'number' && into === 'number') return result(numberToNumber(e, to, attempt));
  if (from === 'date' && into === 'date') return result(dateToDate(e, to));
  if (from === 'binary' && into === 'binary') {
    const cut = to.length !== 'max' && !fits(e.type, to) ? `substr(${e.sql},1,${to.length})` : e.sql;
    return result(to.name === 'binary' ? `_sandbox.pad_binary(${cut},${to.length})` : cut);
  }
  if (from === into) return result(e.sql);
  const bytes = from === 'binary' ? fromBinary(e, to) : into === 'binary' ? toBinary(e, to) : undefined;
  if (bytes) return result(bytes);
  if (how.implicit)
    throw from === 'date' || into === 'date'
      ? sqlError(206, e.type.name, to.name)
      : sqlError(257, e.type.name, to.name);
  if (
    (from === 'date' && into === 'number') ||
    (from === 'number' && into === 'date') ||
    (from === 'binary' && !isFloat(to)) ||
    into === 'binary'
  ) {
    throw unsupported(`conversion from ${e.type.name} to ${to.name}`);
  }
  throw sqlError(529, e.type.name, to.name);
}

/** Whether every value of `from` is short enough for `to`. */
function fits(from: SqlType, to: SqlType): boolean {
  if (to.length === 'max' || to.length === undefined) return true;
  return from.length !== undefined && from.length !== 'max' && from.length <= to.length;
}

const HAS_OWN_CAST = new Set<SqlType['name']>([
  'decimal',
  'numeric',
  'money',
  'date',
  'time',
  'datetime2',
  'datetimeoffset',
]);
const COLUMN = /^"(?:[^"]|"")+"\."(?:[^"]|"")+"$/;

/** PostgreSQL's own cast of a column whose texts were seen to be fit for it. */
function fromSeen({ sql, suits }: Bound, to: SqlType): string | null {
  if (!suits || !HAS_OWN_CAST.has(to.name) || !COLUMN.test(sql) || !suits(to)) return null;
  if (to.name === 'date') return `${sql}::timestamp::date`;
  if (to.name === 'datetimeoffset')
    return `(CASE WHEN ${sql} IS NOT NULL THEN ROW(${sql}::timestamp,0)::_sandbox.dto END)`;
  return `${sql}::${pgType(to)}`;
}

function fromString(e: Bound, to: SqlType, style: number, attempt: boolean): string {
  const seen = fromSeen(e, to);
  if (seen) return seen;
  const source = text(e.type.name);
  switch (to.name) {
    case 'bit':
      return `_sandbox.to_bit(${e.sql},${source},${attempt})`;
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      return `_sandbox.to_integer(${e.sql},'${to.name}',${source},${attempt})::${pgType(to)}`;
    case 'decimal':
    case 'numeric':
      return `_sandbox.to_decimal(${e.sql},${to.precision},${to.scale},${source},${attempt})::${pgType(to)}`;
    case 'money':
      return `_sandbox.to_decimal(${e.sql},19,4,${source},${attempt})::numeric(19,4)`;
    case 'float':
    case 'real':
      return `_sandbox.to_float(${e.sql},${source},${attempt})::${pgType(to)}`;
    case 'uniqueidentifier':
      return `_sandbox.to_uuid(${e.sql},${attempt})`;
    case 'binary':
    case 'varbinary': {
      if (style === 0 && isUnicode(e.type)) return limited(`_sandbox.utf16(${e.sql})`, to);
      return limited(
        style === 0 ? `_sandbox.cp1252_bytes(${e.sql})` : `_sandbox.hex_bytes(${e.sql},${style},${attempt})`,
        to,
      );
    }
    case 'datetimeoffset':
      return `_sandbox.to_moment(${e.sql},'datetimeoffset',${style},${to.scale ?? 7},${attempt})`;
    case 'date':
    case 'time':
    case 'datetime':
    case 'smalldatetime':
    case 'datetime2': {
      const local = `_sandbox.local(_sandbox.to_moment(${e.sql},'${to.name}',${style},${to.scale ?? 7},${attempt}))`;
      return rounded(local, to);
    }
    default: {
      const narrow = isUnicode(e.type) && !isUnicode(to) ? `_sandbox.cp1252(${e.sql})` : e.sql;
      if (isFixed(to)) return `_sandbox.pad(${narrow},${to.length})`;
      return fits(e.type, to) ? narrow : `_sandbox.cut(${narrow},${to.length})`;
    }
  }
}

/** A timestamp as the date type asks: PostgreSQL rounds to its digits as SQL Server does. */
function rounded(sql: string, to: SqlType): string {
  if (to.name === 'datetime') return `_sandbox.to_datetime(${sql})`;
  if (to.name === 'smalldatetime')
    return `date_trunc('minute',(${sql})+interval '29.999 seconds')::timestamp(0)`;
  return `(${sql})::${pgType(to)}`;
}

function toText(e: Bound, to: SqlType, style: number): string {
  let sql: string;
  switch (category(e.type)) {
    case 'date':
      sql = `_sandbox.date_text(${dateAsMoment(e)},'${e.type.name}',${e.type.scale ?? 0},${style})`;
      break;
    case 'binary':
      if (style === 1 || style === 2)
        sql = `(${style === 1 ? "'0x'||" : ''}upper(encode(${e.sql},'hex')))::bpchar`;
      else sql = isUnicode(to) ? `_sandbox.from_utf16(${e.sql})` : `convert_from(${e.sql},'WIN1252')::bpchar`;
      break;
    case 'guid':
      sql = `upper((${e.sql})::text)::bpchar`;
      break;
    default:
      if (e.type.name === 'bit') sql = `(CASE WHEN ${e.sql} THEN '1' WHEN NOT ${e.sql} THEN '0' END)::bpchar`;
      else if (e.type.name === 'float' || e.type.name === 'real') {
        const digits = [undefined, 8, 16, 17][style];
        sql = digits ? `_sandbox.float_digits(${e.sql},${digits})` : `_sandbox.float_text(${e.sql})`;
      } else if (e.type.name === 'money') sql = `round(${e.sql},${style === 2 ? 4 : 2})::text::bpchar`;
      else sql = `(${e.sql})::text::bpchar`;
      if (to.length !== 'max' && !isUnicode(to) && ['tinyint', 'smallint', 'int'].includes(e.type.name))
        return padded(`(CASE WHEN octet_length(${sql})>${to.length} THEN '*' ELSE ${sql} END)::bpchar`, to);
      if (to.length !== 'max') return padded(`_sandbox.fit_number(${sql},${to.length},${text(to.name)})`, to);
  }
  if (to.length === 'max') return sql;
  return isFixed(to) ? padded(sql, to) : `_sandbox.cut(${sql},${to.length ?? 30})`;
}

const padded = (sql: string, to: SqlType): string =>
  isFixed(to) ? `_sandbox.pad(${sql},${to.length})` : sql;

/** Any date type as the composite that carries a local time and its offset. */
export function dateAsMoment(e: Bound): string {
  if (e.type.name === 'datetimeoffset') return e.sql;
  const local = e.type.name === 'time' ? `(date '1900-01-01'+${e.sql})` : `(${e.sql})::timestamp`;
  return `_sandbox.moment(${local},0)`;
}

function dateToDate(e: Bound, to: SqlType): string {
  if (e.type.name === to.name && (e.type.scale ?? 0) <= (to.scale ?? 0)) return e.sql;
  if (to.name === 'datetimeoffset') return `_sandbox.round_moment(${dateAsMoment(e)},${to.scale ?? 7})`;
  if ((e.type.name === 'date' && to.name === 'time') || (e.type.name === 'time' && to.name === 'date')) {
    throw sqlError(206, e.type.name, to.name);
  }
  const local =
    e.type.name === 'datetimeoffset'
      ? `_sandbox.local(${e.sql})`
      : e.type.name === 'time'
        ? `(date '1900-01-01'+${e.sql})`
        : e.sql;
  return rounded(local, to);
}

const RANGE: Readonly<Record<string, readonly [string, string]>> = {
  tinyint: ['0', '255'],
  smallint: ['-32768', '32767'],
  int: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807'],
};
const WIDTH = ['bit', 'tinyint', 'smallint', 'int', 'bigint'];

function numberToNumber(e: Bound, to: SqlType, attempt: boolean): string {
  const from = e.type;
  if (from.name === to.name && from.precision === to.precision && from.scale === to.scale) return e.sql;
  if (to.name === 'bit') return `((${e.sql})<>0)`;
  const value = from.name === 'bit' ? `(${e.sql})::int` : e.sql;
  if (isInteger(to)) {
    const whole = isInteger(from) || from.name === 'bit' ? value : `trunc((${value})::numeric)`;
    if (WIDTH.includes(from.name) && WIDTH.indexOf(from.name) <= WIDTH.indexOf(to.name))
      return `(${value})::${pgType(to)}`;
    const range = RANGE[to.name]!;
    if (attempt)
      return `(CASE WHEN ${whole} BETWEEN ${range[0]} AND ${range[1]} THEN ${whole} END)::${pgType(to)}`;
    if (isInteger(from) && (to.name === 'tinyint' || to.name === 'smallint'))
      return `_sandbox.narrow(${whole},'${to.name}',${range[0]},${range[1]})`;
    return to.name === 'tinyint' ? `_sandbox.tiny((${whole})::bigint)` : `(${whole})::${pgType(to)}`;
  }
  if (to.name === 'float' || to.name === 'real') return `(${value})::${pgType(to)}`;
  const { precision, scale } = asDecimal(to);
  if (attempt)
    return `(CASE WHEN abs(round((${value})::numeric,${scale}))<1e${(precision ?? 0) - (scale ?? 0)} THEN (${value})::${pgType(to)} END)`;
  return `(${value})::${pgType(to)}`;
}

/** A value on its way into a column: converted, and too long is error 2628, not cut. */
export function assign(e: Bound, column: ColumnMeta, table: TableMeta): string {
  const to = column.type;
  const kind = category(to);
  if (e.untypedNull) return convert(e, to).sql;
  if (kind === 'string' && to.length !== 'max') {
    const wide: Bound =
      category(e.type) === 'string'
        ? e
        : convert(e, {
            name: to.name === 'char' ? 'varchar' : to.name === 'nchar' ? 'nvarchar' : to.name,
            length: 'max',
          });
    const narrow = isUnicode(wide.type) && !isUnicode(to) ? `_sandbox.cp1252(${wide.sql})` : wide.sql;
    const checked = fits(wide.type, to)
      ? narrow
      : `_sandbox.fit(${narrow},${to.length},${text(shown(table))},${text(column.name)})`;
    return isFixed(to) ? `_sandbox.pad(${checked},${to.length})` : checked;
  }
  if (kind === 'binary' && category(e.type) === 'binary') {
    const checked = fits(e.type, to)
      ? e.sql
      : `_sandbox.fit_binary(${e.sql},${to.length},${text(shown(table))},${text(column.name)})`;
    return to.name === 'binary' ? `_sandbox.pad_binary(${checked},${to.length})` : checked;
  }
  return convert(e, to, { implicit: true }).sql;
}

/** Both operands of a comparison or set operation in one type, as PostgreSQL compares it. */
export function comparable(e: Bound, to: SqlType): string {
  if (e.untypedNull) return convert(e, to).sql;
  if (
    category(e.type) === 'number' &&
    category(to) === 'number' &&
    e.type.name !== 'bit' &&
    to.name !== 'bit'
  )
    return e.sql;
  if (category(e.type) === 'string' && category(to) === 'string') return e.sql;
  if (e.type.name === to.name) return e.sql;
  if (
    ['date', 'datetime2', 'datetime', 'smalldatetime'].includes(e.type.name) &&
    ['datetime2', 'datetime', 'smalldatetime'].includes(to.name)
  )
    return e.sql;
  return convert(e, to, { implicit: true }).sql;
}
