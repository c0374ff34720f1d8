// One connection to PostgreSQL: every value as text, BEGIN and what else can wait in one write with the statement that follows.
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
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
  /** Statements that go with the next one. */
  private waiting: string[] = [];

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
    this.waiting.push(`BEGIN ISOLATION LEVEL ${isolation}`);
  }

  /** A statement that can't fail and that nobody waits for: sent with the next one. */
  defer(sql: string): void {
    this.waiting.push(sql);
  }

  /** COMMIT or ROLLBACK; nothing, of a transaction that PostgreSQL never heard of. */
  async end(how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    const [first] = this.waiting;
    if (how === 'ROLLBACK' || this.waiting.length === 1) {
      if (first?.startsWith('BEGIN')) {
        this.waiting = [];
        return;
      }
    }
    if (how === 'ROLLBACK') this.waiting = [];
    await this.script(how);
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
    await this.client.query([...this.takeWaiting(), sql].join('; '));
  }

  /** Runs a statement and hands its rows over. Resolves with the rows that it returned or changed. */
  async run(sql: string, parameters: readonly Value[], take: TakeRow): Promise<number> {
    return this.runAll([{ sql, parameters, take }])[0]!;
  }

  /** Runs statements in one round trip; after one that fails the rest is not run. */
  runAll(statements: readonly Sent[]): readonly Promise<number>[] {
    const before = this.takeWaiting().map((sql) => ({ sql, parameters: [], take: nothing }));
    const batch = new Pipeline([...before, ...statements]);
    this.client.query(batch as unknown as pg.Submittable);
    return batch.counts.slice(before.length);
  }

  /** COPY FROM STDIN of the texts, no faster than PostgreSQL takes them. @throws PostgreSQL's error, or that of the texts */
  async copyIn(sql: string, texts: AsyncIterable<string>): Promise<void> {
    if (this.waiting.length > 0) await this.script('');
    await pipeline(texts, this.client.query(copyFrom(sql)));
  }

  private takeWaiting(): string[] {
    const { waiting } = this;
    this.waiting = [];
    return waiting;
  }
}
