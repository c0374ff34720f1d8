// One encoder per field: canonical value in, Avro bytes appended.
// Guarantees: a value that isn't its type's canonical representation is refused, never bent; nothing is allocated for it.
// https://avro.apache.org/docs/1.11.1/specification/#binary-encoding
import type { GrowingBuffer } from '../change/growing-buffer.ts';
import { writeBigLong, writeByte, writeLong, writeString } from './binary.ts';
import { unscaledOf } from './decimal.ts';
import type { CanonicalValue } from './event.ts';
import type { FieldType, SchemaField } from './schema.ts';
import { checkValue } from './value-check.ts';

/** False where the value doesn't fit; what was appended till then is void. */
export type ValueEncoder = (out: GrowingBuffer, value: CanonicalValue | undefined) => boolean;

/** With the union's branch number in front of a nullable field's value. */
export function fieldEncoder(field: SchemaField): ValueEncoder {
  const encode = valueEncoder(field.type);
  if (field.nullBranch === 'none') return encode;
  const [nullBranch, valueBranch] = field.nullBranch === 'first' ? [0, 2] : [2, 0];
  return (out, value) => {
    writeByte(out, value === null ? nullBranch : valueBranch);
    return value === null || encode(out, value);
  };
}

/** What stands in an absent field's place: null, or the type's zero. */
export function placeholderOf(field: SchemaField): Buffer {
  if (field.nullBranch !== 'none') return Buffer.from([field.nullBranch === 'first' ? 0 : 2]);
  return Buffer.alloc(field.type.kind === 'double' ? 8 : field.type.kind === 'float' ? 4 : 1);
}

function valueEncoder(type: FieldType): ValueEncoder {
  switch (type.kind) {
    case 'boolean':
      return encodeBoolean;
    case 'int':
    case 'date':
      return encodeInt;
    case 'long':
    case 'timestamp-micros':
    case 'local-timestamp-micros':
      return encodeLong;
    case 'float':
      return encodeFloat;
    case 'double':
      return encodeDouble;
    case 'string':
      return encodeString;
    case 'bytes':
      return encodeBytes;
    case 'time-micros':
      return checked(type, encodeLong);
    case 'uuid':
      return checked(type, encodeString);
    case 'decimal':
      return decimalEncoder(type.precision, type.scale);
    case 'enum':
      return enumEncoder(type.symbols);
  }
}

function checked(type: FieldType, encode: ValueEncoder): ValueEncoder {
  return (out, value) => checkValue(type, 'none', value) === null && encode(out, value);
}

function encodeBoolean(out: GrowingBuffer, value: CanonicalValue | undefined): boolean {
  if (typeof value !== 'boolean') return false;
  writeByte(out, value ? 1 : 0);
  return true;
}

function encodeInt(out: GrowingBuffer, value: CanonicalValue | undefined): boolean {
  if (typeof value !== 'number' || (value | 0) !== value) return false;
  writeLong(out, value);
  return true;
}

function encodeLong(out: GrowingBuffer, value: CanonicalValue | undefined): boolean {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) return false;
    writeLong(out, value);
    return true;
  }
  if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) return false;
  writeBigLong(out, value);
  return true;
}

function encodeFloat(out: GrowingBuffer, value: CanonicalValue | undefined): boolean {
  if (typeof value !== 'number' || !(Math.fround(value) === value || Number.isNaN(value))) return false;
  out.reserve(4);
  out.length = out.bytes.writeFloatLE(value, out.length);
  return true;
}

function encodeDouble(out: GrowingBuffer, value: CanonicalValue | undefined): boolean {
  if (typeof value !== 'number') return false;
  out.reserve(8);
  out.length = out.bytes.writeDoubleLE(value, out.length);
  return true;
}

function encodeString(out: GrowingBuffer, value: CanonicalValue | undefined): boolean {
  return typeof value === 'string' && writeString(out, value);
}

function encodeBytes(out: GrowingBuffer, value: CanonicalValue | undefined): boolean {
  if (!Buffer.isBuffer(value)) return false;
  writeLong(out, value.length);
  out.append(value);
  return true;
}

function enumEncoder(symbols: readonly string[]): ValueEncoder {
  const indices = new Map<CanonicalValue | undefined, number>(
    symbols.map((symbol, index) => [symbol, index]),
  );
  return (out, value) => {
    const index = indices.get(value);
    if (index === undefined) return false;
    writeLong(out, index);
    return true;
  };
}

function decimalEncoder(precision: number, scale: number): ValueEncoder {
  return (out, value) => {
    if (typeof value !== 'string') return false;
    const unscaled = unscaledOf(value, precision, scale);
    if (unscaled === null) return false;
    if (typeof unscaled === 'number' && unscaled >= -0x800000000000 && unscaled < 0x800000000000) {
      writeSmall(out, unscaled);
    } else {
      writeBig(out, BigInt(unscaled));
    }
    return true;
  };
}

/** A number of up to 48 bits, two's complement. */
function writeSmall(out: GrowingBuffer, unscaled: number): void {
  let length = 1;
  for (let bound = 0x80; length < 6 && !(unscaled >= -bound && unscaled < bound); bound *= 256) length += 1;
  out.reserve(7);
  out.bytes[out.length] = length << 1;
  out.length = out.bytes.writeIntBE(unscaled, out.length + 1, length);
}

function writeBig(out: GrowingBuffer, unscaled: bigint): void {
  let length = 6;
  while (BigInt.asIntN(length * 8, unscaled) !== unscaled) length += 1;
  writeLong(out, length);
  out.reserve(length);
  let rest = unscaled;
  for (let at = out.length + length - 1; at >= out.length; at -= 1) {
    out.bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  out.length += length;
}
