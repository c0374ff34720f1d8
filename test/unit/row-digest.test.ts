// The canonical text of a row: what two rows are told apart by.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type CanonicalForm, rowText, shownText } from '../../src/change/row-digest.ts';

const text: CanonicalForm = { kind: 'text' };
const integer: CanonicalForm = { kind: 'integer' };

it('is one for two rows only where all values are the same, trailing blanks and all', () => {
  const value = fc.option(fc.string({ unit: fc.constantFrom(' ', ':', ';', '0', '1', 'a'), maxLength: 5 }));
  const row = fc.tuple(value, fc.option(fc.integer({ min: -1, max: 11 }).map(String)), value);
  const forms = [text, integer, text];
  fc.assert(
    fc.property(row, row, (one, other) => {
      expect(rowText(forms, one) === rowText(forms, other)).toBe(
        JSON.stringify(one) === JSON.stringify(other),
      );
    }),
    { numRuns: 5000 },
  );
  const near = fc.tuple(fc.stringMatching(/^[ 1:]{0,3}$/), fc.stringMatching(/^[ 1:]{0,3}$/));
  const seen = new Map<string, string>();
  for (const one of fc.sample(near, 5000)) {
    const written = rowText([text, text], one);
    expect(seen.get(written) ?? JSON.stringify(one)).toBe(JSON.stringify(one));
    seen.set(written, JSON.stringify(one));
  }
});

it('shows floats as numbers', () => {
  expect(shownText({ kind: 'float8' }, '-4613937818241073152')).toBe('-1.5');
  expect(shownText({ kind: 'float4' }, '3217031168')).toBe('-1.5');
  expect(shownText({ kind: 'float8' }, null)).toBeNull();
  expect(shownText(text, '1')).toBe('1');
});
