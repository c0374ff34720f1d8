// Writes TYPE_INFO and values of result columns and output parameters from PostgreSQL's text. Exact to the last digit.
// MS-TDS 2.2.5.4 (type info), 2.2.5.5 (values), 2.2.5.2.3 (PLP).

import type { SqlType, Value } from '../session.ts';
import type { Writer } from './bytes.ts';
import { parseInstant, timeBytes, toDatetime, toSmalldatetime, toUtc } from './calendar.ts';
import { DEFAULT_COLLATION, encodeVarchar, ID, MAX_LENGTH } from './type-ids.ts';

export interface Encoder {
  typeInfo(out: Writer): void;
  value(out: Writer, text: string): void;
  null(out: Writer): void;
}

type Write = (out: Writer, text: string) => void;

/** `nullable: false` gives the fixed types, as SQL Server has for NOT NULL columns; a NULL there must travel in an NBCROW. */
export function encoderOf(type: SqlType, nullable: boolean): Encoder {
  switch (type.name) {
    case 'bit':
      return fixed(ID.bitN, ID.bit, 1, nullable, (out, text) => out.u8(text === 't' || text === '1' ? 1 : 0));
    case 'tinyint':
      return fixed(ID.intN, ID.tinyint, 1, nullable, (out, text) => out.u8(Number(text)));
    case 'smallint':
      return fixed(ID.intN, ID.smallint, 2, nullable, (out, text) => out.i16(Number(text)));
    case 'int':
      return fixed(ID.intN, ID.int, 4, nullable, (out, text) => out.i32(Number(text)));
    case 'bigint':
      return fixed(ID.intN, ID.bigint, 8, nullable, (out, text) => out.u64(BigInt(text)));
    case 'real':
      return fixed(ID.floatN, ID.real, 4, nullable, (out, text) => out.f32(finite(text)));
    case 'float':
      return fixed(ID.floatN, ID.float, 8, nullable, (out, text) => out.f64(finite(text)));
    case 'money':
      return fixed(ID.moneyN, ID.money, 8, nullable, (out, text) => {
        const value = BigInt.asUintN(64, unscaled(text, 4));
        out.u32(Number(value >> 32n));
        out.u32(Number(value & 0xffff_ffffn));
      });
    case 'datetime':
      return fixed(ID.datetimeN, ID.datetime, 8, nullable, (out, text) => {
        const { days, ticks } = toDatetime(text);
        out.i32(days);
        out.u32(ticks);
      });
    case 'smalldatetime':
      return fixed(ID.datetimeN, ID.smalldatetime, 4, nullable, (out, text) => {
        const { days, minutes } = toSmalldatetime(text);
        out.u16(days);
        out.u16(minutes);
      });
    case 'decimal':
    case 'numeric':
      return decimal(
        type.name === 'decimal' ? ID.decimalN : ID.numericN,
        type.precision ?? 18,
        type.scale ?? 0,
      );
    case 'uniqueidentifier':
      return byteSized([ID.uniqueidentifier, 16], 16, guid);
    case 'date':
      return byteSized([ID.date], 3, (out, text) => out.uint(parseInstant(text, 0).days, 3));
    case 'time':
    case 'datetime2':
    case 'datetimeoffset':
      return fractional(type.name, type.scale ?? 7);
    case 'char':
    case 'varchar':
      return sized(type.name === 'char' ? ID.char : ID.varchar, type.length, 1, true, (out, text) => {
        out.raw(encodeVarchar(text));
      });
    case 'nchar':
    case 'nvarchar':
      return sized(type.name === 'nchar' ? ID.nchar : ID.nvarchar, type.length, 2, true, (out, text) =>
        out.utf16(text),
      );
    case 'sysname':
      return sized(ID.nvarchar, 128, 2, true, (out, text) => out.utf16(text));
    case 'xml':
      return sized(ID.nvarchar, 'max', 2, true, (out, text) => out.utf16(text));
    case 'binary':
    case 'varbinary':
      return sized(type.name === 'binary' ? ID.binary : ID.varbinary, type.length, 1, false, (out, text) => {
        out.hex(text.slice(2));
      });
  }
}

