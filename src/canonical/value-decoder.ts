// One decoder per writer's field: Avro bytes in, the reader's canonical value out.
// Guarantees: exact; a read past the end or an impossible branch throws a RangeError, which the payload's reader gives its code.
// https://avro.apache.org/docs/1.11.1/specification/#schema-resolution
import { type Cursor, readLength, readLong, readString, skip } from './binary.ts';
import { decimalOfBytes } from './decimal.ts';
import type { CanonicalValue } from './event.ts';
import type { FieldType, SchemaField } from './schema.ts';

export type ValueDecoder = (cursor: Cursor) => CanonicalValue;

/** `reader`: null where the reader doesn't know the field; its bytes are read over. */
export function fieldDecoder(writer: SchemaField, reader: FieldType | null): ValueDecoder {
  const decode = valueDecoder(writer.type, reader);
  if (writer.nullBranch === 'none') return decode;
  const nullBranch = writer.nullBranch === 'first' ? 0 : 1;
  return (cursor) => {
    const branch = readLong(cursor);
    if (branch === nullBranch) return null;
    if (branch !== 1 - nullBranch) throw new RangeError('a union branch that the schema does not have');
    return decode(cursor);
  };
}

function valueDecoder(writer: FieldType, reader: FieldType | null): ValueDecoder {
  switch (writer.kind) {
    case 'boolean':
      return decodeBoolean;
    case 'float':
      return decodeFloat;
    case 'double':
      return decodeDouble;
    case 'string':
    case 'uuid':
      return reader === null ? skipBytes : readString;
    case 'bytes':
      return reader === null ? skipBytes : decodeBytes;
    case 'decimal':
      return reader === null ? skipBytes : decimalDecoder(writer.scale);
    case 'enum':
      return enumDecoder(writer.symbols, reader?.kind === 'enum' ? reader : null);
    default:
      // Every other type is an int or a long: one encoding, so that int reads as long and as double, too.
      return readLong;
  }
}

function skipBytes(cursor: Cursor): null {
  skip(cursor, readLength(cursor));
  return null;
}

function decodeBoolean(cursor: Cursor): boolean {
  skip(cursor, 1);
  return cursor.bytes[cursor.at - 1] !== 0;
}

function decodeFloat(cursor: Cursor): number {
  skip(cursor, 4);
  return cursor.bytes.readFloatLE(cursor.at - 4);
}

function decodeDouble(cursor: Cursor): number {
  skip(cursor, 8);
  return cursor.bytes.readDoubleLE(cursor.at - 8);
}

/** A copy: a view would hold the whole payload in memory. */
function decodeBytes(cursor: Cursor): Buffer {
  const length = readLength(cursor);
  cursor.at += length;
  return Buffer.from(cursor.bytes.subarray(cursor.at - length, cursor.at));
}

function decimalDecoder(scale: number): ValueDecoder {
  return (cursor) => {
    const length = readLength(cursor);
    cursor.at += length;
    return decimalOfBytes(cursor.bytes, cursor.at - length, length, scale);
  };
}

function enumDecoder(
  symbols: readonly string[],
  reader: Extract<FieldType, { kind: 'enum' }> | null,
): ValueDecoder {
  const known = symbols.map((symbol) =>
    reader === null || reader.symbols.includes(symbol) ? symbol : reader.fallback,
  );
  return (cursor) => {
    const index = readLong(cursor);
    const symbol = known[Number(index)];
    if (symbol === undefined) throw new RangeError('an enum symbol that the schema does not have');
    return symbol;
  };
}
