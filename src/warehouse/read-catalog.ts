// Reads the catalog views for a set of tables.
// Guarantees: what apply can't do without (tables, columns, types) is read by two plain statements; all else is asked for
// apart, and is `unread` where the server or the login refuses. No locks held after.
// https://learn.microsoft.com/sql/relational-databases/system-catalog-views/object-catalog-views-transact-sql
import { type Catalog, type CatalogPart, type ColumnFacts, type TableFacts, tableKey } from './catalog.ts';
import { among, byTable, type OfTable, readIfPossible } from './catalog-query.ts';
import { catalogColumnType } from './catalog-type.ts';
import { quoteTable, type TableName } from './identifier.ts';
import { readForeignKeys, readTriggers, readUniqueKeys } from './read-constraints.ts';
import type { SqlSession } from './session.ts';

/**
 * The facts of those of `tables` that exist. `session` must not be in a transaction: one that is refused a view would be
 * ended. Throws a WarehouseError.
 */
export async function readCatalog(session: SqlSession, tables: readonly TableName[]): Promise<Catalog> {
  const schemas = await readSchemas(session);
  if (tables.length === 0) return { tables: new Map(), foreignKeys: [], schemas, unread: [] };
  const unread: CatalogPart[] = [];
  const known = <T>(part: CatalogPart, found: T | null): T | null => {
    if (found === null) unread.push(part);
    return found;
  };
  const columns = await readColumns(session, tables);
  const traits = known('column traits', await readTraits(session, tables));
  const temporal = known('temporal tables', await readTemporal(session, tables));
  const uniqueKeys = known('unique keys', await readUniqueKeys(session, tables));
  const triggers = known('triggers', await readTriggers(session, tables));
  const foreignKeys = known('foreign keys', await readForeignKeys(session, tables));
  const masked = await readMasked(session, tables);
  const facts = new Map<string, TableFacts>();
  for (const [key, rows] of columns) {
    const first = rows[0];
    if (first === undefined) continue;
    const name = { schema: first.schema_name, table: first.table_name };
    const periods = temporal?.get(key) ?? [];
    facts.set(key, {
      name,
      columns: rows.map((row) =>
        columnFacts(
          row,
          traits === null ? untold : traits.get(key)?.find((one) => one.name === row.name),
          periods.some((period) => period.name === row.name && (period.generated_always_type ?? 0) !== 0),
        ),
      ),
      uniqueKeys: uniqueKeys === null ? null : (uniqueKeys.get(key) ?? []),
      triggers: triggers === null ? null : (triggers.get(key) ?? []),
      temporal: periods.some((period) => period.temporal_type === SYSTEM_VERSIONED),
      empty: await isEmpty(session, name),
      masked: masked.get(key)?.map((row) => row.name) ?? [],
    });
  }
  const others = facts.size === tables.length ? new Map() : await readOthers(session, tables);
  return { tables: facts, foreignKeys: foreignKeys ?? [], schemas, unread, others };
}

/** Empty where the server doesn't tell: it says so itself then, as soon as the table is created. */
async function readOthers(session: SqlSession, tables: readonly TableName[]): Promise<Map<string, string>> {
  const rows = await readIfPossible<OfTable & { readonly type_desc: string }>(
    session,
    `SELECT s.name AS schema_name, o.name AS table_name, o.type_desc
FROM sys.objects AS o
JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE o.type <> 'U' AND ${among(tables, 's.name', 'o.name')}`,
  );
  return new Map(
    (rows ?? []).map((row) => [tableKey({ schema: row.schema_name, table: row.table_name }), row.type_desc]),
  );
}

async function readSchemas(session: SqlSession): Promise<Set<string>> {
  const { rows } = await session.batch<{ name: string }>('SELECT name FROM sys.schemas');
  return new Set(rows.map((row) => row.name.toUpperCase()));
}

