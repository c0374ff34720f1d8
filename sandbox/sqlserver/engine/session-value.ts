// What the session itself answers, bound as a parameter when a statement runs: variables, and what has no table behind it
// (@@ROWCOUNT, ERROR_NUMBER(), DB_NAME()).
import type { SqlType, Value } from '../session.ts';
import type { SqlError } from './errors.ts';
import type { ParameterSource } from './expression.ts';
import type { Frame, State } from './state.ts';
import { BIGINT, decimal, INT, nvarchar, SYSNAME } from './types.ts';

const VERSION =
  'Microsoft SQL Server 2019 (RTM) - 15.0.2000.5 (X64) \n\twalbridge sandbox: a stand-in over PostgreSQL, not SQL Server';

type Answer = readonly [type: SqlType, value: (state: State) => string | number | null];

/** Of the error that the innermost CATCH handles; NULL outside of one. */
const caught = (type: SqlType, value: (error: SqlError) => string | number): Answer => [
  type,
  (state) => {
    const error = state.caught.at(-1);
    return error ? value(error) : null;
  },
];
const fixed = (type: SqlType, value: string): Answer => [type, () => value];
const rowcount = (state: State): number => state.rowcount;
const identity: Answer = [decimal(38, 0), (state) => state.identity];
const user: Answer = [nvarchar(128), (state) => state.login.user];
const dbo = fixed(nvarchar(128), 'dbo');

export const ANSWERS: Readonly<Record<string, Answer>> = {
  '@@ROWCOUNT': [INT, rowcount],
  ROWCOUNT_BIG: [BIGINT, rowcount],
  '@@TRANCOUNT': [INT, (state) => state.transaction.count],
  XACT_STATE: [{ name: 'smallint' }, ({ transaction: t }) => (t.doomed ? -1 : Math.min(t.count, 1))],
  '@@ERROR': [INT, (state) => state.error],
  ERROR_NUMBER: caught(INT, (error) => error.number),
  ERROR_MESSAGE: caught(nvarchar(4000), (error) => error.message),
  ERROR_SEVERITY: caught(INT, (error) => error.class),
  ERROR_STATE: caught(INT, (error) => error.state),
  ERROR_LINE: caught(INT, (error) => Math.max(1, error.line)),
  ERROR_PROCEDURE: [nvarchar(128), () => null],
  '@@IDENTITY': identity,
  SCOPE_IDENTITY: identity,
  '@@SPID': [{ name: 'smallint' }, (state) => state.connection.pid % 32768],
  '@@LOCK_TIMEOUT': [INT, (state) => state.lockTimeout],
  '@@OPTIONS': [INT, (state) => 5432 + (state.nocount ? 512 : 0) + (state.xactAbort ? 16384 : 0)],
  '@@VERSION': fixed(nvarchar(300), VERSION),
  '@@SERVERNAME': fixed(SYSNAME, 'SANDBOX'),
  '@@SERVICENAME': fixed(SYSNAME, 'SANDBOX'),
  '@@LANGUAGE': fixed(SYSNAME, 'us_english'),
  '@@NESTLEVEL': fixed(INT, '0'),
  '@@DATEFIRST': fixed({ name: 'tinyint' }, '7'),
  '@@MAX_PRECISION': fixed({ name: 'tinyint' }, '38'),
  DB_NAME: [nvarchar(128), (state) => state.database],
  APP_NAME: [nvarchar(128), (state) => state.login.application],
  HOST_NAME: [nvarchar(128), (state) => state.login.hostname],
  SUSER_NAME: user,
  SUSER_SNAME: user,
  ORIGINAL_LOGIN: [SYSNAME, user[1]],
  SYSTEM_USER: user,
  USER_NAME: dbo,
  CURRENT_USER: dbo,
  SESSION_USER: dbo,
};

/** The value of a bound parameter. */
export function sessionValue(state: State, frame: Frame, source: ParameterSource): Value {
  if ('variable' in source) return frame.variables.get(source.variable)?.value ?? null;
  const value = ANSWERS[source.session]![1](state);
  return value === null ? null : String(value);
}
