// What capture reads from the source, before any mapping: relations, row images, changes, transactions.
// Guarantees: an unchanged TOAST value is its own thing, never NULL; values are PostgreSQL's own text, exact.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
import type { Lsn } from './position.ts';

/**
 * A column's value: PostgreSQL's text output (bytea as `\x…`, dates under ISO and UTC), null for NULL, and undefined
 * where the server did not send it because a TOASTed value had not changed.
 */
export type SourceValue = string | null | undefined;

/** A row by column name. */
export type SourceRow = Readonly<Record<string, SourceValue>>;

export interface SourceColumn {
  readonly name: string;
  readonly typeOid: number;
  /** As in pg_attribute.atttypmod; -1 where the type has none. */
  readonly typeModifier: number;
  /** Part of the replica identity. */
  readonly identity: boolean;
}

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  readonly columns: readonly SourceColumn[];
}

export type RowChange =
  | { readonly op: 'insert'; readonly relation: Relation; readonly row: SourceRow }
  | {
      readonly op: 'update';
      readonly relation: Relation;
      readonly row: SourceRow;
      /** The replica identity's old values where they changed, the whole old row under REPLICA IDENTITY FULL, else null. */
      readonly old: SourceRow | null;
    }
  | {
      readonly op: 'delete';
      readonly relation: Relation;
      /** The replica identity's values, or the whole row under REPLICA IDENTITY FULL. */
      readonly old: SourceRow;
    };

export interface TruncateChange {
  readonly op: 'truncate';
  readonly relation: Relation;
}

/** A change and its place in its transaction; one TRUNCATE of several tables is several changes. */
export type SourceChange = (RowChange | TruncateChange) & { readonly ordinal: number };

export interface SourceTransaction {
  readonly xid: number;
  /** Position of the commit record: orders transactions. Known at BEGIN (its final_lsn). */
  readonly commitLsn: Lsn;
  /** Commit time, microseconds since 1970-01-01 UTC. */
  readonly commitTimeMicros: bigint;
}

/** pg_logical_emit_message's message. */
export interface LogicalMessage {
  readonly transactional: boolean;
  readonly lsn: Lsn;
  readonly prefix: string;
  readonly content: Buffer;
}
