// PostgreSQL's dates, times and timestamps in ISO text to days and microseconds.
// Guarantees: exact to the microsecond and over 0001-01-01 to 9999-12-31; offsets with seconds are honoured.
// https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-OUTPUT
import { safeOrBig } from './long.ts';
import { Misfit, misfits } from './misfit.ts';

const MICROS_PER_SECOND = 1_000_000;
const SECONDS_PER_DAY = 86_400;
/** What the last of so many fractional digits is worth. */
const MICROS_OF_DIGIT = [1_000_000, 100_000, 10_000, 1000, 100, 10, 1];
/** Seconds around 1970 whose microseconds are safe integers. */
const SAFE_SECONDS = 9_007_199_253;
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;

/** Stands for "no number here": an integer, for NaN would make all arithmetic around it floating. */
const NONE = -1_000_000;

const infinite = new Misfit(misfits.infiniteTime, 'infinity is no canonical date or timestamp');
const outOfRange = new Misfit(misfits.timeRange, 'outside 0001-01-01 to 9999-12-31');
const endOfDay = new Misfit(misfits.endOfDay, '24:00:00 is no time of day');
const malformed = new Misfit(misfits.malformed, "not PostgreSQL's ISO text of a date or time");

/** Days since 1970-01-01. */
export function dateOfText(text: string): number | Misfit {
  if (text.length !== 10) return oddDate(text);
  return dateAt(text);
}

/** Microseconds since midnight. */
export function timeOfText(text: string): number | Misfit {
  const end = text.length;
  const seconds = secondsAt(text, 0);
  if (seconds < 0) return malformed;
  if (seconds >= SECONDS_PER_DAY) return text.startsWith('24:00:00') ? endOfDay : malformed;
  const micros = fractionAt(text, 8, end);
  return micros < 0 ? malformed : seconds * MICROS_PER_SECOND + micros;
}

/** Microseconds since 1970-01-01 00:00:00 of a timestamp without a zone. */
export function timestampOfText(text: string): number | bigint | Misfit {
  return instantOf(text, text.length, 0);
}

/** Microseconds since 1970-01-01 00:00:00 UTC of a timestamp with a numeric offset. */
export function timestamptzOfText(text: string): number | bigint | Misfit {
  let end = text.length;
  if (end >= 22 && text.charCodeAt(end - 3) === 43 && pairAt(text, end - 2) === 0) {
    return instantOf(text, end - 3, 0);
  }
  const era = text.endsWith(' BC');
  if (era) end -= 3;
  let sign = end - 1;
  while (sign > 18 && text.charCodeAt(sign) !== 43 && text.charCodeAt(sign) !== 45) sign -= 1;
  if (sign <= 18) return oddDate(text);
  const offset = offsetAt(text, sign, end);
  if (Number.isNaN(offset)) return malformed;
  return era ? outOfRange : instantOf(text, sign, offset);
}

function instantOf(text: string, end: number, offsetSeconds: number): number | bigint | Misfit {
  if (end < 19 || end > 26) return oddDate(text);
  if (text.charCodeAt(10) !== 32) return oddDate(text);
  const days = dateAt(text);
  if (typeof days !== 'number') return days;
  const secondsOfDay = secondsAt(text, 11);
  const micros = fractionAt(text, 19, end);
  if (secondsOfDay < 0 || secondsOfDay >= SECONDS_PER_DAY || micros < 0) return oddDate(text);
  const seconds = days * SECONDS_PER_DAY + secondsOfDay - offsetSeconds;
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND) return outOfRange;
  if (seconds > -SAFE_SECONDS && seconds < SAFE_SECONDS) return seconds * MICROS_PER_SECOND + micros;
  return safeOrBig(BigInt(seconds) * 1_000_000n + BigInt(micros));
}

/** `YYYY-MM-DD` at the text's start as days since 1970-01-01. */
function dateAt(text: string): number | Misfit {
  const year = pairAt(text, 0) * 100 + pairAt(text, 2);
  const month = pairAt(text, 5);
  const day = pairAt(text, 8);
  if (text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return oddDate(text);
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return malformed;
  return daysOf(year, month, day);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 of a proleptic Gregorian date: eras of 400 years that begin in March. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** `HH:MM:SS` as seconds, negative for anything else; hour 24 passes. */
function secondsAt(text: string, at: number): number {
  const hours = pairAt(text, at);
  const minutes = pairAt(text, at + 3);
  const seconds = pairAt(text, at + 6);
  if (text.charCodeAt(at + 2) !== 58 || text.charCodeAt(at + 5) !== 58) return NONE;
  if (hours < 0 || hours > 24 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) return NONE;
  return hours * 3600 + minutes * 60 + seconds;
}

/** `.f` to `.ffffff` up to `end` as microseconds, 0 where there is none, else negative. */
function fractionAt(text: string, at: number, end: number): number {
  if (at === end) return 0;
  const digits = end - at - 1;
  if (text.charCodeAt(at) !== 46 || digits < 1 || digits > 6) return NONE;
  let value = 0;
  for (let index = at + 1; index < end; index += 1) {
    const digit = text.charCodeAt(index) - 48;
    if (!(digit >= 0 && digit <= 9)) return NONE;
    value = value * 10 + digit;
  }
  return value * (MICROS_OF_DIGIT[digits] ?? 0);
}

/** `+HH`, `+HH:MM` or `+HH:MM:SS` as seconds east of UTC, else NaN. */
function offsetAt(text: string, at: number, end: number): number {
  const length = end - at;
  if (length !== 3 && length !== 6 && length !== 9) return Number.NaN;
  const minutes = length > 3 ? pairAt(text, at + 4) : 0;
  const seconds = length > 6 ? pairAt(text, at + 7) : 0;
  const hours = pairAt(text, at + 1);
  if (hours < 0 || minutes < 0 || seconds < 0) return Number.NaN;
  const value = hours * 3600 + minutes * 60 + seconds;
  return text.charCodeAt(at) === 45 ? -value : value;
}

/** Two digits as a number, else so far below zero that a sum with it is negative. */
function pairAt(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NONE;
}

/** Why a text that isn't the common form is none of ours. */
function oddDate(text: string): Misfit {
  if (text === 'infinity' || text === '-infinity') return infinite;
  return /^\d{5,7}-\d\d-\d\d|^\d{4,7}-\d\d-\d\d.* BC$/.test(text) ? outOfRange : malformed;
}
