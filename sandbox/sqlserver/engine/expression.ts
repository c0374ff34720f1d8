// T-SQL expressions to PostgreSQL's, with SQL Server's result type, nullability and collation of each.
import type { SqlType } from '../session.ts';
import type { Body, Expr, Name, Query } from './ast.ts';
import { bindCall } from './call.ts';
import { comparable, convert } from './convert.ts';
import { errors, SqlError, unsupported } from './errors.ts';
import { type Bound, type Collation, Scope, type TableMeta, text } from './scope.ts';
import {
  arithmetic,
  asDecimal,
  category,
  common,
  decimal,
  FLOAT,
  INT,
  isDecimal,
  isInteger,
  nvarchar,
  pgType,
  varchar,
} from './types.ts';

/** Where the value of a bound parameter comes from: a variable, or the session's state (`@@ROWCOUNT`, `ERROR_NUMBER`). */
export type ParameterSource = { readonly variable: string } | { readonly session: string };

/** What a statement's translation may ask about its surroundings. */
export interface Surroundings {
  readonly database: string;
  table(name: Name): TableMeta;
  variable(name: string): SqlType | undefined;
  identityInsert(table: TableMeta): boolean;
}

export interface QueryColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly collation: Collation;
  readonly identity: boolean;
  readonly untypedNull?: boolean;
}

export interface BoundQuery {
  readonly sql: string;
  readonly columns: readonly QueryColumn[];
}

export type BindQuery = (binder: Binder, query: Query, parent: Scope | null) => BoundQuery;

/** Columns that a statement writes. */
export interface Write {
  readonly table: TableMeta;
  readonly columns: readonly string[];
}

export class Binder {
  readonly around: Surroundings;
  readonly writes: Write[] = [];
  readonly parameters: ParameterSource[] = [];
  /** An aggregate or window function was met: rows cannot be locked. */
  aggregated = false;
  private readonly bindQuery: BindQuery;

  constructor(around: Surroundings, bindQuery: BindQuery) {
    this.around = around;
    this.bindQuery = bindQuery;
  }

  query(query: Query, parent: Scope | null): BoundQuery {
    return this.bindQuery(this, query, parent);
  }

  /** A parameter of the PostgreSQL statement, typed by a cast. */
  parameter(source: ParameterSource, type: SqlType): Bound {
    const key = JSON.stringify(source);
    let at = this.parameters.findIndex((p) => JSON.stringify(p) === key);
    if (at < 0) at = this.parameters.push(source) - 1;
    const n = `$${at + 1}`;
    const sql = type.name === 'datetimeoffset' ? `_sandbox.moment_in(${n}::text)` : `${n}::${pgType(type)}`;
    return { sql, type, nullable: true, collation: null };
  }

  scalar(e: Expr, scope: Scope): Bound {
    switch (e.k) {
      case 'literal':
        return literal(e.type, e.v);
      case 'variable':
        return this.variable(e.name);
      case 'column':
        return scope.column(e.name);
      case 'unary':
        return this.unary(e.op, this.scalar(e.e, scope));
      case 'binary':
        return binary(e.op, this.scalar(e.l, scope), this.scalar(e.r, scope));
      case 'case':
        return this.caseExpression(e, scope);
      case 'call':
        return bindCall(this, e, scope);
      case 'cast': {
        const value = this.scalar(e.e, scope);
        const style = e.style ? Number(this.scalar(e.style, scope).literal ?? Number.NaN) : 0;
        if (Number.isNaN(style)) throw unsupported('CONVERT with a style that is not a number');
        const { untypedNull: _typedNow, ...typed } = convert(value, e.type, { style, attempt: e.attempt });
        return typed;
      }
      case 'subquery': {
        const { sql, columns } = this.query(e.query, scope);
        const [column] = columns;
        if (!column || columns.length > 1) {
          throw new SqlError(
            116,
            'Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.',
          );
        }
        return { ...column, nullable: true, sql: `(${sql})`, identity: false };
      }
      case 'collate': {
        const value = this.scalar(e.e, scope);
        const name = collationOf(e.collation);
        return {
          ...value,
          sql: `(${value.sql} COLLATE ${name === 'binary' ? '_sandbox.bin' : '_sandbox.ci'})`,
          collation: name,
        };
      }
      case 'atTimeZone':
        return this.atTimeZone(this.scalar(e.e, scope), this.scalar(e.zone, scope));
      case 'star':
        throw errors.syntax('*');
      default:
        throw new SqlError(102, 'Incorrect syntax near a search condition: a value was expected.', 1, 15);
    }
  }

