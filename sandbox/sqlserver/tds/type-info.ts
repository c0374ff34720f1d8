// Reads the TYPE_INFO of RPC parameters and of a bulk load's columns (MS-TDS 2.2.5.4).
import { TYPE } from 'tedious/lib/data-type.js';
import type { SqlType, Value } from '../session.ts';
import type { Cursor } from './bytes.ts';
import { varcharDecoder } from './collation.ts';
import { ProtocolError } from './packets.ts';
import { refusal } from './refusal.ts';
import { bare, codecOf, idOf, MAX_LENGTH, readCounted, SCALARS, sized, TEXTS } from './types.ts';

export interface WireType {
  readonly type: SqlType;
  read(cursor: Cursor): Value;
}

/** What a client may send that the sandbox refuses by name. */
const REFUSED: Readonly<Record<string, string>> = {
  UDT: 'CLR user-defined types',
  TVP: 'table-valued parameters',
  Variant: 'sql_variant',
};
/** Types of before `max`, behind a 32-bit length. */
const LONG: Readonly<Record<string, SqlType['name']>> = {
  Text: 'varchar',
  NText: 'nvarchar',
  Image: 'varbinary',
};
const LONG_NULL = 0xffff_ffff;

/** @throws RequestError for a type that the sandbox refuses, ProtocolError for a byte that is no type. */
export function readTypeInfo(cursor: Cursor): WireType {
  const id = cursor.u8();
  const scalar = SCALARS.find((s) => s.bare === id);
  if (scalar) return bare(scalar);
  const name = Object.values(TYPE).find((type) => type.id === id)?.name ?? '';
  if (REFUSED[name]) throw refusal(REFUSED[name]);
  if (LONG[name]) return long(name, LONG[name], cursor);
  const text = (Object.keys(TEXTS) as SqlType['name'][]).find((key) => TEXTS[key]!.id === name);
  if (text) return characters(text, cursor);
  switch (name) {
    case 'Null':
      return { type: { name: 'nvarchar', length: 1 }, read: () => null };
    case 'IntN':
    case 'BitN':
    case 'FloatN':
    case 'MoneyN':
    case 'DateTimeN': {
      const bytes = cursor.u8();
      const found = SCALARS.find((s) => s.nullable === id && s.bytes === bytes);
      if (!found) throw new ProtocolError('A nullable type has a length that it cannot have.');
      const { read } = bare(found);
      return { type: { name: found.name }, read: (at) => (at.u8() === 0 ? null : read(at)) };
    }
    case 'DecimalN':
    case 'NumericN': {
      cursor.u8();
      const [precision, scale] = [cursor.u8(), cursor.u8()];
      return codecOf({ name: id === idOf('DecimalN') ? 'decimal' : 'numeric', precision, scale });
    }
    case 'UniqueIdentifier':
      cursor.u8();
      return codecOf({ name: 'uniqueidentifier' });
    case 'Date':
      return codecOf({ name: 'date' });
    case 'Time':
    case 'DateTime2':
    case 'DateTimeOffset': {
      const scale = cursor.u8();
      if (scale > 7) throw new ProtocolError(`Scale ${scale} is beyond 7.`);
      return codecOf({ name: name.toLowerCase() as 'time', scale });
    }
    case 'Xml':
      if (cursor.u8() !== 0) throw refusal('a typed xml parameter');
      return { ...codecOf({ name: 'xml' }), type: { name: 'xml' } };
    default:
      throw new ProtocolError(`Data type 0x${id.toString(16)} is unknown.`);
  }
}

function characters(name: SqlType['name'], cursor: Cursor): WireType {
  const bytes = cursor.u16();
  const { unit } = TEXTS[name]!;
  const type: SqlType = { name, length: bytes === MAX_LENGTH ? 'max' : Math.max(1, bytes / unit) };
  if (name.endsWith('binary')) return sized(type);
  const collation = cursor.slice(5);
  return sized(type, unit === 1 ? varcharDecoder(collation) : undefined);
}

function long(name: string, as: SqlType['name'], cursor: Cursor): WireType {
  cursor.u32();
  const collation = name === 'Image' ? undefined : cursor.slice(5);
  const slice = name === 'Text' ? varcharDecoder(collation!) : TEXTS[as]!.read;
  return { type: { name: as, length: 'max' }, read: (at) => readCounted(at, at.u32(), LONG_NULL, slice) };
}
