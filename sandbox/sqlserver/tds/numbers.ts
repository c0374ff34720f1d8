// Numbers and identifiers between PostgreSQL's text and TDS' bytes. Exact: no JavaScript number for decimals or large integers.
import type { Cursor, Writer } from './bytes.ts';
import { RequestError } from './refusal.ts';

export const readBit = (at: Cursor): string => (at.u8() === 0 ? 'f' : 't');
export const writeBit = (out: Writer, text: string): void => out.u8(text === 't' || text === '1' ? 1 : 0);

export function readBigint(at: Cursor): string {
  const from = at.skip(8);
  const high = at.bytes.readInt32LE(from + 4);
  // Within 53 bits a number is exact, and several times faster than a BigInt.
  if (high >= -0x10_0000 && high < 0x10_0000)
    return String(high * 0x1_0000_0000 + at.bytes.readUInt32LE(from));
  return String(at.bytes.readBigInt64LE(from));
}

export const readSmallMoney = (at: Cursor): string => scaled(BigInt(at.i32()), 4);
/** The high half first. */
export const readMoney = (at: Cursor): string => scaled((BigInt(at.i32()) << 32n) | BigInt(at.u32()), 4);

export function writeMoney(out: Writer, text: string): void {
  const value = BigInt.asUintN(64, unscaled(text, 4));
  out.u32(Number(value >> 32n));
  out.u32(Number(value & 0xffff_ffffn));
}

export function readDecimal(at: Cursor, bytes: number, scale: number): string {
  const negative = at.u8() === 0;
  // Words of four bytes by MS-TDS; FreeTDS sends as few bytes as the precision needs.
  let magnitude = 0n;
  for (let read = 0; read < bytes - 1; read += 4) {
    magnitude |= BigInt(at.uint(Math.min(4, bytes - 1 - read))) << BigInt(8 * read);
  }
  return scaled(negative ? -magnitude : magnitude, scale);
}

/** MS-TDS 2.2.5.5.1.6: a sign byte and a magnitude of 4, 8, 12 or 16 bytes, by precision. */
export const decimalWords = (precision: number): number =>
  precision <= 9 ? 1 : precision <= 19 ? 2 : precision <= 28 ? 3 : 4;

export function writeDecimal(out: Writer, text: string, precision: number, scale: number): void {
  const value = unscaled(text, scale);
  let magnitude = value < 0n ? -value : value;
  if (magnitude >= 10n ** BigInt(precision))
    throw new RangeError(`a value beyond decimal(${precision}, ${scale})`);
  out.u8(value < 0n ? 0 : 1);
  for (let word = decimalWords(precision); word > 0; word--) {
    out.u32(Number(magnitude & 0xffff_ffffn));
    magnitude >>= 32n;
  }
}

function scaled(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The decimal text times 10^scale; further digits round half away from zero, as SQL Server's do. */
function unscaled(text: string, scale: number): bigint {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (match === null || text === '') throw new RangeError('not a decimal of SQL Server');
  const fraction = (match[3] ?? '').padEnd(scale + 1, '0');
  const roundUp = fraction.charCodeAt(scale) >= 53 ? 1n : 0n;
  const magnitude = BigInt(`${match[2]}${fraction.slice(0, scale)}` || '0') + roundUp;
  return match[1] === '-' ? -magnitude : magnitude;
}

export const readFloat = (at: Cursor): string => floatText(at.f64());
export const writeFloat = (out: Writer, text: string): void => out.f64(finite(text));
export const writeReal = (out: Writer, text: string): void => out.f32(finite(text));

/** @throws RequestError 8023 for what is no number */
function floatText(value: number): string {
  if (!Number.isFinite(value)) {
    throw new RequestError(
      8023,
      'The supplied value is not a valid instance of data type float. Check the source data for invalid values.',
    );
  }
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The fewest digits that read back as the same 32-bit float. */
export function readReal(at: Cursor): string {
  const value = at.f32();
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return floatText(shorter);
  }
  return floatText(Number(value.toPrecision(9)));
}

function finite(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new RangeError('not a float of SQL Server');
  return value;
}

/** MS-TDS 2.2.5.5.1.3: the first three groups little-endian. */
const swapped = (h: string): string => h.replace(/^(..)(..)(..)(..)(..)(..)(..)(..)/, '$4$3$2$1$6$5$8$7');

export const readGuid = (at: Cursor): string =>
  swapped(at.slice(16).toString('hex')).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

export const writeGuid = (out: Writer, text: string): void => out.hex(swapped(text.replaceAll('-', '')));
