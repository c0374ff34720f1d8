// What happens in the warehouse when a stream of the slot begins: is the source's WAL still the one that the lanes' positions are of?
// Guarantees: one transaction, in which no batch of these lanes is applied; from its end on batches of earlier streams are refused,
// so that nothing read from WAL which the source has left can come in afterwards; what was judged harmless is on record.
import type { Watermark } from '../change/batch.ts';
import type { Lsn } from '../change/position.ts';
import { toTimelinesData } from '../change/timelines.ts';
import { WalbridgeError } from '../fault/fault.ts';
import {
  ACKNOWLEDGED,
  type AcknowledgementRecord,
  limitParameters,
  recordGap,
  registerSlot,
  slotParameter,
} from './acknowledgement-record.ts';
import { controlTable } from './control-tables.ts';
import { quoteTexts } from './identifier.ts';
import type { SqlSession, Warehouse } from './session.ts';
import {
  type Branch,
  branchOf,
  earlyStandby,
  isSame,
  type KnownSource,
  type OwedCommit,
  type SourceState,
  sourceWentBack,
} from './source-branch.ts';
import { type LockedWatermark, lockWatermarks } from './watermark.ts';

export interface Entry {
  readonly record: AcknowledgementRecord;
  readonly watermarks: readonly Watermark[];
  /** Of this stream. */
  readonly epoch: number;
  /** What was read from here on is not the source's any more; no lane has any of it. Null: nothing. */
  readonly fork: Lsn | null;
  readonly owed: readonly OwedCommit[];
}

/** Up to where the source has written WAL by now. */
export type WrittenBy = () => Promise<Lsn>;

/**
 * The branch, with the source as it was judged. The lanes are locked, and the source was asked before that: apply takes them on
 * meanwhile. So before the end of its WAL is held against them it is asked for once more. Throws what `writtenBy` throws.
 */
export async function judgeBranch(
  record: AcknowledgementRecord,
  source: SourceState,
  lanes: readonly LockedWatermark[],
  writtenBy: WrittenBy,
): Promise<Branch & { readonly source: SourceState }> {
  const branch = branchOf(record.source, source, lanes, record.limit);
  if (branch.beyond === null || branch.fork !== null) return { ...branch, source };
  const later = { ...source, flushed: await writtenBy() };
  return { ...branchOf(record.source, later, lanes, record.limit), source: later };
}

/**
 * Returns WB6304 where the source has yet to come to what a lane has. Throws WB6303 where it never will, a WarehouseError, or what
 * `writtenBy` throws.
 */
export async function enterSource(
  warehouse: Warehouse,
  slot: string,
  source: SourceState,
  writtenBy: WrittenBy,
): Promise<Entry | WalbridgeError> {
  const outcome = await warehouse.transaction(async (session): Promise<Entry | WalbridgeError> => {
    const lanes = await lockWatermarks(session, slot);
    const record = await registerSlot(session, slot, source.systemIdentifier, source.confirmed);
    const known = record.source;
    const branch = await judgeBranch(record, source, lanes, writtenBy);
    const { fork, limit, beyond, isEarly, owed } = branch;
    if (beyond !== null) {
      const fault = sourceWentBack(known, branch.source, fork, beyond);
      // Timelines tell it again at the next start, the end of the WAL does not: it grows.
      if (fork === null)
        await recordGap(session, slot, { code: fault.code, reason: fault.what, entities: null });
      return fault;
    }
    if (isEarly) return earlyStandby(source);
    // What the lanes have last, and the source does not know, may be of tables that only the earlier publications had.
    const isSettled =
      known === null ||
      isSame(known.publications, source.publications) ||
      lanes.every(({ position }) => position.lsn < source.confirmed);
    const entered = { ...record, limit, epoch: record.epoch + 1 };
    const shown = isSettled ? source : { ...source, publications: known.publications };
    await writeSource(session, slot, shown, entered, lanes);
    return { record: entered, watermarks: lanes, epoch: entered.epoch, fork, owed };
  });
  if (outcome instanceof WalbridgeError && outcome.kind === 'permanent') throw outcome;
  return outcome;
}

/** Puts source and epoch on record, and lets the slot's lanes take batches of that epoch only. Moves the limit as given. */
export async function writeSource(
  session: SqlSession,
  slot: string,
  { timelines, publications, isStandby }: KnownSource,
  { limit, epoch }: Pick<AcknowledgementRecord, 'limit' | 'epoch'>,
  lanes: readonly LockedWatermark[],
): Promise<void> {
  const json = JSON.stringify({ timelines: toTimelinesData(timelines), publications, isStandby });
  await session.query(
    `UPDATE ${controlTable('slot')} SET source_json = @source, epoch = @epoch WHERE slot = @slot;
UPDATE ${controlTable('slot')} SET ${ACKNOWLEDGED} WHERE slot = @slot AND acknowledged_lsn <> @limit;`,
    {
      ...slotParameter(slot),
      ...limitParameters(limit),
      source: { type: 'nvarchar', value: json },
      epoch: { type: 'int', value: epoch },
    },
  );
  if (lanes.length === 0) return;
  const names = quoteTexts(lanes.map(({ lane }) => lane));
  await session.batch(`UPDATE ${controlTable('watermark')} SET epoch = ${epoch} WHERE lane IN (${names});`);
}
