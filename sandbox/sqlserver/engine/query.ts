// Queries to PostgreSQL: SELECT lists with exact column types, FROM, set operations, TOP, common table expressions.
import type { SqlType } from '../session.ts';
import type { Body, Expr, OrderItem, Query, SelectItem } from './ast.ts';
import { orderBy } from './call-aggregate.ts';
import { convert } from './convert.ts';
import { sqlError } from './errors.ts';
import { Binder, type BoundQuery, type QueryColumn, type Surroundings } from './expression.ts';
import { bindSource } from './from.ts';
import { ordered, unify } from './operators.ts';
import { type Bound, quote, Scope, type ScopeColumn, same } from './scope.ts';
import { category, INT, nvarchar, typeKey } from './types.ts';

export function newBinder(around: Surroundings): Binder {
  return new Binder(around, bindQuery);
}

interface BoundBody extends BoundQuery {
  /** Of a plain SELECT: where its ORDER BY looks up names. */
  readonly scope: Scope | null;
  readonly items: readonly Expr[];
  readonly limit: string;
}

function bindQuery(binder: Binder, query: Query, parent: Scope | null): BoundQuery {
  const outer = new Scope(parent);
  const ctes = bindCtes(binder, query.ctes, outer);
  const body = bindBody(binder, query.body, outer);
  const order = query.order.length > 0 ? ` ORDER BY ${bindOrder(binder, query.order, body)}` : '';
  let limit = body.limit;
  if (limit.includes('TIES') && !order) throw sqlError(1062);
  if (query.offset) {
    const count = (e: Expr): string => `(${convert(binder.scalar(e, outer), { name: 'bigint' }).sql})`;
    limit = ` OFFSET ${count(query.offset)}${query.fetch ? ` LIMIT ${count(query.fetch)}` : ''}`;
  }
  return {
    sql: `${ctes}${body.sql}${order}${limit}${parent ? '' : locking(binder, query.body, body.scope)}`,
    columns: body.columns,
  };
}

/** UPDLOCK and XLOCK of an outermost, plain SELECT lock its rows; READPAST skips locked ones. */
function locking(binder: Binder, body: Body, scope: Scope | null): string {
  if (
    !scope ||
    scope.locks.length === 0 ||
    body.k !== 'select' ||
    body.distinct ||
    body.group.length > 0 ||
    binder.aggregated
  )
    return '';
  return scope.locks.map((l) => ` FOR UPDATE OF ${quote(l.alias)}${l.skip ? ' SKIP LOCKED' : ''}`).join('');
}

/** `WITH …` in PostgreSQL's words, with the expressions registered in `scope`. */
export function bindCtes(binder: Binder, ctes: Query['ctes'], scope: Scope): string {
  if (ctes.length === 0) return '';
  const parts = ctes.map((cte) => {
    const register = (columns: readonly QueryColumn[]): string[] => {
      const names = columns.map((c, i) => cte.columns[i] ?? c.name);
      if (cte.columns.length > 0 && cte.columns.length !== columns.length) throw sqlError(8158, cte.name);
      const unnamed = names.indexOf('');
      if (unnamed >= 0) throw sqlError(8155, unnamed + 1, cte.name);
      const named = columns.map((c, i) => ({ ...c, name: names[i]!, sql: quote(names[i]!) }));
      scope.ctes.set(cte.name.toLowerCase(), { name: cte.name, columns: named });
      return names;
    };
    const { body } = cte.query;
    if (body.k === 'set' && body.op === 'UNION ALL' && mentions(body.r, cte.name)) {
      register(bindBody(binder, body.l, scope).columns);
    }
    const bound = bindQuery(binder, cte.query, scope);
    const names = register(bound.columns);
    return `${quote(cte.name)}(${names.map(quote).join(',')}) AS (${bound.sql})`;
  });
  return `WITH RECURSIVE ${parts.join(', ')} `;
}

function mentions(body: Body, name: string): boolean {
  return JSON.stringify(body)
    .toLowerCase()
    .includes(`"name":[${JSON.stringify(name.toLowerCase())}]`);
}

function bindOrder(binder: Binder, order: readonly OrderItem[], body: BoundBody): string {
  return order
    .map((item) => {
      const position = orderPosition(item.e, body);
      if (position === null) {
        if (!body.scope) throw sqlError(104);
        return orderBy(binder, [item], body.scope);
      }
      const column = body.columns[position - 1];
      if (!column) throw sqlError(108, position);
      return `${position}${item.desc ? ' DESC' : ''}${column.nullable ? (item.desc ? ' NULLS LAST' : ' NULLS FIRST') : ''}`;
    })
    .join(', ');
}

function orderPosition(e: Expr, body: BoundBody): number | null {
  if (e.k === 'literal' && e.type === 'int') return Number(e.v);
  if (e.k !== 'column' || e.name.length !== 1) return null;
  const at = body.columns.findIndex((c) => same(c.name, e.name[0]!));
  return at < 0 ? null : at + 1;
}

function bindBody(binder: Binder, body: Body, outer: Scope): BoundBody {
  if (body.k === 'set') return setOperation(binder, body, outer);
  if (body.k === 'values') return values(binder, body.rows, outer);
  return select(binder, body, outer);
}

