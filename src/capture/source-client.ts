// Plain connections to the source, for catalogue queries beside the WAL tail.
// Guarantees: what the driver throws is told apart as for the tail; the connection ends with the work.
import { Client, type ClientConfig } from 'pg';
import { sourceFault } from './source-fault.ts';

/** How to reach the source; `password` overrides the URL's. */
export function sourceConnection(url: string, password: string | undefined): ClientConfig {
  const where = new URL(url);
  if (password !== undefined) where.password = encodeURIComponent(password);
  return { connectionString: where.href, application_name: 'walbridge' };
}

/** Throws a WalbridgeError (WB2001 to WB2004) where the source can't be reached or refuses. */
export async function withSource<T>(
  connection: ClientConfig,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(connection);
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw sourceFault(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}
