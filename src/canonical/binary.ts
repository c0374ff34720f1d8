// Avro's binary encoding of longs and strings, straight into a growing buffer and out of a payload.
// Guarantees: 64 bits exact both ways; a read past the end throws a RangeError, which the payload's reader gives its code.
// https://avro.apache.org/docs/1.11.1/specification/#binary-encoding
import type { GrowingBuffer } from '../change/growing-buffer.ts';
import { safeOrBig } from './long.ts';

/** Where a reader stands in a payload, and where what it may read ends. */
export interface Cursor {
  readonly bytes: Buffer;
  at: number;
  end: number;
}

const TWO_27 = 2 ** 27;
const TWO_26 = 2 ** 26;
/** Up to this many characters a loop is faster than the way into native code; its length takes one byte. */
const SHORT = 40;

export function writeByte(out: GrowingBuffer, byte: number): void {
  out.reserve(1);
  out.bytes[out.length] = byte;
  out.length += 1;
}

/** A safe integer. */
export function writeLong(out: GrowingBuffer, value: number): void {
  out.reserve(10);
  if (value >= -0x40000000 && value < 0x40000000) {
    writeGroups(out, ((value << 1) ^ (value >> 31)) >>> 0);
    return;
  }
  const sign = value < 0 ? 1 : 0;
  const magnitude = sign === 1 ? -(value + 1) : value;
  let low = (magnitude % TWO_27) * 2 + sign;
  const { bytes } = out;
  for (let group = 0; group < 4; group += 1) {
    bytes[out.length] = (low & 0x7f) | 0x80;
    out.length += 1;
    low >>>= 7;
  }
  writeGroups(out, Math.floor(magnitude / TWO_27));
}

/** Any 64-bit integer. */
export function writeBigLong(out: GrowingBuffer, value: bigint): void {
  out.reserve(10);
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  while (rest > 0x7fn) {
    writeByte(out, Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  writeByte(out, Number(rest));
}

function writeGroups(out: GrowingBuffer, unsigned: number): void {
  const { bytes } = out;
  let rest = unsigned;
  while (rest > 0x7f) {
    bytes[out.length] = (rest & 0x7f) | 0x80;
    out.length += 1;
    rest >>>= 7;
  }
  bytes[out.length] = rest;
  out.length += 1;
}

export function readLong(cursor: Cursor): number | bigint {
  const low = readGroups(cursor, 28);
  if (!more) return (low >>> 1) ^ -(low & 1);
  const middle = readGroups(cursor, 28);
  const top = more ? readGroups(cursor, 14) : 0;
  if (top === 0 && middle < TWO_26) {
    const half = middle * TWO_27 + (low >>> 1);
    if ((low & 1) === 0) return half;
    if (half < Number.MAX_SAFE_INTEGER) return -half - 1;
  }
  const zigzag = (BigInt(top) << 56n) | (BigInt(middle) << 28n) | BigInt(low);
  return safeOrBig((zigzag >> 1n) ^ -(zigzag & 1n));
}

/** Whether the groups that `readGroups` read last go on. */
let more = false;

function readGroups(cursor: Cursor, bits: number): number {
  const { bytes, end } = cursor;
  let value = 0;
  for (let shift = 0; shift < bits; shift += 7) {
    if (cursor.at >= end) throw new RangeError('the data end within a number');
    const byte = bytes[cursor.at] as number;
    cursor.at += 1;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      more = false;
      return value;
    }
  }
  more = true;
  return value;
}

/** A byte count or a branch number: what it names must lie before the end. */
export function readLength(cursor: Cursor): number {
  const length = readLong(cursor);
  if (typeof length !== 'number' || length < 0 || length > cursor.end - cursor.at) {
    throw new RangeError('a length runs past the end of the data');
  }
  return length;
}

export function skip(cursor: Cursor, count: number): void {
  if (count > cursor.end - cursor.at) throw new RangeError('the data end within a value');
  cursor.at += count;
}

/** False for a lone surrogate, which UTF-8 has no bytes for; then nothing of use was written. */
export function writeString(out: GrowingBuffer, text: string): boolean {
  const { length } = text;
  if (length <= SHORT && writeShortAscii(out, text)) return true;
  const byteLength = Buffer.byteLength(text, 'utf8');
  if (byteLength !== length && /\p{Surrogate}/u.test(text)) return false;
  writeLong(out, byteLength);
  out.reserve(byteLength);
  out.bytes.write(text, out.length, byteLength, 'utf8');
  out.length += byteLength;
  return true;
}

function writeShortAscii(out: GrowingBuffer, text: string): boolean {
  const { length } = text;
  out.reserve(length + 1);
  const { bytes } = out;
  const start = out.length;
  bytes[start] = length << 1;
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return false;
    bytes[start + 1 + index] = code;
  }
  out.length = start + 1 + length;
  return true;
}

export function readString(cursor: Cursor): string {
  const length = readLength(cursor);
  const start = cursor.at;
  cursor.at += length;
  return length === 0 ? '' : cursor.bytes.toString('utf8', start, cursor.at);
}
