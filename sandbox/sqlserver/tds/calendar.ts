// Dates and times between PostgreSQL's ISO text and TDS' integers, without Date: years 0001 to 9999, seven fractional digits.
// MS-TDS 2.2.5.5.1.8 and 2.2.5.5.1.9: days since 0001-01-01, and units of 10^-scale seconds since midnight.

const DAY_SECONDS = 86_400;
/** 1900-01-01, where datetime and smalldatetime begin, in days since 0001-01-01. */
const DAYS_TO_1900 = 693_595;
const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/** Howard Hinnant, "chrono-compatible low-level date algorithms". Days since 0001-01-01, proleptic Gregorian. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 306;
}

export function dateText(days: number): string {
  const z = days + 306;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** `units` of 10^-scale seconds as HH:MM:SS with `scale` fractional digits. */
export function timeText(units: number, scale: number): string {
  const power = POWERS[scale]!;
  const seconds = Math.floor(units / power);
  const text = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return scale === 0 ? text : `${text}.${pad(units % power, scale)}`;
}

/** datetime: days since 1900-01-01 and 300ths of a second, shown to the millisecond as SQL Server does. */
export function datetimeText(days: number, ticks: number): string {
  return `${dateText(days + DAYS_TO_1900)} ${timeText(Math.floor((ticks * 10 + 1) / 3), 3)}`;
}

export function smalldatetimeText(days: number, minutes: number): string {
  return `${dateText(days + DAYS_TO_1900)} ${timeText(minutes * 60, 0)}`;
}

export function datetimeoffsetText(days: number, units: number, scale: number, offset: number): string {
  const perDay = DAY_SECONDS * POWERS[scale]!;
  const local = units + offset * 60 * POWERS[scale]!;
  const carry = Math.floor(local / perDay);
  const minutes = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`;
  return `${dateText(days + carry)} ${timeText(local - carry * perDay, scale)}${zone}`;
}

export interface Instant {
  /** Since 0001-01-01. */
  readonly days: number;
  /** Units of 10^-scale seconds since midnight. */
  readonly units: number;
  /** Minutes east of Greenwich; 0 where the text has none. */
  readonly offset: number;
}

const TEXT =
  /^(?:(\d{4})-(\d\d)-(\d\d))?[ T]?(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Reads a date, time or both, rounded half up to `scale` digits as SQL Server rounds. A text without a date
 * is on 1900-01-01, as in SQL Server. @throws RangeError for anything else (BC, infinity).
 */
export function parseInstant(text: string, scale: number): Instant {
  const match = TEXT.exec(text);
  if (match === null || text === '') throw new RangeError(`no date or time of SQL Server: ${text}`);
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match;
  const days = year === undefined ? DAYS_TO_1900 : daysOf(Number(year), Number(month), Number(day));
  const power = POWERS[scale]!;
  const digits = fraction.padEnd(scale + 1, '0');
  const roundUp = digits.charCodeAt(scale) >= 53 ? 1 : 0;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  const units = seconds * power + (scale === 0 ? 0 : Number(digits.slice(0, scale))) + roundUp;
  const carry = Math.floor(units / (DAY_SECONDS * power));
  return { days: days + carry, units: units - carry * DAY_SECONDS * power, offset: offsetMinutes(zone) };
}

/** The same instant in UTC, as datetimeoffset travels. */
export function toUtc(instant: Instant, scale: number): Instant {
  const perDay = DAY_SECONDS * POWERS[scale]!;
  const units = instant.units - instant.offset * 60 * POWERS[scale]!;
  const carry = Math.floor(units / perDay);
  return { days: instant.days + carry, units: units - carry * perDay, offset: instant.offset };
}

/** Days since 1900-01-01 and 300ths of a second. */
export function toDatetime(text: string): { days: number; ticks: number } {
  const { days, units } = parseInstant(text, 6);
  const ticks = Math.floor((units * 3 + 5_000) / 10_000);
  const carry = Math.floor(ticks / (DAY_SECONDS * 300));
  return { days: days - DAYS_TO_1900 + carry, ticks: ticks - carry * DAY_SECONDS * 300 };
}

/** Days since 1900-01-01 and minutes; 30 seconds round up. */
export function toSmalldatetime(text: string): { days: number; minutes: number } {
  const { days, units } = parseInstant(text, 6);
  const minutes = Math.floor((units + 30_000_000) / 60_000_000);
  const carry = Math.floor(minutes / 1440);
  return { days: days - DAYS_TO_1900 + carry, minutes: minutes - carry * 1440 };
}

/** Bytes of a time of that scale: 3 to 2 digits, 4 to 4, 5 to 7. */
export function timeBytes(scale: number): number {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
}

function offsetMinutes(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', '') || '0');
  return zone.startsWith('-') ? -minutes : minutes;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
