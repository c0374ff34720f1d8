// Functions with rules of their own: those whose result's type, or whose translation, hangs on what they are given.
import type { SqlType } from '../session.ts';
import { asText, count, integer, local, moment, string, varying } from './call-argument.ts';
import { format } from './call-format.ts';
import { convert } from './convert.ts';
import { unsupported } from './errors.ts';
import { jsonPath } from './json-path.ts';
import { compare, concatenation, likeAsRegex, unify } from './operators.ts';
import { type Bound, bound, text } from './scope.ts';
import {
  category,
  decimal,
  FLOAT,
  fixedBytes,
  INT,
  isDecimal,
  isFloat,
  isUnicode,
  nvarchar,
  pgType,
  varchar,
} from './types.ts';

type Make = (...args: Bound[]) => Bound;
interface Special {
  readonly min: number;
  readonly max: number;
  readonly make: Make;
}
/** A function of `min` to `max` arguments. */
const takes = (min: number, max: number, make: Make): Special => ({ min, max, make });

const math =
  (name: string): Make =>
  (e) => {
    const value = category(e.type) === 'string' ? convert(e, FLOAT) : e;
    if (isFloat(value.type)) return bound(`${name}(${value.sql}::float8)`, FLOAT, value.nullable);
    const whole = name !== 'abs';
    if (!isDecimal(value.type))
      return bound(whole ? value.sql : `abs(${value.sql})`, value.type, value.nullable);
    return bound(
      `${name}(${value.sql})`,
      whole ? decimal(value.type.precision ?? 38, 0) : value.type,
      value.nullable,
    );
  };

/** `sql` is given the text and the length that is to be cut from it. */
const slice = (sql: (value: string, length: string) => string, value: Bound, length: Bound): Bound => {
  const e = string(value);
  const size = length.literal !== undefined ? Math.max(1, Number(length.literal)) : undefined;
  const known =
    size !== undefined && e.type.length !== 'max' ? Math.min(size, e.type.length ?? size) : e.type.length;
  return bound(`${sql(asText(e), integer(length))}::bpchar`, varying(e, known), true, e.collation);
};

/** One of several values of one type. */
const chosen = (
  sql: (values: readonly string[]) => string,
  of: readonly Bound[],
  nullable: boolean,
): Bound => {
  const { type, values, collation } = unify(of);
  return bound(sql(values), type, nullable, collation);
};

const offset = (e: Bound): string =>
  category(e.type) === 'string' ? `_sandbox.offset_minutes(${e.sql})` : convert(e, INT).sql;
const offsetType = (e: Bound): SqlType => ({ name: 'datetimeoffset', scale: e.type.scale ?? 7 });
const JSON_TYPES: Readonly<Record<string, SqlType>> = { value: nvarchar(4000), query: nvarchar('max') };
const json =
  (what: 'value' | 'query'): Make =>
  (e, path) =>
    bound(`_sandbox.json_${what}(${asText(e)},${jsonPath(path)})`, JSON_TYPES[what]!);

