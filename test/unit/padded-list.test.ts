import fc from 'fast-check';
import { expect, it } from 'vitest';
import { paddedList } from '../../src/warehouse/padded-list.ts';

it('keeps what is there and has a power of two for a length', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 70 }), (items) => {
      const padded = paddedList(items, -1);
      expect(padded.slice(0, items.length)).toEqual(items);
      expect(padded.slice(items.length).every((item) => item === -1)).toBe(true);
      if (items.length > 0) {
        expect(Number.isInteger(Math.log2(padded.length))).toBe(true);
        expect(padded.length).toBeLessThan(items.length * 2);
      } else expect(padded).toEqual([]);
    }),
  );
});
