// One session of the stand-in: what the wire calls. Errors go to the sink; a promise fails only with the connection.
import type { BulkTarget, Parameter, ResultSink, SqlSession, Value } from '../session.ts';
import { readBatch } from './batch.ts';
import { loadBulk } from './bulk.ts';
import { Cancelled, SqlError, sqlError, Unreadable } from './errors.ts';
import { runBatch } from './interpreter.ts';
import { EndOfBatch, finish, type Running } from './run.ts';
import { type Frame, newFrame, type State } from './state.ts';

/** SQL Server's codes 1 to 5. */
const ISOLATION = ['', 'READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE', 'SNAPSHOT'];

const newRun = (state: State, frame: Frame, sink: ResultSink, cancel: AbortSignal): Running => ({
  state,
  frame,
  sink,
  cancel,
  tries: 0,
  before: 0,
  sent: undefined,
});

/** What a session asks of the server. */
interface ServerCalls {
  /** Cancels what the backend of that process id runs. */
  cancel(pid: number): Promise<void>;
  closed(): void;
}

export class Session implements SqlSession {
  private state: State;
  private readonly server: ServerCalls;

  constructor(state: State, server: ServerCalls) {
    this.state = state;
    this.server = server;
  }

  async execute(
    sql: string,
    parameters: readonly Parameter[] | null,
    sink: ResultSink,
    cancel: AbortSignal,
  ): Promise<void> {
    const frame = newFrame(parameters !== null);
    for (const p of parameters ?? [])
      frame.variables.set(p.name.toLowerCase(), { type: p.type, value: p.value });
    await this.batch(newRun(this.state, frame, sink, cancel), sql);
    for (const p of parameters ?? []) {
      const now = frame.variables.get(p.name.toLowerCase());
      if (p.output && now) sink.output({ ...p, value: now.value });
    }
  }

  private async batch(run: Running, sql: string): Promise<void> {
    let cancelling: Promise<void> | undefined;
    const cancelled = (): void => {
      cancelling = this.server.cancel(this.state.connection.pid);
    };
    run.cancel.addEventListener('abort', cancelled, { once: true });
    try {
      await runBatch(run, readBatch(sql));
    } catch (error) {
      await this.failed(run, error);
    } finally {
      run.cancel.removeEventListener('abort', cancelled);
      await cancelling;
    }
    await this.endOfBatch(run);
  }

  private async failed(run: Running, error: unknown): Promise<void> {
    if (error instanceof EndOfBatch) return;
    if (error instanceof Cancelled) {
      if (this.state.xactAbort) await this.state.transaction.fail(run.sink, false);
      return;
    }
    const shown = this.state.failure(error, '');
    if (!(shown instanceof SqlError)) return;
    this.state.error = shown.number;
    run.sink.error(shown.sqlMessage);
    run.sink.done(null);
  }

  private async endOfBatch(run: Running): Promise<void> {
    const { state } = this;
    if (state.transaction.doomed) {
      run.sink.error(sqlError(3998).sqlMessage);
      await state.transaction.fail(run.sink, false);
    }
    await state.leave(run.frame);
  }

  async bulk(
    target: BulkTarget,
    rows: AsyncIterable<readonly (readonly Value[])[]>,
    sink: ResultSink,
  ): Promise<void> {
    const frame = newFrame(false);
    const run = newRun(this.state, frame, sink, new AbortController().signal);
    try {
      finish(run, await loadBulk(run, target, rows));
    } catch (error) {
      if (error instanceof Unreadable) throw error.cause;
      // The wire goes on only when the client's rows are read.
      for await (const chunk of rows) void chunk;
      await this.failed(run, error);
    }
  }

  async transaction(
    request: { kind: 'begin' | 'commit' | 'rollback' | 'save'; name: string; isolation: number },
    sink: ResultSink,
  ): Promise<void> {
    const { transaction } = this.state;
    try {
      if (request.isolation > 0) transaction.setIsolation(ISOLATION[request.isolation] ?? '');
      if (request.kind === 'begin') await transaction.begin(sink);
      else if (request.kind === 'commit') await transaction.commit(sink);
      else if (request.kind === 'rollback') await transaction.rollback(sink, request.name || null);
      else await transaction.save(request.name);
    } catch (thrown) {
      const error = this.state.failure(thrown, 'COMMIT');
      if (!(error instanceof SqlError)) throw error;
      sink.error(error.sqlMessage);
    }
  }

  async reset(): Promise<void> {
    const { state } = this;
    if (state.transaction.live) await state.connection.end('ROLLBACK');
    await state.connection.script('DISCARD TEMP; RESET lock_timeout; SELECT pg_advisory_unlock_all()');
    if (state.database !== state.home) await state.move(state.home);
    this.state = state.fresh();
  }

  async close(): Promise<void> {
    this.server.closed();
    await this.state.connection.close();
  }
}