export const SPECIAL: Readonly<Record<string, Special>> = {
  ISNULL: takes(2, 2, (a, b) => {
    const type = a.untypedNull ? b.type : a.type;
    const sql = `COALESCE(${convert(a, type).sql},${convert(b, type).sql})`;
    return bound(sql, type, a.nullable && b.nullable, a.collation ?? b.collation);
  }),
  COALESCE: takes(2, 99, (...args) =>
    chosen(
      (values) => `COALESCE(${values.join(',')})`,
      args,
      args.every((a) => a.nullable),
    ),
  ),
  NULLIF: takes(2, 2, (a, b) => ({
    ...a,
    sql: `(CASE WHEN ${compare('=', a, b)} THEN NULL ELSE ${a.sql} END)`,
    nullable: true,
  })),
  CHOOSE: takes(2, 99, (index, ...args) => {
    const whens = (values: readonly string[]): string =>
      values.map((v, i) => `WHEN ${i + 1} THEN ${v}`).join(' ');
    return chosen((values) => `(CASE ${integer(index)} ${whens(values)} END)`, args, true);
  }),

  ABS: takes(1, 1, math('abs')),
  FLOOR: takes(1, 1, math('floor')),
  CEILING: takes(1, 1, math('ceil')),
  SIGN: takes(1, 1, (e) => bound(`sign(${e.sql})`, e.type, e.nullable)),
  POWER: takes(2, 2, (a, b) =>
    convert(bound(`power(${convert(a, FLOAT).sql},${convert(b, FLOAT).sql})`, FLOAT), a.type),
  ),
  ROUND: takes(2, 3, (e, places, cut) => {
    if (cut && cut.literal !== '0' && cut.literal !== '1')
      throw unsupported('ROUND with a function that is not 0 or 1');
    const value = category(e.type) === 'string' ? convert(e, FLOAT) : e;
    const sql = `${cut?.literal === '1' ? 'trunc' : 'round'}((${value.sql})::numeric,${integer(places)})`;
    return convert(bound(sql, decimal(38, value.type.scale ?? 10)), value.type);
  }),
  STR: takes(1, 3, (e, length, places) => {
    const [size, digits] = [Number(length?.literal ?? 10), Number(places?.literal ?? 0)];
    if (Number.isNaN(size + digits)) throw unsupported('STR with a length that is not a literal');
    const rounded = `round((${convert(e, FLOAT).sql})::numeric,${Math.min(digits, 16)})::text`;
    return bound(
      `(CASE WHEN length(${rounded})>${size} THEN repeat('*',${size}) ELSE lpad(${rounded},${size}) END)::bpchar`,
      varchar(size),
    );
  }),
  FORMAT: takes(2, 3, format),

  CONCAT: takes(2, 254, (...args) =>
    args
      .map((a) => ({ ...string(a), sql: `COALESCE(${string(a).sql},''::bpchar)`, nullable: false }))
      .reduce(concatenation),
  ),
  CONCAT_WS: takes(3, 254, (...args) => {
    const type = args.some((a) => isUnicode(string(a).type)) ? nvarchar(4000) : varchar(8000);
    return bound(`concat_ws(${args.map(asText).join(',')})::bpchar`, type, false);
  }),
  DATALENGTH: takes(1, 1, (e) => {
    const { type, sql, nullable } = e;
    if (category(type) === 'binary') return bound(`octet_length(${sql})`, count(e), nullable);
    const bytes = fixedBytes(type);
    if (bytes) return bound(`(CASE WHEN ${sql} IS NOT NULL THEN ${bytes} END)`, INT, nullable);
    if (category(type) !== 'string') throw unsupported(`DATALENGTH of ${type.name}`);
    return bound(
      isUnicode(type) ? `(2*_sandbox.units(${sql}))` : `char_length(_sandbox.t(${sql}))`,
      count(e),
      nullable,
    );
  }),
  LEFT: takes(2, 2, (e, n) => slice((v, length) => `_sandbox.left(${v},${length})`, e, n)),
  RIGHT: takes(2, 2, (e, n) => slice((v, length) => `_sandbox.right(${v},${length})`, e, n)),
  SUBSTRING: takes(3, 3, (e, start, n) =>
    category(e.type) === 'binary'
      ? bound(`substr(${e.sql},${integer(start)},${integer(n)})`, e.type)
      : slice((v, length) => `substr(${v},${integer(start)},${length})`, e, n),
  ),
  PATINDEX: takes(2, 2, (pattern, e) => {
    const inner = /^%(.*)%$/s.exec(pattern.literal ?? '')?.[1];
    if (inner === undefined || /[%\\]/.test(inner))
      throw unsupported("PATINDEX other than of a literal '%pattern%'");
    const regex = text(likeAsRegex(inner, '').replace(/^\^|\$$/g, ''));
    const flag = string(e).collation === 'binary' ? '' : 'i';
    return bound(
      `coalesce(regexp_instr(${asText(e)} COLLATE pg_c_utf8,${regex},1,1,0,'${flag}'),0)`,
      count(e),
    );
  }),
  HASHBYTES: takes(2, 2, (algorithm, value) => {
    const name = algorithm.literal?.toUpperCase() ?? '';
    const hash = { MD5: 'md5', SHA2_256: 'sha256', SHA2_512: 'sha512' }[name];
    if (!hash) throw unsupported(`HASHBYTES('${name}')`);
    const bytes = convert(value, { name: 'varbinary', length: 'max' }).sql;
    return bound(hash === 'md5' ? `decode(md5(${bytes}),'hex')` : `${hash}(${bytes})`, {
      name: 'varbinary',
      length: 8000,
    });
  }),
  JSON_VALUE: takes(2, 2, json('value')),
  JSON_QUERY: takes(1, 2, json('query')),

  SWITCHOFFSET: takes(2, 2, (e, to) => {
    const at = moment(e);
    const value = convert(at, { name: 'datetimeoffset', scale: 7 });
    return { ...value, sql: `_sandbox.switch_offset(${value.sql},${offset(to)})`, type: offsetType(at) };
  }),
  TODATETIMEOFFSET: takes(2, 2, (e, to) => {
    const at = moment(e);
    return { ...at, sql: `_sandbox.moment(${local(at)},${offset(to)})`, type: offsetType(at) };
  }),
};

/** DATEADD, behind the name of the part. */
export function dateAdd(unit: string, n: Bound, to: Bound): Bound {
  const e = moment(to);
  const type: SqlType = category(to.type) === 'string' ? { name: 'datetime' } : e.type;
  const sum = `_sandbox.date_add('${unit}',${convert(n, { name: 'bigint' }).sql},${local(e)},'${type.name}')`;
  if (type.name === 'datetimeoffset') return { ...e, sql: `_sandbox.moment(${sum},(${e.sql}).minutes)` };
  return {
    ...e,
    type,
    sql: type.name === 'datetime' ? `_sandbox.to_datetime(${sum})` : `(${sum})::${pgType(type)}`,
  };
}
