// Dates and times as T-SQL's CONVERT reads them, from days and microseconds since 1970-01-01.
// Guarantees: exact to the microsecond, four-digit years, the proleptic Gregorian calendar that both databases use. Values
// beyond 0001-01-01 to 9999-12-31 are the caller's to keep out.
// https://learn.microsoft.com/sql/t-sql/data-types/datetimeoffset-transact-sql (supported string literal formats)

const MICROS_A_DAY = 86_400_000_000;

const pairs = Array.from({ length: 100 }, (_, n) => (n < 10 ? `0${n}` : `${n}`));
const threes = Array.from({ length: 1000 }, (_, n) => `${n}`.padStart(3, '0'));

// Traffic is mostly of one day or few: the calendar's arithmetic is done once a day met, not once a value.
const texts = new Map<number, string>();
const REMEMBERED_DAYS = 4096;

/** `2024-01-31` */
export function dateText(days: number): string {
  const known = texts.get(days);
  if (known !== undefined) return known;
  const date = new Date(days * 86_400_000);
  const year = `${date.getUTCFullYear()}`.padStart(4, '0');
  const text = `${year}-${pairs[date.getUTCMonth() + 1]}-${pairs[date.getUTCDate()]}`;
  if (texts.size >= REMEMBERED_DAYS) texts.clear();
  texts.set(days, text);
  return text;
}

/** `12:34:56.789012`, of microseconds since midnight. */
export function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const thousands = Math.floor(fraction / 1000);
  return `${pairs[hours]}:${pairs[minutes - hours * 60]}:${pairs[seconds - minutes * 60]}.${threes[thousands]}${threes[fraction - thousands * 1000]}`;
}

/** `2024-01-31 12:34:56.789012` with the separator asked for: a T where only ISO 8601 is read alike everywhere. */
export function timestampText(micros: number | bigint, separator: ' ' | 'T'): string {
  if (typeof micros === 'bigint') {
    const day = 86_400_000_000n;
    const within = ((micros % day) + day) % day;
    return `${dateText(Number((micros - within) / day))}${separator}${timeText(Number(within))}`;
  }
  const days = Math.floor(micros / MICROS_A_DAY);
  return `${dateText(days)}${separator}${timeText(micros - days * MICROS_A_DAY)}`;
}

/** `2024-01-31 12:34:56.789012 +00:00`, for datetimeoffset. */
export function offsetText(micros: number | bigint): string {
  return `${timestampText(micros, ' ')} +00:00`;
}
