// How the types' values travel, both ways: TYPE_INFO (MS-TDS 2.2.5.4) and bytes (2.2.5.5; PLP 2.2.5.2.3) for PostgreSQL's text.
import { TYPE } from 'tedious/lib/data-type.js';
import type { SqlType, Value } from '../session.ts';
import type { Cursor, Writer } from './bytes.ts';
import * as calendar from './calendar.ts';
import { DEFAULT_COLLATION, encodeVarchar, type Slice, varcharDecoder } from './collation.ts';
import * as numbers from './numbers.ts';
import { ProtocolError } from './packets.ts';

/** Of one column or parameter. */
export interface Codec {
  readonly type: SqlType;
  readonly info: Uint8Array;
  read(at: Cursor): Value;
  write(out: Writer, text: string): void;
  writeNull(out: Writer): void;
}

type Read = (at: Cursor, bytes: number) => string;
type Write = (out: Writer, text: string) => void;

const ids = new Map(Object.values(TYPE).map((type) => [type.name, type.id]));

/** The type byte by tedious' name. */
export function idOf(name: string): number {
  const id = ids.get(name);
  if (id === undefined) throw new Error(`tedious knows no type ${name}`);
  return id;
}

/** A type that is bare where it can't be NULL, and else behind one byte of length. */
interface Scalar {
  readonly name: SqlType['name'];
  readonly bare: number;
  readonly nullable: number;
  readonly bytes: number;
  readonly read: Read;
  readonly write: Write;
}

const scalar = (name: SqlType['name'], ids: string, bytes: number, read: Read, write: Write): Scalar => {
  const [bare, nullable] = ids.split(' ').map(idOf);
  return { name, bare: bare!, nullable: nullable!, bytes, read, write };
};
const integer =
  (as: 'u8' | 'i16' | 'i32'): Write =>
  (out, text) =>
    out[as](Number(text));
const refused: Write = () => {
  throw new RangeError('a type that results do not have');
};

export const SCALARS: readonly Scalar[] = [
  scalar('bit', 'Bit BitN', 1, numbers.readBit, numbers.writeBit),
  scalar('tinyint', 'TinyInt IntN', 1, (at) => String(at.u8()), integer('u8')),
  scalar('smallint', 'SmallInt IntN', 2, (at) => String(at.i16()), integer('i16')),
  scalar('int', 'Int IntN', 4, (at) => String(at.i32()), integer('i32')),
  scalar('bigint', 'BigInt IntN', 8, numbers.readBigint, (out, text) => out.u64(BigInt(text))),
  scalar('real', 'Real FloatN', 4, numbers.readReal, numbers.writeReal),
  scalar('float', 'Float FloatN', 8, numbers.readFloat, numbers.writeFloat),
  scalar('money', 'Money MoneyN', 8, numbers.readMoney, numbers.writeMoney),
  scalar('money', 'SmallMoney MoneyN', 4, numbers.readSmallMoney, refused),
  scalar('datetime', 'DateTime DateTimeN', 8, calendar.readDatetime, calendar.writeDatetime),
  scalar(
    'smalldatetime',
    'SmallDateTime DateTimeN',
    4,
    calendar.readSmalldatetime,
    calendar.writeSmalldatetime,
  ),
];

/** `nullable: false` gives the bare types, as SQL Server has for NOT NULL columns; a NULL there must travel in an NBCROW. */
export function codecOf(type: SqlType, nullable = true): Codec {
  const { precision = 18, scale = 0 } = type;
  const known = SCALARS.find((s) => s.name === type.name);
  if (known)
    return nullable
      ? short(type, [known.nullable, known.bytes], known.bytes, known.read, known.write)
      : bare(known);
  switch (type.name) {
    case 'decimal':
    case 'numeric': {
      const bytes = numbers.decimalWords(precision) * 4 + 1;
      const info = [idOf(type.name === 'decimal' ? 'DecimalN' : 'NumericN'), bytes, precision, scale];
      const write: Write = (out, text) => numbers.writeDecimal(out, text, precision, scale);
      return short(type, info, bytes, (at, length) => numbers.readDecimal(at, length, scale), write);
    }
    case 'uniqueidentifier':
      return short(type, [idOf('UniqueIdentifier'), 16], 16, numbers.readGuid, numbers.writeGuid);
    case 'date':
      return short(
        type,
        [idOf('Date')],
        3,
        (at) => calendar.dateText(at.uint(3)),
        (out, text) => out.uint(calendar.parseInstant(text, 0).days, 3),
      );
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return fractional(type, type.scale ?? 7);
    case 'sysname':
      return sized({ name: 'nvarchar', length: 128 });
    case 'xml':
      return sized({ name: 'nvarchar', length: 'max' });
    default:
      return sized(type);
  }
}

export function bare({ name, bare: id, bytes, read, write }: Scalar): Codec {
  const writeNull = (): never => {
    throw new RangeError('NULL in a column declared NOT NULL');
  };
  return { type: { name }, info: Uint8Array.of(id), read: (at) => read(at, bytes), write, writeNull };
}

