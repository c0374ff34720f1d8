// Starts a server process under its guard (guard.mjs), which stops it on every way out of the owner, SIGKILL included.
// The server does not keep its owner's event loop alive.
import { spawn } from 'node:child_process';
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

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no TCP port was given');
  return address.port;
}
