// What the shows of backfills share, in any size: an initial load that is killed under traffic, and a range that is backfilled
// while its keys are hot. Afterwards source and warehouse are held against each other row by row.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import sql from 'mssql';
import pg from 'pg';
import { withClient } from '../../sandbox/crm/crm.ts';
import { createRandom, type Random } from '../../sandbox/crm/random.ts';
import { type SeedOptions, seedCrm } from '../../sandbox/crm/seed.ts';
import { startTraffic } from '../../sandbox/crm/traffic.ts';
import type { Bridge } from './bridge.ts';
import { compareTables, formatDifferences, type TablePair } from './compare.ts';
import type { Daemon } from './daemon.ts';
import { until } from './until.ts';

export interface Roles {
  capture: Daemon;
  apply: Daemon;
}

interface Peaks {
  capture: number;
  apply: number;
}

export interface InitialLoad {
  readonly rows: number;
  readonly seconds: number;
  /** Row changes of the traffic meanwhile. */
  readonly changes: number;
  /** Ranges that ended by the snapshot, and in chunks. */
  readonly ranges: { readonly snapshot: number; readonly chunks: number };
  /** VmHWM, bytes: the most of any process of that role. */
  readonly peaks: Readonly<Peaks>;
  readonly caughtUpSeconds: number;
  readonly faults: readonly string[];
}

export interface InitialLoadOptions {
  readonly seed: SeedOptions;
  readonly ratePerSecond: number;
  /** Who is killed when so much of all rows was read. */
  readonly kills: readonly (readonly [share: number, who: 'capture' | 'apply' | 'both'])[];
  readonly withinMs: number;
  readonly onProgress?: (line: string) => void;
  readonly extra?: readonly string[];
}

/** Of an empty warehouse, asked for before the daemons run. Leaves them running. */
export async function initialLoad(
  bridge: Bridge,
  options: InitialLoadOptions,
): Promise<InitialLoad & { roles: Roles }> {
  const { kills, withinMs, onProgress = () => {} } = options;
  const total = await withClient(bridge.crm, async (client) => {
    await seedCrm(client, options.seed);
    // What was there is from before the slot, as far as the bridge is concerned.
    await client.query('SELECT pg_replication_slot_advance($1, pg_current_wal_insert_lsn())', [bridge.name]);
    // Counted: the statistics tell twice as many where they were analysed at the wrong moment.
    const counts = bridge.pairs.map(({ source }) => `(SELECT count(*) FROM ${source})`);
    const { rows } = await client.query<{ n: number }>(`SELECT (${counts.join(' + ')})::int AS n`);
    return rows[0]?.n ?? 0;
  });
  onProgress(`the CRM has ${total} rows`);
  const traffic = await startTraffic(bridge.crm, { seed: 5, ratePerSecond: options.ratePerSecond });
  const asked = await bridge.command('backfill', '--all', '--detach', '--json', ...(options.extra ?? []));
  if (asked.code !== 0) throw new Error(asked.stderr);
  const { id } = JSON.parse(asked.stdout) as { id: string };
  const startedAt = performance.now();
  const roles: Roles = { capture: bridge.run('capture'), apply: bridge.run('apply') };
  const peaks: Peaks = { capture: 0, apply: 0 };
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  let read = 0;
  const state = () => `${read} of ${total} rows are read\n${roles.capture.tail()}\n${roles.apply.tail()}`;
  try {
    const progress = async () => {
      const { recordset } = await pool
        .request()
        .query<{ n: number; unfinished: number; failed: string | null }>(
          `SELECT CONVERT(int, SUM(rows_read)) AS n, SUM(CASE WHEN state = 'done' THEN 0 ELSE 1 END) AS unfinished,
           MAX(CASE WHEN state = 'failed' THEN error END) AS failed FROM walbridge.backfill WHERE backfill_id = '${id}'`,
        );
      for (const role of ['capture', 'apply'] as const) notePeak(peaks, role, roles[role]);
      read = recordset[0]?.n ?? 0;
      const [now] = recordset;
      if (now?.failed != null) throw new Error(`a range has failed: ${now.failed}\n${state()}`);
      return now ?? { n: 0, unfinished: 1 };
    };
    for (const [share, who] of kills) {
      const { n } = await until(
        `${Math.round(share * 100)} % are read`,
        async () => {
          const now = await progress();
          return now.n >= share * total && now;
        },
        { withinMs, everyMs: 100, state },
      );
      onProgress(`${seconds(startedAt)} s, ${n} rows: SIGKILL of ${who}`);
      for (const role of ['capture', 'apply'] as const) {
        if (who !== role && who !== 'both') continue;
        await roles[role].kill();
        roles[role] = bridge.run(role);
      }
    }
    await until(
      'all ranges are done',
      async () => {
        return (await progress()).unfinished === 0;
      },
      { withinMs, everyMs: 200, state },
    );
    const took = seconds(startedAt);
    const { changes } = await traffic.stop();
    const caughtUpAt = performance.now();
    await bridge.caughtUp(withinMs);
    const { n } = await progress();
    onProgress(`${took} s, ${n} rows: done; caught up ${seconds(caughtUpAt)} s later`);
    const { recordset: ways } = await pool.request().query<{ snapshot: number; chunks: number }>(
      `SELECT SUM(CASE WHEN low_lsn = high_lsn THEN 1 ELSE 0 END) AS snapshot, SUM(CASE WHEN low_lsn < high_lsn THEN 1 ELSE 0 END) AS chunks
       FROM walbridge.backfill WHERE backfill_id = '${id}'`,
    );
    return {
      rows: n,
      seconds: took,
      changes,
      ranges: ways[0] ?? { snapshot: 0, chunks: 0 },
      peaks,
      caughtUpSeconds: seconds(caughtUpAt),
      faults: await differences(bridge, bridge.pairs.map(sliced(options.seed.contacts ?? 0))),
      roles,
    };
  } finally {
    await traffic.stop();
    await pool.close();
  }
}

