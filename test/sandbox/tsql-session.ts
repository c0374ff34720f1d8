// Drives the T-SQL engine without the wire: an engine on the sandbox's PostgreSQL, sessions, and a sink that collects.
import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { createEngine, type Engine } from '../../sandbox/sqlserver/engine/engine.ts';
import type {
  BulkTarget,
  ColumnMetadata,
  Parameter,
  ResultSink,
  SqlMessage,
  SqlSession,
  SqlType,
  Value,
} from '../../sandbox/sqlserver/session.ts';

export interface Result {
  readonly sets: { columns: readonly ColumnMetadata[]; rows: (readonly Value[])[] }[];
  readonly counts: (number | null)[];
  readonly errors: SqlMessage[];
  readonly infos: SqlMessage[];
  readonly outputs: Parameter[];
  readonly transactions: string[];
}

export interface Collector extends Result {
  readonly sink: ResultSink;
}

function collector(onRow: () => undefined | Promise<void> = () => undefined): Collector {
  const result: Result = { sets: [], counts: [], errors: [], infos: [], outputs: [], transactions: [] };
  const sink: ResultSink = {
    columns: (columns) => {
      result.sets.push({ columns, rows: [] });
      return undefined;
    },
    row: (values) => {
      result.sets.at(-1)?.rows.push([...values]);
      return onRow();
    },
    done: (count) => result.counts.push(count),
    info: (message) => result.infos.push(message),
    error: (message) => result.errors.push(message),
    output: (parameter) => result.outputs.push(parameter),
    returnStatus: () => undefined,
    database: () => undefined,
    transaction: (event) => result.transactions.push(event),
  };
  return { ...result, sink };
}

/** A session whose answers are easy to compare. */
export class Client {
  readonly session: SqlSession;
  constructor(session: SqlSession) {
    this.session = session;
  }

  async run(
    sql: string,
    parameters: readonly Parameter[] | null = null,
    cancel?: AbortSignal,
  ): Promise<Result> {
    const result = collector();
    await this.session.execute(sql, parameters, result.sink, cancel ?? new AbortController().signal);
    return result;
  }

  /** Rows of the only (or last) result set; an error of the batch fails the test. */
  async rows(sql: string, parameters: readonly Parameter[] | null = null): Promise<(readonly Value[])[]> {
    const result = await this.run(sql, parameters);
    if (result.errors.length > 0)
      throw new Error(`${result.errors[0]?.number}: ${result.errors[0]?.message}`);
    return result.sets.at(-1)?.rows ?? [];
  }

  /** The one value of the one row. */
  async value(sql: string, parameters: readonly Parameter[] | null = null): Promise<Value | undefined> {
    return (await this.rows(sql, parameters))[0]?.[0];
  }

  /** The type of the first column of the result, as SQL Server writes it. */
  async type(sql: string): Promise<string> {
    const { sets, errors } = await this.run(sql);
    if (errors.length > 0) throw new Error(errors[0]?.message);
    return written(sets[0]!.columns[0]!.type);
  }

  /** Number, class and message of the first error. */
  async error(sql: string): Promise<[number, number, string]> {
    const [first] = (await this.run(sql)).errors;
    if (!first) throw new Error(`no error from: ${sql}`);
    return [first.number, first.class, first.message];
  }

  async bulk(
    target: BulkTarget,
    chunks: readonly (readonly (readonly Value[])[])[] | AsyncIterable<readonly (readonly Value[])[]>,
  ): Promise<Result> {
    const result = collector();
    await this.session.bulk(target, 'length' in chunks ? feed(chunks) : chunks, result.sink);
    return result;
  }
}

async function* feed<T>(chunks: readonly T[]): AsyncIterable<T> {
  for (const chunk of chunks) yield chunk;
}

function written(type: SqlType): string {
  if (type.precision !== undefined) return `${type.name}(${type.precision},${type.scale})`;
  const size = type.length ?? type.scale;
  return size === undefined ? type.name : `${type.name}(${size})`;
}

export interface TestEngine {
  readonly engine: Engine;
  readonly database: string;
  open(): Promise<Client>;
  close(): Promise<void>;
}

const LOGIN = { user: 'sa', password: 'secret' };

/** An engine with a fresh database. */
export async function startEngine(): Promise<TestEngine> {
  const { host, port, user, password } = inject('sandbox').postgres;
  const engine = await createEngine({ postgres: { host, port, user, password }, login: LOGIN });
  const database = `Tsql_${randomUUID().slice(0, 8)}`;
  const master = new Client(
    await engine.open({ ...LOGIN, database: 'master', hostname: 'here', application: 'tests' }),
  );
  await master.rows(`CREATE DATABASE ${database}`);
  await master.session.close();
  return {
    engine,
    database,
    open: async () =>
      new Client(await engine.open({ ...LOGIN, database, hostname: 'here', application: 'tests' })),
    close: () => engine.close(),
  };
}