  private variable(name: string): Bound {
    if (name.startsWith('@@'))
      return bindCall(
        this,
        { k: 'call', name: name.toUpperCase(), args: [], distinct: false, over: null, within: [] },
        new Scope(null),
      );
    const type = this.around.variable(name);
    if (!type) throw errors.undeclared(name);
    return this.parameter({ variable: name.toLowerCase() }, type);
  }

  private unary(op: string, e: Bound): Bound {
    if (op === '+') return e;
    const value = category(e.type) === 'string' ? convert(e, INT) : e;
    if (category(value.type) !== 'number') throw unsupported(`unary ${op} on ${e.type.name}`);
    if (op === '-') {
      const literalText = e.literal !== undefined ? { literal: `-${e.literal}` } : {};
      return { ...value, sql: `(-${value.sql})`, ...literalText };
    }
    if (value.type.name === 'bit') return { ...value, sql: `(NOT ${value.sql})` };
    return { ...value, sql: value.type.name === 'tinyint' ? `(255-${value.sql})` : `(~${value.sql})` };
  }

  private caseExpression(e: Extract<Expr, { k: 'case' }>, scope: Scope): Bound {
    const results = [...e.whens.map((w) => w.result), ...(e.otherwise ? [e.otherwise] : [])].map((r) =>
      this.scalar(r, scope),
    );
    const unified = unify(results);
    const whens = e.whens.map((w, i) => {
      const test = this.predicate(e.base ? { k: 'compare', op: '=', l: e.base, r: w.when } : w.when, scope);
      return `WHEN ${test} THEN ${unified.values[i]}`;
    });
    const otherwise = e.otherwise ? ` ELSE ${unified.values.at(-1)}` : '';
    return {
      sql: `(CASE ${whens.join(' ')}${otherwise} END)`,
      type: unified.type,
      nullable: !e.otherwise || results.some((r) => r.nullable),
      collation: unified.collation,
    };
  }

  private atTimeZone(e: Bound, zone: Bound): Bound {
    if (zone.literal?.toUpperCase() !== 'UTC') throw unsupported("AT TIME ZONE other than 'UTC'");
    const scale = e.type.scale ?? (e.type.name === 'datetime' ? 3 : 0);
    const type: SqlType = { name: 'datetimeoffset', scale };
    if (e.type.name === 'datetimeoffset') return { ...e, sql: `_sandbox.switch_offset(${e.sql},0)`, type };
    return convert(e, type);
  }

  /** A search condition as PostgreSQL's boolean. */
  predicate(e: Expr, scope: Scope): string {
    switch (e.k) {
      case 'logic':
        return `(${this.predicate(e.l, scope)} ${e.op} ${this.predicate(e.r, scope)})`;
      case 'not':
        return `(NOT ${this.predicate(e.e, scope)})`;
      case 'compare':
        return compare(e.op, this.scalar(e.l, scope), this.scalar(e.r, scope));
      case 'isNull':
        return `(${this.scalar(e.e, scope).sql} IS ${e.not ? 'NOT ' : ''}NULL)`;
      case 'between': {
        const test = `(${compare('>=', this.scalar(e.e, scope), this.scalar(e.low, scope))} AND ${compare('<=', this.scalar(e.e, scope), this.scalar(e.high, scope))})`;
        return e.not ? `(NOT ${test})` : test;
      }
      case 'in':
        return this.membership(e, scope);
      case 'like':
        return this.like(e, scope);
      case 'exists':
        return this.nullSafeEquality(e.query.body, scope) ?? `EXISTS (${this.query(e.query, scope).sql})`;
      default:
        throw new SqlError(
          4145,
          'An expression of non-boolean type specified in a context where a condition is expected.',
          1,
          15,
        );
    }
  }

