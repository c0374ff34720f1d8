// The rate of a bulk load through tedious: 100,000 rows of 12 columns into a #temp table of the sandbox's stand-in for SQL
// Server, which runs in a process of its own; and that process's memory after it. `npx tsx bench/bulk-load.ts [rows]`
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import sql from 'mssql';

const ROWS = Number(process.argv[2] ?? 100_000);

type Column = readonly [
  name: string,
  type: sql.ISqlType | (() => sql.ISqlType),
  value: (row: number) => unknown,
];

// As the warehouse's staging tables: numerics and moments travel as text.
const COLUMNS: readonly Column[] = [
  ['id', sql.BigInt, (row) => row],
  ['account', sql.Int, (row) => row % 1000],
  ['name', sql.NVarChar(100), (row) => `Opportunity number ${row}`],
  ['stage', sql.NVarChar(20), (row) => ['open', 'won', 'lost'][row % 3]],
  ['amount', sql.VarChar(41), (row) => `${row}.${row % 100}`],
  ['probability', sql.Float, (row) => (row % 100) / 100],
  ['active', sql.Bit, (row) => row % 2 === 0],
  ['owner', sql.UniqueIdentifier, () => '6f9619ff-8b86-d011-b42d-00c04fc964ff'],
  ['created', sql.VarChar(40), () => '2024-02-29T12:34:56.789012+00:00'],
  ['closed', sql.Date, () => new Date('2024-03-01T00:00:00Z')],
  ['note', sql.NVarChar(sql.MAX), (row) => (row % 10 === 0 ? 'x'.repeat(200) : null)],
  ['version', sql.SmallInt, (row) => row % 30_000],
];
const DECLARED = `id bigint, account int, name nvarchar(100), stage nvarchar(20), amount varchar(41), probability float, active bit,
  owner uniqueidentifier, created varchar(40), closed date, note nvarchar(max), version smallint`;

/** The sandbox's servers in a child process; ends with this one. */
async function startServer(): Promise<{ pid: number; connectionString: string; stop(): Promise<void> }> {
  const child = fork(fileURLToPath(new URL('./sandbox-process.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  const [connectionString] = (await once(child, 'message')) as [string];
  return {
    pid: child.pid!,
    connectionString,
    stop: async () => {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** Resident and highest resident memory of a process in MB, as Linux counts it. */
function memory(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
  return `${of('VmRSS')} MB resident, ${of('VmHWM')} MB at most`;
}

/** CPU seconds of a process so far: fields 14 and 15 of its stat, in hundredths. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function staging(): sql.Table {
  const table = new sql.Table('#staging');
  for (const [name, type] of COLUMNS) table.columns.add(name, type, { nullable: true });
  for (let row = 1; row <= ROWS; row++) {
    table.rows.add(
      ...(COLUMNS.map(([, , value]) => value(row)) as (string | number | boolean | Date | null)[]),
    );
  }
  return table;
}

const server = await startServer();
const config = sql.ConnectionPool.parseConnectionString(server.connectionString) as sql.config;
for (const encrypt of [true, false]) {
  const options = { ...config.options, encrypt };
  const pool = await new sql.ConnectionPool({
    ...config,
    options,
    pool: { max: 1 },
    requestTimeout: 120_000,
  }).connect();
  for (let run = 1; run <= 3; run++) {
    await pool.request().batch(`DROP TABLE IF EXISTS #staging; CREATE TABLE #staging (${DECLARED})`);
    const table = staging();
    const [cpu, serverCpu, startedAt] = [process.cpuUsage(), cpuSeconds(server.pid), performance.now()];
    await pool.request().bulk(table);
    const seconds = (performance.now() - startedAt) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    console.log(
      `encrypt ${encrypt}: ${Math.round(ROWS / seconds).toLocaleString('en')} rows/s in ${seconds.toFixed(1)} s; ` +
        `CPU: client ${((user + system) / 1e6).toFixed(1)} s, stand-in ${(cpuSeconds(server.pid) - serverCpu).toFixed(1)} s; stand-in's memory ${memory(server.pid)}; load ${loadavg()[0]!.toFixed(1)}`,
    );
  }
  await pool.close();
}
await server.stop();
