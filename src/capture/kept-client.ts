// A plain connection to the source that is kept from one use to the next.
// Guarantees: what fails ends it, told apart as for the tail, and the next use connects anew; a connection lost at rest harms nobody.
import { Client, type ClientConfig } from 'pg';
import { sourceFault } from './source-fault.ts';

export class KeptClient {
  readonly #config: ClientConfig;
  #client: Client | null = null;

  constructor(config: ClientConfig) {
    this.#config = config;
  }

  /** Throws a WalbridgeError (WB2001 to WB2003) where the source can't be asked. */
  async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#connected());
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
    const client = new Client(this.#config);
    client.on('error', () => undefined);
    this.#client = client;
    await client.connect();
    return client;
  }
}
