// T-SQL's built-in functions by name: strings, mathematics, logic, JSON and the session's state.
// Dates are in call-date.ts, aggregates and window functions in call-aggregate.ts.
import type { SqlType } from '../session.ts';
import type { Expr } from './ast.ts';
import { AGGREGATES, bindAggregate } from './call-aggregate.ts';
import { DATE_FUNCTIONS } from './call-date.ts';
import { convert } from './convert.ts';
import { errors, SqlError, unsupported } from './errors.ts';
import { type Binder, compare, concatenation, unify } from './expression.ts';
import { type Bound, type Scope, text } from './scope.ts';
import {
  BIGINT,
  category,
  decimal,
  FLOAT,
  fixedBytes,
  INT,
  isDecimal,
  isUnicode,
  nvarchar,
  varchar,
} from './types.ts';

export type Call = Extract<Expr, { k: 'call' }>;
export type Bind = (binder: Binder, call: Call, scope: Scope) => Bound;

/** A function of plain values. */
type Plain = (...args: Bound[]) => Bound;

const string = (e: Bound): Bound =>
  category(e.type) === 'string' && !e.untypedNull ? e : convert(e, nvarchar(4000));
const integer = (e: Bound): string => convert(e, INT, { implicit: true }).sql;
const varying = (e: Bound, length = e.type.length): SqlType => ({
  name: isUnicode(e.type) ? 'nvarchar' : 'varchar',
  ...(length !== undefined && { length }),
});

function like(e: Bound, sql: string, more: Partial<Bound> = {}): Bound {
  return { sql, type: varying(e), nullable: true, collation: e.collation, ...more };
}

function made(sql: string, type: SqlType, nullable = true): Bound {
  return { sql, type, nullable, collation: null };
}

/** name(t(e)) for PostgreSQL functions of text, which must not lose trailing blanks. */
const onText =
  (name: string, trim = ''): Plain =>
  (value) => {
    const e = string(value);
    return like(e, `${name}(_sandbox.t(${e.sql})${trim})::bpchar`, { nullable: e.nullable });
  };

const math =
  (name: string): Plain =>
  (e) => {
    const value = category(e.type) === 'string' ? convert(e, FLOAT) : e;
    const floating = value.type.name === 'float' || value.type.name === 'real';
    if (floating) return made(`${name}(${value.sql}::float8)`, FLOAT, e.nullable);
    if (!isDecimal(value.type))
      return made(name === 'abs' ? `abs(${value.sql})` : value.sql, value.type, e.nullable);
    const type = name === 'abs' ? value.type : decimal(value.type.precision ?? 38, 0);
    return made(`${name}(${value.sql})`, type, e.nullable);
  };

const floatMath =
  (name: string): Plain =>
  (e) =>
    made(`${name}(${convert(e, FLOAT).sql})`, FLOAT, e.nullable);

const slice =
  (sql: (value: string, length: string) => string): Plain =>
  (value, length) => {
    const e = string(value);
    const size = length?.literal !== undefined ? Math.max(1, Number(length.literal)) : undefined;
    const known =
      size !== undefined && e.type.length !== 'max' ? Math.min(size, e.type.length ?? size) : e.type.length;
    return like(e, `${sql(`_sandbox.t(${e.sql})`, integer(length!))}::bpchar`, { type: varying(e, known) });
  };

function jsonPath(path: Bound | undefined): string {
  if (!path) return "'{}'";
  if (path.literal === undefined) throw unsupported('a JSON path that is not a literal');
  return text(pathAsArray(path.literal));
}

