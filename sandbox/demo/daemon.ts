// The daemon as its users start it: the built command line, a configuration file, processes of its own.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type GuardedServer, startGuarded } from '../guarded.ts';
import type { DemoServers } from './servers.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const commandLine = join(root, 'dist/cli/main.js');

export interface Walbridge {
  readonly logFile: string;
  /** Runs a command to its end. @returns what it printed, and its exit code */
  command(...args: string[]): Promise<{ readonly output: string; readonly exitCode: number }>;
  /** Starts `walbridge run`. Its guard ends it with the demo, SIGKILL of the demo included. */
  run(): Promise<Daemon>;
}

export interface Daemon {
  readonly pid: number;
  readonly ended: GuardedServer['ended'];
  /** SIGKILL: no chance to tidy up. */
  kill(): Promise<void>;
  /** SIGTERM. */
  stop(): Promise<void>;
}

/** Writes the configuration into `folder`, for its owner's eyes only. */
export function configure(servers: DemoServers, folder: string): Walbridge {
  const config = join(folder, 'walbridge.yaml');
  const logFile = join(folder, 'walbridge.log');
  const settings = {
    source: { url: servers.crm },
    warehouse: { connectionString: servers.warehouse },
    queue: { backend: 'postgres', url: servers.queue },
    schemas: join(root, 'schemas'),
    mappings: join(root, 'mappings'),
  };
  writeFileSync(config, stringify(settings), { mode: 0o600 });
  return {
    logFile,
    command: (...args) =>
      new Promise((resolve, reject) => {
        execFile(process.execPath, [commandLine, '-c', config, ...args], (error, stdout, stderr) => {
          if (error && typeof error.code !== 'number') return reject(error);
          resolve({ output: `${stdout}${stderr}`.trimEnd(), exitCode: Number(error?.code ?? 0) });
        });
      }),
    run: async () => {
      const guarded = await startGuarded(
        {
          command: process.execPath,
          args: [commandLine, '-c', config, 'run'],
          folder,
          logFile,
          stopSignals: [
            { signal: 'SIGTERM', afterMs: 0 },
            { signal: 'SIGKILL', afterMs: 20_000 },
          ],
          removeFolder: false,
        },
        () => true,
      );
      return {
        pid: guarded.pid,
        ended: guarded.ended,
        kill: async () => {
          process.kill(guarded.pid, 'SIGKILL');
          await guarded.ended;
        },
        stop: guarded.stop,
      };
    },
  };
}

/** Asks every 100 ms. @throws Error with `what` when it is not so within the time */
export async function until(what: string, timeoutMs: number, isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !(await isSo()); await delay(100)) {
    if (Date.now() > deadline) throw new Error(`not so after ${timeoutMs / 1000} s: ${what}`);
  }
}
