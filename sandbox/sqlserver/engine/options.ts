// SET options. Those that change what a statement does are kept; those that only fix SQL Server's default are accepted.

import type { Of } from './ast.ts';
import { unsupported } from './errors.ts';
import { evaluate } from './evaluate.ts';
import type { Running } from './run.ts';

/** Options whose one supported value is what the stand-in does anyway. */
const FIXED: Readonly<Record<string, RegExp>> = {
  ANSI_NULLS: /^ON$/,
  ANSI_PADDING: /^ON$/,
  ANSI_WARNINGS: /^ON$/,
  ANSI_NULL_DFLT_ON: /^ON$/,
  ANSI_DEFAULTS: /^ON$/,
  QUOTED_IDENTIFIER: /^ON$/,
  CONCAT_NULL_YIELDS_NULL: /^ON$/,
  ARITHABORT: /^(ON|OFF)$/,
  NUMERIC_ROUNDABORT: /^OFF$/,
  CURSOR_CLOSE_ON_COMMIT: /^OFF$/,
  IMPLICIT_TRANSACTIONS: /^OFF$/,
  NOEXEC: /^OFF$/,
  PARSEONLY: /^OFF$/,
  SHOWPLAN_ALL: /^OFF$/,
  DATEFIRST: /^7$/,
  DATEFORMAT: /^mdy$/i,
  LANGUAGE: /^us_english$/i,
  TEXTSIZE: /./,
  ROWCOUNT: /^0$/,
  DEADLOCK_PRIORITY: /./,
};

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
    else if (!FIXED[option]?.test(value)) throw unsupported(`SET ${option} ${value}`);
  }
}
