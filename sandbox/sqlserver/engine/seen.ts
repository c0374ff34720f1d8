// What bulk loads saw of a #temporary table's text columns, so that CONVERT need not look at each text again.
// Guarantees: said only of texts that PostgreSQL's casts read as SQL Server's do, without rounding and without an error.
import type { SqlType } from '../session.ts';
import { asDecimal } from './types.ts';

/** The most digits before and after the point. A moment is a date, or a date and time, in UTC where it says an offset. */
interface Seen {
  readonly kind: 'number' | 'moment' | 'time';
  readonly whole: number;
  readonly fraction: number;
}

/** `nothing`: no row but NULLs was written. Undefined: written otherwise, or texts of no or of several kinds. */
export type Sight = Seen | 'nothing' | undefined;

const LEAP_DAY = '(?:[12]\\d(?:0[48]|[2468][048]|[13579][26])|(?:12|16|20|24|28)00)-02-29';
const DAY =
  '[12]\\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|1\\d|2[0-8]))';
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?';
const PATTERNS: Readonly<Record<Seen['kind'], RegExp>> = {
  number: /^-?\d{1,38}(?:\.\d{1,38})?$/,
  moment: new RegExp(`^(?:${DAY}|${LEAP_DAY})(?:[ T]${CLOCK}(?: ?\\+00:00)?)?$`),
  time: new RegExp(`^${CLOCK}$`),
};
const KINDS = Object.keys(PATTERNS) as Seen['kind'][];

/** Looks at one column's texts during one load. */
export class Watch {
  private kind: Seen['kind'] | null | undefined;
  private whole = 0;
  private fraction = 0;

  see(text: string): void {
    if (this.kind === null) return;
    this.kind ??= KINDS.find((kind) => PATTERNS[kind].test(text)) ?? null;
    if (this.kind === null || !PATTERNS[this.kind].test(text)) {
      this.kind = null;
      return;
    }
    const point = text.indexOf('.');
    if (point < 0) {
      if (text.length > this.whole) this.whole = text.length;
      return;
    }
    const offset = this.kind === 'moment' ? text.indexOf('+', point) : -1;
    const end = offset < 0 ? text.length : offset - (text[offset - 1] === ' ' ? 1 : 0);
    if (point > this.whole) this.whole = point;
    if (end - point - 1 > this.fraction) this.fraction = end - point - 1;
  }

  get sight(): Sight {
    if (this.kind === undefined) return 'nothing';
    // A sign counts as a digit: the slow way is right too.
    return this.kind === null ? undefined : { kind: this.kind, whole: this.whole, fraction: this.fraction };
  }
}

/** After a load, what holds of all the rows. */
export function together(before: Sight, loaded: Sight): Sight {
  if (before === 'nothing') return loaded;
  if (loaded === 'nothing') return before;
  if (before?.kind !== loaded?.kind || !before || !loaded) return undefined;
  return {
    kind: before.kind,
    whole: Math.max(before.whole, loaded.whole),
    fraction: Math.max(before.fraction, loaded.fraction),
  };
}

/** Whether PostgreSQL's own cast to the type reads all such texts as SQL Server does, without an error. */
export function suits(sight: Sight, to: SqlType): boolean {
  if (!sight || sight === 'nothing') return false;
  const exact = sight.fraction <= (to.scale ?? 7);
  switch (to.name) {
    case 'decimal':
    case 'numeric':
    case 'money': {
      const { precision = 0, scale = 0 } = asDecimal(to);
      return sight.kind === 'number' && sight.whole <= precision - scale && sight.fraction <= scale;
    }
    case 'date':
      return sight.kind === 'moment';
    case 'datetime2':
    case 'datetimeoffset':
      return sight.kind === 'moment' && exact;
    case 'time':
      return sight.kind === 'time' && exact;
    default:
      return false;
  }
}
