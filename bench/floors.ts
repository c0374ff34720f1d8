// The floors that walbridge is held against: decoding the stream and nothing else, loading the warehouse and nothing else.
import mssql from 'mssql';
import type pg from 'pg';
import { LogicalReplicationService, type Pgoutput, PgoutputPlugin } from 'pg-logical-replication';
import type { ChangeConsumer } from '../src/capture/change-consumer.ts';
import { WalTail } from '../src/capture/stream.ts';
import { packedTypes, packRows } from '../src/warehouse/bulk-packing.ts';
import type { BulkColumn, BulkValue } from '../src/warehouse/session.ts';
import { PUBLICATION } from './workload.ts';

/** Of one floor. CPU: of this process alone, servers not counted. */
export interface Floor {
  readonly rowsPerSecond: number;
  readonly cpuMicrosPerRow: number;
}

async function measure(rows: number, work: () => Promise<void>): Promise<Floor> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { rowsPerSecond: rows / seconds, cpuMicrosPerRow: (user + system) / rows };
}

export async function createSlot(client: pg.Client, slot: string): Promise<void> {
  await client.query('SELECT pg_create_logical_replication_slot($1, $2)', [slot, 'pgoutput']);
}

/** pg-logical-replication as it is, over the wire: the first `rows` row changes of the slot. */
export function decodeWithLibrary(source: string, slot: string, rows: number): Promise<Floor> {
  const service = new LogicalReplicationService(
    { connectionString: source },
    { acknowledge: { auto: false, timeoutSeconds: 0 } },
  );
  const plugin = new PgoutputPlugin({ protoVersion: 1, publicationNames: [PUBLICATION] });
  return measure(rows, async () => {
    let seen = 0;
    await new Promise<void>((resolve, reject) => {
      service.on('error', reject);
      service.on('data', (_lsn: string, message: Pgoutput.Message) => {
        if (message.tag !== 'insert' && message.tag !== 'update') return;
        seen += 1;
        if (seen === rows) resolve();
      });
      service.subscribe(plugin, slot).catch(reject);
    });
    await service.destroy();
  });
}

/** walbridge's capture over the wire, without mapping. */
export function decodeWithCapture(source: string, slot: string, rows: number): Promise<Floor> {
  const ending = new AbortController();
  let seen = 0;
  const consumer: ChangeConsumer = {
    begin: () => {},
    change: () => {
      seen += 1;
      if (seen === rows) ending.abort();
    },
    commit: () => {},
    message: () => {},
    relation: () => {},
    idle: () => {},
    restarted: () => {},
  };
  const tail = new WalTail({
    connection: { connectionString: source },
    slot,
    publications: [PUBLICATION],
  });
  return measure(rows, () => tail.run(consumer, ending.signal));
}

const columns: readonly (BulkColumn & { readonly sql: string })[] = [
  { name: 'id', type: 'bigint', nullable: false, sql: 'bigint NOT NULL' },
  { name: 'account_id', type: 'bigint', nullable: false, sql: 'bigint NOT NULL' },
  { name: 'kind', type: 'nvarchar', length: 20, nullable: false, sql: 'nvarchar(20) NOT NULL' },
  { name: 'status', type: 'nvarchar', length: 20, nullable: false, sql: 'nvarchar(20) NOT NULL' },
  { name: 'amount', type: 'varchar', length: 48, nullable: false, sql: 'varchar(48) NOT NULL' },
  { name: 'quantity', type: 'int', nullable: false, sql: 'int NOT NULL' },
  { name: 'score', type: 'float', nullable: false, sql: 'float NOT NULL' },
  { name: 'is_open', type: 'bit', nullable: false, sql: 'bit NOT NULL' },
  { name: 'due_on', type: 'varchar', length: 40, nullable: true, sql: 'varchar(40) NULL' },
  { name: 'created_at', type: 'varchar', length: 40, nullable: false, sql: 'varchar(40) NOT NULL' },
  { name: 'updated_at', type: 'varchar', length: 40, nullable: false, sql: 'varchar(40) NOT NULL' },
  { name: 'note', type: 'nvarchar', length: 200, nullable: true, sql: 'nvarchar(200) NULL' },
];

