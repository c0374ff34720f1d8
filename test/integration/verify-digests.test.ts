// PostgreSQL's digest of a row, SQL Server's, and those of the rows read and mapped: the same four times, for every type of
// docs/types.md with its extremes and for random values; and as sums.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EVERY_KEY, HASHES } from '../../src/change/row-digest.ts';
import { caughtUp } from './backfill-rig.ts';
import { Bridge } from './types-bridge.ts';
import { afterwards, columns, preamble } from './types-columns.ts';
import { digestsOf, openWays, verify, type Ways } from './verify-rig.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 });

const plain = Object.entries(columns).filter(([, { as }]) => as !== 'json');
const cases = Object.entries(columns).flatMap(([column, { cases: of }]) =>
  of.map((one) => ({
    column,
    sql: typeof one === 'string' ? one : one.sql,
    isKept: typeof one === 'string' || one.code === undefined,
  })),
);
const ofPlain = cases.filter(({ column }) => plain.some(([name]) => name === column));
const RANDOM_ROWS = 300;

let bridge: Bridge;
let ways: Ways;
let mapped: Ways;

beforeAll(async () => {
  const declare = (of: typeof plain) => of.map(([name, { type }]) => `${name} ${type}`).join(', ');
  bridge = await Bridge.open({
    ddl: `${preamble}
      CREATE TABLE plain (id int PRIMARY KEY, ${declare(plain)});
      CREATE TABLE everything (id int PRIMARY KEY, ${declare(Object.entries(columns))});`,
    tables: ['plain', 'everything'].map((table) => ({ schema: 'public', table })),
  });
  await bridge.source.query(afterwards);
  await bridge.start();
  for (const [table, of] of [
    ['plain', ofPlain],
    ['everything', cases],
  ] as const) {
    const rows = of.map(
      ({ column, sql }, index) => `INSERT INTO ${table} (id, ${column}) VALUES (${index + 1}, ${sql});`,
    );
    await bridge.source.query(`${rows.join('\n')} INSERT INTO ${table} (id) VALUES (0);`);
  }
  for (const [index, row] of fc.sample(randomRow, { numRuns: RANDOM_ROWS, seed: 71 }).entries()) {
    const names = Object.keys(row);
    const places = names.map((_name, at) => `$${at + 2}`).join(', ');
    await bridge.source.query(`INSERT INTO plain (id, ${names.join(', ')}) VALUES ($1, ${places})`, [
      100_000 + index,
      ...Object.values(row),
    ]);
  }
  await caughtUp(bridge);
  ways = await openWays(bridge, 'plain');
  mapped = await openWays(bridge, 'everything');
});

afterAll(async () => {
  await ways?.close();
  await mapped?.close();
  await bridge?.close();
});

const text = fc
  .oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('', ' ', ':', ';', '1:a', 'a;', '\u{10FFFF}', '\uE000\u{1F600}', '\uFFFF'),
  )
  .map((value) => value.replaceAll('\0', ''));
const micros = (first: string, last: string) =>
  fc.bigInt(BigInt(Date.parse(first)) * 1000n, BigInt(Date.parse(last)) * 1000n).map((value) => {
    const fraction = String(((value % 1_000_000n) + 1_000_000n) % 1_000_000n).padStart(6, '0');
    const seconds = Number((value - BigInt(fraction)) / 1000n);
    return `${new Date(seconds).toISOString().slice(0, 19)}.${fraction}`;
  });
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { freq: 4 });
const randomRow = fc.record({
  c_bool: orNull(fc.boolean()),
  c_int2: orNull(fc.integer({ min: -32768, max: 32767 })),
  c_int4: orNull(fc.integer()),
  c_int8: orNull(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String)),
  c_float4: orNull(
    fc.float({ noNaN: true, noDefaultInfinity: true }).filter((n) => n === 0 || Math.abs(n) > 1.2e-38),
  ),
  c_float8: orNull(
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => n === 0 || Math.abs(n) > 2.3e-308),
  ),
  c_numeric38: orNull(
    fc
      .tuple(fc.bigInt(-(10n ** 28n) + 1n, 10n ** 28n - 1n), fc.nat(9_999_999))
      .map(([whole, part]) => `${whole}.${part}`),
  ),
  c_numeric: orNull(fc.tuple(fc.integer(), fc.nat(99_999)).map(([whole, part]) => `${whole}.${part}`)),
  c_price: orNull(fc.integer({ min: -99_999, max: 99_999_999 }).map((cents) => (cents / 100).toFixed(2))),
  c_timestamp: orNull(micros('0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z')),
  c_timestamptz: orNull(
    micros('0001-01-02T00:00:00Z', '9999-12-30T23:59:59Z').map((value) => `${value}+05:30`),
  ),
  c_date: orNull(micros('0001-01-01T00:00:00Z', '9999-12-31T00:00:00Z').map((value) => value.slice(0, 10))),
  c_time: orNull(micros('2000-01-01T00:00:00Z', '2000-01-02T00:00:00Z').map((value) => value.slice(11))),
  c_text: orNull(text),
  c_citext: orNull(text),
  c_varchar_wide: orNull(text),
  c_varchar: orNull(
    fc.string({ unit: 'binary-ascii', maxLength: 5 }).map((value) => value.replaceAll('\0', '')),
  ),
  c_char: orNull(fc.constantFrom('a', 'ab ', 'é', 'ab    ', '')),
  c_uuid: orNull(fc.uuid()),
  c_bytea: orNull(fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes))),
  c_jsonb: orNull(
    fc
      .jsonValue({ noUnicodeString: true } as never)
      .map((value) => JSON.stringify(value).replaceAll('\\u0000', '')),
  ),
});