  private membership(e: Extract<Expr, { k: 'in' }>, scope: Scope): string {
    const left = this.scalar(e.e, scope);
    const not = e.not ? 'NOT ' : '';
    if ('body' in e.list) {
      const { sql, columns } = this.query(e.list, scope);
      const column = columns[0]!;
      const right: Bound = { ...column, sql: '_q._c' };
      const type = common(left.type, column.type);
      return `(${collated(left, right, comparable(left, type))} ${not}IN (SELECT ${comparable(right, type)} FROM (${sql}) AS _q(_c)))`;
    }
    const tests = e.list.map((item) => compare('=', left, this.scalar(item, scope)));
    return `(${not}(${tests.join(' OR ')}))`;
  }

  private like(e: Extract<Expr, { k: 'like' }>, scope: Scope): string {
    const left = convert(this.scalar(e.e, scope), nvarchar('max'), { implicit: true });
    const pattern = convert(this.scalar(e.pattern, scope), nvarchar('max'), { implicit: true });
    const escaping = e.escape ? this.scalar(e.escape, scope).literal : '';
    if (escaping === undefined) throw unsupported('LIKE with an ESCAPE that is not a literal');
    const not = e.not ? 'NOT ' : '';
    if (pattern.literal?.includes('[')) {
      const regex = text(likeAsRegex(pattern.literal, escaping));
      return `(_sandbox.t(${left.sql}) COLLATE pg_c_utf8 ${e.not ? '!' : ''}~${left.collation === 'binary' ? '' : '*'} ${regex})`;
    }
    const right =
      pattern.literal !== undefined ? `_sandbox.t(${pattern.sql})` : `_sandbox.pattern(${pattern.sql})`;
    return `(${collated(left, left, `_sandbox.t(${left.sql})`)} ${not}LIKE ${right} ESCAPE ${text(escaping)})`;
  }

  /** EXISTS (SELECT a INTERSECT SELECT b): T-SQL's null-safe equality, without a subplan for each row. */
  private nullSafeEquality(body: Body, scope: Scope): string | null {
    if (body.k !== 'set' || body.op !== 'INTERSECT' || body.l.k !== 'select' || body.r.k !== 'select')
      return null;
    if (
      body.l.from ||
      body.r.from ||
      body.l.where ||
      body.r.where ||
      body.l.items.length !== body.r.items.length
    )
      return null;
    const rights = body.r.items;
    const tests = body.l.items.map((item, i) =>
      compare('IS NOT DISTINCT FROM', this.scalar(item.e, scope), this.scalar(rights[i]!.e, scope)),
    );
    return `(${tests.join(' AND ')})`;
  }
}

export function compare(op: string, l: Bound, r: Bound): string {
  const bit = bitComparison(op, l, r) ?? bitComparison(op, r, l);
  if (bit) return bit;
  const type = l.untypedNull ? r.type : r.untypedNull ? l.type : common(l.type, r.type);
  return `(${collated(l, r, comparable(l, type))} ${op} ${comparable(r, type)})`;
}

/** `flag = 1` as a test of the boolean itself. */
function bitComparison(op: string, bit: Bound, other: Bound): string | null {
  if (bit.type.name !== 'bit' || other.type.name !== 'int' || !/^(=|<>)$/.test(op)) return null;
  if (other.literal !== '0' && other.literal !== '1') return null;
  return `(${bit.sql} ${op} ${other.literal === '1'})`;
}

/** `sql`, under the default collation where neither operand brings one. */
function collated(l: Bound, r: Bound, sql: string): string {
  const string = category(l.type) === 'string' && category(r.type) === 'string';
  return string && !l.collation && !r.collation ? `(${sql} COLLATE _sandbox.ci)` : sql;
}

