// Reads a slot's health again and again over one connection of its own.
// Guarantees: a server that is away or silent ends a reading in time, and the next one connects anew.
import type { ClientConfig } from 'pg';
import { KeptClient } from './kept-client.ts';
import { readSlotHealth, type SlotHealth } from './slot-health.ts';

export class SlotReader {
  readonly #source: KeptClient;
  readonly #slot: string;

  /** `timeoutMs`: for the connection, and for each reading. */
  constructor(connection: ClientConfig, slot: string, timeoutMs: number) {
    this.#source = new KeptClient({
      ...connection,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      statement_timeout: timeoutMs,
    });
    this.#slot = slot;
  }

  /** Null without the slot. Throws a WalbridgeError (WB2001 to WB2003) where the source can't be asked. */
  read(): Promise<SlotHealth | null> {
    return this.#source.use((client) => readSlotHealth(client, this.#slot));
  }
}
