// Reads a slot's health again and again over one connection of its own.
// Guarantees: a server that is away or silent ends a reading in time, and the next one connects anew.
import { Client, type ClientConfig } from 'pg';
import { readSlotHealth, type SlotHealth } from './slot-health.ts';
import { sourceFault } from './source-fault.ts';

export class SlotReader {
  readonly #connection: ClientConfig;
  readonly #slot: string;
  readonly #timeoutMs: number;
  #client: Client | null = null;

  /** `timeoutMs`: for the connection, and for each reading. */
  constructor(connection: ClientConfig, slot: string, timeoutMs: number) {
    this.#connection = connection;
    this.#slot = slot;
    this.#timeoutMs = timeoutMs;
  }

  /** Null without the slot. Throws a WalbridgeError (WB2001 to WB2003) where the source can't be asked. */
  async read(): Promise<SlotHealth | null> {
    try {
      return await readSlotHealth(await this.#connected(), this.#slot);
    } catch (error) {
      await this.close();
      throw sourceFault(error);
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async #connected(): Promise<Client> {
    if (this.#client !== null) return this.#client;
    const client = new Client({
      ...this.#connection,
      connectionTimeoutMillis: this.#timeoutMs,
      query_timeout: this.#timeoutMs,
      statement_timeout: this.#timeoutMs,
    });
    client.on('error', () => undefined);
    this.#client = client;
    await client.connect();
    return client;
  }
}
