// Databases that are not UTF-8, and settings of role and database that change how values are spelt: what arrives is the same.
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterEach, expect, inject, test } from 'vitest';
import { postgresUrl } from '../../sandbox/postgres.ts';
import { caughtUp, done, leftOrigin, openQuarantine, request, steps } from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';

const open: Bridge[] = [];
afterEach(async () => {
  for (const bridge of open.splice(0)) await bridge.close();
});

async function database(encoding: string, settings: readonly string[] = []): Promise<string> {
  const { postgres } = inject('sandbox');
  const name = `encoded_${randomUUID().slice(0, 8)}`;
  const client = new Client({ connectionString: postgresUrl(postgres, 'postgres') });
  await client.connect();
  await client.query(
    `CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0`,
  );
  for (const setting of settings) await client.query(`ALTER DATABASE ${name} SET ${setting}`);
  await client.end();
  return postgresUrl(postgres, name);
}

async function bridgeOf(source: string, ddl: string): Promise<Bridge> {
  const bridge = await Bridge.open({ source, ddl, tables: [{ schema: 'public', table: 'things' }] });
  open.push(bridge);
  return bridge;
}

const names = async (bridge: Bridge) =>
  (await bridge.rows<{ name: string }>('SELECT name FROM crm.things ORDER BY id')).map(({ name }) => name);

test.each([
  ['LATIN1', 'café Ærø ¿ß'],
  ['WIN1252', 'œuvre “€”'],
  ['EUC_JP', '日本語 テスト'],
])('text of a database in %s arrives by stream, load and backfill', async (encoding, text) => {
  const bridge = await bridgeOf(
    await database(encoding),
    `CREATE TABLE things (id int PRIMARY KEY, name text); INSERT INTO things VALUES (1, '${text}')`,
  );
  const first = await request(bridge, { all: true });
  await bridge.start();
  await done(bridge, first);
  await bridge.source.query('INSERT INTO things VALUES (2, $1)', [text]);
  await caughtUp(bridge);
  await done(bridge, await request(bridge, { all: true, prune: true }));
  expect(await names(bridge)).toEqual([text, text]);
});

test('bytes of no encoding are never replaced: their rows go to quarantine, whichever way they come', async () => {
  const bridge = await bridgeOf(
    await database('SQL_ASCII'),
    `CREATE TABLE things (id int PRIMARY KEY, name text); INSERT INTO things VALUES (1, E'caf\\xe9'), (2, E'caf\\xc3\\xa9')`,
  );
  const first = await request(bridge, { all: true });
  await bridge.start();
  await done(bridge, first);
  await bridge.source.query(`INSERT INTO things VALUES (3, E'\\xe9t\\xe9'), (4, 'été')`);
  await caughtUp(bridge);
  const both = ['café', 'été'];
  expect(await names(bridge)).toEqual(both);
  const rows = () =>
    bridge.rows<{ row: string }>(
      'SELECT row_json AS row FROM walbridge.quarantine WHERE resolved_at IS NULL ORDER BY commit_lsn, ordinal',
    );
  expect((await rows()).map(({ row }) => row)).toEqual([
    '{"id":"1","name":"caf\\udce9"}',
    '{"id":"3","name":"\\udce9t\\udce9"}',
  ]);
  await done(bridge, await request(bridge, { all: true, prune: true }));
  expect(await names(bridge)).toEqual(both);
  expect((await openQuarantine(bridge)).map(({ code }) => code)).toEqual([
    'WB3101',
    'WB3101',
    'WB3101',
    'WB3101',
  ]);
});

test('a backfill that would lose its place at a key of no encoding says so', async () => {
  const bridge = await bridgeOf(
    await database('SQL_ASCII'),
    `CREATE TABLE things (id text PRIMARY KEY, name text); INSERT INTO things VALUES ('a', ''), (E'\\xe9', ''), (E'\\xea', '')`,
  );
  await bridge.start();
  await bridge.source.query(`INSERT INTO things VALUES ('b', '')`);
  await leftOrigin(bridge);
  const id = await request(bridge, { all: true, chunkRows: 3 });
  await until('the backfill to fail', async () => (await steps(bridge, id))[0]?.errorCode === 'WB2031');
});

test('settings of the database change no value', async () => {
  const bridge = await bridgeOf(
    await database('UTF8', [
      `DateStyle = 'SQL, DMY'`,
      `IntervalStyle = 'sql_standard'`,
      `TimeZone = 'Asia/Kathmandu'`,
      'extra_float_digits = -15',
      `bytea_output = 'escape'`,
      `client_encoding = 'LATIN1'`,
      `search_path = 'nowhere'`,
    ]),
    `CREATE TABLE public.things (id int PRIMARY KEY, at timestamptz, on_day date, length interval, number float8, bytes bytea, name text)`,
  );
  const row = `'2026-02-03 04:05:06.000007+00', '2026-02-03', '-1 days +02:03:04', 0.1::float8 + 0.2, '\\x00ff5c', '日本'`;
  await bridge.source.query(`INSERT INTO public.things VALUES (1, ${row})`);
  const first = await request(bridge, { all: true });
  await bridge.start();
  await done(bridge, first);
  await bridge.source.query(`INSERT INTO public.things VALUES (2, ${row})`);
  await caughtUp(bridge);
  await done(bridge, await request(bridge, { all: true }));
  const rows = await bridge.rows(
    `SELECT CONVERT(varchar(40), at, 121) AS at, CONVERT(varchar(10), on_day, 23) AS on_day, length, CONVERT(varchar(30), number, 3) AS number, CONVERT(varchar(20), bytes, 1) AS bytes, name FROM crm.things`,
  );
  const expected = {
    at: expect.stringMatching(/^2026-02-03 04:05:06\.000007/),
    on_day: '2026-02-03',
    length: '-1 days +02:03:04',
    number: expect.stringContaining('3.0000000000000004'),
    bytes: '0x00FF5C',
    name: '日本',
  };
  expect(rows).toEqual([expected, expected]);
});
