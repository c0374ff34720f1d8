// THROW and RAISERROR.

import type { Expr } from './ast.ts';
import { SqlError, sqlError } from './errors.ts';
import { evaluate } from './evaluate.ts';
import type { Running } from './run.ts';
import { nvarchar } from './types.ts';

export async function thrown(run: Running, args: readonly Expr[]): Promise<SqlError> {
  const again = run.state.caught.at(-1);
  if (args.length === 0) {
    if (!again) throw sqlError(10704);
    const copy = new SqlError(again.number, again.message, again.state, again.class);
    copy.line = again.line;
    copy.thrown = true;
    return copy;
  }
  const [number, message, state] = args;
  if (!number || !message || !state) throw sqlError(102, 'THROW');
  const error = new SqlError(
    Number(await evaluate(run, number, { name: 'int' })),
    (await evaluate(run, message, nvarchar(2048))) ?? '',
    Number(await evaluate(run, state, { name: 'int' })),
  );
  error.thrown = true;
  if (run.state.xactAbort) await run.state.transaction.fail(run.sink, run.tries > 0);
  return error;
}

export async function raise(run: Running, args: readonly Expr[]): Promise<void> {
  const [message, severity, state, ...values] = args;
  if (!message || !severity || !state) throw sqlError(102, 'RAISERROR');
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
