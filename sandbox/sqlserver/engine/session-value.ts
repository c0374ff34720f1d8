// What the session itself answers: variables, and functions such as @@ROWCOUNT, ERROR_NUMBER() and DB_NAME().
import type { Value } from '../session.ts';
import type { ParameterSource } from './expression.ts';
import type { Frame, State } from './state.ts';

const VERSION =
  'Microsoft SQL Server 2019 (RTM) - 15.0.2000.5 (X64) \n\twalbridge sandbox: a stand-in over PostgreSQL, not SQL Server';

/** The value of a bound parameter. */
export function sessionValue(state: State, frame: Frame, source: ParameterSource): Value {
  if ('variable' in source) return frame.variables.get(source.variable)?.value ?? null;
  const last = state.caught.at(-1);
  switch (source.session) {
    case '@@ROWCOUNT':
    case 'ROWCOUNT_BIG':
      return String(state.rowcount);
    case '@@TRANCOUNT':
      return String(state.transaction.count);
    case '@@ERROR':
      return String(state.error);
    case '@@SPID':
      return String(state.connection.pid % 32768);
    case '@@VERSION':
      return VERSION;
    case '@@SERVERNAME':
    case '@@SERVICENAME':
      return 'SANDBOX';
    case '@@LANGUAGE':
      return 'us_english';
    case '@@IDENTITY':
    case 'SCOPE_IDENTITY':
      return state.identity;
    case '@@LOCK_TIMEOUT':
      return String(state.lockTimeout);
    case '@@OPTIONS':
      return String(5432 + (state.nocount ? 512 : 0) + (state.xactAbort ? 16384 : 0));
    case '@@NESTLEVEL':
      return '0';
    case '@@DATEFIRST':
      return '7';
    case '@@MAX_PRECISION':
      return '38';
    case 'XACT_STATE':
      return state.transaction.doomed ? '-1' : state.transaction.count > 0 ? '1' : '0';
    case 'ERROR_NUMBER':
      return last ? String(last.number) : null;
    case 'ERROR_MESSAGE':
      return last?.message ?? null;
    case 'ERROR_SEVERITY':
      return last ? String(last.class) : null;
    case 'ERROR_STATE':
      return last ? String(last.state) : null;
    case 'ERROR_LINE':
      return last ? String(Math.max(1, last.line)) : null;
    case 'DB_NAME':
      return state.database;
    case 'APP_NAME':
      return state.login.application;
    case 'HOST_NAME':
      return state.login.hostname;
    case 'USER_NAME':
    case 'CURRENT_USER':
    case 'SESSION_USER':
      return 'dbo';
    case 'ERROR_PROCEDURE':
      return null;
    default:
      return state.login.user;
  }
}
