// What every command shares: the configuration, the log, and how errors end the process.
// Guarantees: one line an error, with its code and what to do next; documented exit codes.
import { loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { createLog, type Logger } from '../daemon/log.ts';
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';

export const exitCodes = {
  /** Done, or stopped as asked. */
  done: 0,
  /** A permanent fault ended the work; the message says what to do. */
  failed: 1,
  /** Bad usage, configuration, schema or mapping: nothing was started. */
  badInput: 2,
  /** `check` or `init` found errors. */
  findings: 3,
  /** A server is away; the same call may succeed later. */
  unavailable: 75,
} as const;

export interface GlobalOptions {
  readonly config: string;
}

export function settingsOf(options: GlobalOptions): Settings {
  return loadSettings(options.config, process.env);
}

/** Commands print for people on standard output; their log is for what goes wrong on the way. */
export function quietLog(settings: Settings, command: string): Logger {
  return createLog({ level: settings.log.level === 'info' ? 'error' : settings.log.level }, command);
}

/** Runs a command and sets the exit code it resolves with. */
export async function runCommand(work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    const fault = asWalbridgeError(error);
    const trace = error instanceof WalbridgeError || !(error instanceof Error) ? '' : `\n${error.stack}`;
    process.stderr.write(`${fault.code} ${fault.what}\n${fault.safe} ${fault.next}${trace}\n`);
    process.exitCode = exitCodeOf(fault);
  }
}

/** One line on standard error; the exit code stays what it is. */
export function warn({ code, what, safe, next }: WalbridgeError): void {
  process.stderr.write(`${code} ${what} ${safe} ${next}\n`);
}

const notInput = new Set<string>(['WB7000', 'WB7003', 'WB7004']);

export function exitCodeOf(fault: WalbridgeError): number {
  if (fault.kind === 'transient') return exitCodes.unavailable;
  // A role that ended and a source that sends too little are no input of the command's.
  const isInput = /^WB(1|3|4|7[012]|8)/.test(fault.code) && !notInput.has(fault.code);
  return isInput ? exitCodes.badInput : exitCodes.failed;
}
