// What `walbridge generate` takes for a table's key, and the types that let an index of SQL Server hold it.
// Guarantees: columns that the server sends with every change once the statement in the comment, if any, has run.
import { fieldTypeFor } from '../canonical/avro-type-for.ts';
import { identityStatement } from '../change/replica-identity.ts';
import type { ColumnDescription, TableDescription } from '../change/table-description.ts';
import type { SqlServerType } from './target.ts';

/** SQL Server's clustered index keys end at 900 bytes; a fixed type takes 17 at most. */
const MAX_KEY_BYTES = 900;
const FIXED_KEY_BYTES = 17;
/** PostgreSQL's longest enum label. */
const MAX_LABEL = 63;

export interface GeneratedKey {
  readonly columns: readonly string[];
  readonly comment: string | null;
}

/** Null where nothing tells rows apart that the server would send. */
export function keyOf(table: TableDescription): GeneratedKey | null {
  const isSent = (columns: readonly string[]) =>
    columns.every((name) => table.columns.find((column) => column.name === name)?.generated === 'no');
  const isCovered = (columns: readonly string[]) =>
    columns.every((column) => table.replicaIdentityColumns?.includes(column));
  const unique = table.uniqueKeys.find(
    (candidate) => candidate.notNull && !candidate.deferrable && isSent(candidate.columns),
  );
  if (table.primaryKey !== null && isSent(table.primaryKey)) {
    if (isCovered(table.primaryKey)) return { columns: table.primaryKey, comment: null };
    const mend = identityStatement(table, table.primaryKey);
    return { columns: table.primaryKey, comment: `The replica identity lacks the key. Run: ${mend}` };
  }
  if (unique === undefined) return null;
  const mend = isCovered(unique.columns) ? '' : ` Run: ${identityStatement(table, unique.columns)}`;
  const lacking = table.primaryKey === null ? 'No primary key' : 'The primary key is of generated columns';
  return { columns: unique.columns, comment: `${lacking}; ${unique.name} serves as one.${mend}` };
}

/** A key column's limited type, where its own is too long for an index; null where it is not. */
export function keyType(
  table: TableDescription,
  column: ColumnDescription,
  key: readonly string[],
  target: SqlServerType | null,
): { target: SqlServerType; comment: string } | null {
  const { kind } = fieldTypeFor(column.baseType, column.name);
  if (kind !== 'string' && kind !== 'bytes' && kind !== 'enum') return null;
  const variable = key.filter((name) => {
    const other = table.columns.find((candidate) => candidate.name === name);
    const type = other === undefined ? null : fieldTypeFor(other.baseType, name).kind;
    return type === 'string' || type === 'bytes' || type === 'enum';
  }).length;
  const bytes = Math.floor((MAX_KEY_BYTES - FIXED_KEY_BYTES * (key.length - variable)) / variable);
  if (kind === 'bytes') {
    const comment = `A key ends at ${MAX_KEY_BYTES} bytes in SQL Server: longer values go to quarantine.`;
    return { target: { name: 'varbinary', length: bytes }, comment };
  }
  const characters = Math.floor(bytes / 2);
  if (kind === 'enum' && MAX_LABEL <= characters) return null;
  const binary = 'Created with a binary (BIN2) collation, so that keys differ as they do in PostgreSQL';
  if (target !== null && typeof target.length === 'number' && target.length <= characters) {
    return { target, comment: `${binary}.` };
  }
  const comment = `${binary}; a key ends at ${MAX_KEY_BYTES} bytes: longer values go to quarantine.`;
  return { target: { name: 'nvarchar', length: characters }, comment };
}
