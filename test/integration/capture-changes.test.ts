// What the WAL tail hands over for every kind of change, against a real PostgreSQL.
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createQueue } from '../../sandbox/address.ts';
import { WalTail } from '../../src/capture/stream.ts';
import { Recorder, until } from './capture-recorder.ts';

let database: string;
let client: Client;
let recorder: Recorder;
let tail: WalTail;
let stop: AbortController;
let run: Promise<void>;

beforeAll(async () => {
  database = await createQueue(inject('sandbox'), 'capture_changes');
  client = new Client({ connectionString: database });
  await client.connect();
  // A role's own settings must not change the spelling of values.
  await client.query(`ALTER DATABASE capture_changes SET DateStyle = 'German, DMY';
    ALTER DATABASE capture_changes SET TimeZone = 'Asia/Kathmandu';
    ALTER DATABASE capture_changes SET IntervalStyle = 'iso_8601';
    ALTER DATABASE capture_changes SET extra_float_digits = 0;
    ALTER DATABASE capture_changes SET bytea_output = 'escape'`);
});

afterAll(() => client.end());

beforeEach(async () => {
  await client.query(`CREATE SCHEMA s; SET search_path = s;
    CREATE TABLE t (id int PRIMARY KEY, v text, big text);
    CREATE TABLE f (id int PRIMARY KEY, v text, big text); ALTER TABLE f REPLICA IDENTITY FULL;
    CREATE TABLE u (a int NOT NULL UNIQUE, v text); ALTER TABLE u REPLICA IDENTITY USING INDEX u_a_key;
    ALTER TABLE t ALTER big SET STORAGE EXTERNAL; ALTER TABLE f ALTER big SET STORAGE EXTERNAL;
    CREATE PUBLICATION "Odd 'name""" FOR TABLE t, u; CREATE PUBLICATION other FOR TABLE f`);
  await client.query(`SELECT pg_create_logical_replication_slot('capture_changes', 'pgoutput')`);
  recorder = new Recorder();
  stop = new AbortController();
  tail = new WalTail({
    connection: { connectionString: database },
    slot: 'capture_changes',
    publications: ['Odd \'name"', 'other'],
    statusIntervalMs: 50,
  });
  run = tail.run(recorder, stop.signal);
});

afterEach(async () => {
  stop.abort();
  await run;
  await client.query(`DROP SCHEMA s CASCADE; DROP PUBLICATION "Odd 'name"""; DROP PUBLICATION other`);
  await client.query(`SELECT pg_drop_replication_slot('capture_changes')`);
});

/** What of the changes is worth comparing: operation, table, images, ordinal. */
function shapes() {
  return recorder.transactions.map(({ changes }) =>
    changes.map((change) => ({
      op: change.op,
      table: change.relation.table,
      ordinal: change.ordinal,
      ...('row' in change && { row: { ...change.row } }),
      ...('old' in change && { old: change.old === null ? null : { ...change.old } }),
    })),
  );
}

/** A column's name like any other; written out, it would look like the accessor. */
const PROTO = '__proto__';

const transactions = (count: number) =>
  until(`${count} transactions`, () => recorder.transactions.length >= count);

test('inserts, updates with and without a key change, deletes, in transactions over several publications', async () => {
  await client.query(`BEGIN; INSERT INTO t VALUES (1, 'a', NULL); INSERT INTO f VALUES (1, 'b', NULL);
    INSERT INTO u VALUES (1, 'c'); COMMIT`);
  await client.query(`UPDATE t SET v = 'x' WHERE id = 1`);
  await client.query('UPDATE t SET id = 2 WHERE id = 1');
  await client.query('UPDATE u SET a = 2');
  await client.query(`UPDATE f SET v = 'y'`);
  await client.query('BEGIN; DELETE FROM t; DELETE FROM f; DELETE FROM u; COMMIT');
  await transactions(6);
  expect(shapes()).toEqual([
    [
      { op: 'insert', table: 't', ordinal: 1, row: { id: '1', v: 'a', big: null } },
      { op: 'insert', table: 'f', ordinal: 2, row: { id: '1', v: 'b', big: null } },
      { op: 'insert', table: 'u', ordinal: 3, row: { a: '1', v: 'c' } },
    ],
    [{ op: 'update', table: 't', ordinal: 1, row: { id: '1', v: 'x', big: null }, old: null }],
    [{ op: 'update', table: 't', ordinal: 1, row: { id: '2', v: 'x', big: null }, old: { id: '1' } }],
    [{ op: 'update', table: 'u', ordinal: 1, row: { a: '2', v: 'c' }, old: { a: '1' } }],
    [
      {
        op: 'update',
        table: 'f',
        ordinal: 1,
        row: { id: '1', v: 'y', big: null },
        old: { id: '1', v: 'b', big: null },
      },
    ],
    [
      { op: 'delete', table: 't', ordinal: 1, old: { id: '2' } },
      { op: 'delete', table: 'f', ordinal: 2, old: { id: '1', v: 'y', big: null } },
      { op: 'delete', table: 'u', ordinal: 3, old: { a: '2' } },
    ],
  ]);
});

