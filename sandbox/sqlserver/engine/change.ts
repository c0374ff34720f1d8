// INSERT, UPDATE, DELETE with OUTPUT to PostgreSQL. A joined change becomes UPDATE … FROM or DELETE … USING, so that
// a row that another transaction changed meanwhile is tested again.
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
  if (identity && !withIdentity) throw sqlError(544, table.name);
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
  const { table, alias, others, where } = changePlan(binder, update, scope);
  const set = update.set.map(({ column, e }) => {
    const meta = columnOf(table, column);
    if (meta.identity) throw sqlError(8102, meta.name);
    return { sql: `${quote(meta.name)}=${valueFor(binder, e, meta, table, scope)}`, name: meta.name };
  });
  binder.writes.push({ table, columns: set.map((s) => s.name) });
  const from = others.length > 0 ? ` FROM ${others.join(', ')}` : '';
  const sql = `UPDATE ${reference(table)} AS ${alias} SET ${set.map((s) => s.sql).join(', ')}${from}${where}`;
  return output(binder, update.output, table, ctes, sql, scope);
}

export function bindDelete(binder: Binder, remove: Delete): BoundChange {
  const scope = new Scope(new Scope(null));
  const ctes = bindCtes(binder, remove.ctes, scope.parent!);
  const { table, alias, others, where } = changePlan(binder, remove, scope);
  const using = others.length > 0 ? ` USING ${others.join(', ')}` : '';
  const sql = `DELETE FROM ${reference(table)} AS ${alias}${using}${where}`;
  return output(binder, remove.output, table, ctes, sql, scope);
}

interface Plan {
  readonly table: TableMeta;
  readonly alias: string;
  /** The other sources, and all conditions, side by side: joins are inner ones. */
  readonly others: readonly string[];
  readonly where: string;
}

function changePlan(binder: Binder, change: Update | Delete, scope: Scope): Plan {
  const leaves: Source[] = [];
  const conditions: Expr[] = change.where ? [change.where] : [];
  const itself = { k: 'table' as const, name: change.table, alias: null, hints: [] };
  flatten(change.from ?? itself, leaves, conditions);
  const isTarget = targetTest(leaves, change.table);
  const name = change.table.at(-1)!;
  if (change.table.length === 1 && scope.cte(name))
    throw unsupported('a data change through a common table expression');
  if (change.table.length === 1 && leaves.some((l) => l.k === 'derived' && same(l.alias, name)))
    throw unsupported('a data change through a derived table');
  if (!leaves.some(isTarget)) leaves.push(itself);
  const others: string[] = [];
  let target: ScopeSource | undefined;
  for (const leaf of leaves) {
    const sql = bindSource(binder, leaf, scope);
    if (!target && isTarget(leaf)) target = scope.sources.at(-1);
    else others.push(sql);
  }
  const tests = conditions.map((c) => binder.predicate(c, scope));
  const where = tests.length > 0 ? ` WHERE ${tests.join(' AND ')}` : '';
  return { table: target!.table!, alias: quote(target!.alias), others, where };
}

/** The sources that inner and cross joins hold together, and their conditions. */
function flatten(source: Source, leaves: Source[], conditions: Expr[]): void {
  if (source.k === 'function') throw unsupported(`a data change from ${source.name}`);
  if (source.k !== 'join') {
    leaves.push(source);
    return;
  }
  if (source.kind !== 'INNER' && source.kind !== 'CROSS')
    throw unsupported(`a data change over ${source.kind} joins`);
  flatten(source.l, leaves, conditions);
  flatten(source.r, leaves, conditions);
  if (source.on) conditions.push(source.on);
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
