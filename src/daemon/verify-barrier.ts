// A point in the source's WAL that the warehouse is known to be behind no more.
// Guarantees: none is waited for without end; once the watermark has been found to stand still, nobody waits again.
import { setTimeout as pause } from 'node:timers/promises';
import { BARRIER_PREFIX, type ChunkReader } from '../capture/chunk-reader.ts';
import type { ChunkTable } from '../capture/chunk-statement.ts';
import type { Lsn } from '../change/position.ts';
import { retry } from '../fault/retry.ts';
import type { SqlSession } from '../warehouse/session.ts';
import { readWatermarks } from '../warehouse/watermark.ts';
import type { SourceReader } from './verify-reader.ts';

export interface BarrierOptions {
  readonly lane: string;
  /** Milliseconds that the lane's watermark may take. */
  readonly patienceMs: number;
  /** Whether somebody reads the slot. */
  readonly isSlotRead: () => Promise<boolean>;
}

/** Why the watermark does not move. */
export type Stuck = 'no reader' | 'watermark';

const WATERMARK_POLL_MS = 50;
const SLOT_POLL_MS = 2_000;
/** How long transactions that write to the table are waited for. */
const WRITERS_MS = 30_000;

export class Barrier {
  readonly #reader: SourceReader;
  readonly #session: SqlSession;
  readonly #options: BarrierOptions;
  stuck: Stuck | null = null;
  #lsn: Lsn = 0n;

  constructor(reader: SourceReader, session: SqlSession, options: BarrierOptions) {
    this.#reader = reader;
    this.#session = session;
    this.#options = options;
  }

  /** True when the warehouse has all that the source had committed when this began. */
  async pass(): Promise<boolean> {
    const { lane, patienceMs, isSlotRead } = this.#options;
    const lsn = await this.#reader.use((reader) => reader.mark(lane, BARRIER_PREFIX));
    this.#lsn = lsn;
    const started = performance.now();
    for (let looked = started; ; ) {
      if (await this.#hasPassed(lane, lsn)) return true;
      const now = performance.now();
      if (now - started > patienceMs) {
        this.stuck = 'watermark';
        return false;
      }
      if (now - looked > SLOT_POLL_MS) {
        looked = now;
        if (!(await isSlotRead())) {
          this.stuck = 'no reader';
          return false;
        }
      }
      await pause(WATERMARK_POLL_MS, undefined, { signal: this.#reader.waiting.signal });
    }
  }

  /** False where the lane was rewound since: the warehouse may have shown an older state. */
  holds(): Promise<boolean> {
    return this.#hasPassed(this.#options.lane, this.#lsn);
  }

  async #hasPassed(lane: string, lsn: Lsn): Promise<boolean> {
    const watermarks = await retry(() => readWatermarks(this.#session), this.#reader.waiting);
    const position = watermarks.find((watermark) => watermark.lane === lane)?.position;
    return position !== undefined && position.lsn >= lsn;
  }

  /** The stream may bring a transaction to the warehouse a moment before others can see it in the source. */
  async untilWritersEnded(table: ChunkTable): Promise<void> {
    const { signal } = this.#reader.waiting;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(WRITERS_MS)]);
    await this.#reader.use(async (reader: ChunkReader) => {
      try {
        await reader.writersEnded(table, limited, () => undefined);
      } catch (error) {
        signal.throwIfAborted();
        if (!limited.aborted) throw error;
      }
    });
  }
}
