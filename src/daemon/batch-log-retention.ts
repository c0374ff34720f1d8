// Prunes the warehouse's batch log once an hour while the apply role runs.
// Guarantees: never in a lane's way; whatever goes wrong here is logged and tried again an hour later.
import { setTimeout as pause } from 'node:timers/promises';
import type { Settings } from '../config/settings.ts';
import { asWalbridgeError } from '../fault/fault.ts';
import { pruneBatchLog } from '../warehouse/batch-log.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { FaultLog, Logger } from './log.ts';

const HOUR_MS = 3_600_000;

/** Resolves when the signal aborts. */
export async function pruneBatchLogHourly(
  warehouse: Warehouse,
  lanes: readonly string[],
  settings: Settings['warehouse'],
  log: Logger,
  faults: FaultLog,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const removed = await pruneBatchLog(warehouse, lanes, settings.batchLogDays, signal);
      faults.clear('batch log');
      if (removed > 0) log.info({ removed }, 'old rows of the batch log removed');
    } catch (error) {
      faults.report('batch log', asWalbridgeError(error));
    }
    // Rejects when the signal aborts, which the loop sees.
    await pause(HOUR_MS, undefined, { signal }).catch(() => undefined);
  }
}
