// SET options. Those that change what a statement does are kept; those that only fix SQL Server's default are accepted.

import type { Of } from './ast.ts';
import { unsupported } from './errors.ts';
import { evaluate } from './evaluate.ts';
import type { Running } from './run.ts';

/** Options with a value that is what the stand-in does anyway. */
const FIXED: readonly RegExp[] = [
  /^(ANSI_(NULLS|PADDING|WARNINGS|NULL_DFLT_ON|DEFAULTS)|QUOTED_IDENTIFIER|CONCAT_NULL_YIELDS_NULL|ARITHABORT) ON$/,
  /^(ARITHABORT|NUMERIC_ROUNDABORT|CURSOR_CLOSE_ON_COMMIT|IMPLICIT_TRANSACTIONS|NOEXEC|PARSEONLY|SHOWPLAN_ALL) OFF$/,
  /^(DATEFIRST 7|DATEFORMAT mdy|LANGUAGE us_english|ROWCOUNT 0)$/i,
  /^(TEXTSIZE|DEADLOCK_PRIORITY) ./,
];

export async function setOption(run: Running, s: Of<'setOption'>): Promise<void> {
  const { state } = run;
  const value = s.arg ? String(await evaluate(run, s.arg, { name: 'nvarchar', length: 128 })) : s.value;
  if (s.option === 'ISOLATION') return state.transaction.setIsolation(value);
  if (s.option === 'IDENTITY_INSERT') {
    const [on, table] = value.split(' ') as [string, string];
    state.identityInsert =
      on === 'ON' ? (table.includes('.') || table.startsWith('#') ? table : `dbo.${table}`) : '';
    return;
  }
  for (const option of s.option.split(',')) {
    if (option === 'XACT_ABORT') state.xactAbort = value === 'ON';
    else if (option === 'FMTONLY') state.formatOnly = value === 'ON';
    else if (option === 'NOCOUNT') state.nocount = value === 'ON';
    else if (option === 'LOCK_TIMEOUT') state.lockTimeout = Number(value);
    else if (!FIXED.some((known) => known.test(`${option} ${value}`)))
      throw unsupported(`SET ${option} ${value}`);
  }
}
