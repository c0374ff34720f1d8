// FORMAT of dates and numbers, for the patterns that have one meaning in the culture en-US; others are refused by name.
// (https://learn.microsoft.com/dotnet/standard/base-types/custom-date-and-time-format-strings)
import { dateAsMoment } from './convert.ts';
import { unsupported } from './errors.ts';
import { type Bound, bound, text } from './scope.ts';
import { category, nvarchar } from './types.ts';

/** .NET's date patterns in to_char's words. */
const DATE: Readonly<Record<string, string>> = {
  ...{ yyyy: 'YYYY', yy: 'YY', MMMM: 'FMMonth', MMM: 'Mon', MM: 'MM', M: 'FMMM', dddd: 'FMDay', ddd: 'Dy' },
  ...{ dd: 'DD', d: 'FMDD', HH: 'HH24', H: 'FMHH24', hh: 'HH12', h: 'FMHH12', mm: 'MI', m: 'FMMI' },
  ...{ ss: 'SS', s: 'FMSS', fff: 'MS', ffffff: 'US', tt: 'AM' },
};
const WIDTH = 38;

export const format = (value?: Bound, pattern?: Bound, culture?: Bound): Bound => {
  const written = pattern!.literal;
  if (written === undefined) throw unsupported('FORMAT with a pattern that is not a literal');
  if (culture && culture.literal?.toLowerCase() !== 'en-us')
    throw unsupported('FORMAT in a culture other than en-US');
  const kind = category(value!.type);
  const shown =
    kind === 'date' && value!.type.name !== 'time'
      ? { of: `_sandbox.local(${dateAsMoment(value!)})`, by: datePattern(written) }
      : kind === 'number' && value!.type.name !== 'bit'
        ? { of: `(${value!.sql})::numeric`, by: numberPattern(written) }
        : undefined;
  if (!shown?.by) throw unsupported(`FORMAT of ${value!.type.name} by '${written}'`);
  return bound(`to_char(${shown.of},${text(shown.by)})::bpchar`, nvarchar(4000));
};

function datePattern(written: string): string | undefined {
  // One letter alone is a standard pattern.
  if (/^.?$/.test(written)) return undefined;
  const words = written.match(/([A-Za-z])\1*|'[^']*'|[^A-Za-z']+/g) ?? [];
  const parts = words.map((word) => {
    if (/^[A-Za-z]/.test(word)) return DATE[word];
    return /["\\%]/.test(word) ? undefined : `"${word.replace(/^'|'$/g, '')}"`;
  });
  return parts.join('').length > 0 && parts.every((part) => part !== undefined) ? parts.join('') : undefined;
}

/** N2, F0, and patterns such as #,##0.00. */
function numberPattern(written: string): string | undefined {
  const standard = /^([NF])(\d{0,2})$/i.exec(written);
  if (standard) return digits(standard[1]!.toUpperCase() === 'N', 1, Number(standard[2] || '2'));
  const custom = /^(?:(#,##)|#*)(0*)(?:\.(0+))?$/.exec(written);
  if (!custom) return undefined;
  return digits(custom[1] !== undefined, custom[2]!.length, custom[3]?.length ?? 0);
}

function digits(grouped: boolean, zeros: number, decimals: number): string {
  const whole = '9'.repeat(WIDTH - zeros) + '0'.repeat(zeros);
  const parted = grouped ? whole.replace(/\B(?=(.{3})+$)/g, ',') : whole;
  return `FM${parted}${decimals > 0 ? `.${'0'.repeat(decimals)}` : ''}`;
}
