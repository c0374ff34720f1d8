// PostgreSQL's numbers in text to canonical numbers and decimals.
// Guarantees: exact; a numeric is never rounded, and its text gets exactly `scale` fractional digits.
// https://www.postgresql.org/docs/current/datatype-numeric.html
import { placePoint } from './decimal.ts';
import { MAX_LONG, MIN_LONG, safeOrBig } from './long.ts';
import { Misfit, misfits } from './misfit.ts';

const malformed = new Misfit(misfits.malformed, "not PostgreSQL's text of a number");
const integerRange = new Misfit(misfits.integerRange, 'an integer beyond its type');
const notANumber = new Misfit(misfits.notANumber, 'NaN is no decimal');
const infiniteNumber = new Misfit(misfits.infiniteNumber, 'infinity is no decimal');
const zeros = '0'.repeat(64);

/** int2, int4, oid where it fits. */
export function intOfText(text: string): number | Misfit {
  const value = smallInteger(text);
  if (Number.isNaN(value)) return isInteger(text) ? integerRange : malformed;
  return value === (value | 0) ? value : integerRange;
}

/** int8, oid, xid8: number where safe, else bigint. */
export function longOfText(text: string): number | bigint | Misfit {
  const value = smallInteger(text);
  if (!Number.isNaN(value)) return value;
  if (!isInteger(text)) return malformed;
  const big = BigInt(text);
  return big < MIN_LONG || big > MAX_LONG ? integerRange : safeOrBig(big);
}

/** float8: NaN and infinities are kept; whether the warehouse takes them is the mapping's affair. */
export function doubleOfText(text: string): number | Misfit {
  if (text === 'NaN') return Number.NaN;
  if (text === 'Infinity') return Number.POSITIVE_INFINITY;
  if (text === '-Infinity') return Number.NEGATIVE_INFINITY;
  const value = text === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : malformed;
}

/** float4: the shortest text names the float exactly, so that the nearest float is it. */
export function floatOfText(text: string): number | Misfit {
  const value = doubleOfText(text);
  return typeof value === 'number' ? Math.fround(value) : value;
}

/** numeric and integers to decimal(precision, scale). */
export function decimalDecoder(precision: number, scale: number): (text: string) => string | Misfit {
  const tooWide = new Misfit(
    misfits.decimalRange,
    `more integer digits than decimal(${precision},${scale}) has`,
  );
  const tooFine = new Misfit(
    misfits.decimalScale,
    `more fractional digits than decimal(${precision},${scale}) has`,
  );
  const wholeDigits = precision - scale;

  /** Any spelling: leading zeros, exponents, no point, superfluous zeros. */
  const uncommon = (text: string): string | Misfit => {
    const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/.exec(text);
    const whole = match?.[2] ?? '';
    const fraction = match?.[3] ?? '';
    if (match === null || whole + fraction === '') {
      if (text === 'NaN') return notANumber;
      return text === 'Infinity' || text === '-Infinity' ? infiniteNumber : malformed;
    }
    const digits = (whole + fraction).replace(/^0+/, '').replace(/0+$/, '');
    if (digits === '') return placePoint(scale === 0 ? '0' : zeros.slice(0, scale + 1), scale, false);
    const trailing = (whole + fraction).length - (whole + fraction).replace(/0+$/, '').length;
    /** The power of ten of the last digit that isn't zero. */
    const exponent = Number(match[4] ?? 0) - fraction.length + trailing;
    if (digits.length + exponent > wholeDigits) return tooWide;
    if (-exponent > scale) return tooFine;
    return placePoint(digits + zeros.slice(0, exponent + scale), scale, match[1] === '-');
  };

  return (text) => {
    const length = text.length;
    const first = text.charCodeAt(0) === 45 ? 1 : 0;
    let point = -1;
    let nonZero = 0;
    for (let at = first; at < length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === 46 && point < 0) point = at;
      else if (code >= 48 && code <= 57) nonZero |= code & 15;
      else return uncommon(text);
    }
    const whole = (point < 0 ? length : point) - first;
    const leading = text.charCodeAt(first);
    if (whole === 0 || (leading === 48 && whole > 1) || nonZero === 0) return uncommon(text);
    if (whole > wholeDigits && !(whole === 1 && leading === 48)) return tooWide;
    if (point < 0) return scale === 0 ? text : `${text}.${zeros.slice(0, scale)}`;
    const fraction = length - point - 1;
    if (fraction > scale || fraction === 0) return uncommon(text);
    if (fraction === scale) return text;
    return text + zeros.slice(0, scale - fraction);
  };
}

/** Up to 15 digits with a sign as a number, else NaN. */
function smallInteger(text: string): number {
  const length = text.length;
  const first = text.charCodeAt(0) === 45 ? 1 : 0;
  if (length === first || length - first > 15) return Number.NaN;
  let value = 0;
  for (let at = first; at < length; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return first === 1 ? -value || 0 : value;
}

function isInteger(text: string): boolean {
  return /^-?\d+$/.test(text);
}
