// Retries with exponential backoff and full jitter, cut short by an AbortSignal.
// Guarantees: only transient faults are retried; a permanent one leaves at once.
import { setTimeout as pause } from 'node:timers/promises';
import { asWalbridgeError, type WalbridgeError } from './fault.ts';

export interface Backoff {
  /** Milliseconds before the second try, at most. */
  readonly initialMs: number;
  readonly maximumMs: number;
}

export interface RetryOptions {
  readonly backoff: Backoff;
  readonly signal: AbortSignal;
  /** Told of each failed try that will be repeated. */
  readonly onRetry?: (fault: WalbridgeError, attempt: number, waitMs: number) => void;
}

/** Milliseconds to wait after the given failed attempt (1-based): full jitter under a doubling ceiling. */
export function backoffMs(backoff: Backoff, attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(backoff.maximumMs, backoff.initialMs * 2 ** Math.min(attempt - 1, 30));
  return Math.ceil(ceiling * (0.5 + random() / 2));
}

/** Runs `work` until it succeeds, fails permanently, or the signal aborts (then the abort reason is thrown). */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    options.signal.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      options.signal.throwIfAborted();
      const fault = asWalbridgeError(error);
      if (fault.kind === 'permanent') throw fault;
      const waitMs = backoffMs(options.backoff, attempt);
      options.onRetry?.(fault, attempt, waitMs);
      await pause(waitMs, undefined, { signal: options.signal });
    }
  }
}
