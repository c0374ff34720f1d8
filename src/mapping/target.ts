// The warehouse's side of a mapping: table, key, columns and where each column's value comes from.
// Guarantees: plain frozen data; the warehouse builds its T-SQL from this and nothing else.

/** A SQL Server type as a mapping may name it. */
export interface SqlServerType {
  readonly name:
    | 'bit'
    | 'tinyint'
    | 'smallint'
    | 'int'
    | 'bigint'
    | 'real'
    | 'float'
    | 'decimal'
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
    | 'datetimeoffset';
  /** Characters or bytes. */
  readonly length?: number | 'max';
  readonly precision?: number;
  /** Decimal scale or fractional second digits. */
  readonly scale?: number;
}

export interface TargetColumn {
  readonly name: string;
  readonly type: SqlServerType;
  readonly nullable: boolean;
  /** Of a text column that the mapping gives one; without it a key has KEY_COLLATION, others the database's. */
  readonly collation?: string | null;
  /** Field of the canonical record. */
  readonly field: string;
}

/** Columns that walbridge fills of itself; a mapping names those it wants. */
export interface MetadataColumns {
  /** varchar(20): the commit LSN's text. */
  readonly commitLsn?: string;
  /** datetimeoffset(6) */
  readonly commitTime?: string;
  /** char(1): I, U (deletes leave no row). */
  readonly operation?: string;
  /** datetimeoffset(6), the warehouse's clock. */
  readonly appliedAt?: string;
}

export interface TargetTable {
  /** The mapping's name; unique. */
  readonly entity: string;
  readonly lane: string;
  readonly schema: string;
  readonly table: string;
  /** Names of the key columns, in order; each is also in `columns` and not nullable. */
  readonly key: readonly string[];
  readonly columns: readonly TargetColumn[];
  readonly metadata: MetadataColumns;
}
