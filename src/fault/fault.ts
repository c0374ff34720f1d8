// The one error type of walbridge and the one place that tells transient from permanent.
// Guarantees: every error that leaves a room has a stable code, says what was kept safe and what to do next.

/**
 * transient: the same call may succeed later, retry it with backoff.
 * permanent: it will fail again until somebody changes something.
 */
export type FaultKind = 'transient' | 'permanent';

export interface FaultDetail {
  /** Stable, never reused: `WB` and four digits; the first digit names the room. */
  readonly code: `WB${number}`;
  readonly kind: FaultKind;
  /** What happened, without row values or secrets. */
  readonly what: string;
  /** What was kept safe: nothing lost, nothing half-done. */
  readonly safe: string;
  /** What to do next. */
  readonly next: string;
}

/** Code ranges: 1 config, 2 capture, 3 canonical, 4 mapping, 5 lanes, 6 warehouse, 7 daemon, 8 cli, 9 unforeseen. */
export class WalbridgeError extends Error {
  readonly code: FaultDetail['code'];
  readonly kind: FaultKind;
  readonly what: string;
  readonly safe: string;
  readonly next: string;

  constructor(detail: FaultDetail, options?: ErrorOptions) {
    super(`${detail.code} ${detail.what} ${detail.safe} ${detail.next}`.replace(/\s+/g, ' ').trim(), options);
    this.name = 'WalbridgeError';
    this.code = detail.code;
    this.kind = detail.kind;
    this.what = detail.what;
    this.safe = detail.safe;
    this.next = detail.next;
  }
}

/** True for a walbridge error that a retry can mend. Foreign errors are classified where they are caught. */
export function isTransient(error: unknown): error is WalbridgeError {
  return error instanceof WalbridgeError && error.kind === 'transient';
}

/** Any thrown value as a WalbridgeError; what no room has classified is WB9000 and permanent. */
export function asWalbridgeError(error: unknown): WalbridgeError {
  if (error instanceof WalbridgeError) return error;
  const name = error instanceof Error ? error.name : typeof error;
  return new WalbridgeError(
    {
      code: 'WB9000',
      kind: 'permanent',
      what: `An unforeseen error (${name}) ended the work in hand.`,
      safe: 'Nothing beyond the last watermark was acknowledged.',
      next: 'Report it with the log lines around it.',
    },
    { cause: error },
  );
}