export interface HotRangeOptions {
  readonly round: number;
  /** Ids of contacts: inclusive, exclusive. */
  readonly range: readonly [from: number, to: number];
  readonly withinMs: number;
}

export interface HotRange {
  /** Transactions on the range's keys from the request to its end. */
  readonly writes: number;
  readonly yielded: number;
  readonly seconds: number;
  readonly faults: readonly string[];
}

/** The range is damaged in the warehouse, and backfilled and pruned while a few of its keys are written to without a pause. */
export async function backfillHotRange(bridge: Bridge, options: HotRangeOptions): Promise<HotRange> {
  const { round, range, withinMs } = options;
  const [from, to] = range;
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  try {
    await pool
      .request()
      .query(`DELETE FROM crm.contacts WHERE id >= ${from} AND id < ${to} AND id % 5 = ${round % 5};
      UPDATE crm.contacts SET last_name = N'damaged' WHERE id >= ${from} AND id < ${to} AND id % 5 = ${(round + 1) % 5}`);
  } finally {
    await pool.close();
  }
  const startedAt = performance.now();
  const stop = new AbortController();
  const writing = writeHotKeys(bridge.crm, createRandom(round), range, stop.signal);
  let steps: { rowsYielded: number; state: string }[] = [];
  try {
    const keys = ['--from-key', String(from), '--to-key', String(to)];
    const asked = bridge.command(
      'backfill',
      'contacts',
      ...keys,
      '--prune',
      '--parallel',
      '3',
      '--chunk-rows',
      '2000',
      '--json',
    );
    const { code, stdout, stderr } = await asked;
    if (code !== 0) throw new Error(`backfill ended with ${code}: ${stdout}${stderr}`);
    const { id } = JSON.parse(stdout.slice(0, stdout.indexOf('\n'))) as { id: string };
    const shown = await bridge.command('backfill', 'show', id, '--json');
    steps = shown.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as (typeof steps)[number]);
  } finally {
    stop.abort();
  }
  const writes = await writing;
  const took = seconds(startedAt);
  await bridge.caughtUp(withinMs);
  const contacts = bridge.pairs.find(({ source }) => source === 'public.contacts');
  const around = { ...contacts!, slices: [`(id >= ${from} AND id < ${to}) OR id < 0`] };
  return {
    writes,
    yielded: steps.reduce((sum, { rowsYielded }) => sum + rowsYielded, 0),
    seconds: took,
    faults: await differences(bridge, [around]),
  };
}

