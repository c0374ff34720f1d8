// The durable position and the message that tells the server of it.
// Guarantees: only what was told since the stream began is acknowledged, since what an earlier stream was told may mean other WAL
// to this one's server; it never moves back; nothing is acknowledged before something was told.
// https://www.postgresql.org/docs/current/protocol-replication.html (Standby status update)
import type { Lsn } from '../change/position.ts';

/** Microseconds between 1970-01-01 and 2000-01-01 UTC. */
const POSTGRES_EPOCH_MICROS = 946_684_800_000_000n;

export class Acknowledgement {
  #durable: Lsn | null = null;
  /** The slot's position when the stream began. */
  #confirmed: Lsn = 0n;
  readonly #frame = Buffer.alloc(34);

  /** Everything that commits at or before it is durable; null until something was told. */
  get durable(): Lsn | null {
    return this.#durable;
  }

  /** A stream begins at the slot's position. */
  restart(confirmed: Lsn): void {
    this.#durable = null;
    this.#confirmed = confirmed;
  }

  /** True where it is more than the server knows. */
  advance(lsn: Lsn): boolean {
    if (lsn < this.#confirmed) return false;
    if (this.#durable !== null && lsn <= this.#durable) return false;
    this.#durable = lsn;
    return true;
  }

  /** The next status message. Its bytes are valid until the next call. */
  statusMessage(replyRequested: boolean): Buffer {
    // The server skips what commits before the position it was told, and sends what commits at it: hence the one byte more.
    // 0/0 keeps the connection alive and moves nothing.
    const position = this.#durable === null ? 0n : this.#durable + 1n;
    this.#frame.write('r', 0, 'latin1');
    this.#frame.writeBigUInt64BE(position, 1);
    this.#frame.writeBigUInt64BE(position, 9);
    this.#frame.writeBigUInt64BE(position, 17);
    this.#frame.writeBigInt64BE(BigInt(Date.now()) * 1000n - POSTGRES_EPOCH_MICROS, 25);
    this.#frame.writeUInt8(replyRequested ? 1 : 0, 33);
    return this.#frame;
  }
}