/** `lax $.a."b c"[0]` as the text array that PostgreSQL's #> takes. */
export function pathAsArray(path: string): string {
  const m = /^\s*(lax\s+|strict\s+)?\$(.*)$/s.exec(path);
  if (!m || m[1]?.startsWith('strict')) throw unsupported(`JSON path '${path}'`);
  const steps: string[] = [];
  const rest = (m[2] ?? '').replace(
    /\.\s*"((?:[^"\\]|\\.)*)"|\.\s*([\p{L}_$][\p{L}\p{N}_$]*)|\[(\d+)\]/gu,
    (_, quoted, word, index) => {
      steps.push(quoted ?? word ?? index);
      return '';
    },
  );
  if (rest.trim())
    throw new SqlError(
      13607,
      `JSON path is not properly formatted. Unexpected character '${rest.trim()[0]}' is found at position ${path.length - rest.length}.`,
      4,
    );
  return `{${steps.map((s) => `"${s.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`;
}

const PLAIN: Readonly<Record<string, readonly [min: number, max: number, make: Plain]>> = {
  ISNULL: [
    2,
    2,
    (a, b) => {
      const type = a!.untypedNull ? b!.type : a!.type;
      return {
        sql: `COALESCE(${convert(a!, type).sql},${convert(b!, type).sql})`,
        type,
        nullable: a!.nullable && b!.nullable,
        collation: a!.collation ?? b!.collation,
      };
    },
  ],
  COALESCE: [
    2,
    99,
    (...args) => {
      const { type, values, collation } = unify(args);
      return {
        sql: `COALESCE(${values.join(',')})`,
        type,
        nullable: args.every((a) => a.nullable),
        collation,
      };
    },
  ],
  NULLIF: [
    2,
    2,
    (a, b) => ({
      ...a!,
      sql: `(CASE WHEN ${compare('=', a!, b!)} THEN NULL ELSE ${a!.sql} END)`,
      nullable: true,
    }),
  ],
  CHOOSE: [
    2,
    99,
    (index, ...args) => {
      const { type, values, collation } = unify(args);
      return {
        sql: `(CASE ${integer(index!)} ${values.map((v, i) => `WHEN ${i + 1} THEN ${v}`).join(' ')} END)`,
        type,
        nullable: true,
        collation,
      };
    },
  ],
  CONCAT: [
    2,
    254,
    (...args) =>
      args
        .map((a) => convert(string(a), string(a).type))
        .map((a) => ({ ...a, sql: `COALESCE(${a.sql},''::bpchar)`, nullable: false }))
        .reduce(concatenation),
  ],
  CONCAT_WS: [
    3,
    254,
    (separator, ...args) => {
      const parts = args.map(string);
      const type = [...parts, string(separator!)].some((p) => isUnicode(p.type))
        ? nvarchar(4000)
        : varchar(8000);
      return made(
        `concat_ws(_sandbox.t(${string(separator!).sql}),${parts.map((p) => `_sandbox.t(${p.sql})`).join(',')})::bpchar`,
        type,
        false,
      );
    },
  ],
  LEN: [
    1,
    1,
    (e) => made(`_sandbox.len(${string(e!).sql})`, e!.type.length === 'max' ? BIGINT : INT, e!.nullable),
  ],
  DATALENGTH: [
    1,
    1,
    (e) => {
      const type = e!.type.length === 'max' ? BIGINT : INT;
      if (category(e!.type) === 'binary') return made(`octet_length(${e!.sql})`, type, e!.nullable);
      const bytes = fixedBytes(e!.type);
      if (bytes) return made(`(CASE WHEN ${e!.sql} IS NOT NULL THEN ${bytes} END)`, INT, e!.nullable);
      if (category(e!.type) !== 'string') throw unsupported(`DATALENGTH of ${e!.type.name}`);
      return made(
        isUnicode(e!.type) ? `(2*_sandbox.units(${e!.sql}))` : `char_length(_sandbox.t(${e!.sql}))`,
        type,
        e!.nullable,
      );
    },
  ],
  LEFT: [2, 2, slice((v, n) => `_sandbox.left(${v},${n})`)],
  RIGHT: [2, 2, slice((v, n) => `_sandbox.right(${v},${n})`)],
  SUBSTRING: [
    3,
    3,
    (value, start, length) => {
      if (category(value!.type) === 'binary')
        return made(`substr(${value!.sql},${integer(start!)},${integer(length!)})`, value!.type);
      return slice((v, n) => `substr(${v},${integer(start!)},${n})`)(value!, length!);
    },
  ],
  REPLACE: [
    3,
    3,
    (value, from, to) => {
      const e = string(value!);
      const collate = e.collation ? '' : ' COLLATE _sandbox.ci';
      return like(
        e,
        `replace(_sandbox.t(${e.sql})${collate},_sandbox.t(${string(from!).sql}),_sandbox.t(${string(to!).sql}))::bpchar`,
        { type: varying(e, isUnicode(e.type) ? 4000 : 8000) },
      );
    },
  ],
  UPPER: [1, 1, onText('upper', ' COLLATE pg_c_utf8')],
  LOWER: [1, 1, onText('lower', ' COLLATE pg_c_utf8')],
  LTRIM: [1, 1, onText('ltrim', ",' '")],
  RTRIM: [1, 1, onText('rtrim', ",' '")],
  TRIM: [1, 1, onText('btrim', ",' '")],
  REVERSE: [1, 1, onText('reverse')],
  REPLICATE: [
    2,
    2,
    (value, n) => {
      const e = string(value!);
      return like(e, `repeat(_sandbox.t(${e.sql}),${integer(n!)})::bpchar`, {
        type: varying(e, e.type.length === 'max' ? 'max' : isUnicode(e.type) ? 4000 : 8000),
      });
    },
  ],
  SPACE: [1, 1, (n) => made(`repeat(' ',${integer(n!)})::bpchar`, varchar(8000))],
  STUFF: [
    4,
    4,
    (value, start, length, insert) => {
      const e = string(value!);
      return like(
        e,
        `_sandbox.stuff(_sandbox.t(${e.sql}),${integer(start!)},${integer(length!)},_sandbox.t(${string(insert!).sql}))::bpchar`,
        { type: varying(e, isUnicode(e.type) ? 4000 : 8000) },
      );
    },
  ],
  CHARINDEX: [
    2,
    3,
    (needle, value, from) => {
      const [n, e] = [string(needle!), string(value!)];
      const collate = e.collation || n.collation ? '' : ' COLLATE _sandbox.ci';
      return made(
        `_sandbox.charindex(_sandbox.t(${n.sql}),_sandbox.t(${e.sql})${collate},${from ? integer(from) : 1})`,
        e.type.length === 'max' ? BIGINT : INT,
      );
    },
  ],
  ASCII: [1, 1, (e) => made(`ascii(_sandbox.t(${string(e!).sql}))`, INT)],
  UNICODE: [1, 1, (e) => made(`ascii(_sandbox.t(${string(e!).sql}))`, INT)],
  CHAR: [1, 1, (e) => made(`chr(${integer(e!)})::bpchar`, { name: 'char', length: 1 })],
  NCHAR: [1, 1, (e) => made(`chr(${integer(e!)})::bpchar`, { name: 'nchar', length: 1 })],
  QUOTENAME: [
    1,
    1,
    (e) => made(`('['||replace(_sandbox.t(${string(e!).sql}),']',']]')||']')::bpchar`, nvarchar(258)),
  ],
  STR: [
    1,
    3,
    () => {
      throw unsupported('function STR');
    },
  ],
  NEWID: [0, 0, () => made('gen_random_uuid()', { name: 'uniqueidentifier' }, false)],
  ABS: [1, 1, math('abs')],
  FLOOR: [1, 1, math('floor')],
  CEILING: [1, 1, math('ceil')],
  SQRT: [1, 1, floatMath('sqrt')],
  EXP: [1, 1, floatMath('exp')],
  LOG: [1, 1, floatMath('ln')],
  LOG10: [1, 1, floatMath('log10')],
  RAND: [0, 0, () => made('random()', FLOAT, false)],
  PI: [0, 0, () => made('pi()', FLOAT, false)],
  SIGN: [1, 1, (e) => made(`sign(${e!.sql})`, e!.type, e!.nullable)],
  POWER: [
    2,
    2,
    (a, b) => convert(made(`power(${convert(a!, FLOAT).sql},${convert(b!, FLOAT).sql})`, FLOAT), a!.type),
  ],
  ROUND: [
    2,
    3,
    (e, places, cut) => {
      if (cut && cut.literal !== '0' && cut.literal !== '1')
        throw unsupported('ROUND with a function that is not 0 or 1');
      const value = category(e!.type) === 'string' ? convert(e!, FLOAT) : e!;
      return convert(
        made(
          `${cut?.literal === '1' ? 'trunc' : 'round'}((${value.sql})::numeric,${integer(places!)})`,
          decimal(38, value.type.scale ?? 10),
        ),
        value.type,
      );
    },
  ],
  HASHBYTES: [
    2,
    2,
    (algorithm, value) => {
      const name = algorithm!.literal?.toUpperCase() ?? '';
      const hash = { MD5: 'md5', SHA2_256: 'sha256', SHA2_512: 'sha512' }[name];
      if (!hash) throw unsupported(`HASHBYTES('${name}')`);
      const bytes = convert(value!, { name: 'varbinary', length: 'max' }).sql;
      return made(hash === 'md5' ? `decode(md5(${bytes}),'hex')` : `${hash}(${bytes})`, {
        name: 'varbinary',
        length: 8000,
      });
    },
  ],
  ISJSON: [1, 1, (e) => made(`(_sandbox.t(${string(e!).sql}) IS JSON)::int`, INT)],
  JSON_VALUE: [
    2,
    2,
    (e, path) =>
      made(`_sandbox.json_value(_sandbox.t(${string(e!).sql}),${jsonPath(path)}::text[])`, nvarchar(4000)),
  ],
  JSON_QUERY: [
    1,
    2,
    (e, path) =>
      made(`_sandbox.json_query(_sandbox.t(${string(e!).sql}),${jsonPath(path)}::text[])`, nvarchar('max')),
  ],
  STRING_ESCAPE: [
    2,
    2,
    (e) => made(`trim(both '"' from to_json(_sandbox.t(${string(e!).sql}))::text)::bpchar`, nvarchar('max')),
  ],
  OBJECT_ID: [
    1,
    2,
    (name, kind) =>
      made(
        `(SELECT _sandbox.object_id(${string(name!).sql},${kind ? string(kind).sql : 'NULL::bpchar'}))`,
        INT,
      ),
  ],
  OBJECT_NAME: [
    1,
    1,
    (id) => made(`_sandbox.object_name(${integer(id!)})`, { name: 'sysname', length: 128 }),
  ],
  OBJECT_SCHEMA_NAME: [
    1,
    1,
    (id) => made(`_sandbox.object_schema(${integer(id!)})`, { name: 'sysname', length: 128 }),
  ],
  COL_LENGTH: [
    2,
    2,
    (table, column) =>
      made(`_sandbox.col_length(${string(table!).sql},${string(column!).sql})`, { name: 'smallint' }),
  ],
  COLUMNPROPERTY: [
    3,
    3,
    (table, column, what) =>
      made(`_sandbox.column_property(${integer(table!)},${string(column!).sql},${string(what!).sql})`, INT),
  ],
  SCHEMA_ID: [
    0,
    1,
    (name) => made(`(SELECT _sandbox.schema_id(${name ? string(name).sql : "'dbo'::bpchar"}))`, INT),
  ],
  SCHEMA_NAME: [
    0,
    1,
    (id) =>
      made(id ? `_sandbox.schema_name(${integer(id)})` : "'dbo'::bpchar", { name: 'sysname', length: 128 }),
  ],
  TYPE_NAME: [1, 1, (id) => made(`_sandbox.type_name(${integer(id!)})`, { name: 'sysname', length: 128 })],
  DB_ID: [
    0,
    1,
    (name) => made(`_sandbox.db_id(${name ? string(name).sql : 'NULL::bpchar'})`, { name: 'smallint' }),
  ],
  SERVERPROPERTY: [1, 1, (name) => made(`_sandbox.server_property(${string(name!).sql})`, nvarchar(128))],
  DATABASEPROPERTYEX: [
    2,
    2,
    (_, name) => made(`_sandbox.database_property(${string(name!).sql})`, nvarchar(128)),
  ],
  HAS_PERMS_BY_NAME: [3, 3, () => made('1', INT, false)],
  IS_SRVROLEMEMBER: [1, 2, () => made('1', INT, false)],
  IS_MEMBER: [1, 1, () => made('1', INT, false)],
};

