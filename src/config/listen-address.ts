// An address to listen on, as a person writes it.
// Guarantees: a host and a port, or nothing; no name is looked up.

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const FORM = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/;
const HIGHEST_PORT = 65_535;

/** Of `127.0.0.1:9464`, `localhost:9464`, `[::1]:9464`; null for anything else. */
export function parseListenAddress(text: string): ListenAddress | null {
  const [, ipv6, name, digits] = FORM.exec(text) ?? [];
  const host = ipv6 ?? name;
  const port = Number(digits);
  return host === undefined || port > HIGHEST_PORT ? null : { host, port };
}
