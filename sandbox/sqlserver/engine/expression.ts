// T-SQL expressions to PostgreSQL's, with SQL Server's result type, nullability and collation of each.
import type { SqlType } from '../session.ts';
import type { Body, Expr, Name, Query } from './ast.ts';
import { bindCall } from './call.ts';
import { comparable, convert } from './convert.ts';
import { sqlError, unsupported } from './errors.ts';
import { binary, collated, collationOf, compare, likeAsRegex, literal, unify } from './operators.ts';
import { type Bound, bound, Scope, type TableMeta, text } from './scope.ts';
import { category, common, INT, nvarchar, pgType } from './types.ts';

/** Where the value of a bound parameter comes from: a variable, or the session's state (`@@ROWCOUNT`, `ERROR_NUMBER`). */
export type ParameterSource = { readonly variable: string } | { readonly session: string };

/** What a statement's translation may ask about its surroundings. */
export interface Surroundings {
  table(name: Name): TableMeta;
  variable(name: string): SqlType | undefined;
  identityInsert(table: TableMeta): boolean;
  /** Whether bulk loads saw only texts in the column that PostgreSQL's own cast to the type reads as SQL Server does. */
  suits(table: TableMeta, column: string, to: SqlType): boolean;
}

/** A column of a query's result: what is known of its expression, but for the expression. */
export interface QueryColumn extends Omit<Bound, 'sql' | 'literal' | 'suits'> {
  readonly name: string;
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
    return bound(`${n}::${pgType(type)}`, type);
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
        if (!column || columns.length > 1) throw sqlError(116);
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
        throw sqlError(102, '*');
      default:
        throw sqlError(102, 'a search condition');
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
    if (!type) throw sqlError(137, name);
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
    const nullable = !e.otherwise || results.some((r) => r.nullable);
    return bound(`(CASE ${whens.join(' ')}${otherwise} END)`, unified.type, nullable, unified.collation);
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
        throw sqlError(4145);
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
    if ([body.l, body.r].some((side) => side.from || side.where)) return null;
    if (body.l.items.length !== body.r.items.length) return null;
    const rights = body.r.items;
    const tests = body.l.items.map((item, i) =>
      compare('IS NOT DISTINCT FROM', this.scalar(item.e, scope), this.scalar(rights[i]!.e, scope)),
    );
    return `(${tests.join(' AND ')})`;
  }
}
