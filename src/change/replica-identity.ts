// The statement that makes the server send a key with each update and delete.
// Guarantees: run as it stands, it does; the cheapest identity that holds the key, on every partition that has rows.
// https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-REPLICA-IDENTITY
import type { TableDescription } from './table-description.ts';
import { sqlIdentifier, sqlTableName } from './table-name.ts';

/** The primary key, a unique index, else the whole row; the whole row where `key` is not known yet. */
export function identityStatement(table: TableDescription, key: readonly string[] | null): string {
  const holdsKey = (columns: readonly string[] | null) =>
    key !== null && columns !== null && key.every((column) => columns.includes(column));
  // Of a partitioned table it may be a partition that has another one.
  const isDefault = table.replicaIdentity === 'default' && table.kind === 'table';
  if (!isDefault && holdsKey(table.primaryKey)) return alter(table, 'DEFAULT');
  const index = table.uniqueKeys.find(
    ({ columns, notNull, deferrable }) => notNull && !deferrable && holdsKey(columns),
  );
  // Each partition's index has a name of its own.
  if (index === undefined || table.kind === 'partitioned') return fullIdentityStatement(table);
  return alter(table, `USING INDEX ${sqlIdentifier(index.name)}`);
}

export function fullIdentityStatement(table: TableDescription): string {
  return alter(table, 'FULL');
}

/** Partitions have identities of their own, and it is theirs that count. */
function alter(table: TableDescription, identity: string): string {
  const name = sqlTableName(table);
  if (table.kind === 'table') return `ALTER TABLE ${name} REPLICA IDENTITY ${identity};`;
  const literal = `'${name.replaceAll("'", "''")}'`;
  return `DO $$ DECLARE part regclass; BEGIN FOR part IN SELECT relid FROM pg_partition_tree(${literal}) LOOP EXECUTE format('ALTER TABLE %s REPLICA IDENTITY ${identity}', part); END LOOP; END $$;`;
}
