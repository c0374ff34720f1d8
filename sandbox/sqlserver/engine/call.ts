// Calls of T-SQL's built-in functions by name, and what the session itself answers (`@@ROWCOUNT`, ERROR_NUMBER()).
// The functions are in call-text, call-number, call-date, call-metadata and call-aggregate.
import type { SqlType } from '../session.ts';
import type { Expr } from './ast.ts';
import { AGGREGATES, bindAggregate } from './call-aggregate.ts';
import { DATE_FUNCTIONS } from './call-date.ts';
import { METADATA_FUNCTIONS, SYSNAME } from './call-metadata.ts';
import { NUMBER_FUNCTIONS } from './call-number.ts';
import type { Functions } from './call-plain.ts';
import { TEXT_FUNCTIONS } from './call-text.ts';
import { type SqlError, sqlError, unsupported } from './errors.ts';
import type { Binder } from './expression.ts';
import type { Bound, Scope } from './scope.ts';
import { BIGINT, decimal, INT, nvarchar } from './types.ts';

export type Call = Extract<Expr, { k: 'call' }>;
export type Bind = (binder: Binder, call: Call, scope: Scope) => Bound;

const PLAIN: Functions = { ...TEXT_FUNCTIONS, ...NUMBER_FUNCTIONS, ...METADATA_FUNCTIONS };

/** What the session answers itself: bound as a parameter when the statement runs. */
const SESSION: Readonly<Record<string, SqlType>> = {
  '@@ROWCOUNT': INT,
  '@@TRANCOUNT': INT,
  '@@ERROR': INT,
  '@@SPID': { name: 'smallint' },
  '@@VERSION': nvarchar(300),
  '@@SERVERNAME': SYSNAME,
  '@@SERVICENAME': SYSNAME,
  '@@LANGUAGE': SYSNAME,
  '@@IDENTITY': decimal(38, 0),
  '@@LOCK_TIMEOUT': INT,
  '@@OPTIONS': INT,
  '@@NESTLEVEL': INT,
  '@@DATEFIRST': { name: 'tinyint' },
  '@@MAX_PRECISION': { name: 'tinyint' },
  ROWCOUNT_BIG: BIGINT,
  SCOPE_IDENTITY: decimal(38, 0),
  XACT_STATE: { name: 'smallint' },
  ERROR_NUMBER: INT,
  ERROR_MESSAGE: nvarchar(4000),
  ERROR_SEVERITY: INT,
  ERROR_STATE: INT,
  ERROR_LINE: INT,
  ERROR_PROCEDURE: nvarchar(128),
  DB_NAME: nvarchar(128),
  APP_NAME: nvarchar(128),
  HOST_NAME: nvarchar(128),
  SUSER_NAME: nvarchar(128),
  SUSER_SNAME: nvarchar(128),
  ORIGINAL_LOGIN: SYSNAME,
  SYSTEM_USER: nvarchar(128),
  USER_NAME: nvarchar(128),
  CURRENT_USER: nvarchar(128),
  SESSION_USER: nvarchar(128),
};

export function bindCall(binder: Binder, call: Call, scope: Scope): Bound {
  const { name } = call;
  if (AGGREGATES.has(name)) return bindAggregate(binder, call, scope);
  if (call.over || call.within.length > 0) throw unsupported(`OVER or WITHIN GROUP on ${name}`);
  if (name === 'IIF') {
    const [test, yes, no] = call.args;
    if (!test || !yes || !no) throw argumentCount(name, 3);
    return binder.scalar(
      { k: 'case', base: null, whens: [{ when: test, result: yes }], otherwise: no },
      scope,
    );
  }
  const session = SESSION[name];
  if (session && (call.args.length === 0 || name === 'SUSER_SNAME' || name === 'USER_NAME'))
    return binder.parameter({ session: name }, session);
  const date = DATE_FUNCTIONS[name];
  if (date) return date(binder, call, scope);
  const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined;
  if (!plain) {
    if (name.startsWith('@@')) throw name in SESSION ? sqlError(102, name) : unsupported(name);
    throw unsupported(`function ${name}`);
  }
  const { min, max, make } = plain;
  if (call.args.length < min || call.args.length > max) throw argumentCount(name, min);
  return make(...call.args.map((a) => binder.scalar(a, scope)));
}

export function argumentCount(name: string, count: number): SqlError {
  return sqlError(174, name.toLowerCase(), count);
}
