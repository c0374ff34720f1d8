// Why a value or row cannot be mapped, handed back instead of thrown: the row goes to quarantine by its code.
// Guarantees: the reason names fields, columns and types, never a value.
import type { MisfitCode } from '../canonical/misfit.ts';

/** Stable codes, WB41xx, beside the codecs' own WB31xx. */
export const rejections = {
  /** Some inputs of a field came, others were unchanged TOAST values, which the server does not send. */
  partialInputs: 'WB4101',
  /** The value does not fit its target column. */
  targetRange: 'WB4102',
  /** The source no longer has the column, and the field has neither default nor null. */
  vanishedColumn: 'WB4103',
  /** The column's type has changed to one that cannot become the field's. */
  changedType: 'WB4104',
  /** A CEL expression failed on this row. */
  expression: 'WB4105',
  /** A lookup table has no entry for the value. */
  lookup: 'WB4106',
  /** The text is no JSON, or the path picks what no field can hold. */
  json: 'WB4107',
  /** The change does not carry the row's key. */
  missingKey: 'WB4108',
  /** A cast of text that is not in the type's form. */
  cast: 'WB4109',
  /** An error that none of the above foresees. */
  unforeseen: 'WB4199',
} as const;

export type RejectionCode = (typeof rejections)[keyof typeof rejections] | MisfitCode;

export class Unmappable {
  readonly code: RejectionCode;
  readonly reason: string;

  constructor(code: RejectionCode, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}
