// A person lets the bridge go on although changes are missing, or too many, in the transaction that asks for the backfill which mends it.
// Guarantees: only a backfill of all that is concerned does; a lane that has what the source has not any more is set back to what both
// have, so that nothing the source writes from there on is left out; an audit row says so.
import { formatLsn, formatPosition, type Lsn, wholeAt } from '../change/position.ts';
import { lockAcknowledgementRecord, NO_GAP, slotParameter } from './acknowledgement-record.ts';
import { recordAudit } from './audit.ts';
import { controlTable } from './control-tables.ts';
import { judgeBranch, type WrittenBy, writeSource } from './enter-source.ts';
import { quoteText } from './identifier.ts';
import type { SqlSession } from './session.ts';
import { SOURCE_WENT_BACK, type SourceState } from './source-branch.ts';
import { type LockedWatermark, lockWatermarks } from './watermark.ts';

export interface GapRequest {
  readonly slot: string;
  /** The source as it is now. */
  readonly source: SourceState;
  readonly writtenBy: WrittenBy;
  /** What the backfill brings whole; null: all. */
  readonly entities: readonly string[] | null;
  readonly actor: string;
  /** Null: none of what is missing has a table to be brought whole. */
  readonly backfill: string | null;
}

/** False, and nothing is done, where nothing is missing, or where the backfill leaves some of it out. Throws a WarehouseError, or what `writtenBy` throws. */
export async function acceptGap(session: SqlSession, request: GapRequest): Promise<boolean> {
  const { slot, source, writtenBy, entities, actor, backfill } = request;
  const lanes = await lockWatermarks(session, slot);
  const record = await lockAcknowledgementRecord(session, slot);
  if (record === null) return false;
  const { confirmed } = source;
  const branch = await judgeBranch(record, source, lanes, writtenBy);
  const isBack = branch.beyond !== null || record.gap?.code === SOURCE_WENT_BACK;
  const isOlder = confirmed > branch.limit;
  const isAll = isBack || isOlder;
  const missing = isAll ? null : record.gap?.entities;
  const covers =
    entities === null || (missing ?? null)?.every((entity) => entities.includes(entity)) === true;
  if ((!isAll && record.gap === null) || !covers) return false;
  if (isAll) await writeSource(session, slot, source, { limit: confirmed, epoch: record.epoch + 1 }, lanes);
  await session.query(
    `UPDATE ${controlTable('slot')} SET ${NO_GAP} WHERE slot = @slot;`,
    slotParameter(slot),
  );
  const back = isBack ? await setBack(session, lanes, branch.fork ?? 0n, confirmed, backfill) : [];
  await recordAudit(session, actor, 'accept gap', slot, {
    backfill,
    ...(isAll ? { recorded: formatLsn(record.limit), slot: formatLsn(confirmed) } : {}),
    ...(branch.fork === null ? {} : { fork: formatLsn(branch.fork) }),
    ...(back.length === 0 ? {} : { lanes: back }),
    ...(record.gap === null ? {} : { gap: record.gap }),
  });
  return true;
}

/**
 * To the fork, or to where the slot sends from if that is later or the fork is not known. What the books have from behind that would
 * stand for other changes: the log's rows go, those in quarantine stay, resolved, under ordinals below zero.
 */
async function setBack(
  session: SqlSession,
  lanes: readonly LockedWatermark[],
  fork: Lsn,
  confirmed: Lsn,
  backfill: string | null,
): Promise<object[]> {
  const to = wholeAt((fork > confirmed ? fork : confirmed) - 1n);
  const moved: object[] = [];
  for (const lane of lanes) {
    const isBeyond = lane.position.lsn > to.lsn;
    if (!isBeyond && lane.replay === null) continue;
    const name = quoteText(lane.lane);
    const position = isBeyond
      ? `commit_lsn = ${to.lsn}, ordinal = ${to.ordinal}, [position] = '${formatPosition(to)}', commit_time = NULL, applied_at = SYSDATETIMEOFFSET(), `
      : '';
    const quarantine = controlTable('quarantine');
    const beyond = `lane = ${name} AND commit_lsn > ${to.lsn}`;
    await session.batch(`SET NOCOUNT ON;
UPDATE ${controlTable('watermark')} SET ${position}replay_lsn = NULL, replay_ordinal = NULL WHERE lane = ${name};
DELETE FROM ${controlTable('batchLog')} WHERE ${beyond};
DELETE q FROM ${quarantine} AS q JOIN ${quarantine} AS p ON p.lane = q.lane AND p.commit_lsn = q.commit_lsn AND p.ordinal = -q.ordinal AND p.entity = q.entity WHERE q.lane = ${name} AND q.commit_lsn > ${to.lsn} AND q.ordinal < 0;
UPDATE ${quarantine} SET resolved_by = ${backfill === null ? 'NULL' : quoteText(backfill)}, resolved_at = SYSDATETIMEOFFSET() WHERE ${beyond} AND resolved_at IS NULL;
UPDATE ${quarantine} SET ordinal = -ordinal WHERE ${beyond} AND ordinal > 0;`);
    if (isBeyond)
      moved.push({ lane: lane.lane, from: formatPosition(lane.position), to: formatPosition(to) });
  }
  return moved;
}
