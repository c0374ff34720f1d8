// A snapshot of the source whose place in the order of commits is known: that of a temporary slot, exported for others to read in.
// Guarantees: it shows exactly the transactions whose commit record begins before `lsn`; it lives as long as its connection, and
// the slot and the snapshot are gone with it. The slot is never read: the permanent one, which is older, keeps the WAL.
// https://www.postgresql.org/docs/current/protocol-replication.html (CREATE_REPLICATION_SLOT)
import { randomUUID } from 'node:crypto';
import type { ClientConfig } from 'pg';
import { type Lsn, parseLsn } from '../change/position.ts';
import { ReplicationConnection } from './replication-connection.ts';
import { sourceFault } from './source-fault.ts';

export class ExportedSnapshot {
  /** A slot that was made at this point would send what commits at or after it, and nothing else. */
  readonly lsn: Lsn;
  /** For SET TRANSACTION SNAPSHOT. */
  readonly name: string;
  /** By the source's clock, microseconds since 1970-01-01 UTC; not after the snapshot. */
  readonly takenAtMicros: bigint;
  readonly #connection: ReplicationConnection;

  private constructor(
    connection: ReplicationConnection,
    facts: Pick<ExportedSnapshot, 'lsn' | 'name' | 'takenAtMicros'>,
  ) {
    this.#connection = connection;
    this.lsn = facts.lsn;
    this.name = facts.name;
    this.takenAtMicros = facts.takenAtMicros;
  }

  /**
   * Waits, `withinMs` at most, for the transactions that write when it begins. Throws a WalbridgeError (WB2001 to WB2004), or the
   * signal's reason.
   */
  static async take(config: ClientConfig, withinMs: number, signal: AbortSignal): Promise<ExportedSnapshot> {
    let connection: ReplicationConnection | null = null;
    const abort = () => connection?.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      connection = await ReplicationConnection.open(config, signal);
      const slot = `walbridge_load_${randomUUID().replaceAll('-', '')}`;
      const made = await connection.exportSnapshot(slot, withinMs);
      return new ExportedSnapshot(connection, {
        lsn: parseLsn(made.consistentPoint),
        name: made.snapshot,
        takenAtMicros: made.takenAtMicros,
      });
    } catch (error) {
      connection?.destroy();
      signal.throwIfAborted();
      throw sourceFault(error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
