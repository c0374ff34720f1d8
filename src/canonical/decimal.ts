// Decimals between exact text and Avro's bytes: unscaled value, two's complement, big-endian, as short as it goes.
// Guarantees: text with exactly `scale` digits after the point, no exponent, no negative zero; never rounded.
// https://avro.apache.org/docs/1.11.1/specification/#decimal

const zeros = '0'.repeat(64);

/** Digits and sign of `unscaled` x 10^-scale as plain text. */
export function placePoint(digits: string, scale: number, negative: boolean): string {
  const sign = negative ? '-' : '';
  if (scale === 0) return sign + digits;
  const whole = digits.length - scale;
  if (whole > 0) return `${sign}${digits.slice(0, whole)}.${digits.slice(whole)}`;
  return `${sign}0.${zeros.slice(0, -whole)}${digits}`;
}

/** Plain text of an unscaled safe integer. */
function decimalOfNumber(unscaled: number, scale: number): string {
  return unscaled < 0
    ? placePoint(String(-unscaled), scale, true)
    : placePoint(String(unscaled), scale, false);
}

/** Plain text of any unscaled integer. */
function decimalOfBigInt(unscaled: bigint, scale: number): string {
  return unscaled < 0n
    ? placePoint((-unscaled).toString(), scale, true)
    : placePoint(unscaled.toString(), scale, false);
}

/** Plain text of `length` big-endian two's complement bytes; zero of none. */
export function decimalOfBytes(bytes: Buffer, start: number, length: number, scale: number): string {
  if (length <= 6) return decimalOfNumber(length === 0 ? 0 : bytes.readIntBE(start, length), scale);
  let unscaled = BigInt(bytes.readInt8(start));
  let at = start + 1;
  const end = start + length;
  for (; at + 4 <= end; at += 4) unscaled = (unscaled << 32n) | BigInt(bytes.readUInt32BE(at));
  for (; at < end; at += 1) unscaled = (unscaled << 8n) | BigInt(bytes[at] as number);
  return decimalOfBigInt(unscaled, scale);
}

/** Unscaled value of plain text with exactly `scale` fractional digits: number where it has up to 15 digits, else bigint; null for other text. */
export function unscaledOf(text: string, precision: number, scale: number): number | bigint | null {
  const length = text.length;
  const negative = text.charCodeAt(0) === 45;
  const first = negative ? 1 : 0;
  const point = scale === 0 ? length : length - scale - 1;
  if (point <= first || (scale > 0 && text.charCodeAt(point) !== 46)) return null;
  if (text.charCodeAt(first) === 48 && point > first + 1) return null;
  const digits = length - first - (scale > 0 ? 1 : 0);
  if (digits <= 15) {
    let value = 0;
    for (let at = first; at < length; at += 1) {
      if (at === point) continue;
      const digit = text.charCodeAt(at) - 48;
      if (digit < 0 || digit > 9) return null;
      value = value * 10 + digit;
    }
    if (precision < 15 && value >= 10 ** precision) return null;
    if (negative && value === 0) return null;
    return negative ? -value : value;
  }
  const joined = text.slice(first, point) + text.slice(point + 1);
  if (!/^\d+$/.test(joined)) return null;
  const value = BigInt(joined);
  if (value >= 10n ** BigInt(precision)) return null;
  if (negative && value === 0n) return null;
  return negative ? -value : value;
}