test('an unchanged TOAST value is undefined, and under FULL the old row fills it', async () => {
  const big = 'x'.repeat(20_000);
  await client.query('INSERT INTO t VALUES (1, $1, $1)', [big]);
  await client.query('INSERT INTO f VALUES (1, $1, $1)', [big]);
  await client.query(`UPDATE t SET v = 'v'`);
  await client.query(`UPDATE f SET v = 'v'`);
  await transactions(4);
  const [, , partial, full] = recorder.changes;
  expect(partial).toMatchObject({ op: 'update', row: { id: '1', v: 'v' } });
  expect('row' in partial! && Object.keys(partial.row)).toEqual(['id', 'v', 'big']);
  expect('row' in partial! && partial.row.big).toBe(undefined);
  expect(full).toMatchObject({ op: 'update', row: { id: '1', v: 'v', big } });
});

test('a TRUNCATE of several tables is a change each, numbered', async () => {
  await client.query(`BEGIN; INSERT INTO t VALUES (1); TRUNCATE t, f, u; INSERT INTO t VALUES (2); COMMIT`);
  await transactions(1);
  const [changes] = shapes();
  expect(changes!.map(({ op, ordinal }) => [op, ordinal])).toEqual([
    ['insert', 1],
    ['truncate', 2],
    ['truncate', 3],
    ['truncate', 4],
    ['insert', 5],
  ]);
  expect(changes!.slice(1, 4).map(({ table }) => table)).toEqual(expect.arrayContaining(['t', 'f', 'u']));
});

test('a relation is told when its shape changes, between and within transactions, and not when it is repeated', async () => {
  await client.query(`INSERT INTO t VALUES (1, 'a')`);
  await client.query('VACUUM ANALYZE t');
  await client.query('CREATE INDEX ON t (v)');
  await client.query(`INSERT INTO t VALUES (2, 'a')`);
  await client.query('ALTER TABLE t ADD added numeric(5,2) DEFAULT 1.5');
  await client.query(`INSERT INTO t VALUES (3, 'a')`);
  await client.query(`BEGIN; INSERT INTO t VALUES (4); ALTER TABLE t DROP COLUMN v; INSERT INTO t VALUES (5);
    ALTER TABLE t RENAME big TO large; INSERT INTO t VALUES (6); COMMIT`);
  await transactions(4);
  const names = ({ columns }: { columns: readonly { name: string }[] }) => columns.map(({ name }) => name);
  expect(recorder.relations.map(({ relation }) => names(relation))).toEqual([
    ['id', 'v', 'big'],
    ['id', 'v', 'big', 'added'],
    ['id', 'big', 'added'],
    ['id', 'large', 'added'],
  ]);
  expect(recorder.relations.map(({ previous }) => previous && names(previous).length)).toEqual([
    null,
    3,
    4,
    3,
  ]);
  expect(recorder.changes.map((change) => names(change.relation).length)).toEqual([3, 3, 4, 4, 3, 3]);
  expect(recorder.changes.at(-1)).toMatchObject({ row: { id: '6', large: null, added: '1.50' } });
  expect(recorder.relations[1]!.relation.columns[3]).toEqual({
    name: 'added',
    typeOid: 1700,
    typeModifier: ((5 << 16) | 2) + 4,
    identity: false,
  });
});

test('logical messages: transactional ones in their transaction, others at once', async () => {
  await client.query(`SELECT pg_logical_emit_message(false, 'walbridge', 'now'::text)`);
  await client.query(
    `BEGIN; INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(true, 'walbridge', '\\x00ff'::bytea); COMMIT`,
  );
  await transactions(1);
  expect(recorder.looseMessages).toMatchObject([
    { prefix: 'walbridge', transactional: false, content: Buffer.from('now') },
  ]);
  expect(recorder.transactions[0]!.messages).toMatchObject([
    { prefix: 'walbridge', transactional: true, content: Buffer.from([0, 255]) },
  ]);
});

