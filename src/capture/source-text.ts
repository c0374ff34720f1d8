// The text of values as the server sends it: UTF-8, but for a database of the encoding SQL_ASCII, whose bytes nobody converts.
// Guarantees: exact; bytes that are no UTF-8 are never replaced in silence.
// https://www.postgresql.org/docs/current/multibyte.html
import { isUtf8 } from 'node:buffer';

const REPLACEMENT = '\ufffd';
/** Half a surrogate pair, which no text has: the row is refused where it is mapped. The byte is its low part. */
const HALF = 0xdc00;

export function decodeText(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  if (!text.includes(REPLACEMENT) || isUtf8(bytes.subarray(start, end))) return text;
  return withBytes(bytes.subarray(start, end));
}

function withBytes(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = lengthAt(bytes, at);
    if (length === 0) text += String.fromCharCode(HALF + bytes[at]!);
    else text += bytes.toString('utf8', at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** Bytes of the character that begins there; 0: none does. */
function lengthAt(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length += 1) {
    if (isUtf8(bytes.subarray(at, at + length))) return length;
  }
  return 0;
}

/** For text that was decoded already, of a database whose bytes nobody converts. */
export function markReplaced(text: string): string {
  return text.replaceAll(REPLACEMENT, String.fromCharCode(HALF + 0xfd));
}
