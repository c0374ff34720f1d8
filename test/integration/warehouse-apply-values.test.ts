// Every type of the table in docs/types.md with its extremes, in the warehouse exactly as it was sent.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CanonicalRecord } from '../../src/canonical/event.ts';
import { TestLane, type TestTable } from './warehouse-apply-lane.ts';

const decimal = (precision: number, scale: number) => ({
  type: 'bytes',
  logicalType: 'decimal',
  precision,
  scale,
});
const values: TestTable = {
  entity: 'vals',
  key: ['id'],
  columns: {
    id: ['bigint', 'long'],
    flag: ['bit', 'boolean'],
    small: ['smallint', 'int'],
    whole: ['int', 'int'],
    big: ['bigint', 'long'],
    single: ['real', 'float'],
    dbl: ['float', 'double'],
    wide: ['decimal(38,10)', decimal(38, 10)],
    day: ['date', { type: 'int', logicalType: 'date' }],
    clock: ['time(6)', { type: 'long', logicalType: 'time-micros' }],
    loc: ['datetime2(6)', { type: 'long', logicalType: 'local-timestamp-micros' }],
    inst: ['datetimeoffset(6)', { type: 'long', logicalType: 'timestamp-micros' }],
    short: ['nvarchar(20)', 'string'],
    txt: ['nvarchar(max)', 'string'],
    bin: ['varbinary(max)', 'bytes'],
    uid: ['uniqueidentifier', { type: 'string', logicalType: 'uuid' }],
  },
};
/** Read back as text wherever the driver would lose something. */
const exact = `flag, small, whole, CONVERT(varchar(20), big) AS big, single, dbl, CONVERT(varchar(42), wide) AS wide,
  CONVERT(varchar(10), day, 23) AS day, CONVERT(varchar(16), clock, 121) AS clock, CONVERT(varchar(30), loc, 121) AS loc,
  CONVERT(varchar(40), inst, 121) AS inst, short, txt, bin, CONVERT(varchar(36), uid) AS uid`;
const none = Object.fromEntries(Object.keys(values.columns).map((name) => [name, null])) as CanonicalRecord;

const least = {
  ...none,
  id: -(2n ** 63n),
  flag: false,
  small: -32768,
  whole: -(2 ** 31),
  big: -(2n ** 63n),
  single: -3.4028234663852886e38,
  dbl: -1.7976931348623157e308,
  wide: `-${'9'.repeat(28)}.${'9'.repeat(10)}`,
  day: -719_162,
  clock: 0,
  loc: -62_135_596_800_000_000n,
  inst: -62_135_596_800_000_000n,
  short: '',
  txt: '',
  bin: Buffer.alloc(0),
  uid: '00000000-0000-0000-0000-000000000000',
};
const most = {
  ...none,
  id: 2n ** 63n - 1n,
  flag: true,
  small: 32767,
  whole: 2 ** 31 - 1,
  big: 2n ** 63n - 1n,
  single: 3.4028234663852886e38,
  dbl: 5e-300,
  wide: '0.0000000001',
  day: 2_932_896,
  clock: 86_399_999_999,
  loc: 253_402_300_799_999_999n,
  inst: 1_700_000_000_000_001,
  short: "😀 it's ü\t\n",
  txt: `${'😀 1 MB of text '.repeat(65_000)}end`,
  bin: Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256)),
  uid: 'ffffffff-eeee-4ddd-8ccc-0123456789ab',
};

describe('values', () => {
  let lane: TestLane;
  beforeAll(async () => {
    lane = await TestLane.open([values]);
  });
  afterAll(() => lane?.close());
  const read = async (id: bigint) => (await lane.rows(`dbo.vals WHERE id = ${id}`, exact))[0];

  it('arrive exactly at both ends of every type', async () => {
    await lane.apply([
      { insert: 'vals', row: least },
      { insert: 'vals', row: most },
      { insert: 'vals', row: { ...none, id: 0 } },
    ]);
    expect(await lane.quarantine()).toEqual([]);
    expect(await read(least.id)).toEqual({
      flag: false,
      small: least.small,
      whole: least.whole,
      big: '-9223372036854775808',
      single: least.single,
      dbl: least.dbl,
      wide: least.wide,
      day: '0001-01-01',
      clock: '00:00:00.000000',
      loc: '0001-01-01 00:00:00.000000',
      inst: '0001-01-01 00:00:00.000000 +00:00',
      short: '',
      txt: '',
      bin: least.bin,
      uid: least.uid,
    });
    const found = await read(most.id);
    expect(found).toMatchObject({
      flag: true,
      small: most.small,
      whole: most.whole,
      big: '9223372036854775807',
      single: most.single,
      dbl: most.dbl,
      wide: most.wide,
      day: '9999-12-31',
      clock: '23:59:59.999999',
      loc: '9999-12-31 23:59:59.999999',
      inst: '2023-11-14 22:13:20.000001 +00:00',
      short: most.short,
    });
    expect(found?.txt === most.txt).toBe(true);
    expect(most.bin.equals(found?.bin as Buffer)).toBe(true);
    expect(String(found?.uid).toLowerCase()).toBe(most.uid);
    expect(Object.values((await read(0n)) ?? {}).every((value) => value === null)).toBe(true);
  });

  it('stay exact when a partial image takes all but one from the warehouse', async () => {
    const before = await read(most.id);
    await lane.apply([{ update: 'vals', row: { id: 7, flag: false }, was: { id: most.id } }]);
    expect(await read(7n)).toEqual({ ...before, flag: false });
    expect(await read(most.id)).toBeUndefined();
  });

  it('go to quarantine by name where no column can hold them', async () => {
    await lane.apply([
      { insert: 'vals', row: { ...none, id: 20, dbl: Number.NaN } },
      { insert: 'vals', row: { ...none, id: 21, single: Number.POSITIVE_INFINITY } },
      { insert: 'vals', row: { ...none, id: 22, short: 'x'.repeat(21) } },
      { insert: 'vals', row: { ...none, id: 23, whole: 1 } },
    ]);
    const codes = (await lane.quarantine()).map((row) => [row.key_json, row.code]);
    expect(codes).toEqual([
      ['{"id":"20"}', 'WB6040'],
      ['{"id":"21"}', 'WB6040'],
      ['{"id":"22"}', 'WB6040'],
    ]);
    expect(await read(23n)).toMatchObject({ whole: 1 });
  });
});
