// The seam of the stand-in for SQL Server: the wire (TDS) on one side, the T-SQL engine on the other.
// Every value crosses it as PostgreSQL's own text, which is exact for every type; only the wire knows TDS bytes.

/** SQL Server's name of a type, with what a column declaration says of it. */
export interface SqlType {
  readonly name:
    | 'bit'
    | 'tinyint'
    | 'smallint'
    | 'int'
    | 'bigint'
    | 'real'
    | 'float'
    | 'decimal'
    | 'numeric'
    | 'money'
    | 'char'
    | 'varchar'
    | 'nchar'
    | 'nvarchar'
    | 'binary'
    | 'varbinary'
    | 'uniqueidentifier'
    | 'date'
    | 'time'
    | 'datetime'
    | 'smalldatetime'
    | 'datetime2'
    | 'datetimeoffset'
    | 'sysname'
    | 'xml';
  /** Characters (nchar, nvarchar: UTF-16 units) or bytes; 'max' for the large types. */
  readonly length?: number | 'max';
  readonly precision?: number;
  /** Decimal scale, or the fractional second digits of time, datetime2 and datetimeoffset. */
  readonly scale?: number;
}

export interface ColumnMetadata {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean;
  readonly identity?: boolean;
}

/**
 * PostgreSQL text of a value; null is NULL. bit: 't' or 'f'; binary types: '\x' and hex digits;
 * date and time types: ISO, as PostgreSQL prints them under DateStyle ISO and TimeZone UTC.
 * datetimeoffset: the instant in UTC and its offset in minutes, '("2024-01-31 10:00:00.123456",120)'.
 */
export type Value = string | null;

export interface Parameter {
  /** With its @. */
  readonly name: string;
  readonly type: SqlType;
  readonly value: Value;
  readonly output: boolean;
}

/** An error or message as SQL Server sends it: number, state, class (severity) and line of the batch. */
export interface SqlMessage {
  readonly number: number;
  readonly state: number;
  readonly class: number;
  readonly message: string;
  readonly line: number;
  readonly procedure?: string;
}

/** An error thrown where no sink is at hand (a refused login, a request that cannot be read) carries its message so. */
export interface CarriesSqlMessage {
  readonly sqlMessage: SqlMessage;
}

/**
 * Where a running batch writes to, in order. `row` and `columns` return a promise while the client
 * is slower than the engine (await it before the next call), else undefined.
 */
export interface ResultSink {
  columns(columns: readonly ColumnMetadata[]): undefined | Promise<void>;
  row(values: readonly Value[]): undefined | Promise<void>;
  /** A statement ended; `count` is null where SQL Server sends none (SET NOCOUNT ON, DDL, DECLARE). */
  done(count: number | null): void;
  /** PRINT, USE and RAISERROR below 11. */
  info(message: SqlMessage): void;
  error(message: SqlMessage): void;
  output(parameter: Parameter): void;
  returnStatus(value: number): void;
  /** The session's database or transaction changed: ENVCHANGE. */
  database(name: string, previous: string): void;
  transaction(event: 'begin' | 'commit' | 'rollback', descriptor: bigint): void;
}

export interface BulkTarget {
  /** As INSERT BULK names it: schema-qualified, bracketed, or a #temporary table. */
  readonly table: string;
  readonly columns: readonly ColumnMetadata[];
}

/** One logged-in session: one connection of the second database. Calls never overlap. */
export interface SqlSession {
  /** A batch (`parameters` null), or sp_executesql's statement. Errors go to the sink, not to the promise. */
  execute(
    sql: string,
    parameters: readonly Parameter[] | null,
    sink: ResultSink,
    cancel: AbortSignal,
  ): Promise<void>;
  /** `rows` yields arrays of rows, so that one chunk of wire data costs one turn. Resolves with the rows loaded. */
  bulk(
    target: BulkTarget,
    rows: AsyncIterable<readonly (readonly Value[])[]>,
    sink: ResultSink,
  ): Promise<void>;
  /** TDS transaction manager requests. `isolation` is SQL Server's code 1 to 5, 0 for the current one. */
  transaction(
    request: { kind: 'begin' | 'commit' | 'rollback' | 'save'; name: string; isolation: number },
    sink: ResultSink,
  ): Promise<void>;
  /** sp_reset_connection: rolls back, drops #temporary tables, resets SET options. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** The engine: opens sessions. `open` throws an error that CarriesSqlMessage (18456, 4060) when a login is refused. */
export interface SqlEngine {
  open(login: {
    user: string;
    password: string;
    database: string;
    hostname: string;
    application: string;
  }): Promise<SqlSession>;
}
