// A source table as its catalogue describes it: what `generate` writes a schema and a mapping from and `check` holds them against.
// Guarantees: plain data in the catalogue's own terms; domains are resolved to their base types; columns stand in table order.
// https://www.postgresql.org/docs/current/catalog-pg-attribute.html

/** A table by its schema and its name, both unquoted and exact. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export interface ColumnDescription {
  readonly name: string;
  /** Of the declared type; a domain's own OID where the column is of a domain. */
  readonly typeOid: number;
  /** format_type of the declared type: `character varying(40)`, `public.email`. */
  readonly typeText: string;
  readonly baseType: BaseType;
  readonly nullable: boolean;
  /** GENERATED ALWAYS AS (…): computed when written, or when read (PostgreSQL 18). */
  readonly generated: 'no' | 'stored' | 'virtual';
  readonly identity: 'no' | 'always' | 'by default';
  readonly comment: string | null;
}

/** A column's type below all domains. */
export interface BaseType {
  readonly oid: number;
  /** pg_type.typname, such as `int4`, `varchar`, `timestamptz`, `_text`. */
  readonly name: string;
  readonly schema: string;
  readonly kind: 'base' | 'enum' | 'composite' | 'range' | 'multirange' | 'array';
  /** numeric(p,s), where stated; the scale may be negative. */
  readonly numeric: { readonly precision: number; readonly scale: number } | null;
  /** Characters of varchar(n) and char(n), bits of bit(n) and varbit(n), where stated. */
  readonly length: number | null;
  /** Fractional second digits of time, timestamp and interval types, where stated. */
  readonly secondDigits: number | null;
  /** An enum's labels in sort order; empty for other types. */
  readonly enumLabels: readonly string[];
  /** An array's element type (unresolved below its own domains), else null. */
  readonly elementTypeName: string | null;
}

export interface ForeignKey {
  readonly name: string;
  readonly columns: readonly string[];
  readonly target: TableName;
  readonly targetColumns: readonly string[];
  readonly deferrable: boolean;
  /** Checked for all rows: neither NOT VALID nor NOT ENFORCED. */
  readonly validated: boolean;
  /** MATCH FULL: none of several columns is NULL alone. */
  readonly matchFull: boolean;
  /** A column of either side has a collation to which different texts may be equal (one that is not deterministic). */
  readonly folding: boolean;
}

export interface TableDescription extends TableName {
  readonly oid: number;
  readonly kind: 'table' | 'partitioned';
  readonly columns: readonly ColumnDescription[];
  /** Column names in key order; null without a primary key. */
  readonly primaryKey: readonly string[] | null;
  /** Unique constraints and indexes over plain columns, without predicate; the primary key left out. */
  readonly uniqueKeys: readonly UniqueKey[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  /** Columns that a DELETE's old row holds; null where it holds none. All columns under 'full'. */
  readonly replicaIdentityColumns: readonly string[] | null;
  readonly comment: string | null;
}

export interface UniqueKey {
  /** The index' name. */
  readonly name: string;
  readonly columns: readonly string[];
  /** No column of it can be NULL. */
  readonly notNull: boolean;
  /** Checked at the statement's end or the commit: not usable as a replica identity. */
  readonly deferrable: boolean;
}
