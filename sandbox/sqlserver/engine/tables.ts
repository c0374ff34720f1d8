// What a database's tables look like, as the translation needs it: read from PostgreSQL's catalog once, then remembered.
// Definitions change it in one transaction and everybody else sees them at its commit: so does this.
import type { Connection } from './connection.ts';
import {
  type Collation,
  type ColumnMeta,
  type ColumnNote,
  type KeyMeta,
  same,
  type TableMeta,
} from './scope.ts';
import { category } from './types.ts';

/** Shared by all sessions of a database. */
export class TableCache {
  private tables = new Map<string, TableMeta>();

  get(key: string): TableMeta | undefined {
    return this.tables.get(key);
  }

  set(key: string, table: TableMeta): void {
    this.tables.set(key, table);
  }

  delete(key: string): void {
    this.tables.delete(key);
  }

  clear(): void {
    this.tables = new Map();
  }

  /** For errors, which know PostgreSQL's names. */
  key(schema: string, table: string, constraint: string): KeyMeta | undefined {
    for (const meta of this.tables.values()) {
      if (!same(meta.name, table) || (meta.schema !== 'pg_temp' && meta.schema !== schema)) continue;
      const key = meta.keys.find((k) => k.pg === constraint);
      if (key) return key;
    }
    return undefined;
  }
}

const COLUMNS = `
SELECT c.relname, n.nspname, c.relkind, a.attname, a.attnotnull, a.attidentity <> '', _sandbox.note(col_description(c.oid, a.attnum), format_type(a.atttypid, NULL)),
  coll.collname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_collation coll ON coll.oid = a.attcollation
WHERE c.oid = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r','v','p') AND lower(c.relname::text COLLATE "und-x-icu") = lower($2 COLLATE "und-x-icu")
  AND CASE WHEN $1 = 'pg_temp' THEN n.oid = pg_my_temp_schema() ELSE lower(n.nspname::text COLLATE "und-x-icu") = lower($1 COLLATE "und-x-icu") AND n.nspname NOT IN ('information_schema','pg_catalog') END LIMIT 1)
ORDER BY a.attnum`;

const KEYS = `
SELECT x.pg, x.kind, x.note, x.is_constraint, x.immediate, (SELECT string_agg(a.attname, ',' ORDER BY k.ord) FROM unnest(x.columns) WITH ORDINALITY k(num, ord)
  JOIN pg_attribute a ON a.attrelid = x.rel AND a.attnum = k.num)
FROM (SELECT conname AS pg, contype::text AS kind, obj_description(oid, 'pg_constraint') AS note, true AS is_constraint, NOT condeferrable AS immediate, conkey AS columns, conrelid AS rel FROM pg_constraint WHERE contype IN ('p','u','f','c')
  UNION ALL SELECT i.relname, 'i', obj_description(i.oid, 'pg_class'), false, true, x.indkey::int2[], x.indrelid FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
  WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p','u'))) AS x
WHERE x.rel = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = $2
  AND CASE WHEN $1 = 'pg_temp' THEN n.oid = pg_my_temp_schema() ELSE n.nspname = $1 END)`;

/** Undefined where there is no such table or view. */
export async function loadTable(
  connection: Connection,
  schema: string,
  name: string,
): Promise<TableMeta | undefined> {
  const rows = await connection.rows(COLUMNS, [schema, name]);
  const first = rows[0];
  if (!first) return undefined;
  const [relname, nspname, relkind] = first as [string, string, string];
  const found = schema === 'pg_temp' ? 'pg_temp' : nspname;
  const columns = rows.map((r) => column(r as string[]));
  const keys: KeyMeta[] =
    relkind === 'v' ? [] : (await connection.rows(KEYS, [found, relname])).map((r) => key(r as string[]));
  for (const c of columns) {
    const preset = c.note.default;
    if (preset)
      keys.push({
        pg: preset.name,
        name: preset.name,
        kind: 'DF',
        column: c.name,
        constraint: false,
        immediate: true,
      });
  }
  return { schema: found, name: relname, kind: relkind === 'v' ? 'view' : 'table', columns, keys };
}

function column([, , , name, notNull, identity, comment, collname]: readonly string[]): ColumnMeta {
  const note = JSON.parse(comment!) as ColumnNote;
  const collation: Collation =
    category(note.type) === 'string' ? (collname === 'bin' ? 'binary' : 'default') : null;
  return {
    name: name!,
    type: note.type,
    nullable: notNull !== 't',
    collation,
    identity: identity === 't',
    computed: note.computed === true,
    note,
  };
}

function key([pg, kind, comment, constraint, immediate, columns]: readonly (string | null)[]): KeyMeta {
  const note = comment ? (JSON.parse(comment) as { name?: string }) : {};
  const kinds: Readonly<Record<string, string>> = { p: 'PK', u: 'UQ', f: 'FK', c: 'CK', i: 'IX' };
  return {
    pg: pg ?? '',
    name: note.name ?? pg ?? '',
    kind: note.name ? 'IX' : kinds[kind ?? '']!,
    column: columns ?? '',
    constraint: constraint === 't',
    immediate: immediate === 't',
  };
}
