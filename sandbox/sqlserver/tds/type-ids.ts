// The type bytes of TYPE_INFO (MS-TDS 2.2.5.4), from tedious' own table, and the collations of character types.

import { Collation, Flags } from 'tedious/lib/collation.js';
import { TYPE } from 'tedious/lib/data-type.js';

const byName = new Map(Object.values(TYPE).map((type) => [type.name, type.id]));

function id(name: string): number {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`tedious knows no type ${name}`);
  return found;
}

export const ID = {
  null: id('Null'),
  tinyint: id('TinyInt'),
  bit: id('Bit'),
  smallint: id('SmallInt'),
  int: id('Int'),
  bigint: id('BigInt'),
  smalldatetime: id('SmallDateTime'),
  real: id('Real'),
  money: id('Money'),
  datetime: id('DateTime'),
  float: id('Float'),
  smallmoney: id('SmallMoney'),
  intN: id('IntN'),
  bitN: id('BitN'),
  decimalN: id('DecimalN'),
  numericN: id('NumericN'),
  floatN: id('FloatN'),
  moneyN: id('MoneyN'),
  datetimeN: id('DateTimeN'),
  uniqueidentifier: id('UniqueIdentifier'),
  varbinary: id('VarBinary'),
  varchar: id('VarChar'),
  binary: id('Binary'),
  char: id('Char'),
  nvarchar: id('NVarChar'),
  nchar: id('NChar'),
  xml: id('Xml'),
  date: id('Date'),
  time: id('Time'),
  datetime2: id('DateTime2'),
  datetimeoffset: id('DateTimeOffset'),
  text: id('Text'),
  ntext: id('NText'),
  image: id('Image'),
} as const;

/** What a client may send that the sandbox refuses by name. */
export const REFUSED: ReadonlyMap<number, string> = new Map([
  [id('UDT'), 'CLR user-defined types'],
  [id('TVP'), 'table-valued parameters'],
  [id('Variant'), 'sql_variant'],
]);

/** A 16-bit length that says "max": the value travels in parts (PLP). */
export const MAX_LENGTH = 0xffff;

/** SQL_Latin1_General_CP1_CI_AS, a new server's default: varchar is in code page 1252. */
export const DEFAULT_COLLATION: Buffer = new Collation(
  0x0409,
  Flags.IGNORE_CASE | Flags.IGNORE_KANA | Flags.IGNORE_WIDTH,
  0,
  52,
).toBuffer();

const CP1252 = new TextDecoder('windows-1252');
const cp1252Bytes = new Map<string, number>(
  Array.from({ length: 32 }, (_, i) => [CP1252.decode(Uint8Array.of(0x80 + i)), 0x80 + i]),
);

/** In code page 1252; what it lacks becomes '?', as on SQL Server. */
export function encodeVarchar(text: string): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is code page 1252's common part with Latin-1
  if (!/[^\x00-\x7f\xa0-\xff]/.test(text)) return Buffer.from(text, 'latin1');
  return Buffer.from(
    Array.from(
      text.replace(/[^\0-\x7f]/gu, (character) => {
        const code = character.codePointAt(0)!;
        if (code >= 0xa0 && code <= 0xff) return character;
        return String.fromCharCode(cp1252Bytes.get(character) ?? 0x3f);
      }),
      (c) => c.charCodeAt(0),
    ),
  );
}

/** How the bytes of a varchar of that collation read. */
export function varcharDecoder(collation: Buffer): (bytes: Buffer, from: number, to: number) => string {
  const codepage = Collation.fromBuffer(collation).codepage ?? 'CP1252';
  if (codepage === 'utf-8') return (bytes, from, to) => bytes.toString('utf8', from, to);
  const decoder = new TextDecoder(codepage.replace('CP125', 'windows-125').replace('CP874', 'windows-874'));
  if (codepage !== 'CP1252') return (bytes, from, to) => decoder.decode(bytes.subarray(from, to));
  return (bytes, from, to) => {
    const text = bytes.toString('latin1', from, to);
    return /[\x80-\x9f]/.test(text) ? decoder.decode(bytes.subarray(from, to)) : text;
  };
}
