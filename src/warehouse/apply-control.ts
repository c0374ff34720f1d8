// T-SQL around a batch's DML: lock and watermark at its start, watermark and batch log at its end.
// Guarantees: a second session on the same lane waits at the lock; the watermark moves in the DML's own transaction; positions,
// times and counts are parameters, so that the texts of two batches differ only where their tables do.
import type { LaneBatch } from '../change/batch.ts';
import { comparePositions, formatPosition, ORIGIN, type Position, WHOLE } from '../change/position.ts';
import { total } from './apply-script.ts';
import { controlTable } from './control-tables.ts';
import { quoteText } from './identifier.ts';
import type { SqlParameters, Statement } from './session.ts';
import { offsetText } from './staging-time.ts';

/** sp_getapplock's resource for a lane. */
export function laneLock(lane: string): string {
  return `walbridge.lane.${lane}`;
}

export interface OpeningRow {
  readonly granted: number;
  /** Null before the lane's first batch. */
  readonly lsn: string | null;
  readonly ordinal: string | null;
  /** Where the lane was before it was rewound; null where it is there again. */
  readonly replay_lsn: string | null;
  readonly replay_ordinal: string | null;
  /** Of the stream whose batches the lane takes; null before the first that says one. */
  readonly epoch: number | null;
  /** q0, q1, …: 1 where the entity of that place has open quarantine rows. */
  readonly [open: `q${number}`]: number;
}

/**
 * Takes the lane's lock, reads its watermark and makes or empties the temporary tables. One row: whether the lock was granted, the
 * watermark, and which of `entities` have open quarantine rows. Without the lock nothing else is read: whoever holds it
 * holds these rows too, for longer than `lockTimeoutMs`.
 */
export function openingScript(
  lane: string,
  lockTimeoutMs: number,
  entities: readonly string[],
  temporaryTables: readonly string[],
): string {
  const open = entities.map(
    (entity, index) =>
      `CASE WHEN EXISTS (SELECT 1 FROM ${controlTable('quarantine')} WHERE entity = ${quoteText(entity)} AND resolved_at IS NULL) THEN 1 ELSE 0 END AS q${index}`,
  );
  return `SET NOCOUNT ON;
SET XACT_ABORT ON;
DECLARE @granted int, @lsn bigint, @ordinal bigint, @replay_lsn bigint, @replay_ordinal bigint, @epoch int;
EXEC @granted = sp_getapplock @Resource = ${quoteText(laneLock(lane))}, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = ${lockTimeoutMs};
IF @granted >= 0 SELECT @lsn = commit_lsn, @ordinal = ordinal, @replay_lsn = replay_lsn, @replay_ordinal = replay_ordinal, @epoch = epoch FROM ${controlTable('watermark')} WITH (UPDLOCK, HOLDLOCK) WHERE lane = ${quoteText(lane)};
${temporaryTables.join('\n')}
IF @granted < 0 SELECT @granted AS granted
ELSE SELECT ${['@granted AS granted', 'CONVERT(varchar(20), @lsn) AS lsn', 'CONVERT(varchar(20), @ordinal) AS ordinal', 'CONVERT(varchar(20), @replay_lsn) AS replay_lsn', 'CONVERT(varchar(20), @replay_ordinal) AS replay_ordinal', '@epoch AS epoch', ...open].join(', ')};`;
}

export function watermarkOf(row: Pick<OpeningRow, 'lsn' | 'ordinal'> | undefined): Position {
  if (row === undefined || row.lsn === null || row.ordinal === null) return ORIGIN;
  return { lsn: BigInt(row.lsn), ordinal: Number(row.ordinal) };
}

/** Up to it the lane's changes are applied again, after a rewind; null where none are. */
export function replayOf(row: Pick<OpeningRow, 'replay_lsn' | 'replay_ordinal'>): Position | null {
  if (row.replay_lsn === null || row.replay_ordinal === null) return null;
  return { lsn: BigInt(row.replay_lsn), ordinal: Number(row.replay_ordinal) };
}

export function watermarkQuery(lane: string): string {
  return `SELECT CONVERT(varchar(20), commit_lsn) AS lsn, CONVERT(varchar(20), ordinal) AS ordinal, epoch FROM ${controlTable('watermark')} WHERE lane = ${quoteText(lane)};`;
}

/** What a batch is to a lane at the given watermark. */
export type Standing = 'skipped' | 'gap' | 'due';

/**
 * The heart of exactly-once: whatever is sent again, sent late or sent by two, only what the lane lacks is applied. A batch of
 * another epoch may be of WAL that the source has left, under the same positions: it says nothing, the lane is read again.
 */
