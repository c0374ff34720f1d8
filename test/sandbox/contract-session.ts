// Sessions through the real `mssql` driver on a fresh database of whatever SQL Server the tests run against: the stand-in,
// or the one that WALBRIDGE_TEST_MSSQL names. Contract tests send only what SQL Server 2016 and later document.
import { randomUUID } from 'node:crypto';
import sql from 'mssql';
import { inject } from 'vitest';
import { createWarehouse } from '../../sandbox/address.ts';

export interface ResultSet {
  readonly columns: readonly sql.IColumn[];
  readonly rows: unknown[][];
}

export interface ServerMessage {
  readonly number: number;
  readonly class: number;
  readonly state: number;
  readonly lineNumber: number;
  readonly message: string;
}

export interface Answer {
  readonly sets: ResultSet[];
  /** Of every statement that sent one, in order. */
  readonly counts: number[];
  readonly errors: ServerMessage[];
  readonly output: Record<string, unknown>;
}

export type Prepare = (request: sql.Request) => void;

/** One connection: what a batch leaves behind (a transaction, a #temp table, an option) is there for the next. */
export class Session {
  readonly pool: sql.ConnectionPool;

  private constructor(pool: sql.ConnectionPool) {
    this.pool = pool;
  }

  static async open(connectionString: string): Promise<Session> {
    const config = sql.ConnectionPool.parseConnectionString(connectionString) as sql.config;
    const pool = new sql.ConnectionPool({ ...config, pool: { max: 1, min: 0 }, requestTimeout: 25_000 });
    // Without a listener a cut connection ends the test run.
    pool.on('error', () => undefined);
    return new Session(await pool.connect());
  }

  /** Everything that a batch (or, with `prepare`, sp_executesql) answers, its errors included. */
  run(text: string, prepare?: Prepare): Promise<Answer> {
    const request = this.pool.request();
    request.stream = true;
    request.arrayRowMode = true;
    prepare?.(request);
    const answer: Answer = { sets: [], counts: [], errors: [], output: {} };
    request.on('recordset', (columns: readonly sql.IColumn[]) => {
      answer.sets.push({ columns, rows: [] });
    });
    request.on('row', (row: unknown[]) => {
      answer.sets.at(-1)?.rows.push(row);
    });
    request.on('rowsaffected', (count: number) => {
      answer.counts.push(count);
    });
    request.on('error', (error: ServerMessage) => {
      answer.errors.push(error);
    });
    return new Promise((resolve) => {
      request.on('done', (result: { output: Record<string, unknown> }) => {
        resolve({ ...answer, output: result.output });
      });
      if (prepare) request.query(text);
      else request.batch(text);
    });
  }

  /** Rows of the last result set; an error of the batch fails the test. */
  async rows(text: string, prepare?: Prepare): Promise<unknown[][]> {
    const { errors, sets } = await this.run(text, prepare);
    if (errors[0]) throw new Error(`${errors[0].number}: ${errors[0].message}`);
    return sets.at(-1)?.rows ?? [];
  }

  /** The one value of the one row. */
  async value(text: string, prepare?: Prepare): Promise<unknown> {
    return (await this.rows(text, prepare))[0]?.[0];
  }

  /** The error numbers that a batch ends with. */
  async numbers(text: string): Promise<number[]> {
    return (await this.run(text)).errors.map(({ number }) => number);
  }

  async close(): Promise<void> {
    await this.pool.close();
  }
}

export interface Warehouse {
  readonly database: string;
  readonly connectionString: string;
  open(): Promise<Session>;
  /** Closes every session; the database goes with the server (or is dropped on a real one). */
  close(): Promise<void>;
}

export async function freshWarehouse(): Promise<Warehouse> {
  const database = `Contract_${randomUUID().slice(0, 8)}`;
  const connectionString = await createWarehouse(inject('sandbox'), database);
  const sessions: Session[] = [];
  return {
    database,
    connectionString,
    open: async () => {
      const session = await Session.open(connectionString);
      sessions.push(session);
      return session;
    },
    close: async () => {
      await Promise.all(sessions.map((session) => session.close()));
      const master = await Session.open(inject('sandbox').sqlServer);
      try {
        await master.rows(`DROP DATABASE [${database}]`);
      } finally {
        await master.close();
      }
    },
  };
}