/** An ORDER BY key or window key: strings without a collation take the default one. */
export function ordered(e: Bound): string {
  return category(e.type) === 'string' && !e.collation ? `(${e.sql} COLLATE _sandbox.ci)` : e.sql;
}

/** One type for several results (CASE, COALESCE, UNION); each value's translation in it. */
export function unify(results: readonly Bound[]): { type: SqlType; values: string[]; collation: Collation } {
  const typed = results.filter((r) => !r.untypedNull);
  const type = typed.map((r) => r.type).reduce((a, b) => common(a, b), typed[0]?.type ?? INT);
  return {
    type,
    values: results.map((r) => convert(r, type, { implicit: true }).sql),
    collation: category(type) === 'string' ? (typed.find((r) => r.collation)?.collation ?? null) : null,
  };
}

function literal(type: Extract<Expr, { k: 'literal' }>['type'], v: string): Bound {
  const made = (sql: string, of: SqlType): Bound => ({
    sql,
    type: of,
    nullable: false,
    collation: null,
    literal: v,
  });
  switch (type) {
    case 'null':
      return { sql: 'NULL', type: INT, nullable: true, collation: null, untypedNull: true };
    case 'int':
      return made(v, INT);
    case 'decimal': {
      const [whole = '', fraction = ''] = v.split('.');
      const digits = whole.replace(/^0+/, '').length + fraction.length;
      if (digits > 38)
        throw new SqlError(
          1007,
          `The number '${v}' is out of the range for numeric representation (maximum precision 38).`,
          1,
          15,
        );
      return made(
        `${whole || '0'}${fraction ? `.${fraction}` : ''}::numeric`,
        decimal(Math.max(digits, 1), fraction.length),
      );
    }
    case 'float':
      return made(`${v}::float8`, FLOAT);
    case 'binary':
      return made(`'\\x${v.length % 2 ? '0' : ''}${v}'::bytea`, {
        name: 'varbinary',
        length: Math.max(1, Math.ceil(v.length / 2)),
      });
    default: {
      const length = Math.max(1, v.length);
      const of =
        type === 'varchar'
          ? varchar(length > 8000 ? 'max' : length)
          : nvarchar(length > 4000 ? 'max' : length);
      return made(`${text(v)}::bpchar`, of);
    }
  }
}

function binary(op: string, left: Bound, right: Bound): Bound {
  const l = left.untypedNull ? convert(left, right.type) : left;
  const r = right.untypedNull ? convert(right, l.type) : right;
  const [a, b] = [category(l.type), category(r.type)];
  const nullable = l.nullable || r.nullable;
  if (op === '+' && a === 'string' && b === 'string') return concatenation(l, r);
  if (op === '+' && a === 'binary' && b === 'binary') {
    return {
      sql: `(${l.sql}||${r.sql})`,
      type: { name: 'varbinary', length: sum(l.type, r.type, 8000) },
      nullable,
      collation: null,
    };
  }
  if ((a === 'date') !== (b === 'date') && (op === '+' || op === '-')) return dateArithmetic(op, l, r);
  if (a !== 'number' && b !== 'number' && a !== 'string')
    throw new SqlError(8117, `Operand data type ${l.type.name} is invalid for ${op} operator.`);
  const type = common(l.type, r.type);
  if (category(type) !== 'number') throw errors.clash(l.type.name, r.type.name);
  const [x, y] = [
    convert(l, a === 'string' ? type : l.type, { implicit: true }),
    convert(r, b === 'string' ? type : r.type, { implicit: true }),
  ];
  if ('&|^'.includes(op)) {
    const raw = `(${wide(x)} ${op === '^' ? '#' : op} ${wide(y)})`;
    return { sql: type.name === 'bit' ? `(${raw}<>0)` : raw, type, nullable, collation: null };
  }
  if (type.name === 'float' || type.name === 'real') {
    if (op === '%')
      throw new SqlError(
        402,
        `The data types ${l.type.name} and ${r.type.name} are incompatible in the modulo operator.`,
      );
    return {
      sql: `(${wide(x)}::${pgType(type)}${op}${wide(y)}::${pgType(type)})`,
      type,
      nullable,
      collation: null,
    };
  }
  if (isDecimal(type) || type.name === 'money') return exact(op, x, y, type, nullable);
  if (type.name === 'bit') throw new SqlError(8117, `Operand data type bit is invalid for ${op} operator.`);
  const raw = `(${wide(x)}${op}${wide(y)})`;
  return {
    sql: type.name === 'tinyint' ? `_sandbox.tiny(${raw}::bigint)` : raw,
    type,
    nullable,
    collation: null,
  };
}

