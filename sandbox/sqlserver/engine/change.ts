// INSERT, UPDATE, DELETE with OUTPUT to PostgreSQL. A joined change becomes UPDATE … FROM or DELETE … USING, so that
// a row that another transaction changed meanwhile is tested again; other shapes go through the rows' physical places.
import type { Expr, Of, Output, SelectItem, Source } from './ast.ts';
import { assign } from './convert.ts';
import { type SqlError, sqlError, unsupported } from './errors.ts';
import type { Binder, QueryColumn } from './expression.ts';
import { bindSource } from './from.ts';
import { bindCtes, selectList } from './query.ts';
import {
  type ColumnMeta,
  quote,
  reference,
  Scope,
  type ScopeSource,
  same,
  shown,
  type TableMeta,
} from './scope.ts';

export interface BoundChange {
  readonly sql: string;
  /** Columns of OUTPUT to the client; null without. */
  readonly columns: readonly QueryColumn[] | null;
  /** The statement returns the identity values that it gave out, for SCOPE_IDENTITY(). */
  readonly identities: boolean;
}

type Insert = Of<'insert'>;
type Update = Of<'update'>;
type Delete = Of<'delete'>;

export function bindInsert(binder: Binder, insert: Insert): BoundChange {
  const outer = new Scope(null);
  const ctes = bindCtes(binder, insert.ctes, outer);
  const table = binder.around.table(insert.table);
  const withIdentity = binder.around.identityInsert(table);
  const columns =
    insert.columns.length > 0
      ? insert.columns.map((name) => columnOf(table, name))
      : table.columns.filter((c) => !c.computed && (!c.identity || withIdentity));
  const identity = columns.find((c) => c.identity);
  if (identity && !withIdentity) {
    throw sqlError(544, table.name);
  }
  binder.writes.push({ table, columns: table.columns.map((c) => c.name) });
  const head = `INSERT INTO ${reference(table)}`;
  const list = `(${columns.map((c) => quote(c.name)).join(',')})`;
  const sql = `${head} ${list} ${insertSource(binder, insert.source, columns, table, outer)}`;
  if (insert.output) return output(binder, insert.output, table, ctes, sql, null);
  const given = table.columns.find((c) => c.identity);
  if (given) return { sql: `${ctes}${sql} RETURNING ${quote(given.name)}`, columns: null, identities: true };
  return { sql: ctes + sql, columns: null, identities: false };
}

function insertSource(
  binder: Binder,
  source: Insert['source'],
  columns: readonly ColumnMeta[],
  table: TableMeta,
  outer: Scope,
): string {
  const { body } = source;
  if (body.k === 'values' && source.ctes.length === 0) {
    const rows = body.rows.map((row) => {
      if (row.length !== columns.length) throw valueCount(row.length > columns.length, columns.length);
      return `(${row.map((e, i) => valueFor(binder, e, columns[i]!, table, outer)).join(',')})`;
    });
    return `VALUES ${rows.join(',')}`;
  }
  const bound = binder.query(source, outer);
  if (bound.columns.length !== columns.length) {
    throw sqlError(bound.columns.length < columns.length ? 120 : 121);
  }
  const values = bound.columns.map((c, i) => assign({ ...c, sql: `_q._c${i + 1}` }, columns[i]!, table));
  return `SELECT ${values.join(',')} FROM (${bound.sql}) AS _q(${values.map((_, i) => `_c${i + 1}`).join(',')})`;
}

function valueCount(many: boolean, columns: number): SqlError {
  return sqlError(columns === 0 || many ? 110 : 109);
}

function valueFor(binder: Binder, e: Expr, column: ColumnMeta, table: TableMeta, scope: Scope): string {
  if (e.k === 'column' && e.name.length === 1 && e.name[0] === 'DEFAULT') return 'DEFAULT';
  return assign(binder.scalar(e, scope), column, table);
}

function columnOf(table: TableMeta, name: string): ColumnMeta {
  const column = table.columns.find((c) => same(c.name, name));
  if (!column) throw sqlError(207, name);
  if (column.computed) throw sqlError(271, column.name);
  return column;
}

