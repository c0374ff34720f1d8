// Which numbers a column stores exactly.
// https://learn.microsoft.com/sql/t-sql/data-types/numeric-types
import type { FieldType } from '../canonical/schema.ts';
import { otherKind, type Rule, within } from './column-rule.ts';

const wholeText = /^(-?\d+)(?:\.0*)?$/;

export function integerRule(field: FieldType, least: bigint, most: bigint): Rule {
  const why = `Numbers that aren't whole from ${least} to ${most}`;
  switch (field.kind) {
    case 'boolean':
      return null;
    case 'int':
    case 'long':
      if (most >= (field.kind === 'int' ? 2n ** 31n - 1n : 2n ** 63n - 1n)) return null;
      return { why, fits: within(least, most) };
    case 'decimal':
      return {
        why,
        fits: (value) => {
          const whole = wholeText.exec(value as string)?.[1];
          return whole !== undefined && BigInt(whole) >= least && BigInt(whole) <= most;
        },
      };
    default:
      return otherKind;
  }
}

export function decimalRule(field: FieldType, whole: number, scale: number): Rule {
  const why = `Numbers of more than ${whole} digits before or ${scale} after the point`;
  switch (field.kind) {
    case 'boolean':
      return whole >= 1 ? null : otherKind;
    case 'int':
    case 'long': {
      if (whole >= (field.kind === 'int' ? 10 : 19)) return null;
      const limit = 10n ** BigInt(whole);
      return { why, fits: within(1n - limit, limit - 1n) };
    }
    case 'decimal':
      if (field.precision - field.scale <= whole && field.scale <= scale) return null;
      return {
        why,
        fits: (value) => wholeDigits(value as string) <= whole && usedScale(value as string) <= scale,
      };
    default:
      return otherKind;
  }
}

/** money is a 64-bit count of ten-thousandths. */
export function moneyRule(field: FieldType): Rule {
  const why = 'Numbers outside -922337203685477.5808 to 922337203685477.5807 or of more than 4 decimals';
  const holds = (tenThousandths: bigint) => tenThousandths >= -(2n ** 63n) && tenThousandths < 2n ** 63n;
  switch (field.kind) {
    case 'boolean':
    case 'int':
      return null;
    case 'long':
      return { why, fits: (value) => holds(BigInt(value as number | bigint) * 10_000n) };
    case 'decimal':
      return {
        why,
        fits: (value) => {
          const text = value as string;
          if (usedScale(text) > 4) return false;
          if (wholeDigits(text) < 15) return true;
          const [whole = '', fraction = ''] = text.split('.');
          return holds(BigInt(whole + fraction.slice(0, 4).padEnd(4, '0')));
        },
      };
    default:
      return otherKind;
  }
}

function wholeDigits(text: string): number {
  const start = text.charCodeAt(0) === 45 ? 1 : 0;
  const point = text.indexOf('.');
  const digits = (point < 0 ? text.length : point) - start;
  return digits === 1 && text.charCodeAt(start) === 48 ? 0 : digits;
}

/** Decimals without trailing zeros. */
function usedScale(text: string): number {
  const point = text.indexOf('.');
  if (point < 0) return 0;
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end -= 1;
  return end - point - 1;
}

// SQL Server documents no smaller numbers, no NaN and no infinities.
// https://learn.microsoft.com/sql/t-sql/data-types/float-and-real-transact-sql
const MIN_REAL = 1.1754943508222875e-38;
const MIN_FLOAT = 2.2250738585072014e-308;

export function floatRule(field: FieldType, bits: 24 | 53): Rule {
  const smallest = bits === 24 ? MIN_REAL : MIN_FLOAT;
  const name = bits === 24 ? 'real' : 'float';
  const why = `NaN, infinities and numbers that ${name} would round`;
  const exact = (value: number) => bits === 53 || Math.fround(value) === value;
  switch (field.kind) {
    case 'boolean':
      return null;
    case 'int':
      return bits === 53 ? null : { why, fits: (value) => exact(value as number) };
    case 'long':
      return { why, fits: (value) => typeof value === 'number' && exact(value) };
    case 'float':
    case 'double':
      return {
        why,
        fits: (value) => {
          const number = value as number;
          return Number.isFinite(number) && (number === 0 || Math.abs(number) >= smallest) && exact(number);
        },
      };
    default:
      return otherKind;
  }
}
