// Reads any version's records as those of one version: resolution is planned once per pair of writer and reader.
// Guarantees: placeholders are never delivered; a reader's field that the writer doesn't know gets its default in a whole record
// and is absent from a partial one, for a default must not overwrite what the warehouse has.
// https://avro.apache.org/docs/1.11.1/specification/#schema-resolution
import { WalbridgeError } from '../fault/fault.ts';
import type { Cursor } from './binary.ts';
import { incompatibilities, writerField } from './compatibility.ts';
import type { CanonicalRecord, CanonicalValue } from './event.ts';
import { formatFingerprint } from './fingerprint.ts';
import { bitmapBytes } from './record-writer.ts';
import type { SchemaRegistry } from './registry.ts';
import { nameOf, type RecordSchema } from './schema.ts';
import { fieldDecoder, type ValueDecoder } from './value-decoder.ts';

interface Step {
  /** The reader's name of the field; null where it has none. */
  readonly name: string | null;
  readonly decode: ValueDecoder;
}

export interface PartialRecord {
  readonly record: CanonicalRecord;
  /** The reader's fields without a value. */
  readonly absent: readonly string[];
}

export class RecordReader {
  readonly bitmapBytes: number;
  readonly #steps: readonly Step[];
  readonly #fallbacks: readonly (readonly [string, CanonicalValue])[];

  /** Throws WB3022 with every reason where the reader's version can't take the writer's records. */
  constructor(reader: RecordSchema, writer: RecordSchema) {
    // Equal fingerprints differ in docs, defaults and precision at most: the registry saw to it.
    const problems = reader.fingerprint === writer.fingerprint ? [] : incompatibilities(reader, writer);
    if (problems.length > 0)
      throw unreadable(
        reader,
        writer,
        problems.map((p) => `${p.path}: ${p.what}; ${p.why}.`),
      );
    const sources = reader.fields.map((field) => ({ field, source: writerField(field, writer) }));
    this.bitmapBytes = bitmapBytes(writer.fields.length);
    this.#steps = writer.fields.map((written) => {
      const target = sources.find(({ source }) => source === written)?.field ?? null;
      return { name: target?.name ?? null, decode: fieldDecoder(written, target?.type ?? null) };
    });
    this.#fallbacks = sources
      .filter(({ source }) => source === null)
      .map(({ field }) => [field.name, field.fallback ?? null] as const);
  }

  readWhole(cursor: Cursor): CanonicalRecord {
    const record: CanonicalRecord = {};
    for (const { name, decode } of this.#steps) {
      const value = decode(cursor);
      if (name !== null) record[name] = value;
    }
    for (const [name, value] of this.#fallbacks) record[name] = value;
    return record;
  }

  /** `bitmapAt`: where the absent fields' bitmap begins. */
  readPartial(cursor: Cursor, bitmapAt: number): PartialRecord {
    const record: CanonicalRecord = {};
    const absent: string[] = [];
    for (const [index, { name, decode }] of this.#steps.entries()) {
      const value = decode(cursor);
      if (name === null) continue;
      const isAbsent = ((cursor.bytes[bitmapAt + (index >> 3)] ?? 0) >> (index & 7)) & 1;
      if (isAbsent === 1) absent.push(name);
      else record[name] = value;
    }
    for (const [name] of this.#fallbacks) absent.push(name);
    return { record, absent };
  }
}

/** Readers for the versions that the mappings name, by entity; each pair of versions is planned once. */
export class EventReaders {
  readonly #registry: SchemaRegistry;
  readonly #versions: ReadonlyMap<string, RecordSchema>;
  readonly #readers = new Map<string, Map<string, RecordReader>>();

  /** `versions`: the schema version that each entity's consumer wants. */
  constructor(registry: SchemaRegistry, versions: ReadonlyMap<string, RecordSchema>) {
    this.#registry = registry;
    this.#versions = versions;
  }

  /** `fingerprint`: the writer's, its 8 bytes as a latin1 string. Throws WB3021, WB3022 or WB3023. */
  reader(entity: string, fingerprint: string): RecordReader {
    const known = this.#readers.get(entity)?.get(fingerprint);
    return known ?? this.#plan(entity, fingerprint);
  }

  #plan(entity: string, fingerprint: string): RecordReader {
    const version = this.#versions.get(entity);
    if (version === undefined) throw unknownEntity(entity);
    const number = Buffer.from(fingerprint, 'latin1').readBigUInt64LE();
    // The reader's own version first: others may share its fingerprint.
    const writer = number === version.fingerprint ? version : this.#registry.byFingerprint(number);
    if (writer === null) throw unknownFingerprint(entity, number);
    const reader = new RecordReader(version, writer);
    const readers = this.#readers.get(entity) ?? new Map<string, RecordReader>();
    this.#readers.set(entity, readers.set(fingerprint, reader));
    return reader;
  }
}

function unreadable(reader: RecordSchema, writer: RecordSchema, problems: readonly string[]): WalbridgeError {
  return new WalbridgeError({
    code: 'WB3022',
    kind: 'permanent',
    what: `Events of ${nameOf(writer)} can't be read as ${nameOf(reader)}. ${problems.join(' ')}`,
    safe: 'The batch was kept and nothing of it was applied.',
    next: 'Give the newer version the missing defaults, or map to a version that can read both.',
  });
}

function unknownFingerprint(entity: string, fingerprint: bigint): WalbridgeError {
  return new WalbridgeError({
    code: 'WB3021',
    kind: 'permanent',
    what: `An event of ${entity} was written with a schema of fingerprint ${formatFingerprint(fingerprint)}, which no file has.`,
    safe: 'The batch was kept and nothing of it was applied.',
    next: 'Put the schema version that the capture side writes into the schemas folder of this side.',
  });
}

function unknownEntity(entity: string): WalbridgeError {
  return new WalbridgeError({
    code: 'WB3023',
    kind: 'permanent',
    what: `An event is for the entity ${entity}, which no mapping here has.`,
    safe: 'The batch was kept and nothing of it was applied.',
    next: 'Give this side the mappings that the capture side has.',
  });
}
