// Starts a server process under its guard (guard.mjs), which stops it on every way out of the owner, SIGKILL included.
// The server does not keep its owner's event loop alive.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface GuardedCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Whom the server runs as; the owner itself by default. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** The server's working folder. */
  readonly folder: string;
  readonly logFile: string;
  /** Sent in turn, `afterMs` milliseconds after the stop was asked for, until the server has ended. */
  readonly stopSignals: readonly { readonly signal: NodeJS.Signals; readonly afterMs: number }[];
  /** Remove `folder` once the server has ended. */
  readonly removeFolder: boolean;
}

export interface GuardedServer {
  readonly pid: number;
  /** Resolves, with the reason and the log's last lines, when the server has ended and its guard too. */
  readonly ended: Promise<string>;
  /** Idempotent; resolves when the server is gone and a temporary folder removed. */
  stop(): Promise<void>;
}

/**
 * Resolves once `isReady` says so; it is asked every 10 ms.
 * @throws Error with the tail of the server's log when it ends before, or is not ready after 60 s.
 */
export async function startGuarded(
  command: GuardedCommand,
  isReady: (pid: number) => boolean | Promise<boolean>,
): Promise<GuardedServer> {
  const guard = spawn(
    process.execPath,
    [fileURLToPath(new URL('./guard.mjs', import.meta.url)), JSON.stringify(command)],
    { detached: true, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  guard.stdin.on('error', () => {});
  let pid = 0;
  let last = 'its guard was killed';
  const lines = createInterface({ input: guard.stdout });
  lines.on('line', (line) => {
    const message = JSON.parse(line) as { pid?: number; ended?: string; log?: string };
    pid = message.pid ?? pid;
    if (message.ended !== undefined) last = `${message.ended}\n${message.log ?? ''}`;
  });
  let isOver = false;
  const ended = new Promise<string>((resolve) => {
    guard.once('error', (error) => resolve(error.message));
    guard.once('close', () => resolve(last));
  }).finally(() => {
    isOver = true;
  });
  const stop = async () => {
    guard.ref();
    guard.stdin.end();
    await ended;
  };
  for (const deadline = Date.now() + 60_000; pid === 0 || !(await isReady(pid)); await delay(10)) {
    if (isOver) throw new Error(`${command.command} did not start: ${await ended}`);
    if (Date.now() > deadline) {
      await stop();
      throw new Error(`${command.command} was not ready after 60 s: ${await ended}`);
    }
  }
  guard.unref();
  for (const pipe of [guard.stdin, guard.stdout]) (pipe as unknown as { unref(): void }).unref();
  return { pid, ended, stop };
}

/** Starts a server on `port`, or on free ones until it starts: another process may be faster. */
export async function onFreePort<T>(
  port: number | undefined,
  start: (port: number) => Promise<T>,
): Promise<T> {
  if (port !== undefined) return start(port);
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (attempt === 5 || !/address already in use|could not bind/i.test(String(error))) throw error;
    }
  }
}

/** A TCP port of 127.0.0.1 that was free a moment ago, and that no outgoing connection is given. */
export async function freePort(): Promise<number> {
  const [first, last] = ephemeralPorts();
  const count = Math.max(0, first - LOWEST_PORT);
  for (;;) {
    const pick = randomInt(count + 65_535 - last);
    const port = pick < count ? LOWEST_PORT + pick : last + 1 + pick - count;
    if (await isFree(port)) return port;
  }
}

const LOWEST_PORT = 10_000;

/** The ports of outgoing connections: Linux says; elsewhere IANA's. */
function ephemeralPorts(): readonly [number, number] {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const [first, last] = range.trim().split(/\s+/).map(Number);
    if (first && last && first > LOWEST_PORT + 1_000) return [first, last];
  } catch {
    // Not Linux.
  }
  return [49_152, 65_535];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
