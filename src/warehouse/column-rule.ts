// A rule of one column type: which values it stores exactly, and how to say what it doesn't.
import type { CanonicalValue } from '../canonical/event.ts';

export type Present = NonNullable<CanonicalValue>;

/** null: every value fits. */
export type Rule = { readonly fits: (value: Present) => boolean; readonly why: string } | null;

/** Of a pair that no mapping may have: nothing fits. */
export const otherKind: Rule = { fits: () => false, why: 'Values of another kind' };

/** Numbers and bigints are compared with their own kind: mixed comparisons cost ten times as much. */
export function within(least: bigint, most: bigint): (value: Present) => boolean {
  // Rounded where they pass 2^53; the numbers met there are safe integers, so the outcome is the same.
  const [lowest, highest] = [Number(least), Number(most)];
  return (value) =>
    typeof value === 'number'
      ? value >= lowest && value <= highest
      : (value as bigint) >= least && (value as bigint) <= most;
}
