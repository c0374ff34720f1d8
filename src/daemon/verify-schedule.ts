// Verifications by the clock, while the daemon reads the slot.
// Guarantees: one at a time; a fault of one is logged and nobody else's; the log has counts, never keys or values.
import { setTimeout as pause } from 'node:timers/promises';
import { Cron } from 'croner';
import type { Settings } from '../config/settings.ts';
import { asWalbridgeError } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { FaultLog, Logger } from './log.ts';
import { runVerification } from './verify-control.ts';
import type { EntityReport } from './verify-report.ts';

interface Surroundings {
  /** Another process reads the slot otherwise, and verifications are its work. */
  readonly isStreaming: () => boolean;
  readonly log: Logger;
  readonly faults: FaultLog;
}

/** Timers count to 2^31 milliseconds, and clocks are set. */
const LONGEST_WAIT_MS = 60_000;
const ACTOR = 'verify.cron';

/** Resolves after the signal has aborted; at once where no time is set. */
export async function serveVerifications(
  { verify, ...settings }: Settings,
  mappings: readonly CompiledMapping[],
  { isStreaming, log, faults }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  if (verify.cron === undefined) return;
  const clock = new Cron(verify.cron, { timezone: 'UTC', mode: '5-part', paused: true });
  while (!signal.aborted) {
    const due = clock.nextRun();
    // No such day, such as 31 February.
    if (due === null || !(await isReached(due, signal))) return;
    if (!isStreaming()) continue;
    try {
      await runVerification(
        { ...settings, verify },
        mappings,
        { entities: [], options: { share: verify.samplePercent / 100 }, repair: false },
        ACTOR,
        { onRetry: (fault) => faults.report('verification', fault), onReport: (report) => tell(log, report) },
        signal,
      );
      faults.clear('verification');
    } catch (error) {
      if (signal.aborted) return;
      faults.report('verification', asWalbridgeError(error));
    }
  }
}

/** False where the signal aborts before. */
async function isReached(due: Date, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    const leftMs = due.getTime() - Date.now();
    if (leftMs <= 0) return !signal.aborted;
    try {
      await pause(Math.min(leftMs, LONGEST_WAIT_MS), undefined, { signal });
    } catch {
      return false;
    }
  }
}

function tell(log: Logger, { findings: _keys, counts, trouble, ...report }: EntityReport): void {
  const fields = {
    ...report,
    ...counts,
    ...(trouble !== null && { code: trouble.code, what: trouble.text }),
  };
  if (report.state === 'equal') log.info(fields, 'verified: equal');
  else log.warn(fields, `verified: ${report.state}`);
}
