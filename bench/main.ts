// `npm run bench`: floors and end to end in one run, so that what counts is a ratio of figures taken on the same machine within
// minutes. Prints them and writes them into docs/benchmarks.md beside the command.
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import mssql from 'mssql';
import pg from 'pg';
import { createQueue, createWarehouse } from '../sandbox/address.ts';
import { workOff } from './end-to-end.ts';
import { createSlot, decodeWithCapture, decodeWithLibrary, loadOnly } from './floors.ts';
import { measureLatency } from './latency.ts';
import { type Figure, printTable, writeSection } from './report.ts';
import { startServerProcess } from './servers.ts';
import { measureStages } from './stages.ts';
import { startDaemon, walbridge } from './walbridge.ts';
import { SEED_ROWS, TABLE, Workload, writeConfiguration } from './workload.ts';

interface Options {
  readonly mssql?: string;
  readonly queue: 'redis' | 'postgres';
  readonly full: boolean;
  readonly backlog?: number;
  readonly transaction?: number;
  readonly daemon: string;
  readonly docs: boolean;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const integer = (text: string) => Number.parseInt(text, 10);
const program = new Command('npm run bench --')
  .description('Measures walbridge against its floors.')
  .addOption(
    new Option('--mssql <connection string>', 'a SQL Server in place of the stand-in, without Database').env(
      'WALBRIDGE_BENCH_MSSQL',
    ),
  )
  .addOption(new Option('--queue <backend>', 'the queue').choices(['redis', 'postgres']).default('redis'))
  .option('--full', 'a backlog of 5,000,000 changes and one transaction of 2,000,000 rows', false)
  .option('--backlog <changes>', 'changes of the backlog; 200,000 by default', integer)
  .option('--transaction <rows>', 'rows of the large transaction; 300,000 by default', integer)
  .option('--daemon <file>', "walbridge's built main.js", join(root, 'dist/cli/main.js'))
  .option('--no-docs', 'leave docs/benchmarks.md as it is')
  .parse();
const options = program.opts<Options>();
const backlogChanges = options.backlog ?? (options.full ? 5_000_000 : 200_000);
const transactionRows = options.transaction ?? (options.full ? 2_000_000 : 300_000);
/** Rows that the floors are measured with. */
const FLOOR_ROWS = 100_000;
const RATE = 1000;
const LATENCY_SECONDS = 20;
/** Before latencies count: the daemon starts and its code is compiled. */
const WARM_UP_SECONDS = 10;

const loadBefore = loadavg();
const figures: Figure[] = [];
const startedAt = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'walbridge-bench-'));
const servers = await startServerProcess(options.mssql);
const { address } = servers;
try {
  if (options.queue === 'redis' && address.redis === null) {
    throw new Error('There is no redis-server here: install it, or give --queue postgres.');
  }
  const warehouseName = `walbridge_bench_${Date.now()}`;
  const [source, queueDatabase, warehouse] = await Promise.all([
    createQueue(address, 'bench'),
    createQueue(address, 'queue'),
    createWarehouse(address, warehouseName),
  ]);
  const queueUrl = options.queue === 'redis' ? (address.redis as string) : queueDatabase;
  const config = writeConfiguration(folder, {
    source,
    warehouse,
    queue: { backend: options.queue, url: queueUrl },
  });
  const client = new pg.Client({ connectionString: source });
  // The servers go first when something fails; that must not hide what failed.
  client.on('error', () => {});
  await client.connect();
  const workload = new Workload(client);
  await workload.create();
  const call = (...command: string[]) => walbridge(options.daemon, config, ...command);
  await call('generate', '--table', `public.${TABLE}`, '--namespace', 'bench', '--target-schema', 'dbo');
  await call('init');

  say(`backlog of ${count(backlogChanges)} changes`);
  const slots = ['floor_library', 'floor_capture', 'stages'];
  for (const slot of slots) await createSlot(client, slot);
  await workload.insert(SEED_ROWS);
  const changes = await workload.backlog(backlogChanges);
  const floorRows = Math.min(FLOOR_ROWS, changes);

  say('floors');
  const library = await decodeWithLibrary(source, 'floor_library', floorRows);
  plain('floor: decode, pg-logical-replication', rate(library));
  plain(
    "floor: decode, walbridge's capture",
    rate(await decodeWithCapture(source, 'floor_capture', floorRows)),
  );
  const floor = { connectionString: warehouse, rows: floorRows, rowsPerTransaction: 10_000 };
  const plainLoad = await loadOnly({ ...floor, packed: false });
  plain('floor: bulk load, UPDATE, INSERT with mssql', rate(plainLoad));
  const packedLoad = await loadOnly({ ...floor, packed: true });
  plain("floor: the same with walbridge's row packing", rate(packedLoad));
  const slower = Math.min(library.rowsPerSecond, plainLoad.rowsPerSecond);

  say('stages');
  const stages = await measureStages({ client, slot: 'stages', config, warehouse });
  for (const { name, microsPerChange } of stages) {
    plain(`CPU alone: ${name}`, `${microsPerChange.toFixed(1)} µs a change`);
  }
  for (const slot of slots) await client.query('SELECT pg_drop_replication_slot($1)', [slot]);

  say('end to end: backlog');
  const run = { main: options.daemon, config, warehouse };
  const backlog = await workOff({ ...run, changes: SEED_ROWS + changes });
  const total = count(SEED_ROWS + changes);
  plain(
    `backlog of ${total} changes`,
    `${count(backlog.changesPerSecond)} changes/s, ${backlog.seconds.toFixed(1)} s with the start`,
  );
  const ratio = backlog.changesPerSecond / slower;
  add({
    name: "backlog, of the slower of the two drivers' floors",
    value: ratio.toFixed(2),
    aim: '≥ 0.80',
    reached: ratio >= 0.8,
  });
  const packedRatio = backlog.changesPerSecond / packedLoad.rowsPerSecond;
  plain('backlog, of the load floor with row packing', packedRatio.toFixed(2));
  atMost('CPU a change, backlog', backlog.cpuMicrosPerChange, 20, 'µs');
  atMost('peak memory, backlog', backlog.peakBytes / 1e6, 300, 'MB');

  say(`end to end: ${RATE} changes/s`);
  const daemon = startDaemon(options.daemon, config);
  const pace = { client, workload, warehouse, changesPerSecond: RATE };
  await measureLatency({ ...pace, seconds: WARM_UP_SECONDS });
  const cpuBefore = daemon.cpuMicros();
  const latency = await measureLatency({ ...pace, seconds: LATENCY_SECONDS });
  const pacedCpu = (daemon.cpuMicros() - cpuBefore) / (RATE * LATENCY_SECONDS);
  await daemon.stop();
  const reached = `${count(latency.changesPerSecond)} changes/s, 5 a transaction`;
  plain(`latency at ${reached}: p50`, `${latency.p50.toFixed(0)} ms`);
  atMost('the same: p99', latency.p99, 100, 'ms');
  plain('the same: highest', `${latency.highest.toFixed(0)} ms`);
  plain('CPU a change at that pace', `${pacedCpu.toFixed(0)} µs`);

  say(`end to end: one transaction of ${count(transactionRows)} rows`);
  await workload.insert(transactionRows);
  const transaction = await workOff({ ...run, changes: transactionRows });
  plain(
    `one transaction of ${count(transactionRows)} rows`,
    `${count(transaction.changesPerSecond)} changes/s`,
  );
  atMost('peak memory, that transaction', transaction.peakBytes / 1e6, 300, 'MB');
  await verify(client, warehouse);
  await client.end();

  const report = {
    command: `npm run bench -- --backlog ${backlogChanges} --transaction ${transactionRows} --queue ${options.queue}`,
    engine: options.mssql === undefined ? 'the stand-in' : 'SQL Server',
    queue: options.queue,
    loadBefore,
    figures,
  };
  printTable(report);
  if (options.docs) writeSection(join(root, 'docs/benchmarks.md'), report);
} finally {
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** A fast bridge that loses rows would win: counts and sums must agree. */
async function verify(source: pg.Client, warehouse: string): Promise<void> {
  const sums =
    "COUNT(*) AS n, SUM(amount) AS amount, SUM(CASE WHEN status = 'done' THEN 1 ELSE 0 END) AS done";
  const { rows } = await source.query(`SELECT ${sums} FROM ${TABLE}`);
  const pool = await mssql.connect(warehouse);
  try {
    const { recordset } = await pool.request().query(`SELECT ${sums} FROM dbo.${TABLE}`);
    for (const name of ['n', 'amount', 'done']) {
      if (Number(rows[0][name]) !== Number(recordset[0]?.[name])) {
        throw new Error(
          `The warehouse differs in ${name}: ${recordset[0]?.[name]}, source ${rows[0][name]}.`,
        );
      }
    }
  } finally {
    await pool.close();
  }
}

function say(phase: string): void {
  process.stdout.write(`${phase} (${((performance.now() - startedAt) / 1000).toFixed(0)} s)\n`);
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function rate(floor: { readonly rowsPerSecond: number; readonly cpuMicrosPerRow: number }): string {
  return `${count(floor.rowsPerSecond)} rows/s, ${floor.cpuMicrosPerRow.toFixed(1)} µs`;
}

function add(figure: Figure): void {
  figures.push(figure);
  process.stdout.write(`  ${figure.name}: ${figure.value}\n`);
}

function plain(name: string, value: string): void {
  add({ name, value, aim: '', reached: null });
}

function atMost(name: string, value: number, limit: number, unit: string): void {
  add({ name, value: `${value.toFixed(1)} ${unit}`, aim: `≤ ${limit} ${unit}`, reached: value <= limit });
}
