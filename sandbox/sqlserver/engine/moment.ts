// datetimeoffset between PostgreSQL's composite (instant, minutes) and the seam's text with its offset.
import type { Value } from '../session.ts';

const COMPOSITE = /^\("?([^"]*)"?,(-?\d+)\)$/;
const TEXT = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(\.\d+)?([-+])(\d\d):?(\d\d)?$/;

/** '("2024-01-31 10:00:00.5",120)' to '2024-01-31 12:00:00.5+02:00'. */
export function momentOut(value: Value): Value {
  if (value === null) return null;
  const m = COMPOSITE.exec(value);
  if (!m) return value;
  const instant = m[1]!;
  const minutes = Number(m[2]);
  const zone = `${minutes < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;
  return (minutes === 0 ? instant : shifted(instant, minutes)) + zone;
}

/** The other way, for COPY. */
export function momentIn(value: string): string {
  const m = TEXT.exec(value);
  if (!m) throw new RangeError('a datetimeoffset without its offset');
  const minutes = (m[8] === '-' ? -1 : 1) * (Number(m[9]) * 60 + Number(m[10] ?? 0));
  const local = value.slice(0, value.lastIndexOf(m[8]!));
  return `("${minutes === 0 ? local : shifted(local, -minutes)}",${minutes})`;
}

const pad = (n: number, width = 2): string => String(n).padStart(width, '0');

function shifted(text: string, minutes: number): string {
  const [year, month, day, hour, minute] = [
    text.slice(0, 4),
    text.slice(5, 7),
    text.slice(8, 10),
    text.slice(11, 13),
    text.slice(14, 16),
  ].map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year!, month! - 1, day!);
  date.setUTCHours(hour!, minute! + minutes);
  return `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())} ${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}${text.slice(16)}`;
}
