// Reads tables' descriptions from the source's catalogue: one statement for any number of tables.
// Guarantees: one consistent picture (one statement, one snapshot); a table that does not exist is missing from the answer.
// https://www.postgresql.org/docs/current/catalogs.html
import type { ClientBase } from 'pg';
import type { TableDescription, TableName } from '../change/table-description.ts';

/** Below domains: each step takes a domain's own modifier where the column states none. */
const BASE_TYPE = `
  WITH RECURSIVE chain AS (
    SELECT a.atttypid AS oid, a.atttypmod AS typmod, 0 AS depth
    UNION ALL
    SELECT t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE chain.typmod END, depth + 1
    FROM chain JOIN pg_catalog.pg_type t ON t.oid = chain.oid WHERE t.typtype = 'd'
  )
  SELECT oid, typmod FROM chain ORDER BY depth DESC LIMIT 1`;

/** int2vector and oidvector are of the arrays' category, and print otherwise. */
const IS_ARRAY = `bt.typcategory = 'A' AND bt.typoutput = 'pg_catalog.array_out'::regproc`;

/** typmod's meaning: numerictypmodin, varchartypmodin, timetypmodin, intervaltypmodin in PostgreSQL's src/backend/utils/adt. */
const COLUMNS = `
  SELECT jsonb_agg(jsonb_build_object(
    'name', a.attname,
    'typeOid', a.atttypid::bigint,
    'typeText', pg_catalog.format_type(a.atttypid, a.atttypmod),
    'baseType', jsonb_build_object(
      'oid', base.oid::bigint, 'name', bt.typname, 'schema', bn.nspname,
      'kind', CASE WHEN ${IS_ARRAY} THEN 'array' ELSE CASE bt.typtype
        WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'base' END END,
      'numeric', CASE WHEN bt.oid = 'numeric'::regtype AND base.typmod >= 4 THEN jsonb_build_object(
        'precision', (base.typmod - 4) >> 16 & 65535,
        'scale', ((base.typmod - 4 & 2047) # 1024) - 1024) END,
      'length', CASE
        WHEN bt.oid IN ('varchar'::regtype, 'bpchar'::regtype) AND base.typmod >= 4 THEN base.typmod - 4
        WHEN bt.oid IN ('bit'::regtype, 'varbit'::regtype) AND base.typmod >= 0 THEN base.typmod END,
      'secondDigits', CASE
        WHEN bt.oid IN ('time'::regtype, 'timetz'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
          AND base.typmod >= 0 THEN base.typmod
        WHEN bt.oid = 'interval'::regtype AND base.typmod >= 0 AND base.typmod & 65535 <> 65535
          THEN base.typmod & 65535 END,
      'enumLabels', coalesce((SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = bt.oid), '[]'),
      'elementTypeName', CASE WHEN ${IS_ARRAY} THEN
        (SELECT el.typname FROM pg_catalog.pg_type el WHERE el.oid = bt.typelem) END),
    'nullable', NOT (a.attnotnull OR EXISTS (
      WITH RECURSIVE domains AS (
        SELECT t.typtype, t.typnotnull, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.typtype, t.typnotnull, t.typbasetype FROM domains JOIN pg_catalog.pg_type t ON t.oid = domains.typbasetype
      ) SELECT FROM domains WHERE typtype = 'd' AND typnotnull)),
    'generated', CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' ELSE 'no' END,
    'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE 'no' END,
    'comment', pg_catalog.col_description(a.attrelid, a.attnum)) ORDER BY a.attnum)
  FROM pg_catalog.pg_attribute a
  CROSS JOIN LATERAL (${BASE_TYPE}) base
  JOIN pg_catalog.pg_type bt ON bt.oid = base.oid
  JOIN pg_catalog.pg_namespace bn ON bn.oid = bt.typnamespace
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

/** Names of the columns with the given numbers, in that order. */
const columnNames = (table: string, numbers: string) => `(
  SELECT jsonb_agg(a.attname ORDER BY part.place) FROM unnest(${numbers}) WITH ORDINALITY AS part(number, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = ${table} AND a.attnum = part.number)`;

/** An index' key columns; its INCLUDE columns left out. */
const indexColumns = columnNames('i.indrelid', '(i.indkey::int2[])[0:i.indnkeyatts - 1]');

/** Of one table or partition; of a partitioned one, its partitions' are what the server sends. */
const identityColumns = (table: string) => `CASE ${table}.relreplident
      WHEN 'f' THEN (SELECT jsonb_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = ${table}.oid AND a.attnum > 0 AND NOT a.attisdropped)
      ELSE (SELECT ${indexColumns} FROM pg_catalog.pg_index i WHERE i.indrelid = ${table}.oid
        AND CASE ${table}.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary AND i.indimmediate ELSE false END) END`;

const DESCRIPTION = `
  SELECT jsonb_build_object(
    'oid', c.oid::bigint, 'schema', n.nspname, 'table', c.relname,
    'kind', CASE c.relkind WHEN 'p' THEN 'partitioned' ELSE 'table' END,
    'columns', coalesce((${COLUMNS}), '[]'),
    'primaryKey', (SELECT ${indexColumns} FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
    'uniqueKeys', coalesce((
      SELECT jsonb_agg(jsonb_build_object(
        'name', ic.relname, 'columns', ${indexColumns}, 'deferrable', NOT i.indimmediate,
        'notNull', NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid
          AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND NOT a.attnotnull)) ORDER BY ic.relname)
      FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
      WHERE i.indrelid = c.oid AND i.indisunique AND NOT i.indisprimary AND i.indisvalid
        AND i.indpred IS NULL AND i.indexprs IS NULL), '[]'),
    'foreignKeys', coalesce((
      SELECT jsonb_agg(jsonb_build_object(
        'name', k.conname, 'columns', ${columnNames('k.conrelid', 'k.conkey')},
        'target', jsonb_build_object('schema', fn.nspname, 'table', fc.relname),
        'targetColumns', ${columnNames('k.confrelid', 'k.confkey')}, 'deferrable', k.condeferrable,
        'validated', k.convalidated, 'matchFull', k.confmatchtype = 'f',
        'folding', EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
          WHERE NOT co.collisdeterministic AND (a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
            OR a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)))) ORDER BY k.conname)
      FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
      JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
      WHERE k.conrelid = c.oid AND k.contype = 'f'), '[]'),
    'replicaIdentity', CASE c.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing' WHEN 'i' THEN 'index' ELSE 'default' END,
    'replicaIdentityColumns', CASE c.relkind WHEN 'p' THEN (
        WITH part AS (SELECT ${identityColumns('r')} AS columns FROM pg_catalog.pg_partition_tree(c.oid) t
          JOIN pg_catalog.pg_class r ON r.oid = t.relid WHERE t.isleaf OR t.relid = c.oid)
        SELECT jsonb_agg(name) FROM (SELECT name FROM part, jsonb_array_elements_text(columns) WITH ORDINALITY AS each(name, place)
          GROUP BY name HAVING count(*) = (SELECT count(*) FROM part) ORDER BY min(place)) AS shared)
      ELSE ${identityColumns('c')} END,
    'comment', pg_catalog.obj_description(c.oid, 'pg_class')) AS description
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN unnest($1::text[], $2::text[]) AS wanted(schema, name) ON wanted.schema = n.nspname AND wanted.name = c.relname
  WHERE c.relkind IN ('r', 'p')
  ORDER BY n.nspname, c.relname`;

/** Existing tables of those named, by schema and name. @throws the driver's errors. */
export async function describeTables(
  client: ClientBase,
  tables: readonly TableName[],
): Promise<TableDescription[]> {
  const { rows } = await client.query<{ description: TableDescription }>(DESCRIPTION, [
    tables.map(({ schema }) => schema),
    tables.map(({ table }) => table),
  ]);
  return rows.map(({ description }) => description);
}

export interface Relation extends TableName {
  readonly kind: 'table' | 'partition' | 'view' | 'materialized view' | 'foreign table' | 'sequence';
  /** Only permanent tables are in the WAL. */
  readonly isPermanent: boolean;
}

/** Everything that a table could be mistaken for, by schema and name; the system's own left out. @throws the driver's errors. */
export async function listRelations(client: ClientBase): Promise<Relation[]> {
  const { rows } = await client.query<Relation>(`
    SELECT n.nspname AS schema, c.relname AS table, c.relpersistence = 'p' AS "isPermanent",
      CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
        WHEN 'S' THEN 'sequence' ELSE CASE WHEN c.relispartition THEN 'partition' ELSE 'table' END END AS kind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^(pg_|information_schema$)'
    ORDER BY 1, 2`);
  return rows;
}
