// What the source may have been told that it can forget, and whether changes are missing: a row a slot.
// Guarantees: written before the source is told, so that a slot which stands beyond the record proves that the warehouse was taken
// back; moved only from what the writer has seen, while no lane has gone back: whatever came in between makes the writer look again.
import { formatLsn, type Lsn, type Position } from '../change/position.ts';
import { fromTimelinesData, type TimelinesData } from '../change/timelines.ts';
import { controlTable } from './control-tables.ts';
import type { SqlParameters, SqlSession } from './session.ts';
import { type KnownSource, SOURCE_WENT_BACK } from './source-branch.ts';

/** Changes that the warehouse lacks and that the source does not send again. */
export interface Gap {
  /** Of the fault that it was found with. */
  readonly code: string;
  readonly reason: string;
  /** Entities that may lack changes; null: all. */
  readonly entities: readonly string[] | null;
}

export interface AcknowledgementRecord {
  /** The slot's confirmed position, as PostgreSQL spells it, is never beyond this one. What commits at it or after it is sent again. */
  readonly limit: Lsn;
  /** Grows with each rewind of a lane. */
  readonly rewinds: number;
  /** Grows with each start of the stream. */
  readonly epoch: number;
  /** What the slot was read from, and with, when the stream began last; null before that. */
  readonly source: KnownSource | null;
  readonly gap: Gap | null;
}

export interface LanePosition {
  readonly lane: string;
  readonly position: Position;
}

interface RecordRow {
  readonly acknowledged_lsn: string;
  readonly rewinds: number;
  readonly epoch: number | null;
  readonly source_json: string | null;
  readonly gap_code: string | null;
  readonly gap_reason: string | null;
  readonly gap_entities_json: string | null;
}

const table = controlTable('slot');
const COLUMNS =
  'CONVERT(varchar(20), acknowledged_lsn) AS acknowledged_lsn, rewinds, epoch, source_json, gap_code, gap_reason, gap_entities_json';
/** Assignments of a new limit; its parameters are `limitParameters`'s. */
export const ACKNOWLEDGED =
  'acknowledged_lsn = @limit, acknowledged = @limit_text, acknowledged_at = SYSDATETIMEOFFSET()';
/** Assignments after which nothing is missing. */
export const NO_GAP = 'gap_code = NULL, gap_reason = NULL, gap_entities_json = NULL, gap_at = NULL';
const LONGEST_REASON = 2000;

/**
 * The slot's record. One that is not there yet begins with `confirmed`, the position of the slot; one of another cluster begins
 * anew. Throws a WarehouseError.
 */
export async function registerSlot(
  session: SqlSession,
  slot: string,
  systemIdentifier: string,
  confirmed: Lsn,
): Promise<AcknowledgementRecord> {
  const { rows } = await session.query<RecordRow>(
    `SET NOCOUNT ON;
INSERT INTO ${table} (slot, system_identifier, acknowledged_lsn, acknowledged, acknowledged_at, rewinds)
SELECT @slot, @system, @limit, @limit_text, SYSDATETIMEOFFSET(), 0
WHERE NOT EXISTS (SELECT 1 FROM ${table} WITH (UPDLOCK, HOLDLOCK) WHERE slot = @slot);
UPDATE ${table} SET system_identifier = @system, source_json = NULL, ${ACKNOWLEDGED}, ${NO_GAP} WHERE slot = @slot AND system_identifier <> @system;
SELECT ${COLUMNS} FROM ${table} WHERE slot = @slot;`,
    {
      ...slotParameter(slot),
      ...limitParameters(confirmed),
      system: { type: 'varchar', value: systemIdentifier },
    },
  );
  return recordOf(rows[0]) ?? { limit: confirmed, rewinds: 0, epoch: 0, source: null, gap: null };
}

/** Null where the slot is not known. Throws a WarehouseError. */
export async function readAcknowledgementRecord(
  session: SqlSession,
  slot: string,
): Promise<AcknowledgementRecord | null> {
  const { rows } = await session.query<RecordRow>(
    `SELECT ${COLUMNS} FROM ${table} WHERE slot = @slot;`,
    slotParameter(slot),
  );
  return recordOf(rows[0]);
}

/** The same, locked to the end of the session's transaction: nobody moves it meanwhile. */
export async function lockAcknowledgementRecord(
  session: SqlSession,
  slot: string,
): Promise<AcknowledgementRecord | null> {
  const { rows } = await session.query<RecordRow>(
    `SELECT ${COLUMNS} FROM ${table} WITH (UPDLOCK, HOLDLOCK) WHERE slot = @slot;`,
    slotParameter(slot),
  );
  return recordOf(rows[0]);
}

