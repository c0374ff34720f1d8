// A canonical record's schema, parsed: flat Avro records of the types in docs/types.md's table, one file a version.
// Guarantees: plain frozen data; every field's type is one that the codecs know, with its logical type's bounds checked.
// https://avro.apache.org/docs/1.11.1/specification/
import type { CanonicalValue } from './event.ts';

/** A field's Avro type without its null branch, named by the logical type where there is one. */
export type FieldType =
  | { readonly kind: PlainKind }
  /** Over bytes: the unscaled value, two's complement, big-endian. 1 <= precision <= 38, 0 <= scale <= precision. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  /** `fallback`: the symbol that readers use for one they don't know. */
  | {
      readonly kind: 'enum';
      readonly name: string;
      readonly symbols: readonly string[];
      readonly fallback: string | null;
    };

export type PlainKind =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'string'
  | 'bytes'
  | 'uuid'
  | 'date'
  | 'time-micros'
  | 'timestamp-micros'
  | 'local-timestamp-micros';

export type NullBranch =
  /** The type stands alone: never null. */
  | 'none'
  /** ["null", T] */
  | 'first'
  /** [T, "null"] */
  | 'second';

export interface SchemaField {
  readonly name: string;
  readonly type: FieldType;
  readonly nullBranch: NullBranch;
  /** What a reader fills in for a writer that doesn't know the field; undefined where the schema states none. */
  readonly fallback: CanonicalValue | undefined;
  readonly aliases: readonly string[];
}

/** `major.minor.patch` */
export interface SchemaVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

export interface RecordSchema {
  /** `namespace.record` */
  readonly fullName: string;
  readonly version: SchemaVersion;
  readonly fields: readonly SchemaField[];
  /** CRC-64-AVRO of the Parsing Canonical Form, unsigned. */
  readonly fingerprint: bigint;
  /** The file's text. */
  readonly text: string;
}

/** Parses `1.2.3`; null for anything else. */
export function parseVersion(text: string): SchemaVersion | null {
  const match = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/.exec(text);
  return match === null
    ? null
    : { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}

export function formatVersion(version: SchemaVersion): string {
  return `${version.major}.${version.minor}.${version.patch}`;
}

/** Negative: a is older; positive: a is newer. */
export function compareVersions(a: SchemaVersion, b: SchemaVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** `crm.Contact 1.2.0`, for messages. */
export function nameOf(schema: RecordSchema): string {
  return `${schema.fullName} ${formatVersion(schema.version)}`;
}

/** `decimal(12,2)`, `enum Status`, `long`: for messages. */
export function describeType(type: FieldType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision},${type.scale})`;
  return type.kind === 'enum' ? `enum ${type.name}` : type.kind;
}