const SYSNAME: SqlType = { name: 'sysname', length: 128 };

/** What the session answers itself: bound as a parameter when the statement runs. */
const SESSION: Readonly<Record<string, SqlType>> = {
  '@@ROWCOUNT': INT,
  '@@TRANCOUNT': INT,
  '@@ERROR': INT,
  '@@SPID': { name: 'smallint' },
  '@@VERSION': nvarchar(300),
  '@@SERVERNAME': SYSNAME,
  '@@SERVICENAME': SYSNAME,
  '@@LANGUAGE': SYSNAME,
  '@@IDENTITY': decimal(38, 0),
  '@@LOCK_TIMEOUT': INT,
  '@@OPTIONS': INT,
  '@@NESTLEVEL': INT,
  '@@DATEFIRST': { name: 'tinyint' },
  '@@MAX_PRECISION': { name: 'tinyint' },
  ROWCOUNT_BIG: BIGINT,
  SCOPE_IDENTITY: decimal(38, 0),
  XACT_STATE: { name: 'smallint' },
  ERROR_NUMBER: INT,
  ERROR_MESSAGE: nvarchar(4000),
  ERROR_SEVERITY: INT,
  ERROR_STATE: INT,
  ERROR_LINE: INT,
  ERROR_PROCEDURE: nvarchar(128),
  DB_NAME: nvarchar(128),
  APP_NAME: nvarchar(128),
  HOST_NAME: nvarchar(128),
  SUSER_NAME: nvarchar(128),
  SUSER_SNAME: nvarchar(128),
  ORIGINAL_LOGIN: SYSNAME,
  SYSTEM_USER: nvarchar(128),
  USER_NAME: nvarchar(128),
  CURRENT_USER: nvarchar(128),
  SESSION_USER: nvarchar(128),
};

