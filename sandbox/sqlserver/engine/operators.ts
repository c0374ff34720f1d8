// Operators and literals to PostgreSQL's: comparison under SQL Server's collations, arithmetic with its result types.
import type { SqlType } from '../session.ts';
import type { Expr } from './ast.ts';
import { comparable, convert } from './convert.ts';
import { sqlError, unsupported } from './errors.ts';
import { type Bound, bound, type Collation, text } from './scope.ts';
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
export function collated(l: Bound, r: Bound, sql: string): string {
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

export function literal(type: Extract<Expr, { k: 'literal' }>['type'], v: string): Bound {
  const made = (sql: string, of: SqlType): Bound => ({ ...bound(sql, of, false), literal: v });
  switch (type) {
    case 'null':
      return { ...bound('NULL', INT), untypedNull: true };
    case 'int':
      return made(v, INT);
    case 'decimal': {
      const [whole = '', fraction = ''] = v.split('.');
      const digits = whole.replace(/^0+/, '').length + fraction.length;
      if (digits > 38) throw sqlError(1007, v);
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

export function binary(op: string, left: Bound, right: Bound): Bound {
  const l = left.untypedNull ? convert(left, right.type) : left;
  const r = right.untypedNull ? convert(right, l.type) : right;
  const [a, b] = [category(l.type), category(r.type)];
  const nullable = l.nullable || r.nullable;
  if (op === '+' && a === 'string' && b === 'string') return concatenation(l, r);
  if (op === '+' && a === 'binary' && b === 'binary') {
    return bound(`(${l.sql}||${r.sql})`, { name: 'varbinary', length: sum(l.type, r.type, 8000) }, nullable);
  }
  if ((a === 'date') !== (b === 'date') && (op === '+' || op === '-')) return dateArithmetic(op, l, r);
  if (a !== 'number' && b !== 'number' && a !== 'string') throw sqlError(8117, l.type.name, op);
  const type = common(l.type, r.type);
  if (category(type) !== 'number') throw sqlError(206, l.type.name, r.type.name);
  const [x, y] = [
    convert(l, a === 'string' ? type : l.type, { implicit: true }),
    convert(r, b === 'string' ? type : r.type, { implicit: true }),
  ];
  if ('&|^'.includes(op)) {
    const raw = `(${wide(x)} ${op === '^' ? '#' : op} ${wide(y)})`;
    return bound(type.name === 'bit' ? `(${raw}<>0)` : raw, type, nullable);
  }
  if (type.name === 'float' || type.name === 'real') {
    if (op === '%') throw sqlError(402, l.type.name, r.type.name);
    return bound(`(${wide(x)}::${pgType(type)}${op}${wide(y)}::${pgType(type)})`, type, nullable);
  }
  if (isDecimal(type) || type.name === 'money') return exact(op, x, y, type, nullable);
  if (type.name === 'bit') throw sqlError(8117, 'bit', op);
  const raw = `(${wide(x)}${op}${wide(y)})`;
  return bound(type.name === 'tinyint' ? `_sandbox.tiny(${raw}::bigint)` : raw, type, nullable);
}

const wide = (e: Bound): string => (e.type.name === 'bit' ? `(${e.sql})::int` : e.sql);

function exact(op: string, x: Bound, y: Bound, type: SqlType, nullable: boolean): Bound {
  const of = type.name === 'money' ? type : arithmetic(op, literalDecimal(x), literalDecimal(y));
  const scale = of.scale ?? 4;
  const [l, r] = [`(${wide(x)})::numeric`, `(${wide(y)})::numeric`];
  // SQL Server cuts a quotient off at its scale: an integer division keeps that exact.
  const sql = op === '/' ? `div(${l}*1e${scale}::numeric,${r})*1e-${scale}::numeric` : `${l}${op}${r}`;
  return bound(`(${sql})::${pgType(of)}`, of, nullable);
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
    throw sqlError(206, l.type.name, r.type.name);
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
  const length = sum(l.type, r.type, unicode ? 4000 : 8000);
  const type = unicode ? nvarchar(length) : varchar(length);
  const collation = l.collation ?? r.collation;
  return bound(`_sandbox.concat(${l.sql},${r.sql})`, type, l.nullable || r.nullable, collation);
}

/** Throws 448 for a collation that is not SQL Server's, and refuses those it cannot imitate. */
export function collationOf(name: string): Collation {
  if (/_BIN2?(_UTF8)?$/i.test(name)) return 'binary';
  if (/_CI_AS(_|$)/i.test(name) || /^database_default$/i.test(name)) return 'default';
  if (/^(SQL_)?[A-Za-z0-9]+_/.test(name)) throw unsupported(`collation ${name}`);
  throw sqlError(448, name);
}

export function likeAsRegex(pattern: string, escaping: string): string {
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
