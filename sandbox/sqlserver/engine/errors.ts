// SQL Server's errors: number, state, class and text, as its documentation lists them.
// Raised inside PostgreSQL they travel as SQLSTATE MSSQL with `number|state|class|text`.
import type { SqlMessage } from '../session.ts';

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

/**
 * A construct that the stand-in knows of and does not do: under SQL Server's number for a statement that its edition
 * lacks, as numbers from 50000 are those that triggers raise about rows.
 */
export function unsupported(construct: string): SqlError {
  return new SqlError(40510, `sandbox: ${construct} is not supported`);
}

export const errors = {
  syntax: (near: string) => new SqlError(102, `Incorrect syntax near '${near}'.`, 1, 15),
  keyword: (near: string) => new SqlError(156, `Incorrect syntax near the keyword '${near}'.`, 1, 15),
  undeclared: (name: string) => new SqlError(137, `Must declare the scalar variable "${name}".`, 2, 15),
  redeclared: (name: string) =>
    new SqlError(
      134,
      `The variable name '${name}' has already been declared. Variable names must be unique within a query batch or stored procedure.`,
      1,
      15,
    ),
  object: (name: string) => new SqlError(208, `Invalid object name '${name}'.`),
  column: (name: string) => new SqlError(207, `Invalid column name '${name}'.`),
  prefix: (name: string) => new SqlError(4104, `The multi-part identifier "${name}" could not be bound.`),
  ambiguous: (name: string) => new SqlError(209, `Ambiguous column name '${name}'.`),
  clash: (from: string, to: string) =>
    new SqlError(206, `Operand type clash: ${from} is incompatible with ${to}`, 2),
  implicit: (from: string, to: string) =>
    new SqlError(
      257,
      `Implicit conversion from data type ${from} to ${to} is not allowed. Use the CONVERT function to run this query.`,
      3,
    ),
  exists: (name: string) =>
    new SqlError(2714, `There is already an object named '${name}' in the database.`, 6),
  cannotDrop: (what: string, name: string) =>
    new SqlError(
      3701,
      `Cannot drop the ${what} '${name}', because it does not exist or you do not have permission.`,
      5,
      11,
    ),
  doomed: () =>
    new SqlError(
      3930,
      'The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.',
    ),
} as const;

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

/** The error that SQL Server would have sent for what PostgreSQL refused. */
export function fromPostgres(error: unknown, at: FailureContext): Error {
  if (error instanceof SqlError || error instanceof Cancelled || error instanceof Unreadable) return error;
  const e = error as PostgresError;
  const schema = e.schema?.startsWith('pg_temp') ? 'dbo' : (e.schema ?? 'dbo');
  const table = `${schema}.${e.table ?? ''}`;
  const key = e.constraint ? at.key(e.schema ?? '', e.table ?? '', e.constraint) : undefined;
  const constraint = key?.name ?? e.constraint ?? '';
  switch (e.code) {
    case 'MSSQL': {
      const [number, state, severity, ...text] = e.message.split('|');
      return new SqlError(
        Number(number),
        text.join('|').replace('%database%', at.database),
        Number(state),
        Number(severity),
      );
    }
    case '23505': {
      const value = KEY_DETAIL.exec(e.detail ?? '')?.[2]?.replace(/\bnull\b/g, '<NULL>') ?? '';
      if (key?.kind === 'IX') {
        return new SqlError(
          2601,
          `Cannot insert duplicate key row in object '${table}' with unique index '${constraint}'. The duplicate key value is (${value}).`,
          1,
          14,
        );
      }
      const kind = key?.kind === 'UQ' ? 'UNIQUE KEY' : 'PRIMARY KEY';
      return new SqlError(
        2627,
        `Violation of ${kind} constraint '${constraint}'. Cannot insert duplicate key in object '${table}'. The duplicate key value is (${value}).`,
        1,
        14,
      );
    }
    case '23502':
      return new SqlError(
        515,
        `Cannot insert the value NULL into column '${e.column}', table '${at.database}.${table}'; column does not allow nulls. ${at.verb} fails.`,
        2,
      );
    case '23503': {
      const columns = KEY_DETAIL.exec(e.detail ?? '')?.[1] ?? '';
      const referencing = e.detail?.includes('is still referenced') === true;
      const target = /table "(.*)"\.$/.exec(e.detail ?? '')?.[1] ?? e.table ?? '';
      const isSame = /on table "(.*?)"/.exec(e.message)?.[1] === target ? ' SAME TABLE' : '';
      const kind = (referencing ? 'REFERENCE' : 'FOREIGN KEY') + isSame;
      return new SqlError(
        547,
        `The ${at.verb} statement conflicted with the ${kind} constraint "${constraint}". The conflict occurred in database "${at.database}", table "${schema}.${target}", column '${columns}'.`,
        0,
      );
    }
    case '23514':
      return new SqlError(
        547,
        `The ${at.verb} statement conflicted with the CHECK constraint "${constraint}". The conflict occurred in database "${at.database}", table "${table}".`,
        0,
      );
    case '22003': {
      const type = /(smallint|bigint|integer|real|double precision)/.exec(e.message)?.[1];
      const named = type === 'integer' ? 'int' : type === 'double precision' ? 'float' : type;
      return new SqlError(
        8115,
        named
          ? `Arithmetic overflow error converting expression to data type ${named}.`
          : 'Arithmetic overflow error converting numeric to data type numeric.',
        2,
      );
    }
    case '22008':
      return new SqlError(517, "Adding a value to a 'datetime2' column caused an overflow.", 3);
    case '22012':
      return new SqlError(8134, 'Divide by zero error encountered.');
    case '21000':
      return new SqlError(
        512,
        'Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.',
      );
    case '22011':
      return new SqlError(537, 'Invalid length parameter passed to the LEFT or SUBSTRING function.', 3);
    case '40P01':
    case '40001':
      return new SqlError(
        1205,
        'Transaction was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.',
        45,
        13,
      );
    case '42P22':
      return new SqlError(468, 'Cannot resolve the collation conflict in the comparison operation.', 9);
    case '55P03':
      return new SqlError(1222, 'Lock request time out period exceeded.', 45);
    case '42P07':
    case '42710':
      return errors.exists(/"(.*?)"/.exec(e.message)?.[1] ?? '');
    case '42P06':
      return errors.exists(/"(.*?)"/.exec(e.message)?.[1] ?? '');
    case '42803':
      return new SqlError(
        8120,
        `Column '${/column "(.*?)"/.exec(e.message)?.[1]}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.`,
      );
    case '42P04':
      return new SqlError(
        1801,
        `Database ${/"mssql_(.*?)"/.exec(e.message)?.[1] ?? ''} already exists. Choose a different database name.`,
        3,
      );
    case '55006':
      return new SqlError(3702, 'Cannot drop the database because it is currently in use.', 3);
    case '2BP01':
      return new SqlError(5074, `The object is dependent on another object: ${e.message}.`);
    case '57014':
      return new Cancelled();
    case '57P01':
    case undefined:
      // SQL Server's "session is in the kill state".
      return new SqlError(596, `sandbox: the connection to PostgreSQL was lost (${e.message})`, 1, 21);
    default:
      // SQL Server's "could not produce a query plan".
      return new SqlError(
        8624,
        `sandbox: PostgreSQL refused the translated statement (${e.code}: ${e.message})`,
      );
  }
}
