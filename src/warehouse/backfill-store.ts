// Backfills as the control table keeps them: asked for, taken up, how far, ended.
// Guarantees: what somebody asked for last stands (a pause or cancel is never overwritten by progress); the key that a restart
// goes on behind only ever covers rows that are in the warehouse.

import type { Lsn } from '../change/position.ts';
import { recordAudit } from './audit.ts';
import {
  type BackfillKind,
  type BackfillOptions,
  type BackfillState,
  type BackfillStatus,
  type BackfillStep,
  noOptions,
} from './backfill-step.ts';
import { controlTable } from './control-tables.ts';
import { isoTime } from './iso-time.ts';
import type { SqlParameters, SqlSession, Warehouse } from './session.ts';

export interface ChunkProgress {
  readonly doneKey: readonly string[] | null;
  readonly lowLsn: Lsn;
  readonly highLsn: Lsn;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly rowsYielded: number;
  readonly rowsPruned: number;
}

export const table = controlTable('backfill');
export const IDENTITY = 'backfill_id = @id AND entity = @entity AND range_no = @range';
export const NOW = 'SYSDATETIMEOFFSET()';

export const nvarchar = (value: string | null) => ({ type: 'nvarchar', value }) as const;
const varchar = (value: string | null) => ({ type: 'varchar', value }) as const;
const bigint = (value: bigint | number | null) => ({ type: 'bigint', value }) as const;
export const keyJson = (key: readonly string[] | null) => nvarchar(key === null ? null : JSON.stringify(key));

export function identity({ id, entity, range }: BackfillStep): SqlParameters {
  return { id: varchar(id), entity: nvarchar(entity), range: { type: 'int', value: range } };
}

/** Writes the steps and an audit row each, and what `also` writes; all or none. */
export async function requestBackfill(
  warehouse: Warehouse,
  steps: readonly BackfillStep[],
  actor: string,
  also: (session: SqlSession) => Promise<void> = async () => undefined,
): Promise<void> {
  await warehouse.transaction(async (session) => {
    await also(session);
    for (const step of steps) {
      await session.query(
        `INSERT INTO ${table} (backfill_id, entity, range_no, lane, kind, state, options_json, from_key_json, to_key_json, chunks_done, rows_read, rows_written, rows_yielded, rows_pruned, requested_by, created_at, updated_at)
VALUES (@id, @entity, @range, @lane, @kind, 'queued', @options, @from, @to, 0, 0, 0, 0, 0, @actor, ${NOW}, ${NOW})`,
        {
          ...identity(step),
          lane: nvarchar(step.lane),
          kind: varchar(step.kind),
          options: nvarchar(JSON.stringify(step.options)),
          from: keyJson(step.fromKey),
          to: keyJson(step.toKey),
          actor: nvarchar(actor),
        },
      );
      const { keys, ...options } = step.options;
      const detail = { id: step.id, ...options, ...(keys !== undefined && { keys: keys.length }) };
      await recordAudit(session, actor, `backfill ${step.kind}`, step.entity, detail);
    }
  });
}

/** Steps by the time they were asked for: of one backfill, in some states, or all. */
export async function readBackfills(
  session: SqlSession,
  which: { readonly id: string } | { readonly states: readonly BackfillState[] } | 'all',
): Promise<BackfillStatus[]> {
  const condition =
    which === 'all'
      ? '1 = 1'
      : 'id' in which
        ? 'backfill_id = @id'
        : `state IN (${which.states.map((state) => `'${state}'`).join(', ')})`;
  const { rows } = await session.query<BackfillRow>(
    `SELECT ${COLUMNS} FROM ${table} WHERE ${condition} ORDER BY created_at, backfill_id, entity, range_no`,
    typeof which === 'object' && 'id' in which ? { id: varchar(which.id) } : {},
  );
  return rows.map(statusOf);
}

/** Whether any was ever asked for. */
export async function hasBackfills(session: SqlSession): Promise<boolean> {
  const { rows } = await session.batch(`SELECT TOP (1) backfill_id FROM ${table}`);
  return rows.length > 0;
}

/** False where it was paused or cancelled meanwhile. */
export function startBackfill(
  session: SqlSession,
  step: BackfillStep,
  rowsEstimated: number | null,
): Promise<boolean> {
  return changed(
    session,
    `UPDATE ${table} SET state = 'running', started_at = COALESCE(started_at, ${NOW}), rows_estimated = COALESCE(rows_estimated, @estimated), updated_at = ${NOW} WHERE ${IDENTITY} AND state IN ('queued', 'running')`,
    { ...identity(step), estimated: bigint(rowsEstimated) },
  );
}

/** A chunk is in the warehouse. False where it was paused or cancelled meanwhile. */
export function recordChunk(
  session: SqlSession,
  step: BackfillStep,
  progress: ChunkProgress,
): Promise<boolean> {
  return changed(
    session,
    `UPDATE ${table} SET done_key_json = COALESCE(@done, done_key_json), low_lsn = @low, high_lsn = @high, chunks_done = chunks_done + 1, rows_read = rows_read + @read, rows_written = rows_written + @written, rows_yielded = rows_yielded + @yielded, rows_pruned = rows_pruned + @pruned, error_code = NULL, error = NULL, updated_at = ${NOW} WHERE ${IDENTITY} AND state = 'running'`,
    {
      ...identity(step),
      done: keyJson(progress.doneKey),
      low: bigint(progress.lowLsn),
      high: bigint(progress.highLsn),
      read: bigint(progress.rowsRead),
      written: bigint(progress.rowsWritten),
      yielded: bigint(progress.rowsYielded),
      pruned: bigint(progress.rowsPruned),
    },
  );
}

