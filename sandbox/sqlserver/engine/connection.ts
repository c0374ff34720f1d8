// One connection to PostgreSQL: every value as text, BEGIN in one write with the statement that follows it.
import pg from 'pg';
import type { Value } from '../session.ts';
import { Pipeline, type Sent, type TakeRow } from './pipeline.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

const nothing = (): undefined => undefined;

export class Connection {
  readonly client: pg.Client;
  pid = 0;
  /** A BEGIN that PostgreSQL has not been sent yet. */
  private begun: string | null = null;

  constructor(address: Address, database: string) {
    this.client = new pg.Client({
      host: address.host,
      port: address.port,
      user: address.user,
      password: address.password,
      database,
      application_name: 'sandbox sqlserver',
    });
    // A server that stops ends idle connections; the next statement says so.
    this.client.on('error', nothing);
  }

  async open(): Promise<void> {
    await this.client.connect();
    await this.client.query(
      "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET client_min_messages = 'error'; SET jit = off; SET extra_float_digits = 1",
    );
    const [row] = await this.rows('SELECT pg_backend_pid()', []);
    this.pid = Number(row?.[0]);
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  /** Begins a transaction: with the next statement, whatever it is. */
  begin(isolation: string): void {
    this.begun = `BEGIN ISOLATION LEVEL ${isolation}`;
  }

  /** COMMIT or ROLLBACK; nothing, of a transaction without statements. */
  async end(how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    if (this.begun !== null) this.begun = null;
    else await this.script(how);
  }

  /** Sends a BEGIN that waits. */
  async started(): Promise<void> {
    if (this.begun !== null) await this.script('');
  }

  async rows(sql: string, parameters: readonly Value[]): Promise<Value[][]> {
    const rows: Value[][] = [];
    await this.run(sql, parameters, (row) => {
      rows.push(row);
      return undefined;
    });
    return rows;
  }

  /** Several statements in one round trip, without parameters. */
  async script(sql: string): Promise<void> {
    const begin = this.takeBegin();
    await this.client.query(begin === null ? sql : `${begin}; ${sql}`);
  }

  /** Runs a statement and hands its rows over. Resolves with the rows that it returned or changed. */
  async run(sql: string, parameters: readonly Value[], take: TakeRow): Promise<number> {
    return this.runAll([{ sql, parameters, take }])[0]!;
  }

  /** Runs statements in one round trip; after one that fails the rest is not run. */
  runAll(statements: readonly Sent[]): readonly Promise<number>[] {
    const begin = this.takeBegin();
    const all = begin === null ? statements : [{ sql: begin, parameters: [], take: nothing }, ...statements];
    const pipeline = new Pipeline(all);
    this.client.query(pipeline as unknown as pg.Submittable);
    return pipeline.counts.slice(all.length - statements.length);
  }

  private takeBegin(): string | null {
    const begin = this.begun;
    this.begun = null;
    return begin;
  }
}
