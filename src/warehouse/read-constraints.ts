// Reads what else decides over a table's rows: unique keys, triggers, foreign keys.
// Guarantees: null where the server or the login doesn't let them be read; that is not the same as none.
// https://learn.microsoft.com/sql/relational-databases/system-catalog-views/object-catalog-views-transact-sql
import type { ForeignKeyFacts, TriggerFacts, UniqueKeyFacts } from './catalog.ts';
import { among, byTable, groupBy, type OfTable, readIfPossible } from './catalog-query.ts';
import type { TableName } from './identifier.ts';
import type { SqlSession } from './session.ts';

interface IndexRow extends OfTable {
  readonly index_name: string;
  readonly is_primary_key: boolean;
  readonly has_filter: boolean;
  readonly column_name: string;
}

/** By `tableKey`. */
export async function readUniqueKeys(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, UniqueKeyFacts[]> | null> {
  // Included columns have the key ordinal 0.
  const rows = await readIfPossible<IndexRow>(
    session,
    `SELECT s.name AS schema_name, t.name AS table_name, i.name AS index_name, i.is_primary_key, i.has_filter,
  c.name AS column_name
FROM sys.tables AS t
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
JOIN sys.indexes AS i ON i.object_id = t.object_id
JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = x.object_id AND c.column_id = x.column_id
WHERE i.is_unique = 1 AND i.is_disabled = 0 AND x.key_ordinal > 0 AND ${among(tables, 's.name', 't.name')}
ORDER BY s.name, t.name, i.is_primary_key DESC, i.index_id, x.key_ordinal`,
  );
  if (rows === null) return null;
  const keys = new Map<string, UniqueKeyFacts[]>();
  for (const [key, ofTable] of byTable(rows)) {
    keys.set(
      key,
      [...groupBy(ofTable, (row) => row.index_name)].map(([name, members]) => ({
        name,
        columns: members.map((row) => row.column_name),
        primary: members[0]?.is_primary_key === true,
        filtered: members[0]?.has_filter === true,
      })),
    );
  }
  return keys;
}

interface TriggerRow extends OfTable {
  readonly name: string;
  readonly is_disabled: boolean;
  readonly is_instead_of_trigger: boolean;
}

/** By `tableKey`. */
export async function readTriggers(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, TriggerFacts[]> | null> {
  const rows = await readIfPossible<TriggerRow>(
    session,
    `SELECT s.name AS schema_name, t.name AS table_name, g.name, g.is_disabled, g.is_instead_of_trigger
FROM sys.triggers AS g
JOIN sys.tables AS t ON t.object_id = g.parent_id
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE ${among(tables, 's.name', 't.name')}
ORDER BY s.name, t.name, g.name`,
  );
  if (rows === null) return null;
  const triggers = new Map<string, TriggerFacts[]>();
  for (const [key, ofTable] of byTable(rows)) {
    triggers.set(
      key,
      ofTable.map((row) => ({
        name: row.name,
        disabled: row.is_disabled,
        insteadOf: row.is_instead_of_trigger,
      })),
    );
  }
  return triggers;
}

interface ForeignKeyRow {
  readonly name: string;
  readonly from_schema: string;
  readonly from_table: string;
  readonly to_schema: string;
  readonly to_table: string;
  readonly from_column: string;
  readonly to_column: string;
  readonly delete_action: number;
  readonly update_action: number;
  readonly is_disabled: boolean;
}

/** sys.foreign_keys.delete_referential_action and update_referential_action. */
const actions = ['no action', 'cascade', 'set null', 'set default'] as const;

/** Those where either end is one of `tables`. */
export async function readForeignKeys(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<ForeignKeyFacts[] | null> {
  const rows = await readIfPossible<ForeignKeyRow>(
    session,
    `SELECT f.name, fs.name AS from_schema, ft.name AS from_table, ts.name AS to_schema, tt.name AS to_table,
  fc.name AS from_column, tc.name AS to_column, f.delete_referential_action AS delete_action,
  f.update_referential_action AS update_action, f.is_disabled
FROM sys.foreign_keys AS f
JOIN sys.tables AS ft ON ft.object_id = f.parent_object_id
JOIN sys.schemas AS fs ON fs.schema_id = ft.schema_id
JOIN sys.tables AS tt ON tt.object_id = f.referenced_object_id
JOIN sys.schemas AS ts ON ts.schema_id = tt.schema_id
JOIN sys.foreign_key_columns AS x ON x.constraint_object_id = f.object_id
JOIN sys.columns AS fc ON fc.object_id = x.parent_object_id AND fc.column_id = x.parent_column_id
JOIN sys.columns AS tc ON tc.object_id = x.referenced_object_id AND tc.column_id = x.referenced_column_id
WHERE ${among(tables, 'fs.name', 'ft.name')} OR ${among(tables, 'ts.name', 'tt.name')}
ORDER BY fs.name, ft.name, f.name, x.constraint_column_id`,
  );
  if (rows === null) return null;
  const groups = groupBy(rows, (row) => `${row.from_schema}\0${row.name}`);
  return [...groups.values()].flatMap((members) => {
    const [first] = members;
    if (first === undefined) return [];
    return {
      name: first.name,
      from: { schema: first.from_schema, table: first.from_table },
      columns: members.map((row) => row.from_column),
      to: { schema: first.to_schema, table: first.to_table },
      toColumns: members.map((row) => row.to_column),
      onDelete: actions[first.delete_action] ?? 'no action',
      onUpdate: actions[first.update_action] ?? 'no action',
      disabled: first.is_disabled,
    };
  });
}
