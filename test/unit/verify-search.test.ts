// The search over key hashes, and the text that digests are of: every difference is found, nothing else, with bounded lists.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CanonicalForm,
  DigestAdder,
  digestOf,
  HASHES,
  type HashInterval,
  type HashSlots,
  hashOf,
  isSameSum,
  type KeyDigest,
  rowText,
} from '../../src/change/row-digest.ts';
import type { SourceReader } from '../../src/daemon/verify-reader.ts';
import { search } from '../../src/daemon/verify-search.ts';
import type { Side } from '../../src/daemon/verify-side.ts';
import type { VerifiedTable } from '../../src/daemon/verify-table.ts';

/** A side that is a list of rows; it notes how long its longest list was. */
class Listed implements Side {
  readonly readRows = 0;
  longest = 0;
  readonly #rows: readonly (KeyDigest & { readonly hash: number })[];

  constructor(rows: ReadonlyMap<number, string>) {
    this.#rows = [...rows].map(([key, value]) => ({
      key: [String(key)],
      // A row's text has its key in it.
      digest: digestOf(`${key} ${value}`),
      hash: hashOf(digestOf(String(key))),
    }));
  }

  async summarise(_range: unknown, { first, width, slots }: HashSlots) {
    const sums = new Map<number, DigestAdder>();
    for (const { hash, digest } of this.#rows) {
      const slot = slots === 1 && width === HASHES ? 0 : Math.floor((hash - first) / width);
      if (slot < 0 || slot >= slots) continue;
      const sum = sums.get(slot) ?? new DigestAdder();
      sums.set(slot, sum);
      sum.add(digest);
    }
    return new Map([...sums].map(([slot, { sum }]) => [slot, sum]));
  }

  async list(_range: unknown, hashes: readonly HashInterval[]) {
    const found = this.#rows.filter(({ hash }) =>
      hashes.some(({ first, end }) => hash >= first && hash < end),
    );
    this.longest = Math.max(this.longest, found.length);
    return found;
  }
}

const unordered = { ordered: 0 } as VerifiedTable;
const nobody = null as unknown as SourceReader;

async function run(
  source: Side,
  target: Side,
  options: { share?: number; mostListed?: number; estimate?: number },
) {
  const { share = 1, mostListed = 50, estimate = 300 } = options;
  const parts = [];
  const asked = { rangeRows: 10, share, random: () => 0.5, estimate, mostListed };
  for await (const part of search(unordered, source, target, nobody, asked)) parts.push(part);
  return {
    suspects: parts.flatMap(({ suspects }) => suspects.map(([key]) => Number(key))).sort((a, b) => a - b),
    sourceRows: parts.reduce((sum, { sourceRows }) => sum + sourceRows, 0),
    targetRows: parts.reduce((sum, { targetRows }) => sum + targetRows, 0),
  };
}

const rows = (count: number, of: (key: number) => string | null) =>
  new Map(
    Array.from({ length: count }, (_, key) => [key, of(key)] as const).filter(
      (row): row is readonly [number, string] => row[1] !== null,
    ),
  );

describe('the search', () => {
  it('finds what differs, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(599), { maxLength: 40 }),
        fc.uniqueArray(fc.nat(599), { maxLength: 40 }),
        fc.integer({ min: 1, max: 5000 }),
        async (changed, gone, estimate) => {
          const source = new Listed(
            rows(600, (key) => (gone.includes(key) && key % 2 === 0 ? null : 'same')),
          );
          const target = new Listed(
            rows(600, (key) =>
              gone.includes(key) && key % 2 === 1 ? null : changed.includes(key) ? 'other' : 'same',
            ),
          );
          const { suspects } = await run(source, target, { estimate });
          const expected = [...new Set([...changed.filter((key) => !gone.includes(key)), ...gone])];
          expect(suspects).toEqual(expected.sort((a, b) => a - b));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('never lists more than it may, though everything differs and nobody knew how much there is', async () => {
    const source = new Listed(rows(3000, () => 'a'));
    const target = new Listed(rows(2990, () => 'b'));
    const { suspects, sourceRows, targetRows } = await run(source, target, { estimate: 1, mostListed: 20 });
    expect(suspects).toHaveLength(3000);
    expect([sourceRows, targetRows]).toEqual([3000, 2990]);
    expect(Math.max(source.longest, target.longest)).toBeLessThanOrEqual(20);
  });

  it('looks at about the share that is asked for', async () => {
    const source = new Listed(rows(5000, () => 'a'));
    const { sourceRows, suspects } = await run(source, new Listed(new Map()), { share: 0.1, estimate: 5000 });
    expect(sourceRows).toBeGreaterThan(400);
    expect(sourceRows).toBeLessThan(600);
    expect(suspects).toHaveLength(sourceRows);
  });

  it('sees a key that one side has twice', async () => {
    const twice = new Listed(rows(10, () => 'a'));
    const list = twice.list.bind(twice);
    twice.list = async (range, hashes) =>
      (await list(range, hashes)).flatMap((row) => (row.key[0] === '3' ? [row, row] : row));
    twice.summarise = async () => new Map();
    expect((await run(new Listed(rows(10, () => 'a')), twice, { estimate: 1 })).suspects).toContain(3);
  });
});

const forms: readonly CanonicalForm[] = [
  { kind: 'text' },
  { kind: 'integer' },
  { kind: 'text' },
  { kind: 'decimal', scale: 2 },
];
const value = fc.option(
  fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '1', '1:', ':', ';', '0:;', '3:a;:')),
);
const number = fc.option(fc.integer().map(String));
const values = fc.tuple(value, number, value, number);

describe('the text of a row', () => {
  it('is of one row only', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const isSame = JSON.stringify(a) === JSON.stringify(b);
        expect(rowText(forms, a) === rowText(forms, b)).toBe(isSame);
      }),
    );
    expect(rowText(forms, [null, null, '', '1.00'])).toBe(':;0:1.00;');
  });

  it('has a digest that tells case, blanks and planes apart', () => {
    const texts = ['a', 'A', 'a ', ' a', 'á', 'a\u0301', '\u{1F600}', '\uD83D', '', '\0'];
    expect(new Set(texts.map(digestOf)).size).toBe(texts.length);
    // SHA-256 of `abc`, and of `é` as UTF-16LE.
    expect(digestOf('abc')).toBe('ba7816bf8f01cfea414140de5dae2223');
    expect(digestOf('é')).not.toBe(digestOf('\u00e9\0'));
  });

  it('adds up in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 20 }), (texts) => {
        const sum = (of: readonly string[]) => {
          const adder = new DigestAdder();
          for (const text of of) adder.add(digestOf(text));
          return adder.sum;
        };
        expect(isSameSum(sum(texts), sum([...texts].reverse()))).toBe(true);
        expect(isSameSum(sum(texts), sum([...texts, 'more']))).toBe(false);
      }),
    );
  });
});
