// Reads TYPE_INFO and values of RPC parameters and bulk rows into PostgreSQL's text. Exact: no Date, no Number for decimals.
// MS-TDS 2.2.5.4 (type info), 2.2.5.5 (values), 2.2.5.2.3 (PLP).

import type { SqlType, Value } from '../session.ts';
import type { Cursor } from './bytes.ts';
import { dateText, datetimeoffsetText, datetimeText, smalldatetimeText, timeText } from './calendar.ts';
import { ProtocolError } from './packets.ts';
import { RequestError, refusal } from './refusal.ts';
import { ID, MAX_LENGTH, REFUSED, varcharDecoder } from './type-ids.ts';

export interface WireType {
  readonly type: SqlType;
  readonly read: (cursor: Cursor) => Value;
}

type Slice = (bytes: Buffer, from: number, to: number) => string;

const PLP_NULL = 0xffff_ffff;
const hex: Slice = (bytes, from, to) => `\\x${bytes.toString('hex', from, to)}`;
const utf16: Slice = (bytes, from, to) => bytes.toString('utf16le', from, to);

/** @throws RequestError for a type that the sandbox refuses, ProtocolError for a byte that is no type. */
export function readTypeInfo(cursor: Cursor): WireType {
  const id = cursor.u8();
  switch (id) {
    case ID.null:
      return { type: { name: 'nvarchar', length: 1 }, read: () => null };
    case ID.bit:
    case ID.tinyint:
    case ID.smallint:
    case ID.int:
    case ID.bigint:
    case ID.real:
    case ID.float:
    case ID.money:
    case ID.smallmoney:
    case ID.datetime:
    case ID.smalldatetime:
      return fixed(id);
    case ID.intN:
    case ID.bitN:
    case ID.floatN:
    case ID.moneyN:
    case ID.datetimeN: {
      const inner = fixed(NULLABLE.get(id * 16 + cursor.u8()) ?? -1);
      return { type: inner.type, read: (at) => (at.u8() === 0 ? null : inner.read(at)) };
    }
    case ID.decimalN:
    case ID.numericN: {
      cursor.u8();
      const precision = cursor.u8();
      const scale = cursor.u8();
      const name = id === ID.decimalN ? 'decimal' : 'numeric';
      return { type: { name, precision, scale }, read: (at) => decimal(at, scale) };
    }
    case ID.uniqueidentifier:
      cursor.u8();
      return { type: { name: 'uniqueidentifier' }, read: guid };
    case ID.date:
      return { type: { name: 'date' }, read: (at) => (at.u8() === 0 ? null : dateText(uint(at, 3))) };
    case ID.time:
    case ID.datetime2:
    case ID.datetimeoffset:
      return fractional(id, cursor.u8());
    case ID.varchar:
    case ID.char: {
      const length = cursor.u16();
      return sized(id === ID.char ? 'char' : 'varchar', length, 1, varcharDecoder(cursor.slice(5)));
    }
    case ID.nvarchar:
    case ID.nchar: {
      const length = cursor.u16();
      cursor.skip(5);
      return sized(id === ID.nchar ? 'nchar' : 'nvarchar', length, 2, utf16);
    }
    case ID.varbinary:
    case ID.binary:
      return sized(id === ID.binary ? 'binary' : 'varbinary', cursor.u16(), 1, hex);
    case ID.xml:
      if (cursor.u8() !== 0) throw refusal('a typed xml parameter');
      return { type: { name: 'xml' }, read: (at) => plp(at, utf16) };
    case ID.text:
    case ID.ntext:
    case ID.image:
      return long(id, cursor);
    default: {
      const refused = REFUSED.get(id);
      if (refused !== undefined) throw refusal(refused);
      throw new ProtocolError(`Data type 0x${id.toString(16)} is unknown.`);
    }
  }
}

/** The fixed type behind a nullable one: nullable id * 16 + length. */
const NULLABLE: ReadonlyMap<number, number> = new Map([
  [ID.intN * 16 + 1, ID.tinyint],
  [ID.intN * 16 + 2, ID.smallint],
  [ID.intN * 16 + 4, ID.int],
  [ID.intN * 16 + 8, ID.bigint],
  [ID.bitN * 16 + 1, ID.bit],
  [ID.floatN * 16 + 4, ID.real],
  [ID.floatN * 16 + 8, ID.float],
  [ID.moneyN * 16 + 4, ID.smallmoney],
  [ID.moneyN * 16 + 8, ID.money],
  [ID.datetimeN * 16 + 4, ID.smalldatetime],
  [ID.datetimeN * 16 + 8, ID.datetime],
]);

function fixed(id: number): WireType {
  switch (id) {
    case ID.bit:
      return { type: { name: 'bit' }, read: (at) => (at.u8() === 0 ? 'f' : 't') };
    case ID.tinyint:
      return { type: { name: 'tinyint' }, read: (at) => String(at.u8()) };
    case ID.smallint:
      return { type: { name: 'smallint' }, read: (at) => String(at.bytes.readInt16LE(at.skip(2))) };
    case ID.int:
      return { type: { name: 'int' }, read: (at) => String(at.bytes.readInt32LE(at.skip(4))) };
    case ID.bigint:
      return { type: { name: 'bigint' }, read: bigint };
    case ID.real:
      return { type: { name: 'real' }, read: (at) => realText(at.bytes.readFloatLE(at.skip(4))) };
    case ID.float:
      return { type: { name: 'float' }, read: (at) => floatText(at.bytes.readDoubleLE(at.skip(8))) };
    case ID.money:
      return { type: { name: 'money' }, read: money };
    case ID.smallmoney:
      return { type: { name: 'money' }, read: (at) => scaled(BigInt(at.bytes.readInt32LE(at.skip(4))), 4) };
    case ID.datetime:
      return {
        type: { name: 'datetime' },
        read: (at) => datetimeText(at.bytes.readInt32LE(at.skip(4)), at.u32()),
      };
    case ID.smalldatetime:
      return { type: { name: 'smalldatetime' }, read: (at) => smalldatetimeText(at.u16(), at.u16()) };
    default:
      throw new ProtocolError('A nullable type has a length that it cannot have.');
  }
}

