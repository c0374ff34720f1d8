// Runs a batch's statements in order: control of flow, TRY … CATCH, variables, options, transactions.
// An error outside of TRY goes to the client and the batch goes on, unless SQL Server would end it there.
import { setTimeout as delay } from 'node:timers/promises';
import type { Expr, Statement } from './ast.ts';
import * as define from './define.ts';
import { Cancelled, errors, SqlError, unsupported } from './errors.ts';
import { setOption } from './options.ts';
import { executeProcedure, executeText } from './procedures.ts';
import {
  EndOfBatch,
  endsBatch,
  evaluate,
  finish,
  guarded,
  type Running,
  runChange,
  runDefinition,
  runQuery,
  runTruncate,
  test,
  translated,
  variable,
  writable,
} from './run.ts';
import { quote, reference, shown, type TableMeta } from './scope.ts';
import type { State } from './state.ts';
import { nvarchar } from './types.ts';

export type Flow = 'next' | 'break' | 'continue' | 'return';

/** Errors that SQL Server follows with "The statement has been terminated." */
const TERMINATED = new Set([515, 547, 2601, 2627, 2628, 8115, 8134]);

export async function runStatements(run: Running, statements: readonly Statement[]): Promise<Flow> {
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
    if (error.line === 0) error.line = statement.line;
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
          throw errors.redeclared(v.name);
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
        line: s.line,
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
      await guarded(run, s.k, () => database(run, s));
      finish(run, null);
      return 'next';
    case 'use':
      throw unsupported('USE');
    default:
      await definition(run, s);
      return 'next';
  }
}

async function database(
  { state }: Running,
  s: Extract<Statement, { k: 'createDatabase' | 'dropDatabase' }>,
): Promise<void> {
  const statement = s.k === 'createDatabase' ? 'CREATE DATABASE' : 'DROP DATABASE';
  if (state.transaction.count > 0)
    throw new SqlError(226, `${statement} statement not allowed within multi-statement transaction.`, 6);
  if (s.k === 'createDatabase') return state.databases.create(s.name);
  for (const name of s.names) {
    const dropped = await state.databases.drop(name);
    if (!dropped && !s.ifExists) throw errors.cannotDrop('database', name);
  }
}

type Definition = Extract<
  Statement,
  {
    k:
      | 'createTable'
      | 'declareTable'
      | 'addColumns'
      | 'alterColumn'
      | 'dropColumns'
      | 'createIndex'
      | 'dropIndex'
      | 'drop'
      | 'createSchema'
      | 'createView';
  }
>;

async function definition(run: Running, s: Definition): Promise<void> {
  switch (s.k) {
    case 'createTable':
      if (run.frame.isProcedure && s.table.at(-1)!.startsWith('#')) run.frame.tables.add(s.table.at(-1)!);
      return runDefinition(
        run,
        (b) => define.createTable(b, define.schemaOf(s.table), s.table.at(-1)!, s),
        ownTable(s.table, define.plainTable('pg_temp', s.table.at(-1)!, s)),
      );
    case 'declareTable':
      run.frame.tables.add(s.name);
      return runDefinition(
        run,
        (b) =>
          `DROP TABLE IF EXISTS pg_temp.${quote(s.name)};\n${define.createTable(b, 'pg_temp', s.name, s)}`,
        ownTable([s.name], define.plainTable('pg_temp', s.name, s)),
      );
    case 'addColumns':
      return runDefinition(run, (b) => define.addColumns(b, s));
    case 'alterColumn':
      return runDefinition(run, (b) => define.alterColumn(b, s));
    case 'dropColumns':
      return runDefinition(run, (b) => define.dropParts(b, s));
    case 'createIndex':
      return runDefinition(run, (b) => define.createIndex(b, s));
    case 'dropIndex':
      return runDefinition(run, (b) => define.dropIndex(b, s));
    case 'createView':
      return runDefinition(run, (b) => define.createView(b, s));
    case 'createSchema':
      return runDefinition(run, () => `CREATE SCHEMA ${quote(s.name)}`);
    case 'drop':
      return dropAll(run, s);
  }
}