interface ColumnRow extends OfTable {
  readonly name: string;
  readonly base_type: string | null;
  readonly type_name: string;
  readonly max_length: number;
  readonly precision: number;
  readonly scale: number;
  readonly is_nullable: boolean;
  readonly collation_name: string | null;
}

async function readColumns(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, ColumnRow[]>> {
  // A type's base is the one whose user_type_id is its system_type_id; CLR types have none.
  const { rows } = await session.batch<ColumnRow>(
    `SELECT s.name AS schema_name, t.name AS table_name, c.name, b.name AS base_type, y.name AS type_name,
  c.max_length, c.precision, c.scale, c.is_nullable, c.collation_name
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

function columnsOf(tables: readonly TableName[]): string {
  return `FROM sys.tables AS t
JOIN sys.schemas AS s ON s.schema_id = t.schema_id
JOIN sys.columns AS c ON c.object_id = t.object_id
WHERE ${among(tables, 's.name', 't.name')}`;
}

interface TraitRow extends OfTable {
  readonly name: string;
  readonly is_identity: boolean;
  readonly is_computed: boolean;
  readonly default_object_id: number;
}

/** A default that may be there: nobody can say that a column that isn't mapped must stay empty. */
const untold = { is_identity: false, is_computed: false, default_object_id: 1 } as const;

async function readTraits(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, TraitRow[]> | null> {
  const rows = await readIfPossible<TraitRow>(
    session,
    `SELECT s.name AS schema_name, t.name AS table_name, c.name, c.is_identity, c.is_computed, c.default_object_id
${columnsOf(tables)}`,
  );
  return rows === null ? null : byTable(rows);
}

interface TemporalRow extends OfTable {
  readonly name: string;
  readonly temporal_type: number;
  readonly generated_always_type: number | null;
}

/** sys.tables.temporal_type */
const SYSTEM_VERSIONED = 2;

async function readTemporal(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, TemporalRow[]> | null> {
  const rows = await readIfPossible<TemporalRow>(
    session,
    `SELECT s.name AS schema_name, t.name AS table_name, c.name, t.temporal_type,
  COLUMNPROPERTY(t.object_id, c.name, 'GeneratedAlwaysType') AS generated_always_type
${columnsOf(tables)}`,
  );
  return rows === null ? null : byTable(rows);
}

/**
 * Dynamic data masking: what the login reads of these columns, and would write back, is the mask.
 * https://learn.microsoft.com/sql/relational-databases/security/dynamic-data-masking
 */
async function readMasked(
  session: SqlSession,
  tables: readonly TableName[],
): Promise<Map<string, (OfTable & { readonly name: string })[]>> {
  const rows = await readIfPossible<OfTable & { readonly name: string }>(
    session,
    `SELECT s.name AS schema_name, t.name AS table_name, c.name
${columnsOf(tables)} AND c.is_masked = 1 AND HAS_PERMS_BY_NAME(NULL, N'DATABASE', N'UNMASK') = 0`,
  );
  return byTable(rows ?? []);
}

function columnFacts(
  row: ColumnRow,
  traits: Pick<TraitRow, 'is_identity' | 'is_computed' | 'default_object_id'> | undefined,
  period: boolean,
): ColumnFacts {
  const name = row.base_type ?? row.type_name;
  return {
    name: row.name,
    ...catalogColumnType(name, row.max_length, row.precision, row.scale),
    nullable: row.is_nullable,
    identity: traits?.is_identity === true,
    computed: traits?.is_computed === true,
    generated: period || name === 'timestamp',
    hasDefault: (traits?.default_object_id ?? 0) !== 0,
    collation: row.collation_name,
  };
}

/** False, the careful answer, where the login may not look. */
async function isEmpty(session: SqlSession, name: TableName): Promise<boolean> {
  const rows = await readIfPossible(session, `SELECT TOP (1) 1 AS one FROM ${quoteTable(name)}`);
  return rows?.length === 0;
}