export function bindUpdate(binder: Binder, update: Update): BoundChange {
  const scope = new Scope(new Scope(null));
  const ctes = bindCtes(binder, update.ctes, scope.parent!);
  const plan = changePlan(binder, update, scope);
  const table = plan.target.table!;
  const set = update.set.map(({ column, e }) => {
    const meta = columnOf(table, column);
    if (meta.identity) throw sqlError(8102, meta.name);
    return { column: quote(meta.name), value: valueFor(binder, e, meta, table, scope), name: meta.name };
  });
  binder.writes.push({ table, columns: set.map((s) => s.name) });
  if (plan.simple) {
    const from = plan.others.length > 0 ? ` FROM ${plan.others.join(', ')}` : '';
    const sql = `UPDATE ${reference(table)} AS ${quote(plan.target.alias)} SET ${set.map((s) => `${s.column}=${s.value}`).join(', ')}${from}${plan.where}`;
    return output(binder, update.output, table, ctes, sql, scope);
  }
  const values = set.map((s, i) => `${s.value} AS _v${i + 1}`);
  const sql = `UPDATE ${reference(table)} AS _t SET ${set.map((s, i) => `${s.column}=_q._v${i + 1}`).join(', ')} FROM (${places(plan, values)}) AS _q WHERE _t.ctid=_q._place`;
  return output(binder, update.output, table, ctes, sql, null);
}

export function bindDelete(binder: Binder, remove: Delete): BoundChange {
  const scope = new Scope(new Scope(null));
  const ctes = bindCtes(binder, remove.ctes, scope.parent!);
  const plan = changePlan(binder, remove, scope);
  const table = plan.target.table!;
  if (plan.simple) {
    const using = plan.others.length > 0 ? ` USING ${plan.others.join(', ')}` : '';
    const sql = `DELETE FROM ${reference(table)} AS ${quote(plan.target.alias)}${using}${plan.where}`;
    return output(binder, remove.output, table, ctes, sql, scope);
  }
  const sql = `DELETE FROM ${reference(table)} AS _t USING (${places(plan, [])}) AS _q WHERE _t.ctid=_q._place`;
  return output(binder, remove.output, table, ctes, sql, null);
}

interface Plan {
  readonly target: ScopeSource;
  /** Inner joins only: the other sources and all conditions side by side. */
  readonly simple: boolean;
  readonly others: readonly string[];
  readonly where: string;
  readonly from: string;
}

function places(plan: Plan, values: readonly string[]): string {
  const alias = quote(plan.target.alias);
  return `SELECT ${[`${alias}.ctid AS _place`, ...values].join(', ')} FROM ${plan.from}${plan.where} FOR UPDATE OF ${alias}`;
}

function changePlan(binder: Binder, change: Update | Delete, scope: Scope): Plan {
  const source = change.from ?? { k: 'table' as const, name: change.table, alias: null, hints: [] };
  const leaves: Source[] = [];
  const conditions: Expr[] = [];
  const flat = flatten(source, leaves, conditions);
  const isTarget = targetTest(leaves, change.table);
  const name = change.table.at(-1)!;
  if (change.table.length === 1 && scope.cte(name))
    throw unsupported('a data change through a common table expression');
  if (change.table.length === 1 && leaves.some((l) => l.k === 'derived' && same(l.alias, name)))
    throw unsupported('a data change through a derived table');
  if (flat) {
    const others: string[] = [];
    let target: ScopeSource | undefined;
    for (const leaf of leaves) {
      const sql = bindSource(binder, leaf, scope);
      if (!target && isTarget(leaf)) target = scope.sources.at(-1);
      else others.push(sql);
    }
    if (!target) {
      bindSource(binder, { k: 'table', name: change.table, alias: null, hints: [] }, scope);
      target = scope.sources.at(-1)!;
    }
    const tests = [...conditions, ...(change.where ? [change.where] : [])].map((c) =>
      binder.predicate(c, scope),
    );
    return {
      target,
      simple: true,
      others,
      where: tests.length > 0 ? ` WHERE ${tests.join(' AND ')}` : '',
      from: '',
    };
  }
  const from = bindSource(binder, source, scope);
  const leaf = leaves.find(isTarget);
  const alias = leaf?.k === 'table' ? (leaf.alias ?? leaf.name.at(-1)!) : '';
  const target = scope.source(alias);
  if (!target?.table) throw unsupported('a change of a table that its FROM clause does not name');
  const where = change.where ? ` WHERE ${binder.predicate(change.where, scope)}` : '';
  return { target, simple: false, others: [], where, from };
}

