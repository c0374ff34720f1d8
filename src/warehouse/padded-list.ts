// Lists whose length shows in a statement's text: made a power of two long, so that there are few texts, and plans, for any length.

/** `filler` stands for what changes nothing: a value that is in the list already, or an empty interval. */
export function paddedList<T>(items: readonly T[], filler: T): T[] {
  if (items.length === 0) return [];
  const length = 2 ** Math.ceil(Math.log2(items.length));
  return [...items, ...Array.from({ length: length - items.length }, () => filler)];
}