/** A value behind one byte of length; length 0 is NULL. */
function short(type: SqlType, info: readonly number[], bytes: number, read: Read, write: Write): Codec {
  return {
    type,
    info: Uint8Array.from(info),
    read: (at) => {
      const length = at.u8();
      return length === 0 ? null : read(at, length);
    },
    write: (out, text) => {
      out.u8(bytes);
      write(out, text);
    },
    writeNull: (out) => out.u8(0),
  };
}

/** A datetimeoffset: its instant in UTC, and minutes. */
const MOMENT = /^\("?([^"]*)"?,(-?\d+)\)$/;

/** time, datetime2, datetimeoffset: units of the second, then days, then minutes from UTC, as far as the type has them. */
function fractional(type: SqlType, scale: number): Codec {
  const [id, more] = {
    time: ['Time', 0],
    datetime2: ['DateTime2', 3],
    datetimeoffset: ['DateTimeOffset', 5],
  }[type.name as 'time'] as [string, number];
  const units = calendar.timeBytes(scale);
  const read: Read = (at, length) => {
    const part = length - more;
    if (part < 3 || part > 5) throw new ProtocolError('A date or time has a length that it cannot have.');
    const time = at.uint(part);
    if (more === 0) return calendar.timeText(time, scale);
    const days = at.uint(3);
    const instant = `${calendar.dateText(days)} ${calendar.timeText(time, scale)}`;
    return more === 3 ? instant : `("${instant}",${at.i16()})`;
  };
  return short(type, [idOf(id), scale], units + more, read, (out, text) => {
    const [, composite, offset] = MOMENT.exec(text) ?? [];
    const instant = calendar.parseInstant(composite ?? text, scale);
    out.uint(instant.units, units);
    if (more > 0) out.uint(instant.days, 3);
    if (more === 5) out.i16(Number(offset));
  });
}

const hex: Slice = (bytes, from, to) => `\\x${bytes.toString('hex', from, to)}`;
const utf16: Slice = (bytes, from, to) => bytes.toString('utf16le', from, to);

interface Text {
  readonly id: string;
  /** Bytes of a character, or of the type's unit of length. */
  readonly unit: 1 | 2;
  readonly read: Slice;
  readonly write: Write;
}
const binary = { unit: 1, read: hex, write: (out: Writer, text: string) => out.hex(text.slice(2)) } as const;
const wide = { unit: 2, read: utf16, write: (out: Writer, text: string) => out.utf16(text) } as const;
const narrow = {
  unit: 1,
  read: varcharDecoder(DEFAULT_COLLATION),
  write: (out: Writer, text: string) => out.raw(encodeVarchar(text)),
} as const;
export const TEXTS: Readonly<Partial<Record<SqlType['name'], Text>>> = {
  char: { id: 'Char', ...narrow },
  varchar: { id: 'VarChar', ...narrow },
  nchar: { id: 'NChar', ...wide },
  nvarchar: { id: 'NVarChar', ...wide },
  binary: { id: 'Binary', ...binary },
  varbinary: { id: 'VarBinary', ...binary },
};

/** A 16-bit length that says "max", and NULL before a value of one that does not. */
export const MAX_LENGTH = 0xffff;
const PLP_NULL = 0xffff_ffff_ffff_ffffn;

/** Characters or bytes behind a 16-bit length, or in PLP chunks for max; `decode` where the collation is not the default. */
export function sized(type: SqlType, decode?: Slice): Codec {
  const { id, unit, read, write } = TEXTS[type.name]!;
  const slice = decode ?? read;
  const limit = typeof type.length === 'number' ? type.length * unit : MAX_LENGTH;
  const isMax = limit === MAX_LENGTH;
  const collation = read === hex ? [] : DEFAULT_COLLATION;
  return {
    type,
    info: Uint8Array.of(idOf(id), limit & 0xff, limit >> 8, ...collation),
    read: (at) => (isMax ? readChunks(at, slice) : readCounted(at, at.u16(), MAX_LENGTH, slice)),
    write: (out, text) => {
      const at = out.reserve(isMax ? 12 : 2);
      const from = out.length;
      write(out, text);
      const bytes = out.length - from;
      if (!isMax) {
        if (bytes > limit) throw new RangeError(`${bytes} bytes in a column of ${limit}`);
        out.bytes.writeUInt16LE(bytes, at);
        return;
      }
      out.bytes.writeBigUInt64LE(BigInt(bytes), at);
      out.bytes.writeUInt32LE(bytes, at + 8);
      // An empty chunk ends the value; the empty value is that chunk alone.
      if (bytes > 0) out.u32(0);
    },
    writeNull: (out) => (isMax ? out.u64(PLP_NULL) : out.u16(MAX_LENGTH)),
  };
}

/** `absent` is the length that says NULL. */
export function readCounted(at: Cursor, bytes: number, absent: number, slice: Slice): Value {
  if (bytes === absent) return null;
  const from = at.skip(bytes);
  return slice(at.bytes, from, from + bytes);
}

/** PLP: the length of the whole (or "unknown"), then chunks up to an empty one. */
function readChunks(at: Cursor, slice: Slice): Value {
  if (at.u64() === PLP_NULL) return null;
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
