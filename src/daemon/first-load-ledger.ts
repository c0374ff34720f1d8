// What a lane's first load has sent and the warehouse has not yet confirmed, piece by piece.
// Guarantees: progress is written for pieces that the lane's watermark has passed at the snapshot's own position, in the order they
// were sent; keys and counts only are kept.
import { setTimeout as pause } from 'node:timers/promises';
import type { KeyValues } from '../capture/chunk-statement.ts';
import type { SourceTransaction } from '../change/source-change.ts';
import type { WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import type { BackfillStatus } from '../warehouse/backfill-step.ts';
import { finishBackfill, recordChunk } from '../warehouse/backfill-store.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { FaultLog } from './log.ts';

export interface SentPiece {
  readonly step: BackfillStatus;
  /** Of its last row. */
  readonly ordinal: number;
  readonly lastKey: KeyValues | null;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly isLast: boolean;
}

interface LedgerOptions {
  readonly transaction: SourceTransaction;
  readonly warehouse: Warehouse;
  readonly backoff: Backoff;
  readonly faults: FaultLog;
}

const POLL_MS = 50;

export class LoadLedger {
  readonly #options: LedgerOptions;
  readonly #signal: AbortSignal;
  readonly #onSteered: (step: BackfillStatus) => void;
  readonly #sent: SentPiece[] = [];
  #rows = 0;

  /** `onSteered`: somebody has paused or cancelled the step. */
  constructor(options: LedgerOptions, signal: AbortSignal, onSteered: (step: BackfillStatus) => void) {
    this.#options = options;
    this.#signal = signal;
    this.#onSteered = onSteered;
  }

  /** Rows read that were recorded. */
  get rows(): number {
    return this.#rows;
  }

  add(piece: SentPiece): void {
    this.#sent.push(piece);
  }

  /** Writes down what the warehouse has, until `isOver`. `durable`: ordinals up to it. Throws permanent faults, and the signal's reason. */
  async record(durable: () => number, isOver: () => boolean): Promise<void> {
    for (;;) {
      // In this order: what is durable at the end is written down.
      const isLastTurn = isOver();
      for (let piece = this.#sent[0]; piece !== undefined && piece.ordinal <= durable(); ) {
        await this.#recordPiece(piece);
        this.#sent.shift();
        piece = this.#sent[0];
      }
      if (isLastTurn) return;
      await pause(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  async #recordPiece({ step, lastKey, rowsRead, rowsWritten, isLast }: SentPiece): Promise<void> {
    const { warehouse, transaction, backoff, faults } = this.#options;
    const onRetry = (fault: WalbridgeError) => faults.report('first load', fault);
    const again = <T>(work: () => Promise<T>) => retry(work, { backoff, signal: this.#signal, onRetry });
    const isRunning = await again(() =>
      recordChunk(warehouse, step, {
        doneKey: lastKey,
        lowLsn: transaction.commitLsn,
        highLsn: transaction.commitLsn,
        rowsRead,
        rowsWritten,
        rowsYielded: 0,
        rowsPruned: 0,
      }),
    );
    this.#rows += rowsRead;
    if (!isRunning) this.#onSteered(step);
    else if (isLast) await again(() => finishBackfill(warehouse, step, null));
  }
}
