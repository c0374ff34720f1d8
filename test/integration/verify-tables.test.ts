// Verifications over keys of every kind, in small ranges: what is planted is found by name, repaired by its keys, and no more.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { EntityReport } from '../../src/daemon/verify-control.ts';
import { caughtUp, done, openJobs } from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';
import { verify } from './verify-rig.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const tables = [
  'sparse',
  'pair',
  'ids',
  'words',
  'parts',
  'stamps',
  'blobs',
  'filtered',
  'lowered',
  'nan',
] as const;
const ddl = `
  CREATE TABLE sparse (id bigint PRIMARY KEY, v text);
  CREATE TABLE pair (a numeric(8,2), b varchar(20) COLLATE "en-x-icu", v numeric(10,2), PRIMARY KEY (a, b));
  CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
  CREATE TABLE ids (id uuid PRIMARY KEY, at timestamptz, note text COLLATE loose DEFAULT 'é😀');
  CREATE TABLE words (w varchar(40) COLLATE "en-x-icu" PRIMARY KEY, n int);
  CREATE TABLE parts (id int, region varchar(10), v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
  CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
  CREATE TABLE stamps (at timestamptz, day date, v boolean, PRIMARY KEY (at, day));
  CREATE TABLE blobs (k bytea PRIMARY KEY, v real);
  CREATE TABLE filtered (id int PRIMARY KEY, kind varchar(10) NOT NULL);
  CREATE TABLE lowered (k varchar(20) PRIMARY KEY, v int);
  CREATE TABLE nan (id int PRIMARY KEY, v float8, t text);`;

let bridge: Bridge;

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl,
    tables: tables.map((table) => ({ schema: 'public', table })),
    edit: (table, mapping) => {
      if (table === 'filtered') return `${mapping}\nfilter: kind == "kept"\n`;
      if (table === 'lowered')
        return mapping.replace(/^( +)k: .*$/m, '$1k: {transform: lower, target: nvarchar(20)}');
      return table === 'blobs' ? mapping.replace(/^( +)k: .*$/m, '$1k: {target: varbinary(20)}') : mapping;
    },
    verify: { cron: '* * * * *' },
  });
  await bridge.start();
  await bridge.source.query(`
    INSERT INTO sparse SELECT (i::bigint * i * i) * 1000003 - 9000000000, 'v' || i FROM generate_series(1, 700) i;
    INSERT INTO pair SELECT i % 7 - 3.25, chr(97 + i % 26) || CASE WHEN i % 2 = 0 THEN upper(to_hex(i)) ELSE to_hex(i) END, i FROM generate_series(1, 500) i;
    INSERT INTO ids SELECT md5(i::text)::uuid, now() FROM generate_series(1, 500) i;
    INSERT INTO words SELECT unnest(ARRAY['a','A','ä','b','B','Z','z','a b','a-b','ab','é','e','E','ß','ss','_x','-y','10','9',' lead']), 1;
    INSERT INTO words SELECT (ARRAY['k','K','ö','o','-'])[1 + i % 5] || to_hex(i * 7919), i FROM generate_series(1, 400) i;
    INSERT INTO parts SELECT i, (ARRAY['north','south','east'])[1 + i % 3], 'p' || i FROM generate_series(1, 600) i;
    INSERT INTO stamps SELECT timestamptz '2026-01-01 00:00:00.000001+02' + i * interval '1 hour', date '2026-01-01' + i % 3, i % 2 = 0 FROM generate_series(1, 300) i;
    INSERT INTO stamps VALUES ('infinity', '2026-01-01', true), ('-infinity', '2026-01-01', true), ('0005-01-01 BC', '2026-01-01', true);
    INSERT INTO blobs SELECT decode(md5(i::text), 'hex'), i / 7.0 FROM generate_series(1, 100) i;
    INSERT INTO filtered SELECT i, CASE WHEN i % 3 = 0 THEN 'kept' ELSE 'left' END FROM generate_series(1, 90) i;
    INSERT INTO lowered VALUES ('A', 1);
    INSERT INTO nan SELECT i, CASE WHEN i % 10 = 0 THEN 'NaN'::float8 ELSE i END, '' FROM generate_series(1, 100) i`);
  await caughtUp(bridge);
});

