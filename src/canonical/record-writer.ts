// Writes one schema version's records in Avro's single-object encoding, whole or partial.
// Guarantees: a partial record is still a valid Avro record: absent fields hold a placeholder, and a bitmap beside it names them.
// https://avro.apache.org/docs/1.11.1/specification/#single-object-encoding
import type { GrowingBuffer } from '../change/growing-buffer.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { writeLong } from './binary.ts';
import type { CanonicalRecord } from './event.ts';
import { nameOf, type RecordSchema, type SchemaField } from './schema.ts';
import { checkValue } from './value-check.ts';
import { fieldEncoder, placeholderOf, type ValueEncoder } from './value-encoder.ts';

interface FieldWriter {
  readonly field: SchemaField;
  readonly encode: ValueEncoder;
  readonly placeholder: Buffer;
}

/** C3 01 and the fingerprint, little-endian. */
function singleObjectHeader(fingerprint: bigint): Buffer {
  const header = Buffer.from([0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0]);
  header.writeBigUInt64LE(fingerprint, 2);
  return header;
}

export class RecordWriter {
  readonly schema: RecordSchema;
  readonly #header: Buffer;
  readonly #fields: readonly FieldWriter[];

  constructor(schema: RecordSchema) {
    this.schema = schema;
    this.#header = singleObjectHeader(schema.fingerprint);
    this.#fields = schema.fields.map((field) => ({
      field,
      encode: fieldEncoder(field),
      placeholder: placeholderOf(field),
    }));
  }

  /** Appends a record that has every field. Throws WB3030 naming the field that doesn't fit; what was appended is void. */
  appendWhole(out: GrowingBuffer, record: CanonicalRecord): void {
    this.#appendHeader(out);
    for (const { field, encode } of this.#fields) {
      if (!encode(out, record[field.name])) throw this.#misfit(field, record);
    }
  }

  /**
   * Appends the bitmap of absent fields (its length, then bit i of byte i/8 for field i in schema order) and the record. Absent are those that
   * `record` leaves out; with `absent` given, exactly the named. Throws WB3030 as `appendWhole`.
   */
  appendPartial(out: GrowingBuffer, record: CanonicalRecord, absent: readonly string[] | null): void {
    const bytes = bitmapBytes(this.#fields.length);
    writeLong(out, bytes);
    const bitmapAt = out.length;
    out.reserve(bytes);
    out.bytes.fill(0, bitmapAt, bitmapAt + bytes);
    out.length += bytes;
    this.#appendHeader(out);
    for (const [index, { field, encode, placeholder }] of this.#fields.entries()) {
      const value = record[field.name];
      if (value === undefined && (absent === null || absent.includes(field.name))) {
        const at = bitmapAt + (index >> 3);
        out.bytes[at] = (out.bytes[at] ?? 0) | (1 << (index & 7));
        out.append(placeholder);
      } else if (!encode(out, value)) {
        throw this.#misfit(field, record);
      }
    }
  }

  /** Byte by byte: for ten of them a loop is faster than a call into native code. */
  #appendHeader(out: GrowingBuffer): void {
    const header = this.#header;
    out.reserve(header.length);
    for (let at = 0; at < header.length; at += 1) out.bytes[out.length + at] = header[at] as number;
    out.length += header.length;
  }

  #misfit(field: SchemaField, record: CanonicalRecord): WalbridgeError {
    const value = record[field.name];
    const misfit = value === undefined ? null : checkValue(field.type, field.nullBranch, value);
    const reason = value === undefined ? 'no value' : (misfit?.reason ?? 'text that UTF-8 cannot hold');
    return new WalbridgeError({
      code: 'WB3030',
      kind: 'permanent',
      what: `The field ${field.name} of ${nameOf(this.schema)} was given ${reason}.`,
      safe: 'The event was not written.',
      next: "Mend the field's mapping, or its type in a new schema version.",
    });
  }
}

export function bitmapBytes(fields: number): number {
  return (fields + 7) >> 3;
}
