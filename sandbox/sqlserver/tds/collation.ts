// The collations of character types, and the code page of varchar.
import { Collation, Flags } from 'tedious/lib/collation.js';
import { refusal } from './refusal.ts';

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

/** How the bytes of a text are read. */
export type Slice = (bytes: Buffer, from: number, to: number) => string;

/** Of a varchar of that collation. @throws RequestError for a code page other than 1252 and UTF-8. */
export function varcharDecoder(collation: Buffer): Slice {
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
