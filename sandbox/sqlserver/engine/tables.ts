// What a database's tables look like, as the translation needs it: read from PostgreSQL's catalog once, then remembered.
// Definitions change it in one transaction and everybody else sees them at its commit: so does this.
import type { Connection } from './connection.ts';
import { type KeyMeta, same, type TableMeta } from './scope.ts';

/** Shared by all sessions of a database. */
export class TableCache extends Map<string, TableMeta> {
  /** For errors, which know PostgreSQL's names. */
  key(schema: string, table: string, constraint: string): KeyMeta | undefined {
    for (const meta of this.values()) {
      if (!same(meta.name, table) || (meta.schema !== 'pg_temp' && meta.schema !== schema)) continue;
      const key = meta.keys.find((k) => k.pg === constraint);
      if (key) return key;
    }
    return undefined;
  }
}

/** Undefined where there is no such table or view. */
export async function loadTable(
  connection: Connection,
  schema: string,
  name: string,
): Promise<TableMeta | undefined> {
  const [row] = await connection.rows('SELECT _sandbox.describe($1, $2)', [schema, name]);
  return row?.[0] ? (JSON.parse(row[0]) as TableMeta) : undefined;
}
