// Measures the daemon as it works off what the source holds: its pace, its CPU time and its memory.
import { setTimeout as pause } from 'node:timers/promises';
import mssql from 'mssql';
import { startDaemon } from './walbridge.ts';

/** Rate and CPU are taken from when this share is applied to the end: starting and compiling are left out. */
const WARM = 0.1;
const POLL_MS = 100;
/** Nothing applied for so long: something is broken. */
const STUCK_MS = 120_000;

export interface WorkedOff {
  readonly changesPerSecond: number;
  readonly cpuMicrosPerChange: number;
  /** From the start of the process, everything counted. */
  readonly seconds: number;
  readonly peakBytes: number;
}

export interface WorkOffOptions {
  readonly main: string;
  readonly config: string;
  readonly warehouse: string;
  readonly changes: number;
}

/** Runs the daemon until `changes` more are in the warehouse. @throws Error when it makes no progress */
export async function workOff({ main, config, warehouse, changes }: WorkOffOptions): Promise<WorkedOff> {
  const pool = await mssql.connect(warehouse);
  try {
    const before = await readApplied(pool);
    const startedAt = performance.now();
    const daemon = startDaemon(main, config);
    try {
      let warm: { done: number; at: number; cpu: number } | null = null;
      let last = { done: 0, at: startedAt };
      for (;;) {
        const done = (await readApplied(pool)) - before;
        const at = performance.now();
        if (warm === null && done >= changes * WARM) warm = { done, at, cpu: daemon.cpuMicros() };
        if (done > last.done) last = { done, at };
        if (done >= changes) break;
        if (at - last.at > STUCK_MS) throw new Error(`stuck: ${done} of ${changes} changes applied`);
        await pause(POLL_MS);
      }
      const from = warm ?? { done: 0, at: startedAt, cpu: 0 };
      const measured = last.done - from.done;
      return {
        changesPerSecond: (measured * 1000) / (last.at - from.at),
        cpuMicrosPerChange: (daemon.cpuMicros() - from.cpu) / measured,
        seconds: (last.at - startedAt) / 1000,
        peakBytes: daemon.peakBytes(),
      };
    } finally {
      await daemon.stop();
    }
  } finally {
    await pool.close();
  }
}

async function readApplied(pool: mssql.ConnectionPool): Promise<number> {
  const { recordset } = await pool
    .request()
    .query<{ changes: string | null }>('SELECT SUM(changes) AS changes FROM walbridge.batch_log');
  return Number(recordset[0]?.changes ?? 0);
}
