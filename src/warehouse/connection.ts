// The pool of connections to a SQL Server, over mssql and tedious.
// Guarantees: sessions all have the same SET options; a connection lost at rest never ends the process; what the driver
// throws is classified before it leaves.
import { isIP } from 'node:net';
import mssql from 'mssql';
import type { Connection } from 'tedious';
import type { WalbridgeError } from '../fault/fault.ts';
import { packedTypes, packRows } from './bulk-packing.ts';
import type {
  BulkColumn,
  BulkValue,
  SqlParameter,
  SqlParameters,
  SqlResult,
  SqlSession,
  Warehouse,
} from './session.ts';
import { asWarehouseError } from './sql-fault.ts';

export interface WarehouseServer {
  readonly server: string;
  readonly port?: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Default true. */
  readonly encrypt?: boolean;
  /** Default false: the certificate must be a trusted one. */
  readonly trustServerCertificate?: boolean;
}

export interface WarehouseOptions {
  /** Most connections at once. Default 8. */
  readonly poolSize?: number;
  /** Milliseconds for connection and login. Default 15,000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds for one statement or bulk load; notices a half-open connection too. Default 120,000. */
  readonly requestTimeoutMs?: number;
  /** Told of connections that broke while nobody used them; the pool replaces them by itself. */
  readonly onPoolFault?: (fault: WalbridgeError) => void;
}

/**
 * Logs in and returns the warehouse. Throws a WarehouseError: transient where the server can't be reached or isn't ready,
 * permanent where it refuses the login. Reconnecting is the caller's, through `retry`: later calls on the same warehouse
 * open new connections by themselves.
 */
export async function openWarehouse(
  where: { readonly connectionString: string } | WarehouseServer,
  options: WarehouseOptions = {},
): Promise<Warehouse> {
  const pool = newPool(where, options);
  pool.on('error', (error) => options.onPoolFault?.(asWarehouseError(error, 'A pooled connection')));
  try {
    await pool.connect();
  } catch (error) {
    await pool.close().catch(() => undefined);
    throw asWarehouseError(error, 'The login to the warehouse');
  }
  return {
    ...session(() => new mssql.Request(pool)),
    transaction: (work) => inTransaction(pool, work),
    close: () => pool.close(),
  };
}

function newPool(
  where: { readonly connectionString: string } | WarehouseServer,
  options: WarehouseOptions,
): mssql.ConnectionPool {
  const base: mssql.config =
    'connectionString' in where
      ? mssql.ConnectionPool.parseConnectionString(where.connectionString)
      : { ...where };
  const secure =
    'connectionString' in where
      ? {}
      : { encrypt: where.encrypt ?? true, trustServerCertificate: where.trustServerCertificate ?? false };
  const trusts = secure.trustServerCertificate ?? base.options?.trustServerCertificate ?? false;
  return new mssql.ConnectionPool({
    ...base,
    connectionTimeout: options.connectTimeoutMs ?? base.connectionTimeout ?? 15_000,
    requestTimeout: options.requestTimeoutMs ?? base.requestTimeout ?? 120_000,
    // Two at least: init reads the catalog beside the transaction that holds its lock.
    pool: { min: 0, max: Math.max(2, options.poolSize ?? base.pool?.max ?? 8) },
    // The socket's state, at no round trip; a connection that died unseen fails its first call, which is retried.
    validateConnection: 'socket',
    beforeConnect: (connection: Connection) => {
      keepRefusal(connection);
      sendAtOnce(connection);
    },
    options: {
      ...base.options,
      ...secure,
      // No address may stand as a server's name in TLS: Node warns of it at each start. Where no certificate is checked, any does.
      ...(trusts && isIP(base.server) !== 0 && { serverName: 'warehouse' }),
      appName: 'walbridge',
      useUTC: true,
      // XACT_ABORT: any error ends the transaction, so that nothing half-done can be committed.
      abortTransactionOnError: true,
      // Indexed views, filtered and computed-column indexes refuse DML from sessions with this off. tedious turns the six
      // ANSI options that they want on by itself, and NUMERIC_ROUNDABORT off.
      // https://learn.microsoft.com/sql/t-sql/statements/set-statements-transact-sql
      enableArithAbort: true,
    },
  });
}

/**
 * tedious leaves Nagle's algorithm on: the second packet of a request then waits until the server's delayed acknowledgement
 * of the first, 40 ms or more, since a server answers only when it has the whole.
 */
