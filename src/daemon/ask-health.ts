// Asks the walbridge that runs on this machine how it is, at its own address.
// Guarantees: an answer within a few seconds, if only that there is none.
import { parseListenAddress } from '../config/listen-address.ts';

export interface HealthAnswer {
  readonly isReady: boolean;
  /** The daemon's own JSON, or why there is none. */
  readonly text: string;
}

const WITHIN_MS = 8000;

/** `listen`: as configured. */
export async function askHealth(listen: string): Promise<HealthAnswer> {
  const address = parseListenAddress(listen);
  if (address === null) throw new TypeError(`unchecked address: ${listen}`);
  const url = `http://${reachable(address.host)}:${address.port}/readyz`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(WITHIN_MS) });
    return { isReady: response.ok, text: (await response.text()).trim() };
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
    return { isReady: false, text: `No walbridge answers at ${url} (${cause}).` };
  }
}

/** What listens on all addresses is asked at the machine's own. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
