// A session for the wire's own tests: each test says what a batch answers, and sees what crossed the seam.

import type {
  BulkTarget,
  CarriesSqlMessage,
  Parameter,
  ResultSink,
  SqlEngine,
  SqlMessage,
  Value,
} from '../../sandbox/sqlserver/session.ts';

export const USER = 'sa';
export const PASSWORD = 'Sandbox-Pass-1 åß€';

export interface Batch {
  readonly sql: string;
  readonly parameters: readonly Parameter[];
  readonly sink: ResultSink;
  readonly cancel: AbortSignal;
}

/** What a test may look at, and what it may answer with. */
export class Script implements SqlEngine {
  /** Answers a batch; without one a batch is done without a count. */
  onBatch: (batch: Batch) => void | Promise<void> = ({ sink }) => sink.done(null);
  onBulkChunk: (rows: readonly (readonly Value[])[]) => void | Promise<void> = () => undefined;
  readonly batches: { sql: string; parameters: readonly Parameter[] }[] = [];
  readonly loads: { target: BulkTarget; rows: (readonly Value[])[]; completed: boolean }[] = [];
  readonly transactions: { kind: string; name: string; isolation: number }[] = [];
  resets = 0;
  closes = 0;

  open({ user, password, database }: Parameters<SqlEngine['open']>[0]): ReturnType<SqlEngine['open']> {
    if (user !== USER || password !== PASSWORD) {
      return Promise.reject(new Refused(18456, `Login failed for user '${user}'.`, 14));
    }
    if (database === 'missing') {
      return Promise.reject(
        new Refused(4060, `Cannot open database "missing" requested by the login. The login failed.`, 11),
      );
    }
    return Promise.resolve({
      execute: async (sql, given, sink, cancel) => {
        const parameters = given ?? [];
        this.batches.push({ sql, parameters });
        await this.onBatch({ sql, parameters, sink, cancel });
      },
      bulk: async (target, chunks, sink) => {
        const load = { target, rows: [] as (readonly Value[])[], completed: false };
        this.loads.push(load);
        for await (const rows of chunks) {
          await this.onBulkChunk(rows);
          load.rows.push(...rows);
        }
        load.completed = true;
        sink.done(load.rows.length);
      },
      transaction: (request, sink) => {
        this.transactions.push(request);
        if (request.kind === 'begin') sink.transaction('begin', 7n);
        else if (request.kind !== 'save') sink.transaction(request.kind, 7n);
        sink.done(null);
        return Promise.resolve();
      },
      reset: () => {
        this.resets += 1;
        return Promise.resolve();
      },
      close: () => {
        this.closes += 1;
        return Promise.resolve();
      },
    });
  }
}

export function message(number: number, text: string, severity = 16): SqlMessage {
  return { number, state: 3, class: severity, message: text, line: 4, procedure: 'p' };
}

class Refused extends Error implements CarriesSqlMessage {
  readonly sqlMessage: SqlMessage;
  constructor(number: number, text: string, severity: number) {
    super(text);
    this.sqlMessage = { number, state: 1, class: severity, message: text, line: 1 };
  }
}
