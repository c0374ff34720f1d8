// Between what the warehouse has and what the source is told: an acknowledgement passes once the warehouse has it on record.
// Guarantees: the slot's position is never beyond the record. So one that is, is proof: the warehouse was restored from a backup, or
// the slot moved without walbridge; then nothing is read or told any more, for changes are missing. A lane that idles proves nothing.
import { formatLsn, type Lsn } from '../change/position.ts';
import { WalbridgeError } from '../fault/fault.ts';
import {
  type AcknowledgementRecord,
  type Gap,
  type LanePosition,
  moveAcknowledgement,
  readAcknowledgementRecord,
  recordGap,
} from '../warehouse/acknowledgement-record.ts';
import { type Entry, enterSource, type WrittenBy } from '../warehouse/enter-source.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { SourceState } from '../warehouse/source-branch.ts';

export interface GateOptions {
  readonly warehouse: Warehouse;
  readonly slot: string;
  /** Tells the source: everything that commits at or before the position may be forgotten. */
  readonly tell: (lsn: Lsn) => void;
  readonly writtenBy: WrittenBy;
}

export class AcknowledgementGate {
  readonly #options: GateOptions;
  #record: AcknowledgementRecord | null = null;
  /** What this process has told the source, as the slot will spell it. */
  #told: Lsn = 0n;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /**
   * At each start of the stream, by the reader of the slot, with the source as it was found then. Throws WB6303 where that has gone
   * back behind the warehouse, WB6302 where the warehouse is older than what the source was told, WB7004 where changes are known to
   * be missing. Returns WB6304 where a stand-by has to come further first.
   */
  async open(source: SourceState): Promise<Entry | WalbridgeError> {
    const { warehouse, slot, writtenBy } = this.#options;
    const entry = await enterSource(warehouse, slot, source, writtenBy);
    if (entry instanceof WalbridgeError) return entry;
    // What was told of WAL that is no more means nothing to the source.
    if (entry.fork !== null && entry.fork < this.#told) this.#told = entry.fork;
    if (!source.isStandby && source.flushed < this.#told) this.#told = source.flushed;
    this.#take(entry.record, source.confirmed);
    return entry;
  }

  /** Whether the record is still what it was, lanes and all. Throws as `open`. Does nothing before it. */
  async look(): Promise<void> {
    if (this.#record === null) return;
    const { warehouse, slot } = this.#options;
    const record = await readAcknowledgementRecord(warehouse, slot);
    if (record === null) throw olderWarehouse(slot, this.#record.limit, 0n);
    this.#take(record, this.#told);
  }

  /** Tells the source of a position that the record covers; of another one nothing is told yet. */
  acknowledge(lsn: Lsn): void {
    const limit = limitOf(lsn);
    if (this.#record === null || limit > this.#record.limit) return;
    if (limit > this.#told) this.#told = limit;
    this.#options.tell(lsn);
  }

  /**
   * Puts the position on record, then tells the source. `lanes`: what the lanes are believed to have; where one has gone back, or
   * the record is another than the last one seen, nothing is told, and `look` finds out why.
   */
  async pass(lsn: Lsn, lanes: readonly LanePosition[]): Promise<void> {
    const record = this.#record;
    if (record === null) return;
    const limit = limitOf(lsn);
    if (limit > record.limit) {
      const { warehouse, slot } = this.#options;
      if (!(await moveAcknowledgement(warehouse, slot, record, limit, lanes))) return;
      // A start of the stream may have read a newer one meanwhile.
      if (this.#record === record) this.#record = { ...record, limit };
    }
    this.acknowledge(lsn);
  }

  /** Until somebody asks for the backfill that fills it, no daemon reads on. */
  recordGap(gap: Gap): Promise<void> {
    return recordGap(this.#options.warehouse, this.#options.slot, gap);
  }

  #take(record: AcknowledgementRecord, confirmed: Lsn): void {
    const reached = confirmed > this.#told ? confirmed : this.#told;
    if (record.limit < reached) throw olderWarehouse(this.#options.slot, reached, record.limit);
    if (record.gap !== null) throw knownGap(record.gap);
    this.#record = record;
  }
}

/** What the slot's confirmed position is once the source was told of `lsn`: the server is told one byte more. */
function limitOf(lsn: Lsn): Lsn {
  return lsn + 1n;
}

function olderWarehouse(slot: string, reached: Lsn, recorded: Lsn): WalbridgeError {
  return new WalbridgeError({
    code: 'WB6302',
    kind: 'permanent',
    what: `The slot "${slot}" stands at ${formatLsn(reached)}, but the warehouse knows of acknowledgements up to ${formatLsn(recorded)} only: it was restored from a backup, or the slot was made anew or moved on by somebody else. What the source committed between is missing and is not sent again.`,
    safe: 'Nothing was read, applied or acknowledged since.',
    next: 'Run `walbridge backfill --all --prune --detach`, which brings every table to its present state and lets the daemon go on; then start it.',
  });
}

function knownGap({ code, reason, entities }: Gap): WalbridgeError {
  const which = entities === null ? '--all' : entities.join(' ');
  return new WalbridgeError({
    code: 'WB7004',
    kind: 'permanent',
    what: `The warehouse is not what the source is since ${code} ended the daemon: ${reason}`,
    safe: 'Nothing was read, applied or acknowledged since.',
    next: `Mend the source where it needs it, run \`walbridge backfill ${which} --prune --detach\`, which brings the tables to their present state and lets the daemon go on; then start it.`,
  });
}
