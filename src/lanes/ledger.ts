// What a lane has sent and the warehouse has not yet confirmed: names and sizes, never payloads.
// Guarantees: memory for the names only; a batch leaves the ledger when the watermark has passed it, not before.
import type { LaneBatch } from '../change/batch.ts';
import { comparePositions, type Lsn, type Position } from '../change/position.ts';
import { batchId } from './job.ts';

export interface OutstandingBatch {
  readonly id: string;
  readonly last: Position;
  readonly bytes: number;
}

export class Ledger {
  readonly #sent: OutstandingBatch[] = [];
  #bytes = 0;

  get batches(): number {
    return this.#sent.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest batch without a confirmation. */
  get head(): OutstandingBatch | undefined {
    return this.#sent[0];
  }

  add(batch: LaneBatch): void {
    const entry = { id: batchId(batch), last: batch.last, bytes: batch.payload.length };
    this.#sent.push(entry);
    this.#bytes += entry.bytes;
  }

  /** Drops what the watermark covers; true where anything was dropped. */
  confirm(watermark: Position): boolean {
    let covered = 0;
    for (const entry of this.#sent) {
      if (comparePositions(entry.last, watermark) > 0) break;
      covered += 1;
      this.#bytes -= entry.bytes;
    }
    this.#sent.splice(0, covered);
    return covered > 0;
  }
}

/** A lane's share in what may be acknowledged to the source. */
export interface LaneProgress {
  readonly watermark: Position;
  /** True while anything was read for the lane that its watermark does not cover. */
  readonly outstanding: boolean;
}

/**
 * The LSN that may be acknowledged: everything that commits at or before it is durable in the warehouse, or nobody's.
 * An idle lane holds nothing back. `consumed`: all transactions that commit before it have been handed to the lanes.
 */
export function acknowledgeable(lanes: Iterable<LaneProgress>, consumed: Lsn): Lsn {
  let lowest = consumed;
  for (const lane of lanes) {
    if (!lane.outstanding) continue;
    // Within a transaction, only what commits before it is durable.
    const durable =
      lane.watermark.ordinal === Number.MAX_SAFE_INTEGER ? lane.watermark.lsn : lane.watermark.lsn - 1n;
    if (durable < lowest) lowest = durable;
  }
  return lowest;
}
