// The control tables' DDL, as numbered steps. A step that was released is never edited: add another behind it.
// Guarantees: plain T-SQL of SQL Server 2016 and Azure SQL (no IDENTITY, filtered index or rowversion; one column an ALTER, for
// engines that take no more); each key stays within a clustered index's 900 bytes. Names are compared byte by byte, so that lanes 'A' and 'a' are two.

export interface Migration {
  /** From 1, without a gap. */
  readonly version: number;
  readonly description: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
  {
    version: 1,
    description: 'Watermarks, batch log, quarantine, anomalies, backfills and audit',
    statements: [
      `CREATE TABLE [walbridge].[watermark] (
  [lane] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [commit_lsn] bigint NOT NULL,
  [ordinal] bigint NOT NULL,
  [position] varchar(40) NOT NULL,
  [commit_time] datetimeoffset(6) NULL,
  [system_identifier] varchar(20) NULL,
  [slot] varchar(63) NULL,
  [applied_at] datetimeoffset(6) NOT NULL,
  CONSTRAINT [PK_walbridge_watermark] PRIMARY KEY CLUSTERED ([lane])
)`,
      `CREATE TABLE [walbridge].[batch_log] (
  [lane] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [commit_lsn] bigint NOT NULL,
  [ordinal] bigint NOT NULL,
  [position] varchar(40) NOT NULL,
  [previous_lsn] bigint NOT NULL,
  [previous_ordinal] bigint NOT NULL,
  [previous_position] varchar(40) NOT NULL,
  [commit_time] datetimeoffset(6) NULL,
  [changes] bigint NOT NULL,
  [rows_inserted] bigint NOT NULL,
  [rows_updated] bigint NOT NULL,
  [rows_deleted] bigint NOT NULL,
  [tables_truncated] int NOT NULL,
  [rows_quarantined] bigint NOT NULL,
  [is_part] bit NOT NULL,
  [milliseconds] int NOT NULL,
  [applied_at] datetimeoffset(6) NOT NULL,
  CONSTRAINT [PK_walbridge_batch_log] PRIMARY KEY CLUSTERED ([lane], [commit_lsn], [ordinal])
)`,
      'CREATE INDEX [IX_walbridge_batch_log_applied_at] ON [walbridge].[batch_log] ([applied_at])',
      `CREATE TABLE [walbridge].[quarantine] (
  [lane] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [commit_lsn] bigint NOT NULL,
  [ordinal] bigint NOT NULL,
  [position] varchar(40) NOT NULL,
  [entity] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [commit_time] datetimeoffset(6) NULL,
  [code] varchar(8) NOT NULL,
  [reason] nvarchar(2000) NOT NULL,
  [change] varchar(8) NOT NULL,
  [key_json] nvarchar(max) NOT NULL,
  [row_json] nvarchar(max) NULL,
  [batch] varchar(90) NOT NULL,
  [quarantined_at] datetimeoffset(6) NOT NULL,
  [resolved_at] datetimeoffset(6) NULL,
  [resolved_by] nvarchar(128) NULL,
  CONSTRAINT [PK_walbridge_quarantine] PRIMARY KEY CLUSTERED ([lane], [commit_lsn], [ordinal], [entity])
)`,
      'CREATE INDEX [IX_walbridge_quarantine_entity] ON [walbridge].[quarantine] ([entity], [resolved_at])',
      `CREATE TABLE [walbridge].[anomaly] (
  [lane] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [commit_lsn] bigint NOT NULL,
  [ordinal] bigint NOT NULL,
  [position] varchar(40) NOT NULL,
  [entity] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [detector] varchar(64) COLLATE Latin1_General_BIN2 NOT NULL,
  [severity] varchar(16) NOT NULL,
  [observed] float NULL,
  [expected] float NULL,
  [detail] nvarchar(max) NULL,
  [detected_at] datetimeoffset(6) NOT NULL,
  [resolved_at] datetimeoffset(6) NULL,
  [resolved_by] nvarchar(128) NULL,
  CONSTRAINT [PK_walbridge_anomaly] PRIMARY KEY CLUSTERED ([lane], [commit_lsn], [ordinal], [entity], [detector])
)`,
      'CREATE INDEX [IX_walbridge_anomaly_detected_at] ON [walbridge].[anomaly] ([detected_at])',
      `CREATE TABLE [walbridge].[backfill] (
  [backfill_id] varchar(36) NOT NULL,
  [entity] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [range_no] int NOT NULL,
  [lane] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [kind] varchar(16) NOT NULL,
  [state] varchar(16) NOT NULL,
  [options_json] nvarchar(max) NOT NULL,
  [from_key_json] nvarchar(max) NULL,
  [to_key_json] nvarchar(max) NULL,
  [done_key_json] nvarchar(max) NULL,
  [low_lsn] bigint NULL,
  [high_lsn] bigint NULL,
  [chunks_done] bigint NOT NULL,
  [rows_estimated] bigint NULL,
  [rows_read] bigint NOT NULL,
  [rows_written] bigint NOT NULL,
  [rows_yielded] bigint NOT NULL,
  [rows_pruned] bigint NOT NULL,
  [error_code] varchar(8) NULL,
  [error] nvarchar(2000) NULL,
  [requested_by] nvarchar(128) NOT NULL,
  [created_at] datetimeoffset(6) NOT NULL,
  [started_at] datetimeoffset(6) NULL,
  [updated_at] datetimeoffset(6) NOT NULL,
  [finished_at] datetimeoffset(6) NULL,
  CONSTRAINT [PK_walbridge_backfill] PRIMARY KEY CLUSTERED ([backfill_id], [entity], [range_no])
)`,
      'CREATE INDEX [IX_walbridge_backfill_state] ON [walbridge].[backfill] ([state], [created_at])',
      `CREATE TABLE [walbridge].[audit] (
  [happened_at] datetimeoffset(6) NOT NULL,
  [audit_id] varchar(36) NOT NULL,
  [actor] nvarchar(128) NOT NULL,
  [action] varchar(64) NOT NULL,
  [subject] nvarchar(400) NOT NULL,
  [detail_json] nvarchar(max) NULL,
  CONSTRAINT [PK_walbridge_audit] PRIMARY KEY CLUSTERED ([happened_at], [audit_id])
)`,
    ],
  },
  {
    version: 2,
    description: 'The lane of each entity',
    statements: [
      `CREATE TABLE [walbridge].[entity] (
  [slot] varchar(63) COLLATE Latin1_General_BIN2 NOT NULL,
  [entity] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [lane] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [assigned_at] datetimeoffset(6) NOT NULL,
  CONSTRAINT [PK_walbridge_entity] PRIMARY KEY CLUSTERED ([slot], [entity])
)`,
    ],
  },
  {
    version: 3,
    description: 'What the source was told, what is missing; rewinds and skipped batches',
    statements: [
      `CREATE TABLE [walbridge].[slot] (
  [slot] varchar(63) COLLATE Latin1_General_BIN2 NOT NULL,
  [system_identifier] varchar(20) NOT NULL,
  [acknowledged_lsn] bigint NOT NULL,
  [acknowledged] varchar(20) NOT NULL,
  [acknowledged_at] datetimeoffset(6) NOT NULL,
  [rewinds] int NOT NULL,
  [gap_code] varchar(8) NULL,
  [gap_reason] nvarchar(2000) NULL,
  [gap_entities_json] nvarchar(max) NULL,
  [gap_at] datetimeoffset(6) NULL,
  CONSTRAINT [PK_walbridge_slot] PRIMARY KEY CLUSTERED ([slot])
)`,
      `ALTER TABLE [walbridge].[watermark] ADD
  [replay_lsn] bigint NULL`,
      `ALTER TABLE [walbridge].[watermark] ADD
  [replay_ordinal] bigint NULL`,
      `ALTER TABLE [walbridge].[batch_log] ADD
  [is_skipped] bit NULL`,
    ],
  },
  {
    version: 4,
    description: 'Verifications',
    statements: [
      `CREATE TABLE [walbridge].[verification] (
  [verification_id] varchar(36) NOT NULL,
  [entity] nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL,
  [state] varchar(16) NOT NULL,
  [way] varchar(8) NOT NULL,
  [share] float NOT NULL,
  [source_rows] bigint NOT NULL,
  [warehouse_rows] bigint NOT NULL,
  [rows_listed] bigint NOT NULL,
  [rows_read] bigint NOT NULL,
  [missing] bigint NOT NULL,
  [extra] bigint NOT NULL,
  [different] bigint NOT NULL,
  [quarantined] bigint NOT NULL,
  [unsettled] bigint NOT NULL,
  [is_cut_short] bit NOT NULL,
  [repair_id] varchar(36) NULL,
  [error_code] varchar(8) NULL,
  [error] nvarchar(2000) NULL,
  [requested_by] nvarchar(128) NOT NULL,
  [started_at] datetimeoffset(6) NOT NULL,
  [finished_at] datetimeoffset(6) NOT NULL,
  CONSTRAINT [PK_walbridge_verification] PRIMARY KEY CLUSTERED ([verification_id], [entity])
)`,
      'CREATE INDEX [IX_walbridge_verification_entity] ON [walbridge].[verification] ([entity], [finished_at])',
    ],
  },
  {
    version: 5,
    description: 'Which WAL of the source the positions are of, and whose batches count',
    statements: [
      `ALTER TABLE [walbridge].[slot] ADD
  [source_json] nvarchar(max) NULL`,
      `ALTER TABLE [walbridge].[slot] ADD
  [epoch] int NULL`,
      `ALTER TABLE [walbridge].[watermark] ADD
  [epoch] int NULL`,
    ],
  },
];

/** What must stand before the first step can be recorded. CREATE SCHEMA has to be alone in its batch. */
export const createControlSchema = 'CREATE SCHEMA [walbridge]';

/** Every change of the warehouse's schema that walbridge made: its own steps, and what it did to target tables. */
export const createSchemaHistory = `CREATE TABLE [walbridge].[schema_history] (
  [component] nvarchar(200) COLLATE Latin1_General_BIN2 NOT NULL,
  [version] int NOT NULL,
  [description] nvarchar(400) NOT NULL,
  [statements] nvarchar(max) NOT NULL,
  [applied_at] datetimeoffset(6) NOT NULL,
  [applied_by] nvarchar(128) NOT NULL,
  CONSTRAINT [PK_walbridge_schema_history] PRIMARY KEY CLUSTERED ([component], [version])
)`;
