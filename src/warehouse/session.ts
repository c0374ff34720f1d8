// What the rest of this room sees of a SQL Server: batches, parametrised queries, bulk loads, transactions.
// Guarantees: every rejection is a WarehouseError; types that the driver cannot carry without loss are not offered.

/**
 * A statement parameter in a type that the driver carries exactly. Decimals, dates and times travel as text and are
 * CONVERTed by the statement: tedious takes them through JS numbers and Dates.
 */
export type SqlParameter =
  | { readonly type: 'bit'; readonly value: boolean | null }
  | { readonly type: 'int'; readonly value: number | null }
  | { readonly type: 'bigint'; readonly value: bigint | number | null }
  | { readonly type: 'float'; readonly value: number | null }
  | { readonly type: 'varchar'; readonly value: string | null }
  | { readonly type: 'nvarchar'; readonly value: string | null }
  | { readonly type: 'varbinary'; readonly value: Buffer | null };

/** By name, without the @. */
export type SqlParameters = { readonly [name: string]: SqlParameter };

/** T-SQL and the values of the parameters that it names. */
export interface Statement {
  readonly sql: string;
  readonly parameters: SqlParameters;
}

/**
 * A column of a bulk load, in a type that tedious' bulk load carries exactly. Its type must be the table's own, length
 * included. `varchar` is for ASCII text only: the table's code page would replace anything else.
 */
export interface BulkColumn {
  readonly name: string;
  readonly type:
    | 'bit'
    | 'tinyint'
    | 'smallint'
    | 'int'
    | 'bigint'
    | 'real'
    | 'float'
    | 'varchar'
    | 'nvarchar'
    | 'varbinary'
    | 'uniqueidentifier';
  /** Characters (nvarchar: UTF-16 code units) or bytes, for the types that have a length. */
  readonly length?: number | 'max';
  readonly nullable: boolean;
}

/** bigint for `bigint` (or a safe number); uniqueidentifier as text. */
export type BulkValue = null | boolean | number | bigint | string | Buffer;

/** A result's rows by column name. bigint comes as text, decimal as a lossy number: CONVERT what must be exact. */
export interface SqlResult<Row> {
  readonly rows: readonly Row[];
  /** One count a statement that has one, in order. */
  readonly rowsAffected: readonly number[];
}

export interface SqlSession {
  /**
   * A plain batch. `rows` are those of its last SELECT: a trigger of the warehouse may have sent some of its own before.
   * #temporary tables made in it outlive it.
   */
  batch<Row = Record<string, unknown>>(sql: string): Promise<SqlResult<Row>>;
  /** One sp_executesql. #temporary tables made in it end with it. */
  query<Row = Record<string, unknown>>(sql: string, parameters: SqlParameters): Promise<SqlResult<Row>>;
  /**
   * INSERT BULK under a table lock. `table` is a #temporary table's name or schema-qualified and bracketed; it must exist.
   * Each row has one value a column, in order; rows are taken one by one, as the socket drains. Resolves with the rows loaded.
   */
  bulkLoad(
    table: string,
    columns: readonly BulkColumn[],
    rows: Iterable<readonly BulkValue[]>,
  ): Promise<number>;
}

export interface Warehouse extends SqlSession {
  /**
   * Runs `work` in one transaction (READ COMMITTED, XACT_ABORT ON) on one connection and commits; rolls back if it
   * throws, and rethrows. After a lost connection during the commit nobody knows whether it happened: the rejection is
   * transient, and the caller must look (the watermark tells) before it does the work again.
   */
  transaction<T>(work: (session: SqlSession) => Promise<T>): Promise<T>;
  /** Ends all connections; work in hand is cut off and rolled back by the server. */
  close(): Promise<void>;
}
