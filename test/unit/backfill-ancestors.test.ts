// Rows of one table that refer to each other: which columns do, and in which order they are sent.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ancestorsFirst, selfReferencesOf } from '../../src/daemon/backfill-ancestors.ts';

const references = [
  { columns: ['boss'], referenced: ['id'] },
  { columns: ['deputy'], referenced: ['id'] },
];

test('every row once, each behind those that it refers to, in a forest of any shape', () => {
  const shape = fc.array(fc.tuple(fc.nat(), fc.option(fc.nat())), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(shape, fc.infiniteStream(fc.nat()), (links, shuffle) => {
      const rows = links.map(([boss, deputy], index) => ({
        id: String(index),
        boss: index === 0 || boss % 5 === 0 ? null : String(boss % index),
        deputy: index === 0 || deputy === null ? null : String(deputy % index),
      }));
      const order = new Map(rows.map((row) => [row, shuffle.next().value as number]));
      const shuffled = [...rows].sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
      const sent = ancestorsFirst(shuffled, references) as typeof rows;
      expect([...sent].sort((a, b) => Number(a.id) - Number(b.id))).toEqual(rows);
      const place = new Map(sent.map(({ id }, index) => [id, index]));
      for (const { id, boss, deputy } of sent) {
        for (const parent of [boss, deputy]) {
          if (parent !== null) expect(place.get(parent)).toBeLessThan(place.get(id) ?? -1);
        }
      }
    }),
  );
});

test('circles, rows that refer to themselves, and a chain longer than the stack', () => {
  const circle = [
    { id: 'a', boss: 'b', deputy: null },
    { id: 'b', boss: 'a', deputy: 'b' },
  ];
  expect(ancestorsFirst(circle, references)).toHaveLength(2);
  const chain = Array.from({ length: 50_000 }, (_, index) => ({
    id: `${index}`,
    boss: `${index + 1}`,
    deputy: null,
  }));
  expect(ancestorsFirst(chain, references)).toEqual([...chain].reverse());
});

test('the foreign keys of the warehouse, in columns of the source; not of such as are made on the way', () => {
  const field = (column: string, input: string, steps: readonly string[] = []) => ({
    column: { name: column },
    inputs: [input],
    expression: null,
    mapping: { steps },
  });
  const plan = { fields: [field('Id', 'id'), field('BossId', 'boss'), field('Name', 'name', ['trim'])] };
  const of = (columns: string[], toColumns: string[]) =>
    selfReferencesOf({ plan } as never, [{ columns, toColumns }]);
  expect(of(['bossid'], ['ID'])).toEqual([{ columns: ['boss'], referenced: ['id'] }]);
  expect(of(['Name'], ['Id'])).toEqual([]);
  expect(of(['Unmapped'], ['Id'])).toEqual([]);
});