/** What holds it up, while it goes on trying. */
export async function recordTrouble(
  session: SqlSession,
  step: BackfillStep,
  code: string,
  text: string,
): Promise<void> {
  await changed(
    session,
    `UPDATE ${table} SET error_code = @code, error = @error, updated_at = ${NOW} WHERE ${IDENTITY} AND state = 'running'`,
    { ...identity(step), code: varchar(code), error: nvarchar(text.slice(0, LONGEST_ERROR)) },
  );
}

/** False where it was paused or cancelled meanwhile. `error` null: it is done. */
export function finishBackfill(
  session: SqlSession,
  step: BackfillStep,
  error: { readonly code: string; readonly text: string } | null,
): Promise<boolean> {
  return changed(
    session,
    `UPDATE ${table} SET state = '${error === null ? 'done' : 'failed'}', error_code = @code, error = @error, finished_at = ${NOW}, updated_at = ${NOW} WHERE ${IDENTITY} AND state IN ('queued', 'running')`,
    {
      ...identity(step),
      code: varchar(error?.code ?? null),
      error: nvarchar(error?.text.slice(0, LONGEST_ERROR) ?? null),
    },
  );
}

export const steering = {
  pause: { to: 'paused', from: ['queued', 'running'] },
  resume: { to: 'queued', from: ['paused', 'failed'] },
  cancel: { to: 'cancelled', from: ['queued', 'running', 'paused', 'failed'] },
} as const;

/** Steers all steps of a backfill that are in a state for it. Returns how many. */
export function steerBackfill(
  warehouse: Warehouse,
  id: string,
  action: keyof typeof steering,
  actor: string,
): Promise<number> {
  const { to, from } = steering[action];
  const end = to === 'cancelled' ? NOW : 'NULL';
  return warehouse.transaction(async (session) => {
    const count = await affected(
      session,
      `UPDATE ${table} SET state = '${to}', finished_at = ${end}, updated_at = ${NOW} WHERE backfill_id = @id AND state IN (${from.map((state) => `'${state}'`).join(', ')})`,
      { id: varchar(id) },
    );
    if (count > 0) await recordAudit(session, actor, `backfill ${action}`, id, { steps: count });
    return count;
  });
}

const LONGEST_ERROR = 2000;

export async function changed(session: SqlSession, sql: string, parameters: SqlParameters): Promise<boolean> {
  return (await affected(session, sql, parameters)) > 0;
}

/** Asked for, since the driver is told nothing where a session's NOCOUNT is on. */
async function affected(session: SqlSession, sql: string, parameters: SqlParameters): Promise<number> {
  const { rows } = await session.query<{ affected: number }>(
    `${sql}; SELECT @@ROWCOUNT AS affected;`,
    parameters,
  );
  return rows[0]?.affected ?? 0;
}

interface BackfillRow {
  readonly backfill_id: string;
  readonly entity: string;
  readonly range_no: number;
  readonly lane: string;
  readonly kind: BackfillKind;
  readonly state: BackfillState;
  readonly options_json: string;
  readonly from_key_json: string | null;
  readonly to_key_json: string | null;
  readonly done_key_json: string | null;
  readonly chunks_done: string;
  readonly rows_estimated: string | null;
  readonly rows_read: string;
  readonly rows_written: string;
  readonly rows_yielded: string;
  readonly rows_pruned: string;
  readonly error_code: string | null;
  readonly error: string | null;
  readonly requested_by: string;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly updated_at: string;
  readonly finished_at: string | null;
}

const COLUMNS = [
  ...['backfill_id', 'entity', 'range_no', 'lane', 'kind', 'state', 'options_json'],
  ...[
    'from_key_json',
    'to_key_json',
    'done_key_json',
    'chunks_done',
    'rows_estimated',
    'rows_read',
    'rows_written',
  ],
  ...['rows_yielded', 'rows_pruned', 'error_code', 'error', 'requested_by'],
  ...['created_at', 'started_at', 'updated_at', 'finished_at'].map(
    (column) => `${isoTime(column)} AS ${column}`,
  ),
].join(', ');

function statusOf(row: BackfillRow): BackfillStatus {
  const key = (json: string | null) => (json === null ? null : (JSON.parse(json) as string[]));
  return {
    id: row.backfill_id,
    entity: row.entity,
    range: row.range_no,
    lane: row.lane,
    kind: row.kind,
    state: row.state,
    options: { ...noOptions, ...(JSON.parse(row.options_json) as Partial<BackfillOptions>) },
    fromKey: key(row.from_key_json),
    toKey: key(row.to_key_json),
    doneKey: key(row.done_key_json),
    chunksDone: Number(row.chunks_done),
    rowsEstimated: row.rows_estimated === null ? null : Number(row.rows_estimated),
    rowsRead: Number(row.rows_read),
    rowsWritten: Number(row.rows_written),
    rowsYielded: Number(row.rows_yielded),
    rowsPruned: Number(row.rows_pruned),
    errorCode: row.error_code,
    error: row.error,
    requestedBy: row.requested_by,
    createdAt: row.created_at,
    startedAt: row.started_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
  };
}
