// Times of the warehouse as canonical texts, whatever digits its engine leaves out.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { withAllDigits } from '../../src/warehouse/digest-column.ts';

it('fills the digits that an engine leaves out, and touches no others', () => {
  expect(withAllDigits('2026-01-31 12:34:56')).toBe('2026-01-31 12:34:56.0000000');
  expect(withAllDigits('12:34:56.5')).toBe('12:34:56.5000000');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 9_999_999 }), (ticks) => {
      const full = `0001-01-01 00:00:00.${String(ticks).padStart(7, '0')}`;
      expect(withAllDigits(full)).toBe(full);
      expect(withAllDigits(full.replace(/\.?0+$/, '').replace(/^.{0,18}$/, '0001-01-01 00:00:00'))).toBe(
        full,
      );
    }),
  );
});