afterAll(() => bridge?.close());

/** Entity, kind, key, columns of each finding. */
function lines(reports: readonly EntityReport[]): string[] {
  return reports
    .flatMap(({ findings }) => findings)
    .map(({ entity, kind, key, columns, code }) =>
      [entity, kind, Object.values(key).join('/'), columns.join() || code || ''].join(' ').trim(),
    )
    .sort();
}

async function sparseKeys(...values: string[]): Promise<string[]> {
  const { rows } = await bridge.source.query<{ id: string }>('SELECT id FROM sparse WHERE v = ANY ($1)', [
    values,
  ]);
  return rows.map(({ id }) => id);
}

const refused = [
  ...Array.from({ length: 10 }, (_, index) => `nan quarantined ${10 * (index + 1)} WB4102`),
  'stamps quarantined -infinity/2026-01-01 WB3107',
  'stamps quarantined 0005-01-01 00:00:00+00 BC/2026-01-01 WB3108',
  'stamps quarantined infinity/2026-01-01 WB3107',
];

test('is equal, but for what is in quarantine, and says what it cannot verify', async () => {
  for (const deep of [false, true]) {
    const { reports } = await verify(bridge, { options: { deep, rangeRows: 60 } });
    expect(lines(reports)).toEqual([...refused].sort());
    const states = Object.fromEntries(
      reports.map(({ entity, state, way }) => [entity, deep ? state : `${state} ${way}`]),
    );
    const equal = (way: string) => (deep ? 'equal' : `equal ${way}`);
    expect(states).toEqual({
      ...Object.fromEntries(tables.map((table) => [table, equal('sql')])),
      filtered: equal('rows'),
      lowered: deep ? 'failed' : 'failed sql',
    });
    expect(reports.find(({ entity }) => entity === 'lowered')?.trouble).toMatchObject({ code: 'WB7102' });
    // All ranges together have every row once.
    const rows = Object.fromEntries(
      reports.map(({ entity, sourceRows, warehouseRows }) => [entity, [sourceRows, warehouseRows]]),
    );
    expect(rows).toMatchObject({
      sparse: [700, 700],
      pair: [500, 500],
      words: [420, 420],
      parts: [600, 600],
      stamps: [303, 300],
    });
  }
});

