// Runs a batch's statements in order: control of flow, TRY … CATCH, variables, options, transactions.
// An error outside of TRY goes to the client and the batch goes on, unless SQL Server would end it there.

import { isChange, sendAhead } from './ahead.ts';
import type { Of, Statement } from './ast.ts';
import type { Placed } from './batch.ts';
import { DEFINITIONS } from './definitions.ts';
import { Cancelled, SqlError, sqlError, unsupported } from './errors.ts';
import { evaluate, test } from './evaluate.ts';
import { setOption } from './options.ts';
import { executeProcedure, executeText } from './procedures.ts';
import { raise, thrown } from './raise.ts';
import {
  describe,
  EndOfBatch,
  endsBatch,
  type Running,
  runChange,
  runQuery,
  runTruncate,
  variable,
} from './run.ts';
import { INT, nvarchar } from './types.ts';

type Flow = 'next' | 'break' | 'continue' | 'return';
type Runner<S> = (run: Running, s: S) => Promise<Flow> | Promise<void>;

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
    if (!COMPOUND.has(statement.k)) run.state.error = 0;
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

const COMPOUND = new Set<Statement['k']>(['if', 'while', 'block', 'try']);

async function dispatch(run: Running, s: Statement): Promise<Flow> {
  if (run.state.formatOnly && s.k !== 'setOption') {
    await describe(run, s);
    return 'next';
  }
  const runner = RUNNERS[s.k] as Runner<Statement>;
  return (await runner(run, s)) ?? 'next';
}

/** How each kind of statement is run; the next one follows, where nothing else is said. */
const RUNNERS: {
  readonly [K in Statement['k']]: Runner<Of<K>>;
} = {
  ...DEFINITIONS,
  query: (run, s) => runQuery(run, s.query),
  insert: runChange,
  update: runChange,
  delete: runChange,
  truncate: (run, s) => runTruncate(run, s.table),
  declare,
  setVariable: async (run, s) => {
    const target = variable(run, s.name);
    target.value = await evaluate(run, s.e, target.type);
    run.state.rowcount = 1;
  },
  setOption,
  begin: ({ state, sink }) => state.transaction.begin(sink),
  commit: ({ state, sink }) => state.transaction.commit(sink),
  rollback: async (run, s) => {
    // SQL Server keeps its rows; PostgreSQL would undo them.
    if ([...run.frame.tables].some((name) => name.startsWith('@')))
      throw unsupported('ROLLBACK in a batch with a table variable');
    const savepoint = s.name ? await evaluate(run, s.name, nvarchar(32)) : null;
    await run.state.transaction.rollback(run.sink, savepoint);
  },
  save: async (run, s) => run.state.transaction.save((await evaluate(run, s.name, nvarchar(32))) ?? ''),
  block: (run, s) => runStatements(run, s.body),
  if: async (run, s) => {
    if (await test(run, s.test)) return runStatement(run, s.body);
    return s.otherwise ? runStatement(run, s.otherwise) : 'next';
  },
  while: async (run, s) => {
    while (await test(run, s.test)) {
      const flow = await runStatement(run, s.body);
      if (flow === 'break') break;
      if (flow === 'return') return flow;
    }
    return 'next';
  },
  break: async () => 'break',
  continue: async () => 'continue',
  try: tryCatch,
  throw: async (run, s) => {
    throw await thrown(run, s.args);
  },
  raiserror: (run, s) => raise(run, s.args),
  print: async (run, s) => {
    const message = (await evaluate(run, s.e, nvarchar(4000))) ?? '';
    run.sink.info({ number: 0, state: 1, class: 0, message, line: run.before + s.line });
  },
  return: async (run, s) => {
    if (s.e) run.sink.returnStatus(Number(await evaluate(run, s.e, INT)));
    return 'return';
  },
  execute: executeProcedure,
  executeText: (run, s) => executeText(run, s.e),
};

async function declare(run: Running, s: Of<'declare'>): Promise<void> {
  const { variables } = run.frame;
  for (const { name, type, e } of s.variables) {
    const key = name.toLowerCase();
    // The same declaration, met again in a loop, is none.
    if (variables.has(key) && variables.get(key)?.type !== type) throw sqlError(134, name);
    variables.set(key, { type, value: e ? await evaluate(run, e, type) : null });
  }
}

async function tryCatch(run: Running, s: Of<'try'>): Promise<Flow> {
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
