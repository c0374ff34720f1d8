// What names mean inside a statement: tables' columns, FROM's aliases, common table expressions, variables.
// Lookups are case-insensitive, as under SQL Server's default collation.
import type { SqlType } from '../session.ts';
import type { Name } from './ast.ts';
import { sqlError } from './errors.ts';

/** `binary` for the BIN and BIN2 collations; null where nothing was said and the database's own applies. */
export type Collation = 'default' | 'binary' | null;

export interface ColumnMeta {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly collation: Collation;
  readonly identity: boolean;
  readonly computed: boolean;
  /** The column's comment, which ALTER COLUMN rewrites. */
  readonly note: ColumnNote;
}

/** What PostgreSQL's catalog cannot say of a column: kept as its comment, so that it lives and rolls back with the column. */
export interface ColumnNote {
  readonly type: SqlType;
  readonly collation?: string;
  readonly computed?: boolean;
  readonly default?: { readonly name: string; readonly text: string };
}

/** kind: PK, UQ (constraint), IX (index), FK, CK. */
export interface KeyMeta {
  readonly pg: string;
  readonly name: string;
  readonly kind: string;
  /** Column names, comma-separated. */
  readonly column: string;
  /** Checked row by row: fit to be referenced by a foreign key. */
  readonly immediate: boolean;
}

export interface TableMeta {
  /** PostgreSQL's; pg_temp for #temporary tables and table variables. */
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'view';
  readonly columns: readonly ColumnMeta[];
  readonly keys: readonly KeyMeta[];
}

/** A translated expression: PostgreSQL text with SQL Server's type. */
export interface Bound {
  readonly sql: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly collation: Collation;
  /** Text of a string or number literal, where its value decides a translation. */
  readonly literal?: string;
  readonly untypedNull?: boolean;
  readonly identity?: boolean;
  /** Of a bare column: whether its texts were seen to be fit for PostgreSQL's own cast. */
  readonly suits?: (to: SqlType) => boolean;
}

export const bound = (sql: string, type: SqlType, nullable = true, collation: Collation = null): Bound => ({
  sql,
  type,
  nullable,
  collation,
});

export interface ScopeColumn extends Bound {
  readonly name: string;
}

export interface ScopeSource {
  readonly alias: string;
  readonly schema: string;
  readonly table: TableMeta | null;
  readonly columns: readonly ScopeColumn[];
}

export interface BoundCte {
  /** In the case in which it was defined: PostgreSQL's quoted names are exact. */
  readonly name: string;
  readonly columns: readonly ScopeColumn[];
}

export class Scope {
  readonly sources: ScopeSource[] = [];
  /** Common table expressions by lower-case name, and the aliases that UPDLOCK asks to lock. */
  readonly ctes = new Map<string, BoundCte>();
  readonly locks: { alias: string; skip: boolean }[] = [];
  readonly parent: Scope | null;

  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  source(alias: string): ScopeSource | undefined {
    return this.sources.find((s) => same(s.alias, alias));
  }

  cte(name: string): BoundCte | undefined {
    return this.ctes.get(name.toLowerCase()) ?? this.parent?.cte(name);
  }

  /** Throws 207, 209 or 4104. */
  column(name: Name): ScopeColumn {
    const found = this.find(name);
    if (found) return found;
    throw name.length > 1 && !this.knowsPrefix(name)
      ? sqlError(4104, name.join('.'))
      : sqlError(207, name.at(-1) ?? '');
  }

  private knowsPrefix(name: Name): boolean {
    return this.source(name.at(-2) ?? '') !== undefined || (this.parent?.knowsPrefix(name) ?? false);
  }

  private find(name: Name): ScopeColumn | undefined {
    const column = name.at(-1) ?? '';
    const hits: ScopeColumn[] = [];
    for (const source of this.sources) {
      if (name.length > 1 && !same(source.alias, name.at(-2) ?? '')) continue;
      if (name.length > 2 && name.at(-3) && source.schema && !same(source.schema, name.at(-3) ?? ''))
        continue;
      hits.push(...source.columns.filter((c) => same(c.name, column)));
    }
    if (hits.length > 1) throw sqlError(209, column);
    return hits[0] ?? this.parent?.find(name);
  }
}

export function same(a: string, b: string): boolean {
  return a === b || a.toLowerCase() === b.toLowerCase();
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function text(value: string): string {
  return value.includes('\\')
    ? ` E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${value.replaceAll("'", "''")}'`;
}

export function reference(table: TableMeta): string {
  return `${quote(table.schema)}.${quote(table.name)}`;
}

/** The table as SQL Server's messages name it. */
export function shown(table: TableMeta): string {
  return table.schema === 'pg_temp' ? table.name : `${table.schema}.${table.name}`;
}
