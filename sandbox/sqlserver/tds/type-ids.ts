// The type bytes of TYPE_INFO (MS-TDS 2.2.5.4), from tedious' own table, and the collations of character types.

import { Collation, Flags } from 'tedious/lib/collation.js';
import { TYPE } from 'tedious/lib/data-type.js';
import { refusal } from './refusal.ts';

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

/** Code page 1252 where it is not Latin-1: 0x80 to 0x9f. (Node 20's TextDecoder takes it for Latin-1 throughout.) */
const CP1252_HIGH = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** In code page 1252; what it lacks becomes '?', as on SQL Server. */
export function encodeVarchar(text: string): Buffer {
  const foreign = /[^\0-\x7f\xa0-\xff]/gu;
  if (!foreign.test(text)) return Buffer.from(text, 'latin1');
  const known = text.replace(foreign, (character) => {
    const at = CP1252_HIGH.indexOf(character);
    return at < 0 ? '?' : String.fromCharCode(0x80 + at);
  });
  return Buffer.from(known, 'latin1');
}

/** How the bytes of a varchar of that collation read. @throws RequestError for a code page other than 1252 and UTF-8. */
export function varcharDecoder(collation: Buffer): (bytes: Buffer, from: number, to: number) => string {
  // All zeros: a client that never learnt the server's collation.
  const codepage = collation.readUInt32LE(0) === 0 ? 'CP1252' : Collation.fromBuffer(collation).codepage;
  if (codepage === 'utf-8') return (bytes, from, to) => bytes.toString('utf8', from, to);
  if (codepage !== 'CP1252') throw refusal(`varchar in code page ${codepage ?? 'unknown'}`);
  return (bytes, from, to) => {
    const text = bytes.toString('latin1', from, to);
    return /[\x80-\x9f]/.test(text)
      ? text.replace(/[\x80-\x9f]/g, (character) => CP1252_HIGH[character.charCodeAt(0) - 0x80]!)
      : text;
  };
}