/** Rows that differ, and those that are left in quarantine; a line each. */
export async function differences(bridge: Bridge, pairs: readonly TablePair[]): Promise<string[]> {
  const compared = await compareTables(bridge.crm, bridge.warehouse, pairs);
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  try {
    const { recordset } = await pool
      .request()
      .query<{ entity: string; code: string }>(
        'SELECT entity, code FROM walbridge.quarantine WHERE resolved_at IS NULL',
      );
    return [
      ...formatDifferences(compared.differences)
        .split('\n')
        .filter((line) => line !== ''),
      ...recordset.map(({ entity, code }) => `a row of ${entity} is in quarantine: ${code}`),
    ];
  } finally {
    await pool.close();
  }
}

const SLICE_ROWS = 100_000;

/** Contacts in slices of ids, where they are many. */
export function sliced(contacts: number): (pair: TablePair) => TablePair {
  const slices = Array.from({ length: Math.ceil(contacts / SLICE_ROWS) }, (_, index) =>
    index === 0 ? `id < ${SLICE_ROWS}` : `id >= ${index * SLICE_ROWS} AND id < ${(index + 1) * SLICE_ROWS}`,
  );
  const last = `id >= ${slices.length * SLICE_ROWS}`;
  return (pair) =>
    pair.source === 'public.contacts' && slices.length > 1 ? { ...pair, slices: [...slices, last] } : pair;
}

/** Two writers on forty keys of the range: values, deletes and returns, keys that move out of the range and back. */
async function writeHotKeys(
  crm: string,
  random: Random,
  [from, to]: readonly [number, number],
  signal: AbortSignal,
): Promise<number> {
  await withClient(crm, (client) => client.query('CREATE TABLE IF NOT EXISTS shelf (LIKE contacts)'));
  const keys = Array.from({ length: 40 }, () => from + random.below(to - from));
  let writes = 0;
  const write = async (own: readonly number[]) => {
    const client = new pg.Client({ connectionString: crm });
    await client.connect();
    while (!signal.aborted) {
      const id = random.pick(own);
      const statement = random.pick([
        `UPDATE contacts SET phone = '${random.below(1e9)}', updated_at = now() WHERE id = ${id}`,
        `UPDATE contacts SET phone = '${random.below(1e9)}', updated_at = now() WHERE id = ${id}`,
        `WITH gone AS (DELETE FROM contacts WHERE id = ${id} RETURNING *) INSERT INTO shelf SELECT * FROM gone`,
        `WITH back AS (DELETE FROM shelf WHERE id = ${id} RETURNING *) INSERT INTO contacts SELECT * FROM back`,
        `UPDATE contacts SET id = -id WHERE id IN (${id}, ${-id})`,
      ]);
      try {
        await client.query(statement);
        writes += 1;
        await pause(2);
      } catch (error) {
        // A row that moved while its shelved copy came back: the keys are each writer's own, so that only these two collide.
        if ((error as { code?: string }).code !== '23505') throw error;
      }
    }
    await client.end();
  };
  const half = keys.length / 2;
  await Promise.all([write(keys.slice(0, half)), write(keys.slice(half))]);
  return writes;
}

function notePeak(peaks: Peaks, role: keyof Peaks, daemon: Daemon): void {
  try {
    const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
    peaks[role] = Math.max(peaks[role], Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
  } catch {
    // It is gone, or this is no Linux.
  }
}

const seconds = (since: number) => Math.round((performance.now() - since) / 100) / 10;
