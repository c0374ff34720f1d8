// Everything about the source that `inspect` judges and `planInit` builds on, read in two statements.
// Guarantees: plain data, no judgement; reads catalogues only, which any role may.
import type { ClientBase } from 'pg';
import type { TableDescription, TableName } from '../change/table-description.ts';
import { describeTables } from './describe-tables.ts';
import { type SlotFacts, slotFactsExpression } from './slot-facts.ts';

/** A table that a mapping reads. */
export interface WantedTable extends TableName {
  /** The mapping's `key`; null: the primary key. */
  readonly key: readonly string[] | null;
  /** Columns that the mapping reads. */
  readonly columns: readonly string[];
}

/** What the configuration wants from the source. */
export interface WantedSource {
  readonly tables: readonly WantedTable[];
  /** Missing tables are added to the first. */
  readonly publications: readonly [string, ...string[]];
  readonly slot: string;
}

export interface PublishedTable extends TableName {
  /** As pg_publication_tables lists them; null before PostgreSQL 15: all that are not generated. */
  readonly columns: readonly string[] | null;
  readonly hasRowFilter: boolean;
}

export interface PublicationFacts {
  readonly name: string;
  readonly isOwned: boolean;
  readonly isForAllTables: boolean;
  readonly operations: readonly ('insert' | 'update' | 'delete' | 'truncate')[];
  readonly isViaPartitionRoot: boolean;
  /** Null before PostgreSQL 18: never. */
  readonly generatedColumns: 'none' | 'stored' | null;
  /** What it publishes, partitions and schemas resolved. */
  readonly tables: readonly PublishedTable[];
  /** The tables that it names, partitioned ones themselves. */
  readonly namedTables: readonly TableName[];
}

export interface RoleFacts {
  readonly name: string;
  readonly canReplicate: boolean;
  readonly canCreateInDatabase: boolean;
}

export interface TableFacts {
  readonly description: TableDescription;
  readonly isOwned: boolean;
  readonly isReadable: boolean;
  /** Row-level security applies to the role. */
  readonly hidesRows: boolean;
  /** Only permanent tables are in the WAL. */
  readonly persistence: 'permanent' | 'unlogged' | 'temporary';
  /** The topmost table that it is a partition of. */
  readonly root: TableName | null;
}

export interface SourceFacts {
  /** As server_version_num: 180004. */
  readonly serverVersion: number;
  readonly database: string;
  readonly walLevel: string;
  /** Of the database. */
  readonly encoding: string;
  readonly maxReplicationSlots: number;
  readonly usedReplicationSlots: number;
  readonly maxWalSenders: number;
  readonly usedWalSenders: number;
  /** Milliseconds; 0: disabled. */
  readonly walSenderTimeoutMs: number;
  readonly role: RoleFacts;
  readonly tables: readonly TableFacts[];
  /** `schema.table` of every ordinary table: for the nearest name to a misspelt one. */
  readonly allTables: readonly string[];
  readonly publications: readonly PublicationFacts[];
  readonly slot: SlotFacts | null;
}

/** rds_replication stands for the REPLICATION attribute, which Amazon RDS gives to no role. */
const SERVER = (slot: string) => `
  SELECT jsonb_build_object(
    'serverVersion', current_setting('server_version_num')::int,
    'database', current_database(),
    'walLevel', current_setting('wal_level'),
    'encoding', current_setting('server_encoding'),
    'maxReplicationSlots', current_setting('max_replication_slots')::int,
    'usedReplicationSlots', (SELECT count(*) FROM pg_catalog.pg_replication_slots),
    'maxWalSenders', current_setting('max_wal_senders')::int,
    'usedWalSenders', (SELECT count(*) FROM pg_catalog.pg_stat_replication),
    'walSenderTimeoutMs', (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'),
    'role', (SELECT jsonb_build_object('name', r.rolname,
        'canReplicate', r.rolreplication OR r.rolsuper OR EXISTS (SELECT FROM pg_catalog.pg_roles m
          WHERE m.rolname = 'rds_replication' AND pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')),
        'canCreateInDatabase', pg_catalog.has_database_privilege(current_database(), 'CREATE'))
      FROM pg_catalog.pg_roles r WHERE r.rolname = current_user),
    'allTables', (SELECT coalesce(jsonb_agg(n.nspname || '.' || c.relname), '[]')
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema$)'),
    'access', (SELECT coalesce(jsonb_object_agg(c.oid::text, jsonb_build_object(
        'isOwned', pg_catalog.pg_has_role(c.relowner, 'USAGE'),
        'isReadable', pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),
        'hidesRows', pg_catalog.row_security_active(c.oid),
        'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' ELSE 'permanent' END,
        'root', CASE WHEN c.relispartition THEN (SELECT jsonb_build_object('schema', rn.nspname, 'table', r.relname)
          FROM pg_catalog.pg_class r JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
          WHERE r.oid = pg_catalog.pg_partition_root(c.oid)) END)), '{}')
      FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
      JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name),
    'publications', (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'name', p.pubname, 'isOwned', pg_catalog.pg_has_role(p.pubowner, 'USAGE'), 'isForAllTables', p.puballtables,
        'operations', array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
          CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END], NULL),
        'isViaPartitionRoot', p.pubviaroot,
        'generatedColumns', CASE to_jsonb(p) ->> 'pubgencols' WHEN 's' THEN 'stored' WHEN 'n' THEN 'none' END,
        'tables', (SELECT coalesce(jsonb_agg(jsonb_build_object('schema', t.schemaname, 'table', t.tablename,
            'columns', nullif(to_jsonb(t) -> 'attnames', 'null'),
            'hasRowFilter', to_jsonb(t) ->> 'rowfilter' IS NOT NULL)), '[]')
          FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname),
        'namedTables', (SELECT coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'table', c.relname)), '[]')
          FROM pg_catalog.pg_publication_rel pr JOIN pg_catalog.pg_class c ON c.oid = pr.prrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE pr.prpubid = p.oid))), '[]')
      FROM pg_catalog.pg_publication p WHERE p.pubname = ANY ($3)),
    'slot', ${slotFactsExpression(slot)}) AS facts`;

/** Of a table that was dropped between the two statements. */
const unknownAccess: Omit<TableFacts, 'description'> = {
  isOwned: false,
  isReadable: false,
  hidesRows: false,
  persistence: 'permanent',
  root: null,
};

type ServerAnswer = Omit<SourceFacts, 'tables'> & {
  readonly access: Readonly<Record<string, Omit<TableFacts, 'description'>>>;
};

/** @throws the driver's errors; `sourceFault` tells them apart. */
export async function readSourceFacts(client: ClientBase, wanted: WantedSource): Promise<SourceFacts> {
  const descriptions = await describeTables(client, wanted.tables);
  const { rows } = await client.query<{ facts: ServerAnswer }>(SERVER(wanted.slot), [
    wanted.tables.map(({ schema }) => schema),
    wanted.tables.map(({ table }) => table),
    wanted.publications,
  ]);
  const { access, ...facts } = rows[0]!.facts;
  return {
    ...facts,
    tables: descriptions.map((description) => ({
      description,
      ...(access[String(description.oid)] ?? unknownAccess),
    })),
  };
}
