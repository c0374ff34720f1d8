// `npm run demo`: the whole bridge on the sandbox in less than a minute. Starts the servers, initialises, runs the daemon, drives live
// traffic, kills the daemon with SIGKILL half-way, starts it again, then compares every row. The exit code is the verdict.
// Nothing it starts outlives it. `-- --keep` leaves it all running at the end, until Ctrl-C, to look around in.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import sql from 'mssql';
import pg from 'pg';
import { seedCrm } from '../crm/seed.ts';
import { startTraffic } from '../crm/traffic.ts';
import { type Comparison, compareEntity } from './compare.ts';
import { configure, type Daemon, until, type Walbridge } from './daemon.ts';
import { entities } from './entities.ts';
import { Observer, quarantined } from './observer.ts';
import { Screen } from './screen.ts';
import type { DemoServers } from './servers.ts';

const TRAFFIC_SECONDS = 30;
const KILL_AT_SECONDS = 15;
const DEAD_SECONDS = 2;
const CHANGES_PER_SECOND = 250;
/** How long the warehouse may take to catch up with the seed, and with the traffic once that has ended. */
const CATCH_UP_SECONDS = 60;

const keep = process.argv.includes('--keep');
const screen = new Screen();
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());

/** In reverse at the end, whatever the end is. */
const cleaning: (() => unknown)[] = [];
const aborted = once(stopping.signal, 'abort').then(() => {
  throw new Error('stopped by a signal');
});
aborted.catch(() => {});

try {
  const isEqual = await Promise.race([demo(), aborted]);
  process.exitCode = isEqual ? 0 : 1;
  if (keep) {
    screen.say('\nAll of it goes on running until Ctrl-C.');
    await aborted.catch(() => {});
  }
} catch (error) {
  screen.release();
  screen.say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = stopping.signal.aborted ? 130 : 1;
} finally {
  for (const clean of cleaning.reverse()) {
    try {
      await clean();
    } catch {
      // The rest is cleaned all the same.
    }
  }
}

async function demo(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'walbridge-demo-'));
  cleaning.push(() => rmSync(folder, { recursive: true, force: true }));
  const servers = await startServers();
  const walbridge = configure(servers, folder);
  screen.say(`CRM        ${servers.crm}`);
  screen.say(`warehouse  ${tsqlLine(servers.warehouse)}`);

  const { output, exitCode } = await walbridge.command('init');
  // The statements before them are what --dry-run is for.
  screen.say(`\n$ walbridge init\n${exitCode === 0 ? output.slice(output.lastIndexOf(';\n') + 2) : output}`);
  if (exitCode !== 0) throw new Error(`walbridge init ended with exit code ${exitCode}`);

  const source = new pg.Client({ connectionString: servers.crm });
  source.on('error', () => {});
  await source.connect();
  cleaning.push(() => source.end());
  const warehouse = await new sql.ConnectionPool(servers.warehouse).connect();
  warehouse.on('error', () => {});
  cleaning.push(() => warehouse.close());

  const daemon = await runDaemon(walbridge);
  await live(daemon, servers, source, warehouse);
  await drained(source, warehouse);
  const status = await walbridge.command('status');
  screen.say(`\n$ walbridge status\n${status.output}\n`);
  return verdict(source, warehouse);
}

async function startServers(): Promise<DemoServers> {
  const startedAt = performance.now();
  const child: ChildProcess = fork(fileURLToPath(new URL('./servers.ts', import.meta.url)));
  const ended = once(child, 'exit').then(() => {
    throw new Error('the sandbox ended');
  });
  ended.catch(() => {});
  cleaning.push(async () => {
    if (child.connected) child.disconnect();
    await ended.catch(() => {});
  });
  const [servers] = (await Promise.race([once(child, 'message'), ended])) as [DemoServers];
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  screen.say(
    `The sandbox is up after ${seconds} s: PostgreSQL as the CRM and as the queue's server, a stand-in for SQL Server.`,
  );
  return servers;
}

interface RunningDaemon {
  /** SIGKILL, and a new one after a while. */
  killAndRestart(): Promise<void>;
}

async function runDaemon(walbridge: Walbridge): Promise<RunningDaemon> {
  let current: Daemon | undefined;
  const start = async () => {
    const daemon = await walbridge.run();
    current = daemon;
    void daemon.ended.then((log) => {
      if (current === daemon) screen.say(`walbridge ended by itself: ${log}`);
    });
    return daemon;
  };
  const release = () => {
    const daemon = current;
    current = undefined;
    return daemon;
  };
  cleaning.push(() => release()?.stop());
  screen.say(`\n$ walbridge run        # process ${(await start()).pid}`);
  return {
    killAndRestart: async () => {
      const killed = release();
      await killed?.kill();
      screen.say(`>>> SIGKILL of walbridge (process ${killed?.pid}); the traffic goes on`);
      await delay(DEAD_SECONDS * 1000);
      screen.say(`>>> walbridge run again (process ${(await start()).pid})`);
    },
  };
}

