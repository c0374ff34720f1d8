// Commit-to-commit latency: from the moment before a writer sends COMMIT to the source, to the moment at which a reader that
// polls the warehouse has the answer that shows the transaction. Both clocks are this process'. It is an upper bound: the
// source's own commit, the reader's round trip and up to one poll interval are in it.
import { setTimeout as pause } from 'node:timers/promises';
import mssql from 'mssql';
import type pg from 'pg';
import { TABLE, type Workload } from './workload.ts';

const CHANGES_A_TRANSACTION = 5;
const POLL_MS = 5;

export interface Latency {
  readonly transactions: number;
  /** What the writer reached. */
  readonly changesPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly highest: number;
}

export interface LatencyOptions {
  readonly client: pg.Client;
  readonly workload: Workload;
  readonly warehouse: string;
  readonly changesPerSecond: number;
  readonly seconds: number;
}

/** Small transactions at an even pace; resolves when the last one was seen. */
export async function measureLatency(options: LatencyOptions): Promise<Latency> {
  const { client, workload, warehouse, changesPerSecond, seconds } = options;
  const pool = await mssql.connect(warehouse);
  const waiting: { id: number; at: number }[] = [];
  const latencies: number[] = [];
  const total = Math.round((changesPerSecond * seconds) / CHANGES_A_TRANSACTION);
  try {
    const reading = (async () => {
      for (let seen = 0; latencies.length < total; await pause(POLL_MS)) {
        const { recordset } = await pool
          .request()
          .query<{ id: string | null }>(`SELECT MAX(id) AS id FROM dbo.${TABLE} WHERE id > ${seen}`);
        const now = performance.now();
        seen = Math.max(seen, Number(recordset[0]?.id ?? 0));
        while (waiting[0] !== undefined && waiting[0].id <= seen) {
          latencies.push(now - (waiting.shift()?.at ?? now));
        }
      }
    })();
    const startedAt = performance.now();
    const everyMs = (1000 * CHANGES_A_TRANSACTION) / changesPerSecond;
    for (let number = 0; number < total; number += 1) {
      const aheadMs = startedAt + number * everyMs - performance.now();
      if (aheadMs > 0) await pause(aheadMs);
      const id = await workload.small();
      waiting.push({ id, at: performance.now() });
      await client.query('COMMIT');
    }
    const writtenMs = performance.now() - startedAt;
    await reading;
    const sorted = latencies.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(total - 1, Math.ceil(total * share) - 1)] ?? Number.NaN;
    return {
      transactions: total,
      changesPerSecond: (total * CHANGES_A_TRANSACTION * 1000) / writtenMs,
      p50: at(0.5),
      p99: at(0.99),
      highest: at(1),
    };
  } finally {
    await pool.close();
  }
}