function values(binder: Binder, rows: readonly (readonly Expr[])[], outer: Scope): BoundBody {
  const bound = rows.map((row) => row.map((e) => binder.scalar(e, outer)));
  const width = bound[0]?.length ?? 0;
  if (bound.some((r) => r.length !== width)) throw sqlError(10709);
  const columns = Array.from({ length: width }, (_, i) => {
    const cells = bound.map((r) => r[i]!);
    return { ...unify(cells), name: '', nullable: cells.some((c) => c.nullable) };
  });
  const sql = `VALUES ${bound.map((_, r) => `(${columns.map((c) => c.values[r]).join(',')})`).join(',')}`;
  return { sql, columns, scope: null, items: [], limit: '' };
}

function setOperation(binder: Binder, body: Extract<Body, { k: 'set' }>, outer: Scope): BoundBody {
  const [l, r] = [bindBody(binder, body.l, outer), bindBody(binder, body.r, outer)];
  if (l.columns.length !== r.columns.length) throw sqlError(205);
  const columns = l.columns.map((a, i): QueryColumn => {
    const b = r.columns[i]!;
    const { type, collation } = unify([
      { ...a, sql: '' },
      { ...b, sql: '' },
    ]);
    return { name: a.name, type, nullable: a.nullable || b.nullable, collation };
  });
  const sql = `(${retyped(l, columns)}) ${body.op} (${retyped(r, columns)})`;
  return { sql, columns, scope: null, items: [], limit: '' };
}

function retyped(body: BoundBody, to: readonly QueryColumn[]): string {
  const sql = `${body.sql}${body.limit}`;
  const isSame = body.columns.every((c, i) => typeKey(c.type) === typeKey(to[i]!.type) && !c.untypedNull);
  if (isSame) return sql;
  const list = body.columns.map(
    (c, i) => convert({ ...c, sql: `_q._c${i + 1}` }, to[i]!.type, { implicit: true }).sql,
  );
  return `SELECT ${list.join(',')} FROM (${sql}) AS _q(${list.map((_, i) => `_c${i + 1}`).join(',')})`;
}

function select(binder: Binder, body: Extract<Body, { k: 'select' }>, outer: Scope): BoundBody {
  const scope = new Scope(outer);
  const from = body.from ? ` FROM ${bindSource(binder, body.from, scope)}` : '';
  const { list, columns, items } = selectList(binder, body.items, scope);
  const where = body.where ? ` WHERE ${binder.predicate(body.where, scope)}` : '';
  const keys = body.group.map((g) => binder.scalar(g, scope).sql).join(',');
  const group = keys ? ` GROUP BY ${body.rollup ? `${body.rollup}(${keys})` : keys}` : '';
  const having = body.having ? ` HAVING ${binder.predicate(body.having, scope)}` : '';
  const shownList = body.distinct
    ? list.map((item) => ordered(item.value) + item.as)
    : list.map((item) => item.value.sql + item.as);
  const sql = `SELECT ${body.distinct ? 'DISTINCT ' : ''}${shownList.join(', ')}${from}${where}${group}${having}`;
  let limit = '';
  if (body.top) {
    const count = `(${convert(binder.scalar(body.top.count, outer), { name: 'bigint' }).sql})`;
    limit = body.top.ties ? ` FETCH FIRST ${count} ROWS WITH TIES` : ` LIMIT ${count}`;
  }
  return {
    sql,
    // Of a total, the columns that it adds up over are NULL.
    columns: body.rollup ? columns.map((c) => ({ ...c, nullable: true })) : columns,
    scope,
    items,
    limit,
  };
}

interface ListItem {
  readonly value: Bound;
  readonly as: string;
}

/** A SELECT or OUTPUT list: stars spread out, every item typed and named. */
export function selectList(
  binder: Binder,
  selected: readonly SelectItem[],
  scope: Scope,
): { list: ListItem[]; columns: QueryColumn[]; items: Expr[] } {
  const list: ListItem[] = [];
  const columns: QueryColumn[] = [];
  const items: Expr[] = [];
  const add = (value: Bound, name: string, e: Expr): void => {
    list.push({
      value: value.untypedNull ? { ...value, sql: 'NULL::int' } : value,
      as: name ? ` AS ${quote(name)}` : '',
    });
    const { sql: _sql, literal: _literal, suits: _suits, ...column } = value;
    columns.push({ ...column, name });
    items.push(e);
  };
  for (const item of selected) {
    if (item.e.k === 'star') {
      for (const column of starColumns(item.e.name, scope)) add(column, column.name, item.e);
      continue;
    }
    const value = binder.scalar(item.e, scope);
    const name =
      item.alias ?? (item.e.k === 'column' ? ((value as ScopeColumn).name ?? item.e.name.at(-1)!) : '');
    add(value, name, item.e);
  }
  return { list, columns, items };
}

function starColumns(name: readonly string[], scope: Scope): readonly ScopeColumn[] {
  if (name.length === 0) {
    if (scope.sources.length === 0) throw sqlError(263);
    return scope.sources.flatMap((s) => s.columns);
  }
  const source = scope.source(name.at(-1)!);
  if (!source) throw sqlError(4104, name.join('.'));
  return source.columns;
}

/** The columns of a table as CREATE TABLE … (SELECT INTO) needs them. Throws 1038 for an unnamed one. */
export function namedColumns(columns: readonly QueryColumn[]): readonly (QueryColumn & { type: SqlType })[] {
  for (const column of columns) {
    if (!column.name) throw sqlError(1038);
  }
  return columns.map((c) =>
    c.untypedNull
      ? { ...c, type: INT }
      : category(c.type) === 'string' && c.type.name === 'sysname'
        ? { ...c, type: nvarchar(128) }
        : c,
  );
}
