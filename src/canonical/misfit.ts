// A value that its canonical type cannot hold exactly, handed back instead of thrown: the row is quarantined by its code.
// Guarantees: the reason names types and bounds, never the value.

export class Misfit {
  /** One of `misfits`. */
  readonly code: MisfitCode;
  readonly reason: string;

  constructor(code: MisfitCode, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

/** Stable codes; a mapping's `onMisfit` rules name the meanings. */
export const misfits = {
  /** Not the type's text form at all. */
  malformed: 'WB3101',
  /** An integer beyond its type. */
  integerRange: 'WB3102',
  /** More integer digits than precision - scale. */
  decimalRange: 'WB3103',
  /** More fractional digits than scale: keeping it would round. */
  decimalScale: 'WB3104',
  /** NaN where the type has none. */
  notANumber: 'WB3105',
  /** An infinite number where the type has none. */
  infiniteNumber: 'WB3106',
  /** `infinity` or `-infinity` of a date or timestamp. */
  infiniteTime: 'WB3107',
  /** Before 0001-01-01 or after 9999-12-31. */
  timeRange: 'WB3108',
  /** `24:00:00`, which no time of day is. */
  endOfDay: 'WB3109',
  /** Not one of the enum's symbols. */
  enumSymbol: 'WB3110',
  /** Null where the field isn't nullable. */
  unexpectedNull: 'WB3111',
  /** A value of another representation than its field's. */
  representation: 'WB3112',
} as const;

export type MisfitCode = (typeof misfits)[keyof typeof misfits];
