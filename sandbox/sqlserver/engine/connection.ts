// One connection to PostgreSQL: every value as text, rows handed over as they come and no faster than they are taken.
import pg from 'pg';
import type { Value } from '../session.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

const AS_TEXT = { getTypeParser: () => (value: string) => value };

/** Takes a row; returns a promise while it can take no more. */
export type TakeRow = (row: Value[]) => undefined | Promise<void>;

export class Connection {
  readonly client: pg.Client;
  pid = 0;

  constructor(address: Address, database: string) {
    this.client = new pg.Client({
      host: address.host,
      port: address.port,
      user: address.user,
      password: address.password,
      database,
      application_name: 'sandbox sqlserver',
      types: AS_TEXT as never,
    });
    // A server that stops ends idle connections; the next statement says so.
    this.client.on('error', () => undefined);
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

  async rows(sql: string, parameters: readonly Value[]): Promise<Value[][]> {
    const result = await this.client.query<Value[]>({ text: sql, values: [...parameters], rowMode: 'array' });
    return result.rows;
  }

  /** Several statements in one round trip, without parameters. */
  async script(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  /** Runs a statement and hands its rows over. Resolves with the rows that it returned or changed. */
  run(sql: string, parameters: readonly Value[], take: TakeRow): Promise<number> {
    // Neither pg's Query events nor its stream are in its types.
    type Events = {
      on(event: 'row', f: (row: Value[]) => void): void;
      on(event: 'end', f: (r: { rowCount: number | null }) => void): void;
      on(event: 'error', f: (e: Error) => void): void;
    };
    const stream = (this.client as unknown as { connection: { stream: { pause(): void; resume(): void } } })
      .connection.stream;
    const query = new pg.Query({
      text: sql,
      values: [...parameters],
      rowMode: 'array',
    } as never) as unknown as Events;
    return new Promise((resolve, reject) => {
      const waiting: Value[][] = [];
      let blocked = false;
      let ending: (() => void) | undefined;
      let count = 0;
      const offer = (row: Value[]): void => {
        const full = take(row);
        if (!full) return;
        blocked = true;
        stream.pause();
        full.then(drain, reject);
      };
      const drain = (): void => {
        blocked = false;
        while (waiting.length > 0 && !blocked) offer(waiting.shift()!);
        if (blocked) return;
        stream.resume();
        ending?.();
      };
      query.on('row', (row) => {
        count++;
        if (blocked) waiting.push(row);
        else offer(row);
      });
      query.on('end', (result) => {
        const finish = (): void => resolve(result?.rowCount ?? count);
        if (blocked) ending = finish;
        else finish();
      });
      query.on('error', (error) => {
        if (blocked) ending = () => reject(error);
        else reject(error);
      });
      this.client.query(query as never);
    });
  }
}
