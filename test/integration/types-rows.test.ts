// Rows as PostgreSQL really sends them, through the whole bridge: unchanged TOAST values under every replica identity, keys of
// every kind, partitions, generated columns, odd names, misfits that a mapping replaces.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Bridge } from './types-bridge.ts';

const ODD = 'Wëird "Table" [x]\'s';
const tables = [
  'toast_default',
  'toast_full',
  'toast_index',
  'parted',
  'computed',
  'text_key',
  'pair_key',
  'uuid_key',
  'renamed_key',
  'replaced',
  ODD,
  'marker',
];
/** A value that PostgreSQL keeps out of line whatever it compresses. */
const big = (seed: number) =>
  `(SELECT string_agg(md5((i * ${seed})::text), '') FROM generate_series(1, 100) AS i)`;

const ddl = `
  CREATE TABLE toast_default (id int PRIMARY KEY, n int, big text, other text);
  CREATE TABLE toast_full (id int PRIMARY KEY, n int, big text, other text);
  ALTER TABLE toast_full REPLICA IDENTITY FULL;
  CREATE TABLE toast_index (id int NOT NULL UNIQUE, n int, big text, other text);
  ALTER TABLE toast_index REPLICA IDENTITY USING INDEX toast_index_id_key;
  CREATE TABLE parted (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
  CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('eu');
  CREATE TABLE parted_us PARTITION OF parted FOR VALUES IN ('us');
  CREATE TABLE computed (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
  CREATE TABLE text_key (k text PRIMARY KEY, v int);
  CREATE TABLE pair_key (a date, b timestamptz, c bytea, v int, PRIMARY KEY (a, b, c));
  CREATE TABLE uuid_key (id uuid PRIMARY KEY, v int);
  CREATE TABLE renamed_key (id date PRIMARY KEY, fit numeric, big text);
  CREATE TABLE replaced (id int PRIMARY KEY, score float8, due date);
  CREATE TABLE "${ODD.replaceAll('"', '""')}" (
    "Order" int, "select" text, "two words" text, "quo""te" text, "brack]et[" text, "it's" text, "naïve 😀" text, "1st" text,
    "constructor" text, "__proto__" text, "col;--" text, "a.b" text, PRIMARY KEY ("Order"));
  CREATE TABLE marker (id serial PRIMARY KEY);`;

let bridge: Bridge;

const run = (sql: string) => bridge.source.query(sql);
const settled = () => bridge.settled({ table: 'marker', values: '(DEFAULT)' });

/** Both sides of a table, by key. */
async function expectEqual(table: string, columns: readonly string[], order = columns[0]!): Promise<void> {
  const bytewise = order === 'k' ? ' COLLATE "C"' : '';
  const from = await run(`SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${order}${bytewise}`);
  const to = await bridge.rows(`SELECT ${columns.join(', ')} FROM crm.${table} ORDER BY ${order}`);
  expect(to).toEqual(from.rows);
}

const quarantine = (entity: string) =>
  bridge.rows<{ code: string; change: string; is_open: number }>(
    `SELECT code, change, CASE WHEN resolved_at IS NULL THEN 1 ELSE 0 END AS is_open FROM walbridge.quarantine WHERE entity = '${entity}' ORDER BY commit_lsn, ordinal`,
  );

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl,
    tables: tables.map((table) => ({ schema: 'public', table })),
    edit: (table, mapping) => {
      if (table === 'renamed_key') {
        return mapping.replace(/^ {2}id: id$/m, '  day: {from: id, target: {column: the_day}}');
      }
      if (table !== 'replaced') return mapping;
      return mapping
        .replace(/^ {2}score: score$/m, '  score: {misfit: null, flag: bad_score}')
        .replace(/^ {2}due: due$/m, '  due: {misfit: {value: "9999-12-31"}}');
    },
    editSchema: (table, schema) =>
      table === 'renamed_key'
        ? schema.replace('"name": "id"', '"name": "day"')
        : table === 'replaced'
          ? schema.replace(/\n {2}\]\n/, ',\n    {"name": "bad_score", "type": "boolean"}\n  ]\n')
          : schema,
  });
  await bridge.start();
}, 90_000);

afterAll(() => bridge?.close());