export function standing(batch: LaneBatch, watermark: Position, epoch: number | null = null): Standing {
  if (epoch !== null && batch.epoch !== undefined && batch.epoch !== epoch) return 'gap';
  if (comparePositions(watermark, batch.last) >= 0) return 'skipped';
  return comparePositions(watermark, batch.previous) < 0 ? 'gap' : 'due';
}

/** `previous..last` */
export function batchName(batch: LaneBatch): string {
  return `${formatPosition(batch.previous)}..${formatPosition(batch.last)}`;
}

/** `first`: the lane has no watermark yet. `replay`: see `replayOf`. */
export function moveWatermark(batch: LaneBatch, first: boolean, replay: Position | null): Statement {
  const parameters = lastOf(batch);
  if (first) {
    return {
      sql: `INSERT INTO ${controlTable('watermark')} (lane, commit_lsn, ordinal, [position], commit_time, applied_at) VALUES (@lane, @lsn, @ordinal, @position, ${TIME}, SYSDATETIMEOFFSET());`,
      parameters,
    };
  }
  const isReplayed = replay !== null && comparePositions(batch.last, replay) >= 0;
  const replayed = isReplayed ? ', replay_lsn = NULL, replay_ordinal = NULL' : '';
  return {
    sql: `UPDATE ${controlTable('watermark')} SET commit_lsn = @lsn, ordinal = @ordinal, [position] = @position, commit_time = ${TIME}, applied_at = SYSDATETIMEOFFSET()${replayed} WHERE lane = @lane;`,
    parameters,
  };
}

const TIME = 'CONVERT(datetimeoffset(6), @time)';

/** Where the batch ends: @lane, @lsn, @ordinal, @position, @time. */
function lastOf({ lane, last, commitTimeMicros }: LaneBatch): SqlParameters {
  return {
    lane: { type: 'nvarchar', value: lane },
    lsn: { type: 'bigint', value: last.lsn },
    ordinal: { type: 'bigint', value: last.ordinal },
    position: { type: 'varchar', value: formatPosition(last) },
    time: { type: 'varchar', value: offsetText(commitTimeMicros) },
  };
}

export interface LoggedBatch {
  readonly batch: LaneBatch;
  /** Where the lane stood: after `batch.previous` where the batch overlaps what was applied. */
  readonly from: Position;
  /** See `replayOf`: what is applied again is in the log already. */
  readonly replay: Position | null;
  readonly changes: number;
  readonly tables: number;
  readonly truncated: number;
  readonly quarantined: number;
  readonly milliseconds: number;
}

/** Null where all of the batch is in the log. Once a position, also after somebody has set a watermark back by hand. */
export function logBatch(log: LoggedBatch): Statement | null {
  const counts = (['inserted', 'updated', 'deleted'] as const).map((what) => total(what, log.tables));
  return insertLog(log, counts.join(', '), 'NULL');
}

/** The same for a batch that somebody has skipped. */
export function logSkipped(batch: LaneBatch, from: Position, replay: Position | null): Statement | null {
  const nothing = { changes: batch.changes, tables: 0, truncated: 0, quarantined: 0, milliseconds: 0 };
  return insertLog({ batch, from, replay, ...nothing }, '0, 0, 0', '1');
}

function insertLog(log: LoggedBatch, rows: string, isSkipped: string): Statement | null {
  const { batch, replay } = log;
  if (replay !== null && comparePositions(batch.last, replay) <= 0) return null;
  const from = replay !== null && comparePositions(log.from, replay) < 0 ? replay : log.from;
  const table = controlTable('batchLog');
  return {
    sql: `INSERT INTO ${table} (lane, commit_lsn, ordinal, [position], previous_lsn, previous_ordinal, previous_position, commit_time, changes, rows_inserted, rows_updated, rows_deleted, tables_truncated, rows_quarantined, is_part, milliseconds, applied_at, is_skipped)
SELECT @lane, @lsn, @ordinal, @position, @from_lsn, @from_ordinal, @from_position, ${TIME}, @changes, ${rows}, @truncated, @quarantined, @is_part, @milliseconds, SYSDATETIMEOFFSET(), ${isSkipped}
WHERE NOT EXISTS (SELECT 1 FROM ${table} WHERE lane = @lane AND commit_lsn = @lsn AND ordinal = @ordinal);`,
    parameters: {
      ...lastOf(batch),
      from_lsn: { type: 'bigint', value: from.lsn },
      from_ordinal: { type: 'bigint', value: from.ordinal },
      from_position: { type: 'varchar', value: formatPosition(from) },
      changes: { type: 'bigint', value: log.changes },
      truncated: { type: 'int', value: log.truncated },
      quarantined: { type: 'bigint', value: log.quarantined },
      is_part: { type: 'bit', value: batch.last.ordinal !== WHOLE },
      milliseconds: { type: 'int', value: log.milliseconds },
    },
  };
}
