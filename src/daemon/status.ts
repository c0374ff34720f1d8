// `walbridge status`: where each lane stands, read from the warehouse, the source and the queue; no daemon is asked.
// Guarantees: changes nothing; a part that cannot be reached is named, the others are told all the same.
import { readSlotHealth, type SlotHealth } from '../capture/slot-health.ts';
import { withSource } from '../capture/source-client.ts';
import type { Watermark } from '../change/batch.ts';
import { formatPosition } from '../change/position.ts';
import type { Settings } from '../config/settings.ts';
import { type LaneQueueStatus, readLaneQueue } from '../lanes/lane-queue.ts';
import { type Gap, readAcknowledgementRecord } from '../warehouse/acknowledgement-record.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import { type OpenQuarantine, openQuarantineByCode } from '../warehouse/open-quarantine.ts';
import { type PastVerification, readLastVerifications } from '../warehouse/verification-store.ts';
import { readWatermarks } from '../warehouse/watermark.ts';
import { openQueueBackendOnce, sourceOf, warehouseOf } from './connections.ts';
import { unreachable } from './inspection.ts';
import { loadMappings } from './load-mappings.ts';
import { FaultLog, type Logger } from './log.ts';

export interface LaneStatus {
  readonly lane: string;
  /** Text of the position; null before the lane's first batch. */
  readonly watermark: string | null;
  /** ISO time of the last applied source commit. */
  readonly committedAt: string | null;
  /** Bytes of WAL behind what the source has written; 0 where the slot's reader has confirmed everything. */
  readonly lagBytes: number | null;
  /** Seconds since the last applied commit while anything waits, else 0. */
  readonly lagSeconds: number | null;
  readonly queued: number | null;
  readonly trouble: LaneQueueStatus['trouble'];
}

export interface Status {
  readonly slot: SlotHealth | null;
  readonly lanes: readonly LaneStatus[];
  /** Rows that could not arrive and were not mended since, by entity and code. */
  readonly quarantine: readonly OpenQuarantine[];
  /** Changes that the warehouse lacks and that the source does not send again: no daemon reads the slot before a backfill of them. */
  readonly gap: Gap | null;
  /** The last verification of each entity. */
  readonly verifications: readonly PastVerification[];
  /** What could not be asked, or is not as it must be. */
  readonly problems: readonly string[];
}

export async function readStatus(settings: Settings, log: Logger): Promise<Status> {
  const { lanes, mappings } = await loadMappings(settings);
  const entities = new Set(mappings.map(({ entity }) => entity));
  const problems: string[] = [];
  const orNull = async <T>(part: 'source' | 'warehouse' | 'queue', asking: Promise<T>): Promise<T | null> => {
    try {
      return await asking;
    } catch (error) {
      problems.push(unreachable(part, error).text);
      return null;
    }
  };
  const backend = openQueueBackendOnce(settings, new FaultLog(log));
  const [slot, known, queues] = await Promise.all([
    orNull(
      'source',
      withSource(sourceOf(settings), (client) => readSlotHealth(client, settings.source.slot)),
    ),
    orNull('warehouse', inWarehouse(settings)),
    orNull(
      'queue',
      queuesOf(lanes, (lane) => readLaneQueue(backend, lane)),
    ),
  ]);
  if (slot === null && problems.length === 0)
    problems.push(`The slot ${settings.source.slot} does not exist; run walbridge init.`);
  const now = Date.now();
  return {
    slot,
    problems,
    quarantine: (known?.quarantine ?? []).filter(({ entity }) => entities.has(entity)),
    gap: known?.gap ?? null,
    verifications: (known?.verifications ?? []).filter(({ entity }) => entities.has(entity)),
    lanes: lanes.map((lane) => {
      const watermark = known?.watermarks.find((row) => row.lane === lane);
      const queue = queues?.get(lane);
      return laneStatus(lane, watermark, queue, slot, now);
    }),
  };
}

function laneStatus(
  lane: string,
  watermark: Watermark | undefined,
  queue: LaneQueueStatus | undefined,
  slot: SlotHealth | null,
  now: number,
): LaneStatus {
  const committed = watermark?.commitTimeMicros ?? null;
  const committedMs = committed === null ? null : Number(committed / 1000n);
  // With a reader on the slot and an empty queue, whatever WAL is behind concerns no mapped table.
  const isCaughtUp = slot?.isActive === true && queue?.depth === 0;
  return {
    lane,
    watermark:
      watermark === undefined || watermark.position.lsn === 0n ? null : formatPosition(watermark.position),
    committedAt: committedMs === null ? null : new Date(committedMs).toISOString(),
    lagBytes: slot?.lagBytes ?? null,
    lagSeconds: isCaughtUp ? 0 : committedMs === null ? null : Math.max(0, (now - committedMs) / 1000),
    queued: queue?.depth ?? null,
    trouble: queue?.trouble ?? null,
  };
}

async function inWarehouse(settings: Settings): Promise<{
  readonly watermarks: readonly Watermark[];
  readonly quarantine: readonly OpenQuarantine[];
  readonly gap: Gap | null;
  readonly verifications: readonly PastVerification[];
}> {
  const warehouse = await openWarehouse(warehouseOf(settings), { poolSize: 1 });
  try {
    const watermarks = await readWatermarks(warehouse);
    const quarantine = await openQuarantineByCode(warehouse);
    const record = await readAcknowledgementRecord(warehouse, settings.source.slot);
    const verifications = (await readLastVerifications(warehouse)) ?? [];
    return { watermarks, quarantine, gap: record?.gap ?? null, verifications };
  } finally {
    await warehouse.close();
  }
}

async function queuesOf(
  lanes: readonly string[],
  read: (lane: string) => Promise<LaneQueueStatus>,
): Promise<ReadonlyMap<string, LaneQueueStatus>> {
  return new Map(await Promise.all(lanes.map(async (lane) => [lane, await read(lane)] as const)));
}
