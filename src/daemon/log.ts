// Structured logs: JSON lines on standard output.
// Guarantees: faults are logged by code and words, never with their cause's text, which may quote row values.
import { type Logger, pino } from 'pino';
import type { Settings } from '../config/settings.ts';
import type { WalbridgeError } from '../fault/fault.ts';

export type { Logger };

/** What a log line says of a fault. */
export function faultFields(fault: WalbridgeError): object {
  return { code: fault.code, kind: fault.kind, what: fault.what, safe: fault.safe, next: fault.next };
}

export function createLog(settings: Settings['log'], role: string): Logger {
  return pino(
    { level: settings.level, base: { role, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    // At once: a thread that ends would take what it has not yet written with it, the reason of its end first of all.
    pino.destination({ fd: 1, sync: true }),
  );
}

/** Logs a recurring fault when it begins or changes, then at most once in `everyMs`: a server that is away for an hour is one story. */
export class FaultLog {
  readonly #log: Logger;
  readonly #everyMs: number;
  readonly #last = new Map<string, { code: string; at: number; repeats: number }>();

  constructor(log: Logger, everyMs = 10_000) {
    this.#log = log;
    this.#everyMs = everyMs;
  }

  report(about: string, fault: WalbridgeError): void {
    const now = Date.now();
    const last = this.#last.get(about);
    if (last !== undefined && last.code === fault.code && now - last.at < this.#everyMs) {
      last.repeats += 1;
      return;
    }
    this.#log.warn({ ...faultFields(fault), about, repeats: last?.repeats ?? 0 }, fault.what);
    this.#last.set(about, { code: fault.code, at: now, repeats: 0 });
  }

  /** The trouble is over. */
  clear(about: string): void {
    if (this.#last.delete(about)) this.#log.info({ about }, 'works again');
  }
}