describe('the four digests of a row', () => {
  it('are one, for every type that PostgreSQL digests itself and for random rows', async () => {
    expect(ways.table.byRows).toBeNull();
    const [inSource, mappedHere, inWarehouse, readHere] = await Promise.all([
      digestsOf(ways.bySourceSql),
      digestsOf(ways.bySourceRows),
      digestsOf(ways.byTargetSql),
      digestsOf(ways.byTargetRows),
    ]);
    const kept = ofPlain.filter(({ isKept }) => isKept).length;
    expect(inWarehouse.size).toBe(kept + 1 + RANDOM_ROWS);
    const wrong = [...inWarehouse].flatMap(([key, digest]) => {
      const others = { inSource, mappedHere, readHere };
      const differing = Object.entries(others).filter(([, side]) => side.get(key) !== digest);
      const about = Number(key) < 100_000 ? ofPlain[Number(key) - 1] : null;
      return differing.map(([name]) => `${name} ${key} ${JSON.stringify(about)}`);
    });
    expect(wrong).toEqual([]);
    // No two of the rows are one: a digest that says nothing would pass above.
    expect(new Set(inWarehouse.values()).size).toBeGreaterThan(kept * 0.9 + RANDOM_ROWS * 0.9);
    // What went to quarantine is like nothing that the warehouse could have.
    const values = new Set(inWarehouse.values());
    expect([...inSource].filter(([key, digest]) => !inWarehouse.has(key) && values.has(digest))).toEqual([]);
  });

  it('are one, for what only the mapping can tell', async () => {
    expect(mapped.table.byRows).toContain('only the mapping makes');
    const [mappedHere, inWarehouse, readHere] = await Promise.all([
      digestsOf(mapped.bySourceRows),
      digestsOf(mapped.byTargetSql),
      digestsOf(mapped.byTargetRows),
    ]);
    expect(inWarehouse.size).toBe(cases.filter(({ isKept }) => isKept).length + 1);
    const wrong = [...inWarehouse].flatMap(([key, digest]) =>
      mappedHere.get(key) === digest && readHere.get(key) === digest
        ? []
        : `${key} ${JSON.stringify(cases[Number(key) - 1])}`,
    );
    expect(wrong).toEqual([]);
  });

  it('add up to the same sums, slot by slot', async () => {
    await bridge.source.query("DELETE FROM plain WHERE c_date IN ('infinity', '-infinity')");
    // The random rows: none of them is rejected, which the source would count as what it is not.
    const kept = { after: ['99999'], to: ['100290'] };
    for (const [range, slots] of [
      [kept, 1],
      [kept, 50],
      [EVERY_KEY, 7],
    ] as const) {
      const asked = { first: 0, width: slots === 1 ? HASHES : Math.ceil(HASHES / slots), slots };
      const [inWarehouse, readHere, inSource, mappedHere] = await Promise.all([
        ways.byTargetSql.summarise(range, asked),
        ways.byTargetRows.summarise(range, asked),
        ways.bySourceSql.summarise(range, asked),
        ways.bySourceRows.summarise(range, asked),
      ]);
      const sorted = (sums: typeof inSource) => [...sums].sort(([a], [b]) => a - b);
      expect(sorted(inWarehouse)).toEqual(sorted(readHere));
      const rows = (sums: typeof inSource) => sorted(sums).map(([slot, sum]) => [slot, sum.rows]);
      expect(rows(inSource)).toEqual(rows(mappedHere));
      if (range !== kept) continue;
      expect(sorted(inSource)).toEqual(sorted(inWarehouse));
      expect(sorted(mappedHere)).toEqual(sorted(inWarehouse));
    }
  });
});

describe('a verification', () => {
  const lost = (of: typeof cases) => of.filter(({ isKept }) => !isKept).length;

  it.each([false, true])('finds every row equal or in quarantine (deep: %s)', async (deep) => {
    await caughtUp(bridge);
    const { reports } = await verify(bridge, { options: { deep } });
    for (const report of reports)
      expect(report.findings.filter(({ kind }) => kind !== 'quarantined')).toEqual([]);
    expect(reports.map(({ entity, state, way }) => [entity, state, way])).toEqual([
      ['everything', 'equal', deep ? 'deep' : 'rows'],
      ['plain', 'equal', deep ? 'deep' : 'sql'],
    ]);
    const [everything, ofPlainTable] = reports;
    expect(everything?.counts.quarantined).toBe(lost(cases));
    const gone = ofPlain.filter(({ column, sql }) => column === 'c_date' && sql.includes('infinity')).length;
    expect(ofPlainTable?.counts.quarantined).toBe(lost(ofPlain) - gone);
    const codes = new Set(everything?.findings.map(({ code }) => code));
    expect(codes).toContain('WB3108');
    expect(codes).toContain('WB4102');
  });
});