function sendAtOnce(connection: Connection): void {
  connection.once('connect', () => {
    connection.socket?.setNoDelay(true);
  });
}

/** tedious forgets the number of a refused login's error: put it back, so that the refusal can be classified. */
function keepRefusal(connection: Connection): void {
  let refusal: { number: number; state: number; class: number } | undefined;
  const remember = (token: { number: number; state: number; class: number }) => {
    refusal ??= token;
  };
  connection.on('errorMessage', remember);
  connection.once('connect', (error?: Error) => {
    connection.removeListener('errorMessage', remember);
    if (error !== undefined && refusal !== undefined) {
      Object.assign(error, { number: refusal.number, state: refusal.state, class: refusal.class });
    }
  });
}

async function inTransaction<T>(
  pool: mssql.ConnectionPool,
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const transaction = new mssql.Transaction(pool);
  try {
    await transaction.begin(mssql.ISOLATION_LEVEL.READ_COMMITTED);
  } catch (error) {
    throw asWarehouseError(error, 'The start of a transaction');
  }
  let result: T;
  try {
    result = await work(session(() => new mssql.Request(transaction)));
  } catch (error) {
    // Fails where the server has rolled back already or the connection is gone: both are what was wanted.
    await transaction.rollback().catch(() => undefined);
    throw error;
  }
  try {
    await transaction.commit();
  } catch (error) {
    throw asWarehouseError(error, 'A commit');
  }
  return result;
}

function session(request: () => mssql.Request): SqlSession {
  return {
    async batch<Row>(sql: string): Promise<SqlResult<Row>> {
      try {
        return toResult(await request().batch<Row>(sql));
      } catch (error) {
        throw asWarehouseError(error, 'A batch');
      }
    },
    async query<Row>(sql: string, parameters: SqlParameters): Promise<SqlResult<Row>> {
      try {
        const prepared = request();
        for (const [name, parameter] of Object.entries(parameters)) {
          prepared.input(name, parameterType(parameter), parameter.value);
        }
        return toResult(await prepared.query<Row>(sql));
      } catch (error) {
        throw asWarehouseError(error, 'A statement');
      }
    },
    async bulkLoad(table, columns, rows) {
      try {
        const result = await request().bulk(bulkTable(table, columns, rows), { tableLock: true });
        return result.rowsAffected;
      } catch (error) {
        throw asWarehouseError(error, `A bulk load into ${table}`);
      }
    },
  };
}

function toResult<Row>(result: mssql.IResult<Row>): SqlResult<Row> {
  const sets = result.recordsets as unknown as readonly (readonly Row[])[];
  return { rows: sets.at(-1) ?? [], rowsAffected: result.rowsAffected };
}

/** nvarchar's longest that isn't (max): one declaration for all short texts, so that their plans are shared. */
const LONGEST_NVARCHAR = 4000;
const LONGEST_BYTES = 8000;

function parameterType(parameter: SqlParameter): mssql.ISqlType {
  switch (parameter.type) {
    case 'bit':
      return mssql.Bit();
    case 'int':
      return mssql.Int();
    case 'bigint':
      return mssql.BigInt();
    case 'float':
      return mssql.Float();
    case 'varchar':
      return mssql.VarChar((parameter.value?.length ?? 0) > LONGEST_BYTES ? mssql.MAX : LONGEST_BYTES);
    case 'nvarchar':
      return mssql.NVarChar((parameter.value?.length ?? 0) > LONGEST_NVARCHAR ? mssql.MAX : LONGEST_NVARCHAR);
    case 'varbinary':
      return mssql.VarBinary((parameter.value?.length ?? 0) > LONGEST_BYTES ? mssql.MAX : LONGEST_BYTES);
  }
}

function bulkTable(
  name: string,
  columns: readonly BulkColumn[],
  rows: Iterable<readonly BulkValue[]>,
): mssql.Table {
  const table = new mssql.Table(name);
  table.create = false;
  for (const [index, type] of packedTypes(columns).entries()) {
    const column = columns[index];
    if (column === undefined) break;
    const length = column.length === 'max' ? mssql.MAX : column.length;
    // The driver takes any type of tedious' shape and any iterable of rows; its typings know of neither.
    const sized = { type, ...(length !== undefined && { length }) } as unknown as mssql.ISqlType;
    table.columns.add(column.name, sized, { nullable: column.nullable });
  }
  table.rows = packRows(columns, rows) as unknown as mssql.Table['rows'];
  return table;
}
