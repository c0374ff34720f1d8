// Brings the control tables to the newest step.
// Guarantees: under its lock two runs at once don't collide and a second run changes nothing; a warehouse of a newer
// walbridge is left alone.
import { WalbridgeError } from '../fault/fault.ts';
import { lockForTransaction } from './app-lock.ts';
import { CONTROL_SCHEMA, controlTable } from './control-tables.ts';
import { createControlSchema, createSchemaHistory, type Migration, migrations } from './migrations.ts';
import type { SqlSession } from './session.ts';

/** `schema_history.component` of the control tables themselves. */
const CONTROL_COMPONENT = 'control';
const LOCK = 'walbridge.schema';
const LOCK_TIMEOUT_MS = 60_000;

/** Where the control tables stand. */
export interface ControlState {
  readonly schemaExists: boolean;
  readonly historyExists: boolean;
  /** The last step applied; 0 before the first. */
  readonly version: number;
}

/** What would still be run. */
export function pendingMigrations(state: ControlState): readonly Migration[] {
  return migrations.filter((migration) => migration.version > state.version);
}

/** The statements of `runMigrations`, each a batch of its own. Throws WB6031 as that does. */
export function migrationStatements(state: ControlState): string[] {
  refuseNewer(state);
  return [
    ...(state.schemaExists ? [] : [createControlSchema]),
    ...(state.historyExists ? [] : [createSchemaHistory]),
    ...pendingMigrations(state).flatMap((migration) => migration.statements),
  ];
}

/** Held to the end of the transaction: one change of the schema at a time. Throws WB6030 after a minute. */
export function lockSchema(session: SqlSession): Promise<void> {
  return lockForTransaction(session, LOCK, LOCK_TIMEOUT_MS);
}

/**
 * Runs what is pending, in the session's open transaction and under `lockSchema`; `actor` is recorded as who did it.
 * Throws WB6031 where the control tables are of a newer walbridge.
 */
export async function runMigrations(session: SqlSession, state: ControlState, actor: string): Promise<void> {
  for (const statement of migrationStatements(state)) await session.batch(statement);
  for (const { version, description, statements } of pendingMigrations(state)) {
    await recordSchemaChange(session, {
      component: CONTROL_COMPONENT,
      version,
      description,
      statements,
      actor,
    });
  }
}

export async function readControlState(session: SqlSession): Promise<ControlState> {
  const { rows } = await session.batch<{ schema_name: string; table_name: string | null }>(
    `SELECT s.name AS schema_name, t.name AS table_name
FROM sys.schemas AS s
LEFT JOIN sys.tables AS t ON t.schema_id = s.schema_id AND t.name = N'schema_history'
WHERE s.name = N'${CONTROL_SCHEMA}'`,
  );
  const schemaExists = rows.length > 0;
  const historyExists = rows.some((row) => row.table_name !== null);
  const version = historyExists ? await lastSchemaVersion(session, CONTROL_COMPONENT) : 0;
  return { schemaExists, historyExists, version };
}

/** The newest version recorded for a component; 0 where there is none. */
export async function lastSchemaVersion(session: SqlSession, component: string): Promise<number> {
  const { rows } = await session.query<{ version: number | null }>(
    `SELECT MAX(version) AS version FROM ${controlTable('schemaHistory')} WHERE component = @component`,
    { component: { type: 'nvarchar', value: component } },
  );
  return rows[0]?.version ?? 0;
}

export interface SchemaChange {
  readonly component: string;
  readonly version: number;
  readonly description: string;
  readonly statements: readonly string[];
  readonly actor: string;
}

/** Adds a row to walbridge.schema_history. */
export async function recordSchemaChange(session: SqlSession, change: SchemaChange): Promise<void> {
  await session.query(
    `INSERT INTO ${controlTable('schemaHistory')} (component, version, description, statements, applied_at, applied_by)
VALUES (@component, @version, @description, @statements, SYSDATETIMEOFFSET(), @actor)`,
    {
      component: { type: 'nvarchar', value: change.component },
      version: { type: 'int', value: change.version },
      description: { type: 'nvarchar', value: change.description },
      statements: { type: 'nvarchar', value: change.statements.join(';\n') },
      actor: { type: 'nvarchar', value: change.actor },
    },
  );
}

function refuseNewer(state: ControlState): void {
  const newest = migrations.at(-1)?.version ?? 0;
  if (state.version <= newest) return;
  throw new WalbridgeError({
    code: 'WB6031',
    kind: 'permanent',
    what: `The warehouse's control tables are at step ${state.version}; this walbridge knows ${newest}.`,
    safe: 'Nothing was changed.',
    next: 'Run the newer walbridge that made them.',
  });
}
