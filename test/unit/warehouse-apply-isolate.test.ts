// Isolation of refused rows by trials: it finds exactly the poison, also among rows that need one another.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isolate } from '../../src/warehouse/isolate.ts';

interface Row {
  readonly id: number;
  readonly poison: boolean;
  /** Passes only beside the row with this id. */
  readonly needs: number | null;
}

/** The warehouse of these tests: refuses a set that holds a poisonous row or lacks one that another needs. */
function refuses(rows: readonly Row[]): string | null {
  const ids = new Set(rows.map((row) => row.id));
  for (const row of rows) {
    if (row.poison) return `poison ${row.id}`;
    if (row.needs !== null && !ids.has(row.needs)) return `missing ${row.needs}`;
  }
  return null;
}

function warehouse() {
  const trials: number[] = [];
  const attempt = async (rows: readonly Row[]) => {
    trials.push(rows.length);
    return refuses(rows);
  };
  return { trials, attempt };
}

const plain = (id: number): Row => ({ id, poison: false, needs: null });

describe('isolate', () => {
  it('finds the poison and those that hang on it, and lets all others pass together', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ poison: fc.nat(9), needs: fc.option(fc.nat(29)) }), {
          minLength: 1,
          maxLength: 30,
        }),
        async (specs) => {
          // A row needs an earlier or a later one, never in a ring.
          const rows = specs.map(({ poison, needs }, id): Row => {
            const other = needs === null || needs >= specs.length || needs === id ? null : needs;
            return {
              id,
              poison: poison === 0,
              needs: other !== null && specs[other]?.needs === null ? other : null,
            };
          });
          const whole = refuses(rows);
          fc.pre(whole !== null);
          const { attempt } = warehouse();
          const refused = await isolate(rows, attempt, whole ?? '', 1000);
          const expected = rows.filter(
            (row) => row.poison || rows.some((other) => other.id === row.needs && other.poison),
          );
          expect(refused?.map(({ row }) => row.id).sort()).toEqual(expected.map((row) => row.id).sort());
        },
      ),
    );
  });

  it('needs about log n trials for one row of n', async () => {
    const rows = Array.from({ length: 4096 }, (_, id) => ({ ...plain(id), poison: id === 2717 }));
    const { trials, attempt } = warehouse();
    const refused = await isolate(rows, attempt, 'poison 2717', 1000);
    expect(refused).toEqual([{ row: rows[2717], refusal: 'poison 2717' }]);
    expect(trials.length).toBeLessThan(2 * 13);
  });

  it('keeps two rows that pass only together when a stranger between them is refused', async () => {
    const rows = [
      { ...plain(0), needs: 3 },
      { ...plain(1), poison: true },
      plain(2),
      { ...plain(3), needs: 0 },
    ];
    const { attempt } = warehouse();
    const refused = await isolate(rows, attempt, 'x', 1000);
    expect(refused?.map(({ row }) => row.id)).toEqual([1]);
  });

  it('gives up when there are more than the limit', async () => {
    const rows = Array.from({ length: 64 }, (_, id) => ({ ...plain(id), poison: true }));
    expect(await isolate(rows, warehouse().attempt, 'x', 10)).toBeNull();
  });
});
