// Reads the catalog views for a set of tables.
// Guarantees: five statements, whatever the number of tables, and one more for each that exists; no locks held after.
// https://learn.microsoft.com/sql/relational-databases/system-catalog-views/object-catalog-views-transact-sql
import type {
  Catalog,
  ColumnFacts,
  ForeignKeyFacts,
  TableFacts,
  TriggerFacts,
  UniqueKeyFacts,
} from './catalog.ts';
import { tableKey } from './catalog.ts';
import { catalogColumnType } from './catalog-type.ts';
import { quoteTable, quoteText, type TableName } from './identifier.ts';
import type { SqlSession } from './session.ts';

/** The facts of those of `tables` that exist. Throws a WarehouseError. */
export async function readCatalog(session: SqlSession, tables: readonly TableName[]): Promise<Catalog> {
  const schemas = await readSchemas(session);
  if (tables.length === 0) return { tables: new Map(), foreignKeys: [], schemas };
  const [columns, uniqueKeys, triggers, foreignKeys] = [
    await readColumns(session, tables),
    await readUniqueKeys(session, tables),
    await readTriggers(session, tables),
    await readForeignKeys(session, tables),
  ];
  const facts = new Map<string, TableFacts>();
  for (const [key, rows] of columns) {
    const first = rows[0];
    if (first === undefined) continue;
    const name = { schema: first.schema_name, table: first.table_name };
    facts.set(key, {
      name,
      columns: rows.map(columnFacts),
      uniqueKeys: uniqueKeys.get(key) ?? [],
      triggers: triggers.get(key) ?? [],
      temporal: first.temporal_type === SYSTEM_VERSIONED,
      empty: await isEmpty(session, name),
    });
  }
  return { tables: facts, foreignKeys, schemas };
}

/** sys.tables.temporal_type */
const SYSTEM_VERSIONED = 2;

interface OfTable {
  readonly schema_name: string;
  readonly table_name: string;
}

/** A WHERE condition that keeps the rows of `tables`; names by the catalog's own collation. */
function among(tables: readonly TableName[], schema: string, table: string): string {
  const each = tables.map(
    (name) => `(${schema} = ${quoteText(name.schema)} AND ${table} = ${quoteText(name.table)})`,
  );
  return `(${each.join(' OR ')})`;
}

function byTable<Row extends OfTable>(rows: readonly Row[]): Map<string, Row[]> {
  return groupBy(rows, (row) => tableKey({ schema: row.schema_name, table: row.table_name }));
}

async function readSchemas(session: SqlSession): Promise<Set<string>> {
  const { rows } = await session.batch<{ name: string }>('SELECT name FROM sys.schemas');
  return new Set(rows.map((row) => row.name.toUpperCase()));
}

interface ColumnRow extends OfTable {
  readonly temporal_type: number | null;
  readonly name: string;
  readonly base_type: string | null;
  readonly type_name: string;
  readonly max_length: number;
  readonly precision: number;
  readonly scale: number;
  readonly is_nullable: boolean;
  readonly is_identity: boolean;
  readonly is_computed: boolean;
  readonly generated_always_type: number | null;
  readonly default_object_id: number;
  readonly collation_name: string | null;
}

async function readColumns(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, ColumnRow[]>> {
  // A type's base is the one whose user_type_id is its system_type_id; CLR types have none.
  const { rows } = await session.batch<ColumnRow>(
    `SELECT s.name AS schema_name, t.name AS table_name, t.temporal_type, c.name, b.name AS base_type, y.name AS type_name,
  c.max_length, c.precision, c.scale, c.is_nullable, c.is_identity, c.is_computed,
  COLUMNPROPERTY(t.object_id, c.name, 'GeneratedAlwaysType') AS generated_always_type,
  c.default_object_id, c.collation_name
FROM sys.tables AS t
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
JOIN sys.columns AS c ON c.object_id = t.object_id
JOIN sys.types AS y ON y.user_type_id = c.user_type_id
LEFT JOIN sys.types AS b ON b.user_type_id = c.system_type_id
WHERE ${among(tables, 's.name', 't.name')}
ORDER BY s.name, t.name, c.column_id`,
  );
  return byTable(rows);
}

function columnFacts(row: ColumnRow): ColumnFacts {
  const name = row.base_type ?? row.type_name;
  return {
    name: row.name,
    ...catalogColumnType(name, row.max_length, row.precision, row.scale),
    nullable: row.is_nullable,
    identity: row.is_identity,
    computed: row.is_computed,
    generated: (row.generated_always_type ?? 0) !== 0 || name === 'timestamp',
    hasDefault: row.default_object_id !== 0,
    collation: row.collation_name,
  };
}

interface IndexRow extends OfTable {
  readonly index_name: string;
  readonly is_primary_key: boolean;
  readonly has_filter: boolean;
  readonly column_name: string;
}

async function readUniqueKeys(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, UniqueKeyFacts[]>> {
  const { rows } = await session.batch<IndexRow>(
    `SELECT s.name AS schema_name, t.name AS table_name, i.name AS index_name, i.is_primary_key, i.has_filter,
  c.name AS column_name
FROM sys.tables AS t
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
JOIN sys.indexes AS i ON i.object_id = t.object_id
JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = i.index_id
JOIN sys.columns AS c ON c.object_id = x.object_id AND c.column_id = x.column_id
WHERE i.is_unique = 1 AND i.is_disabled = 0 AND x.is_included_column = 0 AND ${among(tables, 's.name', 't.name')}
ORDER BY s.name, t.name, i.is_primary_key DESC, i.index_id, x.key_ordinal`,
  );
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

async function readTriggers(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, TriggerFacts[]>> {
  const { rows } = await session.batch<TriggerRow>(
    `SELECT s.name AS schema_name, t.name AS table_name, g.name, g.is_disabled, g.is_instead_of_trigger
FROM sys.triggers AS g
JOIN sys.tables AS t ON t.object_id = g.parent_id
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE ${among(tables, 's.name', 't.name')}
ORDER BY s.name, t.name, g.name`,
  );
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

async function readForeignKeys(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<ForeignKeyFacts[]> {
  const { rows } = await session.batch<ForeignKeyRow>(
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

async function isEmpty(session: SqlSession, name: TableName): Promise<boolean> {
  const { rows } = await session.batch(`SELECT TOP (1) 1 AS one FROM ${quoteTable(name)}`);
  return rows.length === 0;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
