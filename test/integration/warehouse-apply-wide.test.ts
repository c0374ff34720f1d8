// Apply to a wide table: 300 columns of text, a key of five columns with awkward names, values of a megabyte.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CanonicalRecord } from '../../src/canonical/event.ts';
import { quoteName } from '../../src/warehouse/identifier.ts';
import { TestLane, type TestTable } from './warehouse-apply-lane.ts';

const texts = Array.from({ length: 300 }, (_, n) => `t${n}`);
const names = {
  number: 'co]l [0]',
  code: "it's",
  unit: 'Größe – 大小',
  ref: 'select',
  day: 'A b',
  t0: 'r',
  t1: 's.o',
} as const;
const wide: TestTable = {
  entity: 'wide',
  key: ['number', 'code', 'unit', 'ref', 'day'],
  columns: {
    number: ['bigint', 'long'],
    code: ['nvarchar(40)', 'string'],
    unit: ['nvarchar(20)', 'string'],
    ref: ['uniqueidentifier', { type: 'string', logicalType: 'uuid' }],
    day: ['date', { type: 'int', logicalType: 'date' }],
    ...Object.fromEntries(
      texts.map((name, n) => [name, [n % 2 === 0 ? 'nvarchar(max)' : 'nvarchar(400)', 'string']] as const),
    ),
  },
  names,
};
const MEGABYTE = 'aé大😀'.repeat(209_716);

const key = (code: string): CanonicalRecord => ({
  number: 2n ** 62n,
  code,
  unit: ' ]x',
  ref: '00000000-0000-4000-8000-000000000001',
  day: 20_000,
});
const full = (code: string, text: string): CanonicalRecord => ({
  ...key(code),
  ...Object.fromEntries(texts.map((name) => [name, text])),
});

describe('a wide table', () => {
  let lane: TestLane;
  beforeAll(async () => {
    lane = await TestLane.open([wide]);
  });
  afterAll(() => lane?.close());
  const stored = () =>
    lane.rows(
      'dbo.wide',
      `${quoteName(names.code)} AS code, r, ${quoteName(names.t1)} AS short, t298, t299, CONVERT(varchar(10), ${quoteName(names.day)}, 23) AS day`,
      quoteName(names.code),
    );

  it('takes rows of any width, partial images of them, new keys and deletes', async () => {
    await lane.apply([
      { insert: 'wide', row: { ...full('a', 'x'.repeat(400)), t0: MEGABYTE } },
      { insert: 'wide', row: full('A', '') },
      { insert: 'wide', row: full('gone', 'y') },
    ]);
    const { t0: _unchanged, t298: _too, ...changed } = full('b', 'z');
    await lane.apply([
      { update: 'wide', row: changed, was: key('a') },
      { delete: 'wide', key: key('gone') },
    ]);
    const rows = await stored();
    expect(rows.map((row) => ({ ...row, r: (row['r'] as string).length }))).toEqual([
      { code: 'A', r: 0, short: '', t298: '', t299: '', day: '2024-10-04' },
      { code: 'b', r: MEGABYTE.length, short: 'z', t298: 'x'.repeat(400), t299: 'z', day: '2024-10-04' },
    ]);
    expect(rows[1]?.r === MEGABYTE).toBe(true);
    expect(await lane.quarantine()).toEqual([]);
  });
});