/** Writes a value or NULL in its own column's form (ROW, RETURNVALUE). */
export function writeValue(out: Writer, encoder: Encoder, value: Value): void {
  if (value === null) encoder.null(out);
  else encoder.value(out, value);
}

function fixed(nullableId: number, id: number, length: number, nullable: boolean, write: Write): Encoder {
  if (!nullable) {
    return {
      typeInfo: (out) => out.u8(id),
      value: write,
      null: () => {
        throw new RangeError('NULL in a column declared NOT NULL');
      },
    };
  }
  return byteSized([nullableId, length], length, write);
}

/** A value behind one byte of length; length 0 is NULL. */
function byteSized(info: readonly number[], length: number, write: Write): Encoder {
  return {
    typeInfo: (out) => out.raw(Uint8Array.from(info)),
    value: (out, text) => {
      out.u8(length);
      write(out, text);
    },
    null: (out) => out.u8(0),
  };
}

/** Characters or bytes behind a 16-bit length, or in PLP chunks for max. */
function sized(
  id: number,
  length: SqlType['length'],
  unit: number,
  collated: boolean,
  write: Write,
): Encoder {
  const max = length === undefined || length === 'max';
  return {
    typeInfo: (out) => {
      out.u8(id);
      out.u16(max ? MAX_LENGTH : length * unit);
      if (collated) out.raw(DEFAULT_COLLATION);
    },
    value: (out, text) => {
      const at = out.reserve(max ? 12 : 2);
      const from = out.length;
      write(out, text);
      const bytes = out.length - from;
      if (!max) {
        if (bytes > length * unit) throw new RangeError(`${bytes} bytes in a column of ${length * unit}`);
        out.bytes.writeUInt16LE(bytes, at);
        return;
      }
      out.bytes.writeBigUInt64LE(BigInt(bytes), at);
      out.bytes.writeUInt32LE(bytes, at + 8);
      // An empty chunk ends the value; the empty value is that chunk alone.
      if (bytes > 0) out.u32(0);
    },
    null: (out) => {
      if (max) out.u64(0xffff_ffff_ffff_ffffn);
      else out.u16(MAX_LENGTH);
    },
  };
}

function fractional(name: 'time' | 'datetime2' | 'datetimeoffset', scale: number): Encoder {
  const bytes = timeBytes(scale);
  if (name === 'time') {
    return byteSized([ID.time, scale], bytes, (out, text) =>
      out.uint(parseInstant(text, scale).units, bytes),
    );
  }
  if (name === 'datetime2') {
    return byteSized([ID.datetime2, scale], bytes + 3, (out, text) => {
      const { days, units } = parseInstant(text, scale);
      out.uint(units, bytes);
      out.uint(days, 3);
    });
  }
  return byteSized([ID.datetimeoffset, scale], bytes + 5, (out, text) => {
    const { days, units, offset } = toUtc(parseInstant(text, scale), scale);
    out.uint(units, bytes);
    out.uint(days, 3);
    out.i16(offset);
  });
}

/** MS-TDS 2.2.5.5.1.6: a sign byte and a magnitude of 4, 8, 12 or 16 bytes, by precision. */
function decimal(id: number, precision: number, scale: number): Encoder {
  const words = precision <= 9 ? 1 : precision <= 19 ? 2 : precision <= 28 ? 3 : 4;
  const limit = 10n ** BigInt(precision);
  return byteSized([id, words * 4 + 1, precision, scale], words * 4 + 1, (out, text) => {
    const value = unscaled(text, scale);
    let magnitude = value < 0n ? -value : value;
    if (magnitude >= limit) throw new RangeError(`a value beyond decimal(${precision}, ${scale})`);
    out.u8(value < 0n ? 0 : 1);
    for (let word = 0; word < words; word++) {
      out.u32(Number(magnitude & 0xffff_ffffn));
      magnitude >>= 32n;
    }
  });
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

function finite(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new RangeError('not a float of SQL Server');
  return value;
}

function guid(out: Writer, text: string): void {
  const at = out.reserve(16);
  out.bytes.write(text.replaceAll('-', ''), at, 'hex');
  out.bytes.subarray(at, at + 4).reverse();
  out.bytes.subarray(at + 4, at + 6).reverse();
  out.bytes.subarray(at + 6, at + 8).reverse();
}