it.each(['toast_default', 'toast_full', 'toast_index'])(
  'keeps unchanged TOAST values of %s',
  async (table) => {
    const all = ['id', 'n', 'big', 'other'];
    // Inserted and partly updated in one transaction; then in one of its own; then moved, twice, and moved back.
    await run(`BEGIN; INSERT INTO ${table} SELECT i, 0, ${big(3)} || i, ${big(5)} FROM generate_series(1, 6) i;
    UPDATE ${table} SET n = 1; COMMIT`);
    await run(`UPDATE ${table} SET n = 2 WHERE id = 1`);
    await run(`UPDATE ${table} SET n = 3, big = ${big(7)} WHERE id = 2`);
    await run(
      `BEGIN; UPDATE ${table} SET n = 4 WHERE id = 3; UPDATE ${table} SET id = 30 WHERE id = 3; COMMIT`,
    );
    await run(`UPDATE ${table} SET id = 40 WHERE id = 4`);
    await run(`UPDATE ${table} SET id = 41, n = 9 WHERE id = 40`);
    await run(`BEGIN; UPDATE ${table} SET id = 50 WHERE id = 5; UPDATE ${table} SET id = 5 WHERE id = 6;
    UPDATE ${table} SET n = 7 WHERE id = 5; COMMIT`);
    await run(`BEGIN; DELETE FROM ${table} WHERE id = 1; INSERT INTO ${table} VALUES (1, 8, NULL, ${big(11)});
    UPDATE ${table} SET n = 9 WHERE id = 1; COMMIT`);
    await settled();
    await expectEqual(table, all);
    expect(await quarantine(table)).toEqual([]);
    await run(
      `BEGIN; TRUNCATE ${table}; INSERT INTO ${table} VALUES (1, 1, ${big(13)}, NULL); UPDATE ${table} SET n = 2; COMMIT`,
    );
    await settled();
    await expectEqual(table, all);
  },
);

it('follows a row from partition to partition', async () => {
  await run(`INSERT INTO parted VALUES (1, 'eu', 'a'), (2, 'us', 'b'), (3, 'eu', ${big(3)})`);
  await run(`UPDATE parted SET region = 'us', v = 'moved' WHERE id = 1`);
  await run(`UPDATE parted SET region = 'us' WHERE id = 3`);
  await run('DELETE FROM parted WHERE id = 2');
  await settled();
  await expectEqual('parted', ['id', 'region', 'v']);
});

it('leaves generated columns to who asks for them', async () => {
  await run('INSERT INTO computed VALUES (1, 21)');
  await settled();
  await expectEqual('computed', ['id', 'n']);
});

it('tells text keys apart that differ by case, and quarantines one that differs by blanks only', async () => {
  await run(
    `INSERT INTO text_key VALUES ('a', 1), ('A', 2), ('ß', 3), ('ss', 4), ('é', 5), (U&'e\\0301', 6), ('', 7), ('😀', 8)`,
  );
  await run(`UPDATE text_key SET v = v * 10 WHERE k IN ('A', 'ß')`);
  await run(`DELETE FROM text_key WHERE k = 'a'`);
  await settled();
  await expectEqual('text_key', ['k', 'v']);
  expect(await quarantine('text_key')).toEqual([]);
  await run(`INSERT INTO text_key VALUES ('A ', 9)`);
  await settled();
  expect(await quarantine('text_key')).toMatchObject([{ code: 'WB6513', change: 'insert', is_open: 1 }]);
  await run(`DELETE FROM text_key WHERE k = 'A '`);
  await settled();
  await expectEqual('text_key', ['k', 'v']);
  expect(await quarantine('text_key')).toMatchObject([{ is_open: 0 }]);
});

it('finds rows again by composite, date, bytea and uuid keys', async () => {
  await run(`INSERT INTO pair_key SELECT d, t, c, 0 FROM (VALUES ('0001-01-01'::date), ('9999-12-31')) AS d(d),
    (VALUES ('2026-01-01 00:00:00.000001Z'::timestamptz), ('2026-01-01 00:00:00.000002Z')) AS t(t), (VALUES ('\\x'::bytea), ('\\x00ff')) AS c(c)`);
  await run(`UPDATE pair_key SET v = 1 WHERE c = '\\x'`);
  await run(
    `UPDATE pair_key SET a = '2000-02-29' WHERE a = '0001-01-01' AND b = '2026-01-01 00:00:00.000002Z'`,
  );
  await run(`DELETE FROM pair_key WHERE a = '9999-12-31' AND c = '\\x00ff'`);
  await run(
    `INSERT INTO uuid_key VALUES ('AAAAAAAA-0000-0000-0000-000000000001', 1), ('aaaaaaaa-0000-0000-0000-000000000002', 2)`,
  );
  await run(`UPDATE uuid_key SET v = 3 WHERE v = 2`);
  await run('DELETE FROM uuid_key WHERE v = 1');
  await settled();
  await expectEqual('uuid_key', ['v']);
  const from = await run(
    `SELECT a::text, to_char(b AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS b, encode(c, 'hex') AS c, v FROM pair_key ORDER BY 1, 2, 3`,
  );
  const to = await bridge.rows(
    'SELECT CONVERT(varchar(10), a, 23) AS a, LEFT(CONVERT(varchar(34), b, 121), 26) AS b, LOWER(CONVERT(varchar(20), c, 2)) AS c, v FROM crm.pair_key ORDER BY a, b, c',
  );
  expect(to).toEqual(from.rows);
});