test('a transaction from another origin, composite and enum types (ORIGIN and TYPE messages)', async () => {
  await client.query(`CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TYPE pair AS (a int, b text);
    CREATE TABLE typed (id int PRIMARY KEY, m mood, p pair); ALTER PUBLICATION other ADD TABLE typed;
    SELECT pg_replication_origin_create('elsewhere'); SELECT pg_replication_origin_session_setup('elsewhere')`);
  await client.query(`BEGIN; SELECT pg_replication_origin_xact_setup('0/123', now());
    INSERT INTO typed VALUES (1, 'bad', (7, 'x y')); COMMIT`);
  await client.query(
    `SELECT pg_replication_origin_session_reset(); SELECT pg_replication_origin_drop('elsewhere')`,
  );
  await transactions(1);
  expect(shapes()[0]).toMatchObject([{ op: 'insert', row: { id: '1', m: 'bad', p: '(7,"x y")' } }]);
});

test('values are exact, whatever the database prefers', async () => {
  const values: [type: string, value: string, text?: string][] = [
    ['boolean', 'true', 't'],
    ['int8', '9223372036854775807'],
    ['numeric', '12345678901234567890123456789012345678.123456789'],
    ['numeric(38,10)', '-1234567890123456789012345678.0000000001'],
    ['numeric', 'NaN'],
    ['float8', '0.1'],
    ['float8', '5e-324'],
    ['float8', '-Infinity'],
    ['float4', '3.4028235e+38'],
    ['date', '2026-02-01'],
    ['date', '-infinity'],
    ['date', '4713-01-01 BC'],
    ['timestamp', '2026-11-23 14:08:12.123456'],
    ['timestamp', '294276-12-31 23:59:59.999999'],
    ['timestamptz', '2026-11-23 14:08:12.123456+05:45', '2026-11-23 08:23:12.123456+00'],
    ['timestamptz', 'infinity'],
    ['time', '24:00:00'],
    ['timetz', '14:08:12.123456+05:45'],
    ['interval', '1 year 2 mons 3 days 04:05:06.789'],
    ['bytea', '\\x00ff10', '\\x00ff10'],
    ['text[]', '{{a,NULL},{"b c","\\"q\\""}}'],
    ['jsonb', '{"a": [1, 2.50], "b": "\\u00fc"}', '{"a": [1, 2.50], "b": "ü"}'],
    ['json', '{"a" :1, "a":2}'],
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['text', '\ufeffBOM, grüße, 😀, \r\n\t'],
    ['text', ''],
    ['char(5)', 'ab', 'ab   '],
    ['inet', '10.0.0.1/8'],
    ['tstzrange', '["2026-01-01 00:00:00+00",infinity)'],
    ['text', 'x'.repeat(1_000_000)],
    ['text', 'ä'.repeat(300)],
  ];
  await client.query(
    `CREATE TABLE types (id int PRIMARY KEY, ${values.map(([type], index) => `"c${index}" ${type}`).join(', ')},
      constructor text, __proto__ text); ALTER PUBLICATION other ADD TABLE types`,
  );
  await client.query(
    `INSERT INTO types VALUES (1, ${values.map((_, index) => `$${index + 1}`).join(', ')}, 'own', 'own')`,
    values.map(([, value]) => value),
  );
  await transactions(1);
  const change = recorder.changes[0]!;
  const row = 'row' in change ? change.row : {};
  expect(values.map((_, index) => row[`c${index}`])).toEqual(values.map(([, value, text]) => text ?? value));
  expect([row.constructor, row[PROTO], row.toString]).toEqual(['own', 'own', undefined]);
});

test('a re-sent transaction is numbered as before, and comes after what was acknowledged', async () => {
  await client.query('INSERT INTO t SELECT g FROM generate_series(1, 3) g');
  await client.query(`BEGIN; INSERT INTO t VALUES (10); TRUNCATE f, t; INSERT INTO u VALUES (1); COMMIT`);
  await transactions(2);
  const before = recorder.transactions;
  tail.requestRestart();
  await until('the restart', () => recorder.restarts === 2);
  await transactions(2);
  expect(recorder.transactions).toEqual(before);
  tail.acknowledge(before[0]!.commitLsn);
  tail.requestRestart();
  await until('the second restart', () => recorder.restarts === 3);
  await transactions(1);
  expect(recorder.transactions).toEqual(before.slice(1));
  expect(recorder.relations).toHaveLength(3);
});
