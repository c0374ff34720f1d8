// Canonical events: one per source change and mapping, in the terms of a versioned Avro record.
// Guarantees: a field that the source did not send is named as absent; it is neither null nor its placeholder.
import type { Position } from '../change/position.ts';

/**
 * A field's value by its Avro type: boolean; int, float, double as number; long as number where safe, else bigint;
 * decimal as plain text with exactly `scale` digits after the point; date as days since 1970-01-01; time-micros,
 * timestamp-micros and local-timestamp-micros as microseconds (number where safe, else bigint); string, enum, uuid
 * (lower case) and JSON as string; bytes as Buffer.
 */
export type CanonicalValue = null | boolean | number | bigint | string | Buffer;

/** Values by field name. A key record holds the key fields only. */
export type CanonicalRecord = { [field: string]: CanonicalValue };

interface EventAt {
  /** The mapping's name: which table of the warehouse it is for. */
  readonly entity: string;
  /** The transaction's commit LSN and the change's ordinal in it: the event's identity. */
  readonly at: Position;
  /** Microseconds since 1970-01-01 UTC. */
  readonly commitTimeMicros: bigint;
}

/** The row is now so. A partial image (unchanged TOAST) leaves out the fields named in `absent`. */
export interface UpsertEvent extends EventAt {
  readonly op: 'upsert';
  /** What the source did: the target may record it. */
  readonly inserted: boolean;
  readonly record: CanonicalRecord;
  readonly absent: readonly string[];
  /** The key before this change where it moved, else null. */
  readonly previousKey: CanonicalRecord | null;
}

/** A tombstone. */
export interface DeleteEvent extends EventAt {
  readonly op: 'delete';
  readonly key: CanonicalRecord;
}

/** All rows of the source table are gone. */
export interface TruncateEvent extends EventAt {
  readonly op: 'truncate';
}

/** The change could not be mapped: it goes to quarantine as it was. */
export interface RejectEvent extends EventAt {
  readonly op: 'reject';
  /** Stable code of the reason, WB3xxx or WB4xxx. */
  readonly code: string;
  /** The reason: names fields and types, no values. */
  readonly reason: string;
  /** What the source did. */
  readonly change: 'insert' | 'update' | 'delete';
  /** The row's key as a delete would carry it; null where the key itself could not be mapped. */
  readonly key: CanonicalRecord | null;
  /** The key before this change where it moved, else null: no row is there any more. */
  readonly previousKey: CanonicalRecord | null;
  /** The source key as JSON text, and the source row as JSON text (PostgreSQL's text of each column). */
  readonly keyJson: string;
  readonly rowJson: string;
}

export type CanonicalEvent = UpsertEvent | DeleteEvent | TruncateEvent | RejectEvent;