/** Whether only inner and cross joins hold the leaves together; collects them and their conditions. */
function flatten(source: Source, leaves: Source[], conditions: Expr[]): boolean {
  if (source.k !== 'join') {
    leaves.push(source);
    return source.k !== 'function';
  }
  const l = flatten(source.l, leaves, conditions);
  const r = flatten(source.r, leaves, conditions);
  if (source.on) conditions.push(source.on);
  return l && r && (source.kind === 'INNER' || source.kind === 'CROSS');
}

/** UPDATE's and DELETE's target is an alias of FROM, or else a table of that name in it. */
function targetTest(leaves: readonly Source[], name: readonly string[]): (leaf: Source) => boolean {
  const last = name.at(-1)!;
  const byAlias = (leaf: Source): boolean =>
    leaf.k === 'table' && leaf.alias !== null && same(leaf.alias, last);
  if (name.length === 1 && leaves.some(byAlias)) return byAlias;
  return (leaf) =>
    leaf.k === 'table' &&
    same(leaf.name.at(-1)!, last) &&
    same(leaf.name.at(-2) || 'dbo', name.at(-2) || 'dbo');
}

function output(
  binder: Binder,
  clause: Output | null,
  table: TableMeta,
  ctes: string,
  sql: string,
  from: Scope | null,
): BoundChange {
  if (!clause) return { sql: ctes + sql, columns: null, identities: false };
  const scope = new Scope(null);
  const rows = (alias: string, row: string): ScopeSource => ({
    alias,
    schema: '',
    table,
    columns: table.columns.map((c) => ({
      ...c,
      sql: `${row}.${quote(c.name)}`,
      nullable: c.nullable || row === 'old',
    })),
  });
  const isUpdate = sql.startsWith('UPDATE');
  if (isUpdate || sql.startsWith('INSERT')) scope.sources.push(rows('inserted', 'new'));
  if (isUpdate || sql.startsWith('DELETE')) scope.sources.push(rows('deleted', 'old'));
  if (from)
    scope.sources.push(...from.sources.filter((s) => !s.table || !same(shown(s.table), shown(table))));
  const { list, columns } = selectList(binder, clause.items as readonly SelectItem[], scope);
  if (!clause.into)
    return {
      sql: `${ctes}${sql} RETURNING ${list.map((i) => i.value.sql + i.as).join(', ')}`,
      columns,
      identities: false,
    };
  const into = binder.around.table(clause.into);
  binder.writes.push({ table: into, columns: into.columns.map((c) => c.name) });
  const targets =
    clause.columns.length > 0
      ? clause.columns.map((n) => columnOf(into, n))
      : into.columns.filter((c) => !c.identity && !c.computed);
  if (targets.length !== columns.length) throw sqlError(213);
  const returning = list.map((i, n) => `${i.value.sql} AS _c${n + 1}`).join(', ');
  const values = columns.map((c, n) => assign({ ...c, sql: `_o._c${n + 1}` }, targets[n]!, into));
  const head = ctes ? `${ctes.trimEnd()}, ` : 'WITH ';
  return {
    sql: `${head}_o AS (${sql} RETURNING ${returning}) INSERT INTO ${reference(into)} (${targets.map((t) => quote(t.name)).join(',')}) SELECT ${values.join(',')} FROM _o`,
    columns: null,
    identities: false,
  };
}
