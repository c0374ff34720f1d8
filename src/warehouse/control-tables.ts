// The control tables: every table and column of the schema `walbridge`, as data.
// Guarantees: docs/control-tables.md names exactly these (a test compares them); migrations.ts creates exactly these.
// Plain T-SQL of SQL Server 2016 and Azure SQL: no IDENTITY, no filtered index, no rowversion.
import { quoteName, quoteTable, type TableName } from './identifier.ts';

export const CONTROL_SCHEMA = 'walbridge';

interface ControlColumn {
  readonly name: string;
  /** T-SQL type with its collation, without nullability. */
  readonly type: string;
  readonly nullable?: true;
}

interface ControlTable {
  readonly name: string;
  readonly columns: readonly ControlColumn[];
  readonly key: readonly string[];
  /** Columns of one more index, not unique. */
  readonly index?: readonly string[];
}

/** Names are compared byte by byte, so that lanes 'A' and 'a' are two. Their keys stay within SQL Server's 900 bytes. */
const NAME = 'nvarchar(128) COLLATE Latin1_General_BIN2';
const INSTANT = 'datetimeoffset(6)';

const position: readonly ControlColumn[] = [
  { name: 'commit_lsn', type: 'bigint' },
  { name: 'ordinal', type: 'bigint' },
  { name: 'position', type: 'varchar(40)' },
];

