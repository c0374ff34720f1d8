// Dates and times between PostgreSQL's ISO text and TDS' integers: years 0001 to 9999, seven fractional digits. Date counts days only.
// MS-TDS 2.2.5.5.1.8 and 2.2.5.5.1.9: days since 0001-01-01, and units of 10^-scale seconds since midnight.
import type { Cursor, Writer } from './bytes.ts';

const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1000;
/** 1900-01-01, where datetime and smalldatetime begin, and 1970-01-01, where Date does, in days since 0001-01-01. */
const DAYS_TO_1900 = 693_595;
const DAYS_TO_1970 = 719_162;
const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

export const dateText = (days: number): string =>
  new Date((days - DAYS_TO_1970) * DAY_MS).toISOString().slice(0, 10);

/** `units` of 10^-scale seconds as HH:MM:SS with `scale` fractional digits. */
export function timeText(units: number, scale: number): string {
  const power = POWERS[scale]!;
  const seconds = Math.floor(units / power);
  const text = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return scale === 0 ? text : `${text}.${pad(units % power, scale)}`;
}

/** datetime: days since 1900-01-01 and 300ths of a second, shown to the millisecond as SQL Server does. */
export function readDatetime(at: Cursor): string {
  const day = dateText(at.i32() + DAYS_TO_1900);
  return `${day} ${timeText(Math.floor((at.u32() * 10 + 1) / 3), 3)}`;
}

export const readSmalldatetime = (at: Cursor): string =>
  `${dateText(at.u16() + DAYS_TO_1900)} ${timeText(at.u16() * 60, 0)}`;

interface Instant {
  /** Since 0001-01-01. */
  readonly days: number;
  /** Units of 10^-scale seconds since midnight. */
  readonly units: number;
}

/** With the units, `perSecond` of them in a second, brought into one day. */
function carried({ days, units }: Instant, perSecond: number): Instant {
  const carry = Math.floor(units / (DAY_SECONDS * perSecond));
  return { days: days + carry, units: units - carry * DAY_SECONDS * perSecond };
}

const TEXT = /^(\d{4}-\d\d-\d\d)?[ T]?(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?$/;

/**
 * Reads a date, time or both, rounded half up to `scale` digits as SQL Server rounds. A text without a date
 * is on 1900-01-01, as in SQL Server. @throws RangeError for anything else (BC, infinity).
 */
export function parseInstant(text: string, scale: number): Instant {
  const match = TEXT.exec(text);
  if (match === null || text === '') throw new RangeError(`no date or time of SQL Server: ${text}`);
  const [, date, hour = 0, minute = 0, second = 0, fraction = ''] = match;
  const days = date === undefined ? DAYS_TO_1900 : Date.parse(date) / DAY_MS + DAYS_TO_1970;
  const power = POWERS[scale]!;
  const digits = fraction.padEnd(scale + 1, '0');
  const roundUp = digits.charCodeAt(scale) >= 53 ? 1 : 0;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  const units = seconds * power + Number(digits.slice(0, scale)) + roundUp;
  return carried({ days, units }, power);
}

export function writeDatetime(out: Writer, text: string): void {
  const { days, units } = parseInstant(text, 6);
  const rounded = carried({ days, units: Math.floor((units * 3 + 5_000) / 10_000) }, 300);
  out.i32(rounded.days - DAYS_TO_1900);
  out.u32(rounded.units);
}

/** Days since 1900-01-01 and minutes; 30 seconds round up. */
export function writeSmalldatetime(out: Writer, text: string): void {
  const { days, units } = parseInstant(text, 6);
  const rounded = carried({ days, units: Math.floor((units + 30_000_000) / 60_000_000) }, 1 / 60);
  out.u16(rounded.days - DAYS_TO_1900);
  out.u16(rounded.units);
}

/** Bytes of a time of that scale: 3 to 2 digits, 4 to 4, 5 to 7. */
export const timeBytes = (scale: number): number => (scale <= 2 ? 3 : scale <= 4 ? 4 : 5);