function sized(name: SqlType['name'], length: number, unit: number, slice: Slice): WireType {
  if (length === MAX_LENGTH) return { type: { name, length: 'max' }, read: (at) => plp(at, slice) };
  const read = (at: Cursor): Value => {
    const bytes = at.u16();
    if (bytes === MAX_LENGTH) return null;
    const from = at.skip(bytes);
    return slice(at.bytes, from, from + bytes);
  };
  return { type: { name, length: Math.max(1, length / unit) }, read };
}

/** PLP: the length of the whole (or "unknown"), then chunks up to an empty one. */
function plp(at: Cursor, slice: Slice): Value {
  const low = at.u32();
  const high = at.u32();
  if (low === PLP_NULL && high === PLP_NULL) return null;
  const length = at.u32();
  if (length === 0) return slice(at.bytes, at.offset, at.offset);
  const from = at.skip(length);
  let next = at.u32();
  if (next === 0) return slice(at.bytes, from, from + length);
  const chunks = [at.bytes.subarray(from, from + length)];
  for (; next !== 0; next = at.u32()) chunks.push(at.slice(next));
  const whole = Buffer.concat(chunks);
  return slice(whole, 0, whole.length);
}

function long(id: number, cursor: Cursor): WireType {
  cursor.u32();
  const slice = id === ID.image ? hex : id === ID.ntext ? utf16 : varcharDecoder(cursor.slice(5));
  if (id === ID.ntext) cursor.skip(5);
  const name = id === ID.image ? 'varbinary' : id === ID.ntext ? 'nvarchar' : 'varchar';
  const read = (at: Cursor): Value => {
    const bytes = at.u32();
    if (bytes === PLP_NULL) return null;
    const from = at.skip(bytes);
    return slice(at.bytes, from, from + bytes);
  };
  return { type: { name, length: 'max' }, read };
}

function fractional(id: number, scale: number): WireType {
  if (scale > 7) throw new ProtocolError(`Scale ${scale} is beyond 7.`);
  if (id === ID.time) {
    const read = (at: Cursor): Value => {
      const bytes = at.u8();
      return bytes === 0 ? null : timeText(uint(at, bytes), scale);
    };
    return { type: { name: 'time', scale }, read };
  }
  if (id === ID.datetime2) {
    const read = (at: Cursor): Value => {
      const bytes = at.u8();
      if (bytes === 0) return null;
      const units = uint(at, bytes - 3);
      return `${dateText(uint(at, 3))} ${timeText(units, scale)}`;
    };
    return { type: { name: 'datetime2', scale }, read };
  }
  const read = (at: Cursor): Value => {
    const bytes = at.u8();
    if (bytes === 0) return null;
    const units = uint(at, bytes - 5);
    return datetimeoffsetText(uint(at, 3), units, scale, at.bytes.readInt16LE(at.skip(2)));
  };
  return { type: { name: 'datetimeoffset', scale }, read };
}

function uint(at: Cursor, bytes: number): number {
  if (bytes < 3 || bytes > 5) throw new ProtocolError('A date or time has a length that it cannot have.');
  return at.bytes.readUIntLE(at.skip(bytes), bytes);
}

function decimal(at: Cursor, scale: number): Value {
  const bytes = at.u8();
  if (bytes === 0) return null;
  const negative = at.u8() === 0;
  // Words of four bytes by MS-TDS; FreeTDS sends as few bytes as the precision needs.
  let magnitude = 0n;
  for (let read = 0; read < bytes - 1; read += 4) {
    const width = Math.min(4, bytes - 1 - read);
    magnitude |= BigInt(at.bytes.readUIntLE(at.skip(width), width)) << BigInt(8 * read);
  }
  return scaled(negative ? -magnitude : magnitude, scale);
}

function bigint(at: Cursor): Value {
  const from = at.skip(8);
  const high = at.bytes.readInt32LE(from + 4);
  // Within 53 bits a number is exact, and several times faster than a BigInt.
  if (high >= -0x10_0000 && high < 0x10_0000)
    return String(high * 0x1_0000_0000 + at.bytes.readUInt32LE(from));
  return String(at.bytes.readBigInt64LE(from));
}

function money(at: Cursor): Value {
  const high = BigInt(at.bytes.readInt32LE(at.skip(4)));
  return scaled((high << 32n) | BigInt(at.u32()), 4);
}

function scaled(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** MS-TDS 2.2.5.5.1.3: the first three groups little-endian. */
function guid(at: Cursor): Value {
  const bytes = at.u8();
  if (bytes === 0) return null;
  const h = at.bytes.toString('hex', at.skip(bytes), at.offset);
  const first = h.slice(6, 8) + h.slice(4, 6) + h.slice(2, 4) + h.slice(0, 2);
  return `${first}-${h.slice(10, 12)}${h.slice(8, 10)}-${h.slice(14, 16)}${h.slice(12, 14)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

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
function realText(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return floatText(shorter);
  }
  return floatText(Number(value.toPrecision(9)));
}