export function bindCall(binder: Binder, call: Call, scope: Scope): Bound {
  const { name } = call;
  if (AGGREGATES.has(name)) return bindAggregate(binder, call, scope);
  if (call.over || call.within.length > 0) throw unsupported(`OVER or WITHIN GROUP on ${name}`);
  if (name === 'IIF') {
    const [test, yes, no] = call.args;
    if (!test || !yes || !no) throw argumentCount(name, 3);
    return binder.scalar(
      { k: 'case', base: null, whens: [{ when: test, result: yes }], otherwise: no },
      scope,
    );
  }
  const session = SESSION[name];
  if (session && (call.args.length === 0 || name === 'SUSER_SNAME' || name === 'USER_NAME'))
    return binder.parameter({ session: name }, session);
  const date = DATE_FUNCTIONS[name];
  if (date) return date(binder, call, scope);
  const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
  if (!plain) {
    if (name.startsWith('@@')) throw name in SESSION ? errors.syntax(name) : unsupported(name);
    throw unsupported(`function ${name}`);
  }
  const [min, max, make] = plain;
  if (call.args.length < min || call.args.length > max) throw argumentCount(name, min);
  return make(...call.args.map((a) => binder.scalar(a, scope)));
}

export function argumentCount(name: string, count: number): SqlError {
  return new SqlError(174, `The ${name.toLowerCase()} function requires ${count} argument(s).`, 1, 15);
}
