// Moves a lane's watermark because a person says so: back, so that changes are applied again, or past a batch that cannot be applied.
// Guarantees: one transaction under the lane's lock, with its audit row; never back to where the source sends nothing from, never
// on from anywhere but the batch in question.
import type { LaneBatch } from '../change/batch.ts';
import {
  comparePositions,
  formatLsn,
  formatPosition,
  type Lsn,
  type Position,
  WHOLE,
  wholeAt,
} from '../change/position.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { countRewind, lockAcknowledgementRecord, slotParameter } from './acknowledgement-record.ts';
import { lockForTransaction } from './app-lock.ts';
import {
  batchName,
  laneLock,
  logSkipped,
  moveWatermark,
  type OpeningRow,
  replayOf,
  standing,
  watermarkOf,
} from './apply-control.ts';
import { recordAudit } from './audit.ts';
import { controlTable } from './control-tables.ts';
import type { SqlParameters, SqlSession, Warehouse } from './session.ts';
import { offsetText } from './staging-time.ts';

/** Longer than a batch should take. */
const LOCK_TIMEOUT_MS = 60_000;

export type RewindTarget =
  /** Everything that commits after it is applied again. */
  | { readonly lsn: Lsn }
  /** Everything that committed after it, by the source's clock. Microseconds since 1970-01-01 UTC. */
  | { readonly timeMicros: bigint };

export interface RewindRequest {
  readonly lane: string;
  readonly slot: string;
  /** The slot's position. */
  readonly confirmed: Lsn;
  readonly to: RewindTarget;
  readonly actor: string;
}

export interface Rewind {
  readonly lane: string;
  readonly from: Position;
  readonly to: Position;
  /** Of the batch log: what is applied again, at least. */
  readonly batches: number;
  readonly changes: number;
}

type LaneRow = Pick<OpeningRow, 'lsn' | 'ordinal' | 'replay_lsn' | 'replay_ordinal' | 'epoch'>;

interface FirstBatchRow {
  readonly previous_lsn: string;
  readonly previous_ordinal: string;
  /** 1: it was applied after the acknowledgement was put on record. */
  readonly is_later: number;
}

/**
 * Throws WB7202 where there is nothing to apply again, WB7203 where the source does not send it any more, WB6030 (transient) where
 * a batch holds the lane for longer than a minute, or a WarehouseError.
 */
export async function rewindLane(warehouse: Warehouse, request: RewindRequest): Promise<Rewind> {
  const { lane, slot, confirmed, actor } = request;
  return warehouse.transaction(async (session) => {
    const row = await lockLane(session, lane);
    const from = watermarkOf(row);
    const record = await lockAcknowledgementRecord(session, slot);
    if (row === undefined || record === null) throw nothingToDo(lane, from);
    const wanted = request.to;
    if ('lsn' in wanted && comparePositions(wholeAt(wanted.lsn), from) >= 0) throw nothingToDo(lane, from);
    // A slot beyond its record: a restored warehouse, of which nothing can be told.
    const isOlder = confirmed > record.limit;
    const to = await reachable(session, request, isOlder ? confirmed : record.limit, isOlder);
    if (to === null || comparePositions(to, from) >= 0) throw nothingToDo(lane, from);

    const positions = { lane: text(lane), ...at('to', to), ...at('from', from) };
    const log = await session.query<{ batches: number; changes: string | null }>(
      `SELECT COUNT(*) AS batches, CONVERT(varchar(20), SUM(changes)) AS changes FROM ${controlTable('batchLog')} WHERE lane = @lane AND ${after('to')} AND NOT ${after('from')};`,
      positions,
    );
    const again = { batches: log.rows[0]?.batches ?? 0, changes: Number(log.rows[0]?.changes ?? 0) };
    const replay = replayOf(row);
    const end = replay !== null && comparePositions(replay, from) > 0 ? replay : from;
    await session.query(
      `DECLARE @time datetimeoffset(6);
SELECT TOP (1) @time = commit_time FROM ${controlTable('batchLog')} WHERE lane = @lane AND NOT ${after('to')} ORDER BY commit_lsn DESC, ordinal DESC;
UPDATE ${controlTable('watermark')} SET commit_lsn = @to_lsn, ordinal = @to_ordinal, [position] = @position, commit_time = @time, applied_at = SYSDATETIMEOFFSET(), replay_lsn = @end_lsn, replay_ordinal = @end_ordinal WHERE lane = @lane;`,
      {
        lane: text(lane),
        ...at('to', to),
        position: { type: 'varchar', value: formatPosition(to) },
        ...at('end', end),
      },
    );
    await countRewind(session, slot);
    await recordAudit(session, actor, 'rewind', lane, {
      from: formatPosition(from),
      to: formatPosition(to),
      ...again,
    });
    return { lane, from, to, ...again };
  });
}

