// The canonical text of a row, and its digest: what both sides of the bridge are compared by.
// Guarantees: two rows have one text if and only if all their values are the same; NULL is no value; the digest is of one byte
// a character where the text is ASCII, of UTF-16LE elsewhere, so that SQL on either side can compute the very same.
import { createHash } from 'node:crypto';

/**
 * How a column's value is spelt: boolean 0 or 1; integer in plain digits; decimal with exactly `scale` digits behind the point;
 * float4 and float8 as their IEEE 754 bits, read as an integer of 32 bits without a sign or of 64 with one; date `2024-01-31`; time `12:34:56.7890120` and timestamp
 * `2024-01-31 12:34:56.7890120`, in UTC where the column has a zone, seven digits always; uuid in upper case; bytes as `0x0AFF`;
 * text as it is.
 */
export type CanonicalForm =
  | {
      readonly kind:
        | 'boolean'
        | 'integer'
        | 'float4'
        | 'float8'
        | 'date'
        | 'time'
        | 'timestamp'
        | 'uuid'
        | 'bytes'
        | 'text';
    }
  | { readonly kind: 'decimal'; readonly scale: number };

/** A value's canonical text; null for NULL. */
export type CanonicalText = string | null;

/** What divides values that cannot hold it, and what stands behind the length of those that can. */
export const VALUE_END = ';';
export const LENGTH_END = ':';

/** Texts may hold anything: they are preceded by their length in UTF-16 code units, trailing blanks (which no other value begins with) not counted. */
export function isMeasured(form: CanonicalForm): boolean {
  return form.kind === 'text';
}

/** As people read it: floats as numbers. */
export function shownText(form: CanonicalForm | undefined, text: CanonicalText): CanonicalText {
  if (text === null) return null;
  if (form?.kind !== 'float8' && form?.kind !== 'float4') return text;
  const bits = Buffer.alloc(8);
  bits.writeBigInt64BE(BigInt(text));
  return String(form.kind === 'float8' ? bits.readDoubleBE() : bits.readFloatBE(4));
}

export function rowText(forms: readonly CanonicalForm[], values: readonly CanonicalText[]): string {
  let text = '';
  for (const [index, form] of forms.entries()) {
    const value = values[index] ?? null;
    if (!isMeasured(form)) text += `${value ?? ''}${VALUE_END}`;
    else text += value === null ? LENGTH_END : `${value.replace(/ +$/, '').length}${LENGTH_END}${value}`;
  }
  return text;
}

/** Digits of SHA-256 in hex that are compared: 128 bits. */
export const DIGEST_HEX = 32;
export const DIGEST_BYTES = DIGEST_HEX / 2;

/** 128 bits in lower-case hex. */
export function digestOf(text: string): string {
  // One byte of UTF-8 a character: ASCII. SQL's own tests leave out U+0000, which no text of PostgreSQL has.
  const isAscii = Buffer.byteLength(text) === text.length && !text.includes('\0');
  const bytes = Buffer.from(text, isAscii ? 'latin1' : 'utf16le');
  return createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_HEX);
}

/** The number of a key's hash, 0 to 2^32 - 1. */
export function hashOf(digest: string): number {
  return Number.parseInt(digest.slice(0, 8), 16);
}

export const HASHES = 2 ** 32;

/** Rows added up in any order: how many, and the sums of the four 32-bit parts of their digests, as text. */
export interface DigestSum {
  readonly rows: number;
  readonly sums: string;
}

export const NO_ROWS: DigestSum = { rows: 0, sums: '0 0 0 0' };

export class DigestAdder {
  #rows = 0;
  readonly #sums = [0n, 0n, 0n, 0n];

  add(digest: string): void {
    this.#rows += 1;
    for (let part = 0; part < 4; part += 1) {
      const word = Number.parseInt(digest.slice(part * 8, part * 8 + 8), 16);
      this.#sums[part] = (this.#sums[part] ?? 0n) + BigInt(word);
    }
  }

  get sum(): DigestSum {
    return { rows: this.#rows, sums: this.#sums.join(' ') };
  }
}

export function isSameSum(a: DigestSum, b: DigestSum): boolean {
  return a.rows === b.rows && a.sums === b.sums;
}

/** Part of a table by its key: behind `after` (exclusive), up to `to` (inclusive), as canonical texts of leading key columns. */
export interface KeyRange {
  readonly after: readonly string[] | null;
  readonly to: readonly string[] | null;
}

export const EVERY_KEY: KeyRange = { after: null, to: null };

/** Keys by their hash: from `first`, `slots` times `width`. */
export interface HashSlots {
  readonly first: number;
  readonly width: number;
  readonly slots: number;
}

/** Keys whose hash is `first` or more and less than `end`. */
export interface HashInterval {
  readonly first: number;
  readonly end: number;
}

/** A row by its key. */
export interface KeyDigest {
  /** Canonical texts of the key's columns. */
  readonly key: readonly string[];
  readonly digest: string;
}
