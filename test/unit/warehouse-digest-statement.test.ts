// The texts of verify's digests: one a table for all ranges and slots, few for lists of hashes.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RecordSchema } from '../../src/canonical/schema.ts';
import type { TargetTable } from '../../src/mapping/target.ts';
import { type Catalog, tableKey } from '../../src/warehouse/catalog.ts';
import { planDigest } from '../../src/warehouse/digest-column.ts';
import { listDigests, summarise } from '../../src/warehouse/digest-statement.ts';

const name = { schema: 'dbo', table: 'leads' };
const traits = { nullable: true, identity: false, computed: false, generated: false, hasDefault: false };
const id = { name: 'id', type: { name: 'bigint' }, typeText: 'bigint', collation: null, ...traits } as const;
const catalog: Catalog = {
  tables: new Map([
    [tableKey(name), { name, columns: [id], uniqueKeys: [], triggers: [], temporal: false, empty: false }],
  ]),
  foreignKeys: [],
  schemas: new Set(),
  unread: [],
};
const target: TargetTable = {
  ...name,
  entity: 'leads',
  lane: 'crm',
  key: ['id'],
  columns: [{ name: 'id', field: 'id', type: id.type, nullable: false }],
  metadata: {},
};
const schema = { fields: [{ name: 'id', type: { kind: 'long' } }] } as unknown as RecordSchema;
const table = planDigest(target, schema, catalog);

const number = fc.integer({ min: 1_000_000, max: 4_000_000 });
const range = fc.record({ after: fc.tuple(number.map(String)), to: fc.tuple(number.map(String)) });
const slots = fc.record({ first: number, width: number, slots: fc.integer({ min: 2, max: 60_000 }) });

it('names no key and no hash', () => {
  fc.assert(
    fc.property(range, slots, range, slots, (one, of, other, ofOther) => {
      const [a, b] = [
        summarise(table, table.columns, one, of),
        summarise(table, table.columns, other, ofOther),
      ];
      expect(a.sql).toBe(b.sql);
      expect(Object.values(a.parameters).map(({ value }) => value)).toEqual(
        expect.arrayContaining([one.after[0], one.to[0], of.first, of.width, of.first + of.width * of.slots]),
      );
    }),
  );
});

it('lists hashes of up to 200 intervals with nine texts beside that without any', () => {
  const texts = new Set<string>();
  for (let count = 0; count <= 200; count += 1) {
    const hashes = Array.from({ length: count }, (_, index) => ({ first: index * 10, end: index * 10 + 5 }));
    const { sql, parameters } = listDigests(table, table.columns, { after: ['1'], to: null }, hashes);
    texts.add(sql);
    const ends = Object.entries(parameters).filter(([key, { value }]) => /^end/.test(key) && value !== 0);
    expect(ends.length).toBe(count);
  }
  expect(texts.size).toBe(10);
});
