// Statements sent to PostgreSQL in one write, behind one Sync: it runs them in their order and skips what follows a failure.
// (https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-PIPELINING)
// Rows are handed over as they come and no faster than they are taken.
import type pg from 'pg';
import type { Value } from '../session.ts';

/** Takes a row; returns a promise while it can take no more. */
export type TakeRow = (row: Value[]) => undefined | Promise<void>;

export interface Sent {
  /** One statement. */
  readonly sql: string;
  readonly parameters: readonly Value[];
  readonly take: TakeRow;
}

/** A statement before this one failed: PostgreSQL did not run it. */
class Skipped extends Error {}

interface Pending extends Sent {
  rows: number;
  resolve(count: number): void;
  reject(error: unknown): void;
}

/** What pg's own queries use of a connection; its types know less. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void; pause(): void; resume(): void };
  parse(message: { text: string }): void;
  bind(message: { values: readonly Value[] }): void;
  execute(message: object): void;
  sync(): void;
}

/** A query as pg's client takes it from an application: it calls `submit` at its turn, then `handle…` for each answer. */
export class Pipeline {
  /** A statement each: the rows that it returned or changed. */
  readonly counts: readonly Promise<number>[];
  private readonly pending: Pending[];
  private wire: Wire | undefined;
  /** Answers that came while a row's taker was busy. */
  private readonly waiting: (() => void)[] = [];
  private blocked = false;

  constructor(statements: readonly Sent[]) {
    const pending: Pending[] = [];
    this.pending = pending;
    this.counts = statements.map((statement) => {
      const count = new Promise<number>((resolve, reject) => {
        pending.push({ ...statement, rows: 0, resolve, reject });
      });
      // Nobody waits for those behind a failure.
      count.catch(() => undefined);
      return count;
    });
  }

  submit(connection: pg.Connection): void {
    const wire = connection as unknown as Wire;
    this.wire = wire;
    wire.stream.cork();
    for (const { sql, parameters } of this.pending) {
      wire.parse({ text: sql });
      wire.bind({ values: parameters });
      wire.execute({});
    }
    wire.sync();
    wire.stream.uncork();
  }

  handleDataRow({ fields }: { fields: Value[] }): void {
    this.inTurn(() => {
      const now = this.pending[0];
      if (!now) return;
      now.rows++;
      const full = now.take(fields);
      if (!full) return;
      this.blocked = true;
      this.wire?.stream.pause();
      full.then(
        () => this.goOn(),
        (error) => {
          now.reject(error);
          this.goOn();
        },
      );
    });
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.inTurn(() => {
      const done = this.pending.shift();
      done?.resolve(Number(/\d+$/.exec(text)?.[0] ?? done.rows));
    });
  }

  handleEmptyQuery(): void {
    this.inTurn(() => this.pending.shift()?.resolve(0));
  }

  handleError(error: unknown): void {
    this.inTurn(() => {
      this.pending.shift()?.reject(error);
      for (const skipped of this.pending.splice(0))
        skipped.reject(new Skipped('a statement before it failed'));
    });
  }

  handleReadyForQuery(): void {}
  handleRowDescription(): void {}

  private inTurn(act: () => void): void {
    if (this.blocked) this.waiting.push(act);
    else act();
  }

  private goOn(): void {
    this.blocked = false;
    while (this.waiting.length > 0 && !this.blocked) this.waiting.shift()?.();
    if (!this.blocked) this.wire?.stream.resume();
  }
}
