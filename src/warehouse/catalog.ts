// What the warehouse's catalog says of the target tables: columns, keys, foreign keys, triggers.
// Guarantees: types, collations and nullability as they really are, not as a mapping wants them.
import type { SqlServerType } from '../mapping/target.ts';
import type { TableName } from './identifier.ts';

export interface ColumnFacts {
  readonly name: string;
  /** null for a type that no mapping may name (text, xml, geography, rowversion, …). */
  readonly type: SqlServerType | null;
  /** The type as T-SQL writes it, for messages; an alias type by its base. */
  readonly typeText: string;
  readonly nullable: boolean;
  readonly identity: boolean;
  readonly computed: boolean;
  /** A period column of a temporal table, or rowversion: the server fills it. */
  readonly generated: boolean;
  readonly hasDefault: boolean;
  /** null for types that have none. */
  readonly collation: string | null;
}

/** A primary key, unique constraint or unique index over whole columns of all rows. */
export interface UniqueKeyFacts {
  readonly name: string;
  readonly columns: readonly string[];
  readonly primary: boolean;
  /** Has a WHERE clause: unique among some rows only. */
  readonly filtered: boolean;
}

export interface ForeignKeyFacts {
  readonly name: string;
  /** The table that refers. */
  readonly from: TableName;
  readonly columns: readonly string[];
  /** The table that is referred to; equal to `from` in a self reference. */
  readonly to: TableName;
  readonly toColumns: readonly string[];
  readonly onDelete: 'no action' | 'cascade' | 'set null' | 'set default';
  readonly onUpdate: 'no action' | 'cascade' | 'set null' | 'set default';
  /** Not checked while disabled. */
  readonly disabled: boolean;
}

export interface TriggerFacts {
  readonly name: string;
  readonly disabled: boolean;
  readonly insteadOf: boolean;
}

export interface TableFacts {
  readonly name: TableName;
  readonly columns: readonly ColumnFacts[];
  /** Enabled ones only, the primary key first; null where they couldn't be read. */
  readonly uniqueKeys: readonly UniqueKeyFacts[] | null;
  /** null where they couldn't be read. */
  readonly triggers: readonly TriggerFacts[] | null;
  /** System-versioned: its period columns are the server's; TRUNCATE is refused (13545), so delete. */
  readonly temporal: boolean;
  readonly empty: boolean;
  /** Columns that the login reads masked only. None where the server doesn't tell. */
  readonly masked?: readonly string[];
}

/** What the server or the login may refuse to tell, and walbridge can work without. */
export type CatalogPart = 'column traits' | 'temporal tables' | 'unique keys' | 'triggers' | 'foreign keys';

export interface Catalog {
  /** By `tableKey`. Tables that don't exist are not in it. */
  readonly tables: ReadonlyMap<string, TableFacts>;
  /** Those where either end is one of the tables asked for; none where they couldn't be read. */
  readonly foreignKeys: readonly ForeignKeyFacts[];
  /** Schemas that exist, upper case. */
  readonly schemas: ReadonlySet<string>;
  readonly unread: readonly CatalogPart[];
  /** By `tableKey`: what else has the name of a table asked for, such as VIEW or SYNONYM, as sys.objects calls it. */
  readonly others?: ReadonlyMap<string, string>;
}

/** Key of `Catalog.tables`: the server's default collation doesn't tell case. */
export function tableKey(name: TableName): string {
  return `${name.schema}.${name.table}`.toUpperCase();
}
