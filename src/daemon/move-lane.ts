// `walbridge rewind` and `walbridge skip`: a lane moved by a person, from outside of the daemon, whether it runs or not.
// Guarantees: no daemon is talked to: it notices by itself; a batch is on disk before the lane moves past it.
import { readSlotHealth } from '../capture/slot-health.ts';
import { withSource } from '../capture/source-client.ts';
import { type Lsn, parseLsn } from '../change/position.ts';
import type { Settings } from '../config/settings.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { type HaltedBatch, readHaltedBatch } from '../lanes/halted-batch.ts';
import { nearestName } from '../text/nearest-name.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import { type Rewind, type RewindTarget, rewindLane, skipBatch } from '../warehouse/move-lane.ts';
import type { Warehouse } from '../warehouse/session.ts';
import { exportBatch } from './batch-export.ts';
import { openQueueBackendOnce, sourceOf, streamName, warehouseOf } from './connections.ts';
import { eventReaders, type LoadedMappings, loadMappings } from './load-mappings.ts';
import { FaultLog, type Logger } from './log.ts';

export type { HaltedBatch, Rewind, RewindTarget };

/** Throws WB7201 for a lane that no mapping names, WB7202 and WB7203 where it cannot go back there. */
export async function rewind(
  settings: Settings,
  lane: string,
  to: RewindTarget,
  actor: string,
): Promise<Rewind> {
  requireLane(lane, await loadMappings(settings));
  const { slot } = settings.source;
  const confirmed = await withSource(sourceOf(settings), (client) => readSlotHealth(client, slot));
  const position: Lsn = parseLsn(confirmed?.confirmedLsn ?? '0/0');
  return withWarehouse(settings, (warehouse) =>
    rewindLane(warehouse, { lane, slot, confirmed: position, to, actor }),
  );
}

/** The batch that the lane is halted at. Throws WB7201, WB7211 where it is not halted, WB5003 where it cannot be read. */
export async function haltedBatch(settings: Settings, lane: string, log: Logger): Promise<HaltedBatch> {
  const loaded = await loadMappings(settings);
  requireLane(lane, loaded);
  const backend = openQueueBackendOnce(settings, new FaultLog(log));
  const halted = await readHaltedBatch(backend, lane, streamName(settings, loaded.mappings));
  if (halted !== null) return halted;
  throw new WalbridgeError({
    code: 'WB7211',
    kind: 'permanent',
    what: `Lane '${lane}' is not halted at a batch.`,
    safe: 'Nothing was skipped.',
    next: 'See `walbridge status`. A lane that `walbridge run` has only just been started with may not have come to its batch yet.',
  });
}

/** Exports the batch to `file`, then moves its lane past it. Throws WB7213 (export), WB7212 (the lane stands elsewhere). */
export async function skip(
  settings: Settings,
  { batch, trouble }: HaltedBatch,
  file: string,
  actor: string,
): Promise<void> {
  const loaded = await loadMappings(settings);
  await exportBatch(file, batch, trouble, eventReaders(loaded));
  await withWarehouse(settings, (warehouse) =>
    skipBatch(warehouse, { batch, code: trouble.code, file, actor }),
  );
}

function requireLane(lane: string, { lanes }: Pick<LoadedMappings, 'lanes'>): void {
  if (lanes.includes(lane)) return;
  const nearest = nearestName(lane, lanes);
  throw new WalbridgeError({
    code: 'WB7201',
    kind: 'permanent',
    what: `No mapping has the lane "${lane}"${nearest === null ? '' : `; nearest: ${nearest}`}.`,
    safe: 'Nothing was changed.',
    next: `Name one of ${lanes.join(', ')}.`,
  });
}

async function withWarehouse<T>(settings: Settings, work: (warehouse: Warehouse) => Promise<T>): Promise<T> {
  const warehouse = await openWarehouse(warehouseOf(settings), { poolSize: 1 });
  try {
    return await work(warehouse);
  } finally {
    await warehouse.close();
  }
}