test('finds and repairs what is planted, in every range and beyond the ends', async () => {
  await bridge.rows(`
    INSERT INTO crm.sparse (id, v) VALUES (-9223372036854775808, N'x'), (5, N'x'), (9223372036854775807, N'x');
    DELETE FROM crm.sparse WHERE v IN (N'v1', N'v350', N'v700');
    UPDATE crm.sparse SET v = N'V77' WHERE v = N'v77'; UPDATE crm.sparse SET v = NULL WHERE v = N'v78';
    INSERT INTO crm.pair (a, b, v) VALUES (-3.25, N'zz', 1), (99, N'a', 1);
    UPDATE crm.pair SET v = v + 0.01 WHERE b = N'b1';
    INSERT INTO crm.words (w, n) VALUES (N'not there', 1), (N'Ab', 2); DELETE FROM crm.words WHERE w = N'ä';
    UPDATE crm.words SET n = 2 WHERE w = N'A';
    INSERT INTO crm.ids (id) VALUES ('00000000-0000-0000-0000-000000000001');
    UPDATE crm.ids SET note = N'e😀' WHERE id = 'c81e728d-9d4c-2f63-6f06-7f89cc14862c';
    UPDATE crm.ids SET at = NULL WHERE id = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
    UPDATE crm.parts SET v = N'p7 ' WHERE id = 7;
    UPDATE crm.stamps SET v = 0 WHERE at = '2025-12-31 23:00:00.000001 +00:00' OR at = '2026-01-01 00:00:00.000001 +00:00';
    INSERT INTO crm.stamps (at, day, v) VALUES ('0001-01-01 00:00:00 +00:00', '2026-01-01', 1);
    UPDATE crm.blobs SET v = 0.5 WHERE k = 0xC4CA4238A0B923820DCC509A6F75849B;
    INSERT INTO crm.filtered (id, kind) VALUES (1, N'kept'), (1000, N'kept'); DELETE FROM crm.filtered WHERE id = 3;
    UPDATE crm.nan SET t = NULL WHERE id = 1`);
  const planted = [
    'blobs different \\xc4ca4238a0b923820dcc509a6f75849b v',
    'filtered extra 1',
    'filtered extra 1000',
    'filtered missing 3',
    'ids different c4ca4238-a0b9-2382-0dcc-509a6f75849b at',
    'ids different c81e728d-9d4c-2f63-6f06-7f89cc14862c note',
    'ids extra 00000000-0000-0000-0000-000000000001',
    'nan different 1 t',
    'pair different -2.25/b1 v',
    'pair extra -3.25/zz',
    'pair extra 99.00/a',
    'parts different south/7 v',
    ...(await sparseKeys('v77', 'v78')).map((key) => `sparse different ${key} v`),
    'sparse extra -9223372036854775808',
    'sparse extra 5',
    'sparse extra 9223372036854775807',
    ...(await sparseKeys('v1', 'v350', 'v700')).map((key) => `sparse missing ${key}`),
    'stamps different 2026-01-01 00:00:00.0000010/2026-01-03 v',
    'stamps extra 0001-01-01 00:00:00.0000000/2026-01-01',
    'words different A n',
    'words extra Ab',
    'words extra not there',
    'words missing ä',
  ];
  const { reports, repairId } = await verify(bridge, {
    repair: true,
    options: { rangeRows: 60, showValues: true },
  });
  const found = lines(reports);
  expect(found.filter((line) => !line.includes('quarantined'))).toEqual(
    found.filter((line) => planted.includes(line)),
  );
  expect(planted.filter((line) => !found.includes(line))).toEqual([]);
  const values = reports
    .flatMap(({ findings }) => findings)
    .find(({ entity, key }) => entity === 'parts' && key.id === '7')?.values;
  expect(values).toEqual({ v: { source: 'p7', warehouse: 'p7 ' } });
  await done(bridge, repairId!);
  const after = await verify(bridge);
  expect(lines(after.reports)).toEqual([...refused].sort());
  expect(after.repairId).toBeNull();
});

test('stops at the most findings that it keeps, and says so', async () => {
  await bridge.rows('DELETE FROM crm.sparse');
  const { reports } = await verify(bridge, {
    entities: ['sparse'],
    options: { mostFindings: 100, rangeRows: 100 },
  });
  expect(reports[0]).toMatchObject({ isCutShort: true, state: 'different' });
  expect(reports[0]!.share).toBeLessThan(1);
  expect(reports[0]!.findings.length).toBeGreaterThanOrEqual(100);
  const { repairId } = await verify(bridge, { entities: ['sparse'], repair: true });
  await done(bridge, repairId!);
  const jobs = await openJobs(bridge);
  await until('the job of the repair', async () => (await jobs.getJobState(repairId!)) === 'completed');
  await jobs.close();
  expect((await verify(bridge, { entities: ['sparse'] })).reports[0]).toMatchObject({
    state: 'equal',
    isCutShort: false,
  });
});

test('runs by the clock, and leaves its result where status and BI find it', async () => {
  const recorded = await until(
    'a verification by the clock',
    async () => {
      if (bridge.fault !== null) throw bridge.fault;
      const rows = await bridge.rows<{ entity: string; state: string; source_rows: string; share: number }>(
        "SELECT entity, state, source_rows, share FROM walbridge.verification WHERE requested_by = N'verify.cron'",
      );
      return rows.length >= tables.length ? rows : null;
    },
    90_000,
  );
  expect(recorded.map(({ entity }) => entity)).toEqual(expect.arrayContaining([...tables]));
  expect(recorded.find(({ entity }) => entity === 'sparse')).toMatchObject({ share: 1 });
  const [latest] = await bridge.rows<{ keys: number }>(
    "SELECT COUNT(*) AS keys FROM walbridge.verification WHERE error LIKE N'%not there%'",
  );
  expect(latest).toEqual({ keys: 0 });
});
