// SQL Server's errors, and which of them PostgreSQL's own become.
// Raised inside PostgreSQL they travel as SQLSTATE MSSQL with `number|state|class|text`.
import type { SqlMessage } from '../session.ts';
import { MESSAGES } from './messages.ts';

export class SqlError extends Error {
  readonly number: number;
  readonly state: number;
  readonly class: number;
  /** Line of the batch; 0 until the statement is known. */
  line = 0;
  /** By RAISERROR, which XACT_ABORT does not see; by THROW, which ends the batch. */
  raised = false;
  thrown = false;
  constructor(number: number, message: string, state = 1, severity = 16) {
    super(message);
    this.name = 'SqlError';
    this.number = number;
    this.state = state;
    this.class = severity;
  }

  get sqlMessage(): SqlMessage {
    return {
      number: this.number,
      state: this.state,
      class: this.class,
      message: this.message,
      line: Math.max(1, this.line),
    };
  }
}

/** The batch was cancelled by the client: no error is sent, the wire acknowledges the attention. */
export class Cancelled extends Error {}

/** The client's rows could not be read: the wire, whose error is the cause, tells of it. */
export class Unreadable extends Error {}

/** The message of that number with the values in their places. */
export function sqlError(number: number, ...values: readonly (string | number | undefined)[]): SqlError {
  const { text, state, severity } = MESSAGES.get(number)!;
  let at = 0;
  const message = text.replace(/%s/g, () => String(values[at++] ?? ''));
  return new SqlError(number, message, state, severity);
}

/**
 * A construct that the stand-in knows of and does not do: under SQL Server's number for a statement that its edition
 * lacks, as numbers from 50000 are those that triggers raise about rows.
 */
export function unsupported(construct: string): SqlError {
  return sqlError(40510, construct);
}

/** What of a failed statement the mapping needs to name objects as SQL Server does. */
export interface FailureContext {
  readonly database: string;
  readonly verb: string;
  /** SQL Server's name and kind of a constraint or index, by its PostgreSQL name. */
  key(schema: string, table: string, constraint: string): { name: string; kind: string } | undefined;
}

interface PostgresError {
  readonly code?: string;
  readonly message: string;
  readonly detail?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

const KEY_DETAIL = /^Key \((.*?)\)=\((.*)\)/s;

/** SQLSTATEs that say all there is to say. */
const PLAIN: Readonly<Record<string, number>> = {
  '21000': 512,
  '22008': 517,
  '22011': 537,
  '22012': 8134,
  '40001': 1205,
  '40P01': 1205,
  '42P22': 468,
  '55006': 3702,
  '55P03': 1222,
};

/** The error that SQL Server would have sent for what PostgreSQL refused. */
export function fromPostgres(error: unknown, at: FailureContext): Error {
  if (error instanceof SqlError || error instanceof Cancelled || error instanceof Unreadable) return error;
  const e = error as PostgresError;
  const { code = '', message, detail = '' } = e;
  const schema = e.schema?.startsWith('pg_temp') ? 'dbo' : (e.schema ?? 'dbo');
  const table = `${schema}.${e.table ?? ''}`;
  const key = e.constraint ? at.key(e.schema ?? '', e.table ?? '', e.constraint) : undefined;
  const constraint = key?.name ?? e.constraint ?? '';
  const quoted = /"(?:mssql_)?(.*?)"/.exec(message)?.[1];
  if (PLAIN[code]) return sqlError(PLAIN[code]);
  switch (code) {
    case 'MSSQL': {
      const [number, state, severity, ...text] = message.split('|');
      const whole = text.join('|').replace('%database%', at.database);
      return new SqlError(Number(number), whole, Number(state), Number(severity));
    }
    case '23505': {
      const value = KEY_DETAIL.exec(detail)?.[2]?.replace(/\bnull\b/g, '<NULL>');
      if (key?.kind === 'IX') return sqlError(2601, table, constraint, value);
      return sqlError(2627, key?.kind === 'UQ' ? 'UNIQUE KEY' : 'PRIMARY KEY', constraint, table, value);
    }
    case '23502':
      return sqlError(515, e.column, at.database, table, at.verb);
    case '23503': {
      const target = /table "(.*)"\.$/.exec(detail)?.[1] ?? e.table ?? '';
      const isSame = /on table "(.*?)"/.exec(message)?.[1] === target ? ' SAME TABLE' : '';
      const kind = (detail.includes('is still referenced') ? 'REFERENCE' : 'FOREIGN KEY') + isSame;
      const column = `, column '${KEY_DETAIL.exec(detail)?.[1] ?? ''}'`;
      return sqlError(547, at.verb, kind, constraint, at.database, `${schema}.${target}`, column);
    }
    case '23514':
      return sqlError(547, at.verb, 'CHECK', constraint, at.database, table);
    case '22003': {
      const type = /(smallint|bigint|integer|real|double precision)/.exec(message)?.[1];
      if (!type) return sqlError(8115, 'numeric', 'numeric');
      return sqlError(8115, 'expression', { integer: 'int', 'double precision': 'float' }[type] ?? type);
    }
    case '42P06':
    case '42P07':
    case '42710':
      return sqlError(2714, quoted);
    case '42803':
      return sqlError(8120, /column "(.*?)"/.exec(message)?.[1]);
    case '42P04':
      return sqlError(1801, quoted);
    case '2BP01':
      return sqlError(5074, message);
    case '57014':
      return new Cancelled();
    case '57P01':
    case '':
      // SQL Server's "session is in the kill state".
      return sqlError(596, message);
    default:
      // SQL Server's "could not produce a query plan".
      return sqlError(8624, code, message);
  }
}
