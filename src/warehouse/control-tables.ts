// Names of the control tables in the warehouse. What is in them: docs/control-tables.md; their DDL: migrations.ts.
import { quoteTable } from './identifier.ts';

export const CONTROL_SCHEMA = 'walbridge';

const names = {
  schemaHistory: 'schema_history',
  watermark: 'watermark',
  entity: 'entity',
  slot: 'slot',
  batchLog: 'batch_log',
  quarantine: 'quarantine',
  anomaly: 'anomaly',
  backfill: 'backfill',
  verification: 'verification',
  audit: 'audit',
} as const;

/** `[walbridge].[watermark]` and so on, quoted. */
export function controlTable(table: keyof typeof names): string {
  return quoteTable({ schema: CONTROL_SCHEMA, table: names[table] });
}