/** Seeds the CRM and keeps it busy, with the daemon's death in the middle. */
async function live(
  daemon: RunningDaemon,
  servers: DemoServers,
  source: pg.Client,
  warehouse: sql.ConnectionPool,
): Promise<void> {
  const observer = new Observer(source, warehouse);
  const look = async () => {
    stopping.signal.throwIfAborted();
    const reading = await observer.read();
    screen.show(reading);
    return reading;
  };
  await seedCrm(source);
  screen.say('The CRM is seeded, in one transaction.\n');
  await until('the warehouse has the seed', CATCH_UP_SECONDS * 1000, async () => {
    const { entities: read } = await look();
    return read.every(({ sourceRows, warehouseRows }) => sourceRows === warehouseRows);
  });
  screen.say(
    `>>> ${TRAFFIC_SECONDS} s of live traffic: transactions over several tables, key changes, rollbacks`,
  );
  const traffic = await startTraffic(servers.crm, { ratePerSecond: CHANGES_PER_SECOND });
  cleaning.push(() => traffic.stop());
  const startedAt = Date.now();
  let restarting: Promise<void> | undefined;
  for (let elapsed = 0; elapsed < TRAFFIC_SECONDS * 1000; elapsed = Date.now() - startedAt) {
    await look();
    if (elapsed >= KILL_AT_SECONDS * 1000) {
      restarting ??= daemon.killAndRestart();
      // Its failure is thrown where it is awaited.
      restarting.catch(() => {});
    }
    await delay(500);
  }
  await restarting;
  const { transactions, changes, rolledBack } = await traffic.stop();
  screen.release();
  screen.say(
    `The traffic has ended: ${transactions} transactions (${rolledBack} rolled back), ${changes} row changes besides those of cascades.`,
  );
}

/** Waits until the watermark has passed all that was committed before now. */
async function drained(source: pg.Client, warehouse: sql.ConnectionPool): Promise<void> {
  const startedAt = performance.now();
  const position = 'pg_current_wal_insert_lsn() - $1::pg_lsn';
  const { rows } = await source.query<{ lsn: string }>(`SELECT (${position})::text AS lsn`, ['0/0']);
  const end = BigInt(rows[0]!.lsn);
  // A change behind that position, so that the watermark has something to move on to.
  await source.query(
    'UPDATE accounts SET updated_at = clock_timestamp() WHERE id = (SELECT min(id) FROM accounts)',
  );
  await until('the warehouse has everything', CATCH_UP_SECONDS * 1000, async () => {
    stopping.signal.throwIfAborted();
    const query = 'SELECT CONVERT(varchar(20), MIN(commit_lsn)) AS commit_lsn FROM walbridge.watermark';
    const { recordset } = await warehouse.request().query<{ commit_lsn: string | null }>(query);
    return BigInt(recordset[0]?.commit_lsn ?? 0) > end;
  });
  screen.say(
    `The warehouse had the last of it ${((performance.now() - startedAt) / 1000).toFixed(2)} s later.`,
  );
}

/** @returns whether all is equal */
async function verdict(source: pg.Client, warehouse: sql.ConnectionPool): Promise<boolean> {
  const comparisons: Comparison[] = [];
  for (const entity of entities) comparisons.push(await compareEntity(source, warehouse, entity));
  for (const { entity, sourceRows, warehouseRows, differences } of comparisons) {
    const result = differences.length === 0 ? 'equal' : `${differences.length} DIFFERENCES`;
    screen.say(
      `${entity.padEnd(22)}${String(sourceRows).padStart(7)} source rows ${String(warehouseRows).padStart(7)} warehouse rows   ${result}`,
    );
  }
  const differences = comparisons.flatMap((comparison) => comparison.differences);
  for (const { entity, key, what } of differences.slice(0, 20)) screen.say(`  ${entity} ${key}: ${what}`);
  const inQuarantine = await quarantined(warehouse);
  const sum = (count: (comparison: Comparison) => number) =>
    comparisons.reduce((total, comparison) => total + count(comparison), 0);
  screen.say(`${inQuarantine} rows in quarantine.`);
  const isEqual = differences.length === 0 && inQuarantine === 0;
  screen.say(
    isEqual
      ? `EQUAL: ${sum((one) => one.sourceRows)} rows, ${sum((one) => one.values)} values compared, none differs.`
      : 'NOT EQUAL.',
  );
  return isEqual;
}

function tsqlLine(connectionString: string): string {
  const part = (pattern: RegExp) => pattern.exec(connectionString)?.[1] ?? '';
  const port = part(/,(\d+)/);
  const password = part(/Password=([^;]*)/);
  return `tsql -H 127.0.0.1 -p ${port} -U sa -P '${password}' -D ${part(/Database=([^;]*)/)}   # or any client of SQL Server`;
}