/** What the staged texts become in the target, as in walbridge's own DML. */
const targetTypes: Readonly<Record<string, string>> = {
  amount: 'decimal(18,4)',
  due_on: 'date',
  created_at: 'datetimeoffset(6)',
  updated_at: 'datetimeoffset(6)',
};

function* rowsFrom(first: number, count: number): Generator<BulkValue[]> {
  for (let id = first; id < first + count; id += 1) {
    yield [
      id,
      id % 5000,
      'order',
      'open',
      `${id % 100_000}.0625`,
      id % 50,
      id * 0.001,
      id % 3 === 0,
      '2024-01-31',
      '2024-06-01 12:34:56.789012 +00:00',
      '2024-06-01 12:34:56.789012 +00:00',
      `note of order number ${id}, as long as people write them`,
    ];
  }
}

export interface LoadFloorOptions {
  readonly connectionString: string;
  readonly rows: number;
  readonly rowsPerTransaction: number;
  /** With walbridge's row packing in place of the driver's own. */
  readonly packed: boolean;
}

/** #staging table, bulk load, UPDATE, INSERT, commit: half of the rows are there already. One connection. */
export async function loadOnly(options: LoadFloorOptions): Promise<Floor> {
  const { connectionString, rows, rowsPerTransaction: size, packed } = options;
  const config = mssql.ConnectionPool.parseConnectionString(connectionString);
  const pool = await new mssql.ConnectionPool({ ...config, requestTimeout: 600_000 }).connect();
  try {
    const declared = columns.map(
      ({ name, sql }) => `${name} ${sql.replace(/^varchar\(\d+\)/, targetTypes[name] ?? '$&')}`,
    );
    await pool
      .request()
      .batch(
        `CREATE TABLE dbo.floor_${packed ? 'packed' : 'plain'} (${declared.join(', ')}, PRIMARY KEY (id))`,
      );
    const table = `dbo.floor_${packed ? 'packed' : 'plain'}`;
    const value = ({ name }: BulkColumn) => {
      const type = targetTypes[name];
      return type === undefined
        ? `s.${name}`
        : `CONVERT(${type}, s.${name}${name === 'amount' ? '' : ', 121'})`;
    };
    const dml = `UPDATE t SET ${columns
      .slice(1)
      .map((column) => `${column.name} = ${value(column)}`)
      .join(', ')} FROM ${table} AS t INNER JOIN #s AS s ON t.id = s.id;
INSERT INTO ${table} (${columns.map(({ name }) => name).join(', ')}) SELECT ${columns.map(value).join(', ')} FROM #s AS s
WHERE NOT EXISTS (SELECT 1 FROM ${table} AS t WHERE t.id = s.id);
DROP TABLE #s;`;
    const transact = async (first: number) => {
      const transaction = new mssql.Transaction(pool);
      await transaction.begin();
      await transaction
        .request()
        .batch(`CREATE TABLE #s (${columns.map(({ name, sql }) => `${name} ${sql}`).join(', ')})`);
      await transaction.request().bulk(bulkTable(rowsFrom(first, size), packed), { tableLock: true });
      await transaction.request().batch(dml);
      await transaction.commit();
    };
    await transact(0);
    // Each transaction's first half is the one before's second.
    return await measure(rows, async () => {
      for (let done = 0; done < rows; done += size) await transact(((done / size + 1) * size) / 2);
    });
  } finally {
    await pool.close();
  }
}

function bulkTable(rows: Iterable<BulkValue[]>, packed: boolean): mssql.Table {
  const table = new mssql.Table('#s');
  table.create = false;
  const types = packed ? packedTypes(columns) : columns.map(driverType);
  for (const [index, { name, nullable, length }] of columns.entries()) {
    const type = packed ? { type: types[index], length } : types[index];
    table.columns.add(name, type as mssql.ISqlType, { nullable });
  }
  if (packed) table.rows = packRows(columns, rows) as unknown as mssql.Table['rows'];
  else for (const row of rows) table.rows.add(...(row as (string | number | boolean)[]));
  return table;
}

function driverType({ type, length }: BulkColumn): mssql.ISqlType {
  switch (type) {
    case 'bigint':
      return mssql.BigInt();
    case 'int':
      return mssql.Int();
    case 'float':
      return mssql.Float();
    case 'bit':
      return mssql.Bit();
    case 'nvarchar':
      return mssql.NVarChar(length as number);
    default:
      return mssql.VarChar(length as number);
  }
}
