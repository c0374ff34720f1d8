// Redis for the tests that run the queue on it: `redis-server` from PATH, in memory only, on a free port of 127.0.0.1, under
// the same guard as PostgreSQL. Where it is missing it is installed if asked and possible; else a plain message says what to do.
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onFreePort, startGuarded } from './guarded.ts';

const run = promisify(execFile);

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Empties every database: what an operator's FLUSHALL does to a queue. */
  flushAll(): Promise<void>;
  /** SIGKILL, as a crash; start it again with the same port. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisOptions {
  readonly port?: number;
  /** Install the Debian package when there is no redis-server, as root and with apt-get. */
  readonly install?: boolean;
}

export async function startRedis(
  options: RedisOptions = {},
): Promise<RedisServer | { readonly missing: string }> {
  const missing = await ensureInstalled(options.install ?? false);
  if (missing !== undefined) return { missing };
  return onFreePort(options.port, startOn);
}

async function startOn(port: number): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'walbridge-redis-'));
  const server = await startGuarded(
    {
      command: 'redis-server',
      args: [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--save',
        '',
        '--appendonly',
        'no',
      ],
      folder,
      logFile: join(folder, 'server.log'),
      stopSignals: [
        { signal: 'SIGTERM', afterMs: 0 },
        { signal: 'SIGKILL', afterMs: 3_000 },
      ],
      removeFolder: true,
    },
    async () => (await send(port, 'PING').catch(() => '')) === '+PONG',
  );
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    flushAll: async () => {
      const reply = await send(port, 'FLUSHALL');
      if (reply !== '+OK') throw new Error(`FLUSHALL was refused: ${reply}`);
    },
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
    },
    stop: server.stop,
  };
}

/** @returns what to do where Redis can't be had */
async function ensureInstalled(mayInstall: boolean): Promise<string | undefined> {
  if (await isInstalled()) return undefined;
  if (mayInstall && process.getuid?.() === 0) {
    // RUNLEVEL=1: the package must not start a service of its own.
    const env = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update', '-qq'], { env }).catch(() => {});
    await run('apt-get', ['install', '-y', '-qq', 'redis-server'], { env }).catch(() => {});
    if (await isInstalled()) return undefined;
  }
  return 'redis-server is not on PATH. Install it (Debian: apt-get install redis-server, macOS: brew install redis).';
}

function isInstalled(): Promise<boolean> {
  return run('redis-server', ['--version']).then(
    () => true,
    () => false,
  );
}

/** One inline command (https://redis.io/docs/latest/develop/reference/protocol-spec/#inline-commands). @returns the first line */
function send(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.setTimeout(5_000, () => socket.destroy(new Error(`Redis did not answer ${command} within 5 s`)));
    socket.once('error', reject).once('data', (reply) => {
      socket.end();
      resolve(reply.toString('utf8').trim());
    });
  });
}