const wide = (e: Bound): string => (e.type.name === 'bit' ? `(${e.sql})::int` : e.sql);

function exact(op: string, x: Bound, y: Bound, type: SqlType, nullable: boolean): Bound {
  const of = type.name === 'money' ? type : arithmetic(op, literalDecimal(x), literalDecimal(y));
  const scale = of.scale ?? 4;
  const [l, r] = [`(${wide(x)})::numeric`, `(${wide(y)})::numeric`];
  // SQL Server cuts a quotient off at its scale: an integer division keeps that exact.
  const sql = op === '/' ? `div(${l}*1e${scale}::numeric,${r})*1e-${scale}::numeric` : `${l}${op}${r}`;
  return { sql: `(${sql})::${pgType(of)}`, type: of, nullable, collation: null };
}

/** An integer literal takes part in decimal arithmetic with the digits that it has. */
function literalDecimal(e: Bound): SqlType {
  return e.literal !== undefined && isInteger(e.type)
    ? decimal(e.literal.replace('-', '').length, 0)
    : asDecimal(e.type);
}

function dateArithmetic(op: string, l: Bound, r: Bound): Bound {
  const [date, days] = category(l.type) === 'date' ? [l, r] : [r, l];
  if (!['datetime', 'smalldatetime'].includes(date.type.name) || category(days.type) !== 'number')
    throw errors.clash(l.type.name, r.type.name);
  return {
    ...date,
    sql: `(${date.sql} ${op} (${wide(days)})*interval '1 day')::${pgType(date.type)}`,
    nullable: l.nullable || r.nullable,
  };
}

function sum(a: SqlType, b: SqlType, limit: number): number | 'max' {
  if (a.length === 'max' || b.length === 'max') return 'max';
  return Math.min(limit, (a.length ?? 1) + (b.length ?? 1));
}

export function concatenation(l: Bound, r: Bound): Bound {
  const unicode = /^(n|sys|xml)/.test(l.type.name) || /^(n|sys|xml)/.test(r.type.name);
  const type: SqlType = {
    name: unicode ? 'nvarchar' : 'varchar',
    length: sum(l.type, r.type, unicode ? 4000 : 8000),
  };
  return {
    sql: `_sandbox.concat(${l.sql},${r.sql})`,
    type,
    nullable: l.nullable || r.nullable,
    collation: l.collation ?? r.collation,
  };
}

/** Throws 448 for a collation that is not SQL Server's, and refuses those it cannot imitate. */
export function collationOf(name: string): Collation {
  if (/_BIN2?(_UTF8)?$/i.test(name)) return 'binary';
  if (/_CI_AS(_|$)/i.test(name) || /^database_default$/i.test(name)) return 'default';
  if (/^(SQL_)?[A-Za-z0-9]+_/.test(name)) throw unsupported(`collation ${name}`);
  throw new SqlError(448, `Invalid collation '${name}'.`);
}

function likeAsRegex(pattern: string, escaping: string): string {
  let regex = '^';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    const close = c === '[' ? pattern.indexOf(']', i + 2) : -1;
    if (c === escaping && i + 1 < pattern.length)
      regex += pattern[++i]!.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
    else if (c === '%') regex += '.*';
    else if (c === '_') regex += '.';
    else if (close > 0) {
      regex += `[${pattern.slice(i + 1, close).replaceAll('\\', '\\\\')}]`;
      i = close;
    } else regex += c.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
  }
  return `${regex}$`;
}
