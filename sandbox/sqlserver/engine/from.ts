// FROM: tables, derived tables, joins, APPLY and the table functions; fills the scope with what they offer.
import type { SqlType } from '../session.ts';
import type { Source } from './ast.ts';
import { convert } from './convert.ts';
import { sqlError, unsupported } from './errors.ts';
import type { Binder, QueryColumn } from './expression.ts';
import { jsonPath, pathAsArray } from './json-path.ts';
import {
  bound,
  quote,
  reference,
  type Scope,
  type ScopeColumn,
  type ScopeSource,
  type TableMeta,
} from './scope.ts';
import { category, nvarchar } from './types.ts';

/** The FROM clause's text; `lateral` lets a derived table see the sources before it (APPLY). */
export function bindSource(binder: Binder, source: Source, scope: Scope, lateral = false): string {
  switch (source.k) {
    case 'table':
      return table(binder, source, scope);
    case 'derived': {
      const bound = binder.query(source.query, lateral ? scope : (scope.parent ?? scope));
      const names = bound.columns.map((c, i) => source.columns[i] ?? c.name);
      const unnamed = names.indexOf('');
      if (unnamed >= 0) throw sqlError(8155, unnamed + 1, source.alias);
      add(
        scope,
        source.alias,
        bound.columns.map((c, i) => ({ ...c, name: names[i]! })),
      );
      return `${lateral ? 'LATERAL ' : ''}(${bound.sql}) AS ${quote(source.alias)}(${names.map(quote).join(',')})`;
    }
    case 'function':
      return tableFunction(binder, source, scope);
    case 'join':
      return join(binder, source, scope);
  }
}

function join(binder: Binder, source: Extract<Source, { k: 'join' }>, scope: Scope): string {
  const apply = source.kind.endsWith('APPLY');
  const first = scope.sources.length;
  const l = bindSource(binder, source.l, scope);
  const middle = scope.sources.length;
  const r = bindSource(binder, source.r, scope, apply);
  const right = source.r.k === 'join' ? `(${r})` : r;
  if (source.kind === 'LEFT' || source.kind === 'FULL' || source.kind === 'OUTER APPLY')
    optional(scope, middle, scope.sources.length);
  if (source.kind === 'RIGHT' || source.kind === 'FULL') optional(scope, first, middle);
  if (source.kind === 'CROSS' || source.kind === 'CROSS APPLY') return `${l} CROSS JOIN ${right}`;
  if (source.kind === 'OUTER APPLY') return `${l} LEFT JOIN ${right} ON true`;
  return `${l} ${source.kind} JOIN ${right} ON ${binder.predicate(source.on!, scope)}`;
}

function optional(scope: Scope, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const source = scope.sources[i]!;
    scope.sources[i] = { ...source, columns: source.columns.map((c) => ({ ...c, nullable: true })) };
  }
}

function add(
  scope: Scope,
  alias: string,
  columns: readonly QueryColumn[],
  of: TableMeta | null = null,
): void {
  if (scope.source(alias)) throw sqlError(1011, alias);
  scope.sources.push({
    alias,
    schema: of?.schema ?? '',
    table: of,
    columns: columns.map((c) => underDefault({ ...c, sql: `${quote(alias)}.${quote(c.name)}` })),
  });
}

/** A column that an expression made has the database's collation, though PostgreSQL knows of none. */
function underDefault(column: ScopeColumn): ScopeColumn {
  if (category(column.type) !== 'string' || column.collation) return column;
  return { ...column, sql: `(${column.sql} COLLATE _sandbox.ci)`, collation: 'default' };
}

function table(binder: Binder, source: Extract<Source, { k: 'table' }>, scope: Scope): string {
  const name = source.name.at(-1)!;
  const alias = source.alias ?? name;
  const cte = source.name.length === 1 ? scope.cte(name) : undefined;
  if (cte) {
    add(scope, alias, cte.columns);
    return `${quote(cte.name)} AS ${quote(alias)}`;
  }
  const meta = binder.around.table(source.name);
  const columns = meta.columns.map((c) =>
    meta.schema === 'pg_temp' && category(c.type) === 'string'
      ? { ...c, suits: (to: SqlType) => binder.around.suits(meta, c.name, to) }
      : c,
  );
  add(scope, alias, columns, meta);
  if (source.hints.includes('UPDLOCK') || source.hints.includes('XLOCK')) {
    scope.locks.push({ alias, skip: source.hints.includes('READPAST') });
  }
  return `${reference(meta)} AS ${quote(alias)}`;
}

/** A table as the only thing in scope, its columns unqualified: for CHECK, computed columns and filters. */
export function tableScope(scope: Scope, meta: TableMeta): ScopeSource {
  const source = {
    alias: meta.name,
    schema: meta.schema,
    table: meta,
    columns: meta.columns.map((c) => ({ ...c, sql: quote(c.name) })),
  };
  scope.sources.push(source);
  return source;
}

function tableFunction(binder: Binder, source: Extract<Source, { k: 'function' }>, scope: Scope): string {
  const [subject, second] = source.args.map((a) => convert(binder.scalar(a, scope), nvarchar('max')));
  if (!subject) throw unsupported(`${source.name} without arguments`);
  const alias = source.alias ?? source.name;
  const column = (name: string, type: SqlType): QueryColumn => ({ ...bound('', type), name });
  const path = jsonPath(second);
  if (!source.json) {
    add(scope, alias, [
      column('key', nvarchar(4000)),
      column('value', nvarchar('max')),
      column('type', { name: 'tinyint' }),
    ]);
    return `LATERAL _sandbox.openjson(_sandbox.t(${subject.sql}),${path}) AS ${quote(alias)}("key","value","type")`;
  }
  const list = source.json.map((c) => {
    const steps = pathAsArray(c.path ?? `$."${c.name}"`);
    const raw = bound(`_sandbox.json_${c.asJson ? 'query' : 'value'}(_j,${steps})`, nvarchar('max'));
    return `${convert(raw, c.type).sql} AS ${quote(c.name)}`;
  });
  add(
    scope,
    alias,
    source.json.map((c) => column(c.name, c.type)),
  );
  return `LATERAL (SELECT ${list.join(',')} FROM _sandbox.json_rows(_sandbox.t(${subject.sql}),${path}) AS _j) AS ${quote(alias)}`;
}
