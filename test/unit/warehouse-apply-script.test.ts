// The T-SQL's parts that decide correctness without a server: order along foreign keys, times as text, key predicates.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LaneBatch } from '../../src/change/batch.ts';
import { formatPosition, type Position, wholeAt } from '../../src/change/position.ts';
import { logBatch, moveWatermark, standing } from '../../src/warehouse/apply-control.ts';
import { parentsFirst } from '../../src/warehouse/apply-order.ts';
import type { ForeignKeyFacts } from '../../src/warehouse/catalog.ts';
import { dateText, offsetText, timestampText, timeText } from '../../src/warehouse/staging-time.ts';

const table = (name: string) => ({ schema: 'dbo', table: name });
const refers = (from: string, to: string, disabled = false): ForeignKeyFacts => ({
  name: `${from}_${to}`,
  from: table(from),
  columns: ['x'],
  to: table(to),
  toColumns: ['id'],
  onDelete: 'no action',
  onUpdate: 'no action',
  disabled,
});

describe('order along foreign keys', () => {
  it('puts parents first, whatever the order of tables and keys', () => {
    // An edge goes from a higher to a lower number, so there is no ring.
    const edges = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 20 });
    fc.assert(
      fc.property(edges, fc.shuffledSubarray([...Array(10).keys()], { minLength: 10 }), (pairs, order) => {
        const keys = pairs.filter(([a, b]) => a > b).map(([a, b]) => refers(`T${a}`, `t${b}`));
        const sorted = parentsFirst(
          order.map((number) => table(`t${number}`)),
          keys,
        ).map((one) => one.table);
        expect([...sorted].sort()).toEqual(order.map((number) => `t${number}`).sort());
        for (const key of keys) {
          const [child, parent] = [key.from.table.toLowerCase(), key.to.table];
          expect(sorted.indexOf(parent)).toBeLessThan(sorted.indexOf(child));
        }
      }),
    );
  });

  it('survives rings, self references, disabled keys and tables of others', () => {
    const keys = [
      refers('a', 'b'),
      refers('b', 'a'),
      refers('a', 'a'),
      refers('c', 'z'),
      refers('b', 'c', true),
    ];
    expect(parentsFirst([table('a'), table('b'), table('c')], keys).map((one) => one.table)).toEqual([
      'b',
      'a',
      'c',
    ]);
  });
});

describe('times as text', () => {
  const micros = fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n });

  it('give the instant back to the microsecond, as number or bigint', () => {
    fc.assert(
      fc.property(micros, (value) => {
        const text = timestampText(value, 'T');
        expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
        const back = BigInt(Date.parse(`${text.slice(0, 23)}Z`)) * 1000n + BigInt(text.slice(23));
        expect(back).toBe(value);
        if (Number.isSafeInteger(Number(value))) expect(timestampText(Number(value), 'T')).toBe(text);
      }),
    );
  });

  it('hold at the ends', () => {
    expect(dateText(-719_162)).toBe('0001-01-01');
    expect(dateText(2_932_896)).toBe('9999-12-31');
    expect(timeText(86_399_999_999)).toBe('23:59:59.999999');
    expect(offsetText(-1n)).toBe('1969-12-31 23:59:59.999999 +00:00');
    expect(offsetText(253_402_300_799_999_999n)).toBe('9999-12-31 23:59:59.999999 +00:00');
  });
});

describe('standing', () => {
  it('lets a batch through only where the lane stands in it', () => {
    const positions = fc.record({ lsn: fc.bigInt({ min: 0n, max: 5n }), ordinal: fc.nat(3) });
    fc.assert(
      fc.property(positions, positions, positions, (previous, last, watermark) => {
        fc.pre(order(previous) < order(last));
        const batch = { previous, last } as LaneBatch;
        const expected =
          order(watermark) >= order(last) ? 'skipped' : order(watermark) < order(previous) ? 'gap' : 'due';
        expect(standing(batch, watermark)).toBe(expected);
      }),
    );
    expect(standing({ previous: wholeAt(1n), last: wholeAt(2n) } as LaneBatch, wholeAt(1n))).toBe('due');
  });
});

describe('a lane that was rewound', () => {
  const batch = (previous: bigint, last: bigint) =>
    ({ lane: 'main', previous: wholeAt(previous), last: wholeAt(last), commitTimeMicros: 0n }) as LaneBatch;
  const log = (one: LaneBatch, replay: Position | null) =>
    logBatch({
      batch: one,
      from: one.previous,
      replay,
      changes: 1,
      tables: 0,
      truncated: 0,
      quarantined: 0,
      milliseconds: 1,
    })?.parameters;

  it('logs each stretch once, and forgets the rewind where it ends, however the batches are cut then', () => {
    const cuts = fc.uniqueArray(fc.bigInt({ min: 1n, max: 40n }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(cuts, fc.bigInt({ min: 1n, max: 40n }), (ends, was) => {
        let at = 0n;
        let replay: Position | null = wholeAt(was);
        let logged = formatPosition(replay);
        for (const end of ends.toSorted((a, b) => Number(a - b))) {
          const one = batch(at, end);
          const row = log(one, replay);
          if (row !== undefined) {
            expect(row.from_position?.value).toBe(logged);
            logged = String(row.position?.value);
          }
          const isOver = moveWatermark(one, false, replay).sql.includes('replay_lsn = NULL');
          expect(isOver).toBe(replay !== null && end >= was);
          if (isOver) replay = null;
          at = end;
        }
        expect(logged).toBe(formatPosition(wholeAt(at > was ? at : was)));
      }),
    );
  });
});

function order(position: Position): number {
  return Number(position.lsn) * 10 + position.ordinal;
}
