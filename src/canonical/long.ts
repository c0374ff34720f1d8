// 64-bit integers in JavaScript: a number where it is safe, else a bigint.
// Guarantees: one value has one representation, so that `===` compares.

export const MIN_LONG = -(2n ** 63n);
export const MAX_LONG = 2n ** 63n - 1n;

export function safeOrBig(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