/** Where the lane is to stand so that everything behind the target comes again; null: it is there, or before it. */
async function reachable(
  session: SqlSession,
  { lane, slot, to }: RewindRequest,
  limit: Lsn,
  isOlder: boolean,
): Promise<Position | null> {
  const { rows } = await session.query<FirstBatchRow>(
    `SELECT TOP (1) CONVERT(varchar(20), b.previous_lsn) AS previous_lsn, CONVERT(varchar(20), b.previous_ordinal) AS previous_ordinal,
  CASE WHEN b.applied_at > s.acknowledged_at THEN 1 ELSE 0 END AS is_later
FROM ${controlTable('batchLog')} AS b JOIN ${controlTable('slot')} AS s ON s.slot = @slot
WHERE b.lane = @lane AND ${'lsn' in to ? after('to') : 'commit_time > CONVERT(datetimeoffset(6), @time)'} ORDER BY b.commit_lsn, b.ordinal;`,
    {
      ...slotParameter(slot),
      lane: text(lane),
      ...('lsn' in to
        ? at('to', wholeAt(to.lsn))
        : { time: { type: 'varchar', value: offsetText(to.timeMicros) } }),
    },
  );
  const [first] = rows;
  const start =
    first === undefined ? null : { lsn: BigInt(first.previous_lsn), ordinal: Number(first.previous_ordinal) };
  const target = 'lsn' in to ? wholeAt(to.lsn) : start;
  if (target === null) return null;
  // What commits at the limit is sent again, what commits before it is not.
  const earliest = wholeAt(limit - 1n);
  const oldest = target.ordinal === WHOLE ? target.lsn + 1n : target.lsn;
  if (oldest >= limit) return target;
  // The first batch behind the target was not there yet when the record moved to the limit, so the lane had nothing up to there.
  const wasIdle = first?.is_later === 1 && start !== null && comparePositions(start, target) <= 0;
  if (wasIdle && !isOlder) return earliest;
  throw new WalbridgeError({
    code: 'WB7203',
    kind: 'permanent',
    what: `The source does not send again what lane '${lane}' applied after ${formatPosition(target)}: it was told to forget what commits before ${formatLsn(limit)}.`,
    safe: 'Nothing was changed.',
    next: `The earliest position is --to ${formatPosition(earliest)}; \`walbridge backfill\` brings whole tables or ranges to their present state.`,
  });
}

export interface SkipRequest {
  readonly batch: LaneBatch;
  /** Why it was held. */
  readonly code: string;
  /** Where it was exported to. */
  readonly file: string;
  readonly actor: string;
}

/**
 * Moves the lane past the batch, unapplied. Throws WB7212 where the lane does not stand at it, WB6030 (transient) where something
 * else holds the lane for longer than a minute, or a WarehouseError.
 */
export async function skipBatch(warehouse: Warehouse, request: SkipRequest): Promise<void> {
  const { batch, code, file, actor } = request;
  await warehouse.transaction(async (session) => {
    const row = await lockLane(session, batch.lane);
    const watermark = watermarkOf(row);
    if (row === undefined || standing(batch, watermark, row.epoch) !== 'due') {
      throw new WalbridgeError({
        code: 'WB7212',
        kind: 'permanent',
        what: `Lane '${batch.lane}' stands at ${formatPosition(watermark)} by now, not at the batch ${batchName(batch)}.`,
        safe: `Nothing was skipped; the export ${file} stays.`,
        next: 'See `walbridge status`.',
      });
    }
    const replay = replayOf(row);
    const statements = [moveWatermark(batch, false, replay), logSkipped(batch, watermark, replay)];
    for (const statement of statements) {
      if (statement !== null) await session.query(statement.sql, statement.parameters);
    }
    await recordAudit(session, actor, 'skip', batch.lane, {
      batch: batchName(batch),
      from: formatPosition(watermark),
      changes: batch.changes,
      code,
      file,
    });
  });
}

async function lockLane(session: SqlSession, lane: string): Promise<LaneRow | undefined> {
  await lockForTransaction(session, laneLock(lane), LOCK_TIMEOUT_MS);
  const columns = [
    'commit_lsn AS lsn',
    'ordinal AS ordinal',
    'replay_lsn AS replay_lsn',
    'replay_ordinal AS replay_ordinal',
  ];
  const { rows } = await session.query<LaneRow>(
    `SELECT ${columns.map((column) => column.replace(/^\w+/, 'CONVERT(varchar(20), $&)')).join(', ')}, epoch FROM ${controlTable('watermark')} WITH (UPDLOCK, HOLDLOCK) WHERE lane = @lane;`,
    { lane: text(lane) },
  );
  return rows[0];
}

const text = (value: string) => ({ type: 'nvarchar', value }) as const;

/** T-SQL: the row lies behind the position that `at` names so. */
function after(name: string): string {
  return `(commit_lsn > @${name}_lsn OR (commit_lsn = @${name}_lsn AND ordinal > @${name}_ordinal))`;
}

function at(name: string, { lsn, ordinal }: Position): SqlParameters {
  return {
    [`${name}_lsn`]: { type: 'bigint', value: lsn },
    [`${name}_ordinal`]: { type: 'bigint', value: ordinal },
  };
}

function nothingToDo(lane: string, watermark: Position): WalbridgeError {
  return new WalbridgeError({
    code: 'WB7202',
    kind: 'permanent',
    what: `Lane '${lane}' stands at ${formatPosition(watermark)}: it has applied nothing behind what was asked for.`,
    safe: 'Nothing was changed.',
    next: '`walbridge status` shows where each lane stands; walbridge.batch_log has the positions and commit times of its batches.',
  });
}