export const controlTables = {
  schemaHistory: {
    name: 'schema_history',
    columns: [
      { name: 'component', type: 'nvarchar(200) COLLATE Latin1_General_BIN2' },
      { name: 'version', type: 'int' },
      { name: 'description', type: 'nvarchar(400)' },
      { name: 'statements', type: 'nvarchar(max)' },
      { name: 'applied_at', type: INSTANT },
      { name: 'applied_by', type: 'nvarchar(128)' },
    ],
    key: ['component', 'version'],
  },
  watermark: {
    name: 'watermark',
    columns: [
      { name: 'lane', type: NAME },
      ...position,
      { name: 'commit_time', type: INSTANT, nullable: true },
      { name: 'system_identifier', type: 'varchar(20)', nullable: true },
      { name: 'slot', type: 'varchar(63)', nullable: true },
      { name: 'applied_at', type: INSTANT },
    ],
    key: ['lane'],
  },
  batchLog: {
    name: 'batch_log',
    columns: [
      { name: 'lane', type: NAME },
      ...position,
      { name: 'previous_lsn', type: 'bigint' },
      { name: 'previous_ordinal', type: 'bigint' },
      { name: 'previous_position', type: 'varchar(40)' },
      { name: 'commit_time', type: INSTANT, nullable: true },
      { name: 'changes', type: 'bigint' },
      { name: 'rows_inserted', type: 'bigint' },
      { name: 'rows_updated', type: 'bigint' },
      { name: 'rows_deleted', type: 'bigint' },
      { name: 'tables_truncated', type: 'int' },
      { name: 'rows_quarantined', type: 'bigint' },
      { name: 'is_part', type: 'bit' },
      { name: 'milliseconds', type: 'int' },
      { name: 'applied_at', type: INSTANT },
    ],
    key: ['lane', 'commit_lsn', 'ordinal'],
    index: ['applied_at'],
  },
  quarantine: {
    name: 'quarantine',
    columns: [
      { name: 'lane', type: NAME },
      ...position,
      { name: 'entity', type: NAME },
      { name: 'commit_time', type: INSTANT, nullable: true },
      { name: 'code', type: 'varchar(8)' },
      { name: 'reason', type: 'nvarchar(2000)' },
      { name: 'change', type: 'varchar(8)' },
      { name: 'key_json', type: 'nvarchar(max)' },
      { name: 'row_json', type: 'nvarchar(max)', nullable: true },
      { name: 'batch', type: 'varchar(90)' },
      { name: 'quarantined_at', type: INSTANT },
      { name: 'resolved_at', type: INSTANT, nullable: true },
      { name: 'resolved_by', type: 'nvarchar(128)', nullable: true },
    ],
    key: ['lane', 'commit_lsn', 'ordinal', 'entity'],
    index: ['entity', 'quarantined_at'],
  },
  anomaly: {
    name: 'anomaly',
    columns: [
      { name: 'lane', type: NAME },
      ...position,
      { name: 'entity', type: NAME },
      { name: 'detector', type: 'varchar(64) COLLATE Latin1_General_BIN2' },
      { name: 'severity', type: 'varchar(16)' },
      { name: 'observed', type: 'float', nullable: true },
      { name: 'expected', type: 'float', nullable: true },
      { name: 'detail', type: 'nvarchar(max)', nullable: true },
      { name: 'detected_at', type: INSTANT },
      { name: 'resolved_at', type: INSTANT, nullable: true },
      { name: 'resolved_by', type: 'nvarchar(128)', nullable: true },
    ],
    key: ['lane', 'commit_lsn', 'ordinal', 'entity', 'detector'],
    index: ['detected_at'],
  },
  backfill: {
    name: 'backfill',
    columns: [
      { name: 'backfill_id', type: 'varchar(36)' },
      { name: 'entity', type: NAME },
      { name: 'range_no', type: 'int' },
      { name: 'lane', type: NAME },
      { name: 'kind', type: 'varchar(16)' },
      { name: 'state', type: 'varchar(16)' },
      { name: 'options_json', type: 'nvarchar(max)' },
      { name: 'from_key_json', type: 'nvarchar(max)', nullable: true },
      { name: 'to_key_json', type: 'nvarchar(max)', nullable: true },
      { name: 'done_key_json', type: 'nvarchar(max)', nullable: true },
      { name: 'low_lsn', type: 'bigint', nullable: true },
      { name: 'high_lsn', type: 'bigint', nullable: true },
      { name: 'chunks_done', type: 'bigint' },
      { name: 'rows_estimated', type: 'bigint', nullable: true },
      { name: 'rows_read', type: 'bigint' },
      { name: 'rows_written', type: 'bigint' },
      { name: 'rows_yielded', type: 'bigint' },
      { name: 'rows_pruned', type: 'bigint' },
      { name: 'error_code', type: 'varchar(8)', nullable: true },
      { name: 'error', type: 'nvarchar(2000)', nullable: true },
      { name: 'requested_by', type: 'nvarchar(128)' },
      { name: 'created_at', type: INSTANT },
      { name: 'started_at', type: INSTANT, nullable: true },
      { name: 'updated_at', type: INSTANT },
      { name: 'finished_at', type: INSTANT, nullable: true },
    ],
    key: ['backfill_id', 'entity', 'range_no'],
    index: ['state', 'created_at'],
  },
  audit: {
    name: 'audit',
    columns: [
      { name: 'happened_at', type: INSTANT },
      { name: 'audit_id', type: 'varchar(36)' },
      { name: 'actor', type: 'nvarchar(128)' },
      { name: 'action', type: 'varchar(64)' },
      { name: 'subject', type: 'nvarchar(400)' },
      { name: 'detail_json', type: 'nvarchar(max)', nullable: true },
    ],
    key: ['happened_at', 'audit_id'],
  },
} as const satisfies Record<string, ControlTable>;

/** `[walbridge].[watermark]` and so on, quoted. */
export function controlTable(table: keyof typeof controlTables): string {
  return quoteTable(controlName(table));
}

export function controlName(table: keyof typeof controlTables): TableName {
  return { schema: CONTROL_SCHEMA, table: controlTables[table].name };
}

/** CREATE TABLE with a named primary key, and CREATE INDEX where the table has one. */
export function controlTableDdl(table: ControlTable): string[] {
  const name = quoteTable({ schema: CONTROL_SCHEMA, table: table.name });
  const lines = table.columns.map(
    (column) =>
      `  ${quoteName(column.name)} ${column.type} ${column.nullable === true ? 'NULL' : 'NOT NULL'}`,
  );
  const key = `  CONSTRAINT ${quoteName(`PK_walbridge_${table.name}`)} PRIMARY KEY CLUSTERED (${names(table.key)})`;
  const create = `CREATE TABLE ${name} (\n${[...lines, key].join(',\n')}\n)`;
  if (table.index === undefined) return [create];
  return [
    create,
    `CREATE INDEX ${quoteName(`IX_walbridge_${table.name}`)} ON ${name} (${names(table.index)})`,
  ];
}

function names(columns: readonly string[]): string {
  return columns.map(quoteName).join(', ');
}
