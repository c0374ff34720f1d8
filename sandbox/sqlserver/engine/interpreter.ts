// Runs a batch's statements in order: control of flow, TRY … CATCH, variables, options, transactions.
// An error outside of TRY goes to the client and the batch goes on, unless SQL Server would end it there.

import { setTimeout as delay } from 'node:timers/promises';
import { isChange, sendAhead } from './ahead.ts';
import type { Statement } from './ast.ts';
import type { Placed } from './batch.ts';
import { runDatabase, runDefinitionOf, useDatabase } from './definitions.ts';
import { Cancelled, SqlError, sqlError, unsupported } from './errors.ts';
import { evaluate, test } from './evaluate.ts';
import { setOption } from './options.ts';
import { executeProcedure, executeText } from './procedures.ts';
import { raise, thrown } from './raise.ts';
import {
  describe,
  EndOfBatch,
  endsBatch,
  finish,
  guarded,
  type Running,
  runChange,
  runQuery,
  runTruncate,
  variable,
} from './run.ts';
import { nvarchar } from './types.ts';

type Flow = 'next' | 'break' | 'continue' | 'return';

/** Errors that SQL Server follows with "The statement has been terminated." */
const TERMINATED = new Set([515, 547, 2601, 2627, 2628, 8115, 8134]);

/** A whole batch: changes that follow each other may be sent together. */
export async function runBatch(run: Running, batch: readonly Placed[]): Promise<void> {
  const sent = new Map<Placed, Promise<number>>();
  for (const [i, placed] of batch.entries()) {
    run.before = placed.before;
    if (isChange(placed.statement) && !sent.has(placed)) await sendAhead(run, batch.slice(i), sent);
    run.sent = sent.get(placed);
    if ((await runStatement(run, placed.statement)) !== 'next') return;
  }
}

async function runStatements(run: Running, statements: readonly Statement[]): Promise<Flow> {
  for (const statement of statements) {
    const flow = await runStatement(run, statement);
    if (flow !== 'next') return flow;
  }
  return 'next';
}

async function runStatement(run: Running, statement: Statement): Promise<Flow> {
  if (run.cancel.aborted) throw new Cancelled();
  try {
    const flow = await dispatch(run, statement);
    if (!['if', 'while', 'block', 'try'].includes(statement.k)) run.state.error = 0;
    return flow;
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    if (error.line === 0) error.line = run.before + statement.line;
    run.state.error = error.number;
    if (run.tries > 0 && error.class < 20) throw error;
    report(run, error);
    if (endsBatch(error, run.state.xactAbort && !error.raised) || error.thrown) throw new EndOfBatch();
    return 'next';
  }
}

function report(run: Running, error: SqlError): void {
  run.sink.error(error.sqlMessage);
  if (TERMINATED.has(error.number)) {
    run.sink.info({
      number: 3621,
      state: 0,
      class: 0,
      message: 'The statement has been terminated.',
      line: error.line,
    });
  }
  run.sink.done(null);
  run.state.rowcount = 0;
}

async function dispatch(run: Running, s: Statement): Promise<Flow> {
  const { state, sink } = run;
  if (state.formatOnly && s.k !== 'setOption') {
    await describe(run, s);
    return 'next';
  }
  switch (s.k) {
    case 'query':
      await runQuery(run, s.query);
      return 'next';
    case 'insert':
    case 'update':
    case 'delete':
      await runChange(run, s);
      return 'next';
    case 'truncate':
      await runTruncate(run, s.table);
      return 'next';
    case 'declare':
      for (const v of s.variables) {
        if (
          run.frame.variables.has(v.name.toLowerCase()) &&
          run.frame.variables.get(v.name.toLowerCase())?.type !== v.type
        )
          throw sqlError(134, v.name);
        run.frame.variables.set(v.name.toLowerCase(), {
          type: v.type,
          value: v.e ? await evaluate(run, v.e, v.type) : null,
        });
      }
      return 'next';
    case 'setVariable': {
      const target = variable(run, s.name);
      target.value = await evaluate(run, s.e, target.type);
      state.rowcount = 1;
      return 'next';
    }
    case 'setOption':
      await setOption(run, s);
      return 'next';
    case 'begin':
      await state.transaction.begin(sink);
      return 'next';
    case 'commit':
      await state.transaction.commit(sink);
      return 'next';
    case 'rollback':
      // SQL Server keeps its rows; PostgreSQL would undo them.
      if ([...run.frame.tables].some((name) => name.startsWith('@')))
        throw unsupported('ROLLBACK in a batch with a table variable');
      await state.transaction.rollback(sink, s.name ? await evaluate(run, s.name, nvarchar(32)) : null);
      return 'next';
    case 'save':
      await state.transaction.save((await evaluate(run, s.name, nvarchar(32))) ?? '');
      return 'next';
    case 'block':
      return runStatements(run, s.body);
    case 'if':
      if (await test(run, s.test)) return runStatement(run, s.body);
      return s.otherwise ? runStatement(run, s.otherwise) : 'next';
    case 'while':
      return loop(run, s);
    case 'break':
      return 'break';
    case 'continue':
      return 'continue';
    case 'try':
      return tryCatch(run, s);
    case 'throw':
      throw await thrown(run, s.args);
    case 'raiserror':
      await raise(run, s.args);
      return 'next';
    case 'print':
      sink.info({
        number: 0,
        state: 1,
        class: 0,
        message: (await evaluate(run, s.e, nvarchar(4000))) ?? '',
        line: run.before + s.line,
      });
      return 'next';
    case 'return':
      if (s.e) sink.returnStatus(Number(await evaluate(run, s.e, { name: 'int' })));
      return 'return';
    case 'waitfor': {
      const [h, m, sec] = ((await evaluate(run, s.delay, nvarchar(30))) ?? '').split(':').map(Number);
      await delay(((h ?? 0) * 3600 + (m ?? 0) * 60 + (sec ?? 0)) * 1000, undefined, {
        signal: run.cancel,
      }).catch(() => {
        throw new Cancelled();
      });
      return 'next';
    }
    case 'execute':
      await executeProcedure(run, s);
      return 'next';
    case 'executeText':
      await executeText(run, s.e);
      return 'next';
    case 'createDatabase':
    case 'dropDatabase':
      await guarded(run, s.k, () => runDatabase(run, s));
      finish(run, null);
      return 'next';
    case 'use':
      await guarded(run, 'USE', () => useDatabase(run, s.name));
      finish(run, null);
      return 'next';
    default:
      await runDefinitionOf(run, s);
      return 'next';
  }
}

async function loop(run: Running, s: Extract<Statement, { k: 'while' }>): Promise<Flow> {
  while (await test(run, s.test)) {
    const flow = await runStatement(run, s.body);
    if (flow === 'break') break;
    if (flow === 'return') return flow;
  }
  return 'next';
}

async function tryCatch(run: Running, s: Extract<Statement, { k: 'try' }>): Promise<Flow> {
  run.tries++;
  try {
    const flow = await runStatements(run, s.body);
    run.tries--;
    return flow;
  } catch (error) {
    run.tries--;
    if (!(error instanceof SqlError) || error.class >= 20) throw error;
    run.sink.done(null);
    run.state.caught.push(error);
    try {
      return await runStatements(run, s.handler);
    } finally {
      run.state.caught.pop();
    }
  }
}