/**
 * Moves the record to `limit`. False, and nothing is moved, where it is not as `seen` any more, or a lane is behind the
 * position that it is believed to have. Throws a WarehouseError; after a lost connection nobody knows: read it again.
 */
export async function moveAcknowledgement(
  session: SqlSession,
  slot: string,
  seen: AcknowledgementRecord,
  limit: Lsn,
  lanes: readonly LanePosition[],
): Promise<boolean> {
  const parameters: Record<string, SqlParameters[string]> = {
    ...slotParameter(slot),
    ...limitParameters(limit),
    seen: { type: 'bigint', value: seen.limit },
    rewinds: { type: 'int', value: seen.rewinds },
    epoch: { type: 'int', value: seen.epoch },
  };
  const reached = lanes.map(({ lane, position: { lsn, ordinal } }, index) => {
    parameters[`lane${index}`] = { type: 'nvarchar', value: lane };
    parameters[`lsn${index}`] = { type: 'bigint', value: lsn };
    parameters[`ordinal${index}`] = { type: 'bigint', value: ordinal };
    return `(lane = @lane${index} AND (commit_lsn > @lsn${index} OR (commit_lsn = @lsn${index} AND ordinal >= @ordinal${index})))`;
  });
  const intact =
    reached.length === 0
      ? ''
      : ` AND (SELECT COUNT(*) FROM ${controlTable('watermark')} WHERE ${reached.join(' OR ')}) = ${reached.length}`;
  const { rows } = await session.query<{ moved: number }>(
    `UPDATE ${table} SET ${ACKNOWLEDGED} WHERE slot = @slot AND acknowledged_lsn = @seen AND rewinds = @rewinds AND COALESCE(epoch, 0) = @epoch AND gap_code IS NULL${intact};
SELECT @@ROWCOUNT AS moved;`,
    parameters,
  );
  return (rows[0]?.moved ?? 0) > 0;
}

/**
 * Notes that changes are missing: until somebody fills the gap, nothing is read from the slot. The first one stays, but for one
 * that is about everything and is not found again. Throws a WarehouseError.
 */
export async function recordGap(session: SqlSession, slot: string, gap: Gap): Promise<void> {
  await session.query(
    `UPDATE ${table} SET gap_code = @code, gap_reason = @reason, gap_entities_json = @entities, gap_at = SYSDATETIMEOFFSET() WHERE slot = @slot AND (gap_code IS NULL OR @code = '${SOURCE_WENT_BACK}')`,
    {
      ...slotParameter(slot),
      code: { type: 'varchar', value: gap.code },
      reason: { type: 'nvarchar', value: gap.reason.slice(0, LONGEST_REASON) },
      entities: { type: 'nvarchar', value: gap.entities === null ? null : JSON.stringify(gap.entities) },
    },
  );
}

/** For a lane's rewind, in its transaction: whoever would move the record on has to look again. */
export async function countRewind(session: SqlSession, slot: string): Promise<void> {
  await session.query(`UPDATE ${table} SET rewinds = rewinds + 1 WHERE slot = @slot;`, slotParameter(slot));
}

/** As its column is: of another type, the column would be converted and its index not be sought in. */
export const slotParameter = (slot: string) => ({ slot: { type: 'varchar', value: slot } }) as const;

export function limitParameters(limit: Lsn): SqlParameters {
  return {
    limit: { type: 'bigint', value: limit },
    limit_text: { type: 'varchar', value: formatLsn(limit) },
  };
}

function recordOf(row: RecordRow | undefined): AcknowledgementRecord | null {
  if (row === undefined) return null;
  const { gap_code: code, gap_reason: reason, gap_entities_json: entities } = row;
  return {
    limit: BigInt(row.acknowledged_lsn),
    rewinds: row.rewinds,
    epoch: row.epoch ?? 0,
    source: row.source_json === null ? null : sourceOf(JSON.parse(row.source_json)),
    gap:
      code === null
        ? null
        : {
            code,
            reason: reason ?? '',
            entities: entities === null ? null : (JSON.parse(entities) as string[]),
          },
  };
}

function sourceOf({
  timelines,
  ...rest
}: Omit<KnownSource, 'timelines'> & { readonly timelines: TimelinesData }): KnownSource {
  return { ...rest, timelines: fromTimelinesData(timelines) };
}