/** Of a #temporary table or table variable; undefined of any other. */
function ownTable(name: readonly string[], created: TableMeta | null): Parameters<State['defined']>[0] {
  return define.schemaOf(name) === 'pg_temp' ? { name: name.at(-1)!, created } : undefined;
}

async function dropAll(run: Running, s: Extract<Statement, { k: 'drop' }>): Promise<void> {
  // The session's own are not referred to by others: one round trip for them all.
  const isOwn = s.what === 'TABLE' && s.names.every((name) => define.schemaOf(name) === 'pg_temp');
  for (const names of isOwn ? [s.names] : s.names.map((name) => [name])) await drop(run, s, names);
}

async function drop(
  run: Running,
  s: Extract<Statement, { k: 'drop' }>,
  names: readonly (readonly string[])[],
): Promise<void> {
  if (s.what === 'SCHEMA') {
    const name = quote(names[0]!.at(-1)!);
    return runDefinition(run, () => `DROP SCHEMA ${s.ifExists ? 'IF EXISTS ' : ''}${name}`);
  }
  const missing: string[] = [];
  const found: TableMeta[] = [];
  await guarded(run, 'DROP', async () => {
    writable(run);
    for (const name of names) {
      const table = await tableNamed(run, name);
      if (!table) missing.push(name.join('.'));
      else if ((table.kind === 'view') !== (s.what === 'VIEW'))
        throw new SqlError(
          3705,
          `Cannot use DROP ${s.what} with '${shown(table)}' because '${shown(table)}' is a ${table.kind}.`,
        );
      else found.push(table);
    }
    if (found.length > 0)
      await run.state.connection.script(`DROP ${s.what} ${found.map(reference).join(', ')}`);
    for (const table of found)
      run.state.defined(table.schema === 'pg_temp' ? { name: table.name, created: null } : undefined);
    if (missing.length > 0 && !s.ifExists) throw errors.cannotDrop(s.what.toLowerCase(), missing[0]!);
  });
  finish(run, null);
}

async function tableNamed(run: Running, name: readonly string[]): Promise<TableMeta | null> {
  try {
    return (await translated(run, (b) => b.around.table(name))).made;
  } catch (error) {
    if (error instanceof SqlError && error.number === 208) return null;
    throw error;
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

async function thrown(run: Running, args: readonly Expr[]): Promise<SqlError> {
  const again = run.state.caught.at(-1);
  if (args.length === 0) {
    if (!again)
      throw new SqlError(
        10704,
        'To rethrow an error, a THROW statement must be used inside a CATCH block.',
        1,
        15,
      );
    const copy = new SqlError(again.number, again.message, again.state, again.class);
    copy.line = again.line;
    copy.thrown = true;
    return copy;
  }
  const [number, message, state] = args;
  if (!number || !message || !state) throw errors.syntax('THROW');
  const error = new SqlError(
    Number(await evaluate(run, number, { name: 'int' })),
    (await evaluate(run, message, nvarchar(2048))) ?? '',
    Number(await evaluate(run, state, { name: 'int' })),
  );
  error.thrown = true;
  if (run.state.xactAbort) await run.state.transaction.fail(run.sink, run.tries > 0);
  return error;
}

async function raise(run: Running, args: readonly Expr[]): Promise<void> {
  const [message, severity, state, ...values] = args;
  if (!message || !severity || !state) throw errors.syntax('RAISERROR');
  let text = (await evaluate(run, message, nvarchar(2047))) ?? '';
  const number = message.k === 'literal' && message.type === 'int' ? Number(text) : 50000;
  for (const value of values) {
    const shownValue = (await evaluate(run, value, nvarchar(2047))) ?? '(null)';
    text = text.replace(/%[-+0-9.*]*(I64)?[sdiux]/, () => shownValue);
  }
  const level = Number(await evaluate(run, severity, { name: 'int' }));
  const error = new SqlError(number, text, Number(await evaluate(run, state, { name: 'int' })), level);
  error.raised = true;
  if (level > 10) throw error;
  run.sink.info({ ...error.sqlMessage, class: level });
}