it('carries odd names of tables and columns', async () => {
  const table = `"${ODD.replaceAll('"', '""')}"`;
  await run(
    `INSERT INTO ${table} VALUES (1,'a','b','c','d','e','f','g','h','i','j','k'), (2,'a','b','c','d','e','f','g','h','i','j','k')`,
  );
  await run(`UPDATE ${table} SET "__proto__" = 'x', "Order" = 3 WHERE "Order" = 2`);
  await settled();
  const rows = await bridge.rows(`SELECT * FROM crm.[${ODD.replaceAll(']', ']]')}] ORDER BY 1`);
  const values = rows.map((row) =>
    Object.entries(row)
      .filter(([name]) => !name.startsWith('_commit'))
      .map(([, value]) => value),
  );
  expect(values).toEqual([
    [1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'],
    [3, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'x', 'j', 'k'],
  ]);
});

it('replaces what does not fit where the mapping says so, and flags it', async () => {
  await run(`INSERT INTO replaced VALUES (1, 'NaN', 'infinity'), (2, 1.5, '2020-01-01'), (3, NULL, NULL)`);
  await settled();
  expect(
    await bridge.rows(
      'SELECT id, score, CONVERT(int, bad_score) AS bad, CONVERT(varchar(10), due, 23) AS due FROM crm.replaced ORDER BY id',
    ),
  ).toEqual([
    { id: 1, score: null, bad: 1, due: '9999-12-31' },
    { id: 2, score: 1.5, bad: 0, due: '2020-01-01' },
    { id: 3, score: null, bad: 0, due: null },
  ]);
  expect(await quarantine('replaced')).toEqual([]);
});

it('knows a quarantined row again by its key, whatever the mapping calls it', async () => {
  const fit = '1.12345678901';
  const select =
    'SELECT CONVERT(varchar(10), the_day, 23) AS id, CONVERT(varchar(50), fit) AS fit, big FROM crm.renamed_key ORDER BY 1';
  const source = 'SELECT id::text, fit::numeric(38,10)::text AS fit, big FROM renamed_key ORDER BY 1';
  await run(`INSERT INTO renamed_key VALUES ('2020-01-01', 1, ${big(3)}), ('2020-02-02', 1, ${big(3)})`);
  await settled();
  const before = await bridge.rows(select);
  // In one batch and in several: a partial image on top of a refused one would mix two states of the row.
  await run(`UPDATE renamed_key SET fit = ${fit}, big = ${big(5)} WHERE id = '2020-01-01'`);
  await settled();
  await run(`UPDATE renamed_key SET fit = 2 WHERE id = '2020-01-01'`);
  await run(`BEGIN; UPDATE renamed_key SET fit = ${fit}, big = ${big(5)} WHERE id = '2020-02-02';
    UPDATE renamed_key SET fit = 2 WHERE id = '2020-02-02'; COMMIT`);
  await settled();
  expect(await bridge.rows(select)).toEqual(before);
  expect(await quarantine('renamed_key')).toMatchObject([
    { code: 'WB3104', is_open: 1 },
    { code: 'WB6512', is_open: 1 },
    { code: 'WB3104', is_open: 1 },
    { code: 'WB6512', is_open: 1 },
  ]);
  await run(`UPDATE renamed_key SET fit = 3, big = ${big(7)}`);
  await settled();
  expect(await bridge.rows(select)).toEqual((await run(source)).rows);
  expect((await quarantine('renamed_key')).filter((row) => row.is_open === 1)).toEqual([]);
  // A refused change of the key: the row is not under its old key any more.
  await run(`UPDATE renamed_key SET id = '2021-01-01', fit = ${fit} WHERE id = '2020-01-01'`);
  await settled();
  expect((await bridge.rows(select)).map((row) => row.id)).toEqual(['2020-02-02']);
  await run(`UPDATE renamed_key SET fit = 4, big = ${big(11)} WHERE id = '2021-01-01'`);
  await settled();
  expect(await bridge.rows(select)).toEqual((await run(source)).rows);
  expect((await quarantine('renamed_key')).filter((row) => row.is_open === 1)).toEqual([]);
});
