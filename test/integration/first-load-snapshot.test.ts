// What the first load stands on: a snapshot's place in the order of commits; and that COPY spells values as a SELECT does.
import fc from 'fast-check';
import { Client } from 'pg';
import { expect, inject, test } from 'vitest';
import { createQueue } from '../../sandbox/address.ts';
import { copiedRows, copyOut } from '../../src/capture/copy-out.ts';
import { ExportedSnapshot } from '../../src/capture/exported-snapshot.ts';
import { snapshotSettled } from '../../src/capture/snapshot-reader.ts';
import { WalTail } from '../../src/capture/stream.ts';
import { Recorder, until } from './capture-recorder.ts';

const SLOT = 'first_load_snapshot';

test('a snapshot shows exactly what commits before its point, while several write', async () => {
  const url = await createQueue(inject('sandbox'), SLOT);
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(
    `CREATE TABLE t (writer int, id int, PRIMARY KEY (writer, id)); CREATE PUBLICATION p FOR TABLE t`,
  );
  await client.query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
  const writing = new AbortController();
  const writers = [0, 1, 2].map(async (writer) => {
    const connection = new Client({ connectionString: url });
    await connection.connect();
    for (let id = 0; !writing.signal.aborted; id += 1) {
      await connection.query('INSERT INTO t VALUES ($1, $2)', [writer, id]);
    }
    await connection.end();
  });
  const late = new Client({ connectionString: url });
  await late.connect();
  const signal = new AbortController();
  const snapshots: { lsn: bigint; seen: Set<string> }[] = [];
  for (let round = 0; round < 25; round += 1) {
    const snapshot = await ExportedSnapshot.take({ connectionString: url }, 30_000, signal.signal);
    // Begun behind the snapshot, which does not show it: nobody waits for it.
    await late.query(`BEGIN; INSERT INTO t VALUES (9, ${round})`);
    await snapshotSettled({ connectionString: url }, snapshot.name, 30_000, signal.signal);
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '${snapshot.name}'`);
    const { rows } = await client.query<{ name: string }>(`SELECT writer || '/' || id AS name FROM t`);
    await client.query('COMMIT');
    snapshots.push({ lsn: snapshot.lsn, seen: new Set(rows.map(({ name }) => name)) });
    await snapshot.close();
    await late.query('COMMIT');
  }
  writing.abort();
  await Promise.all(writers);
  await late.end();
  const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM t');
  const recorder = new Recorder();
  const tail = new WalTail({ connection: { connectionString: url }, slot: SLOT, publications: ['p'] });
  const run = tail.run(recorder, signal.signal);
  await until('every commit', () => recorder.transactions.length === rows[0]?.n);
  signal.abort();
  await run;
  const commits = recorder.transactions.map(({ commitLsn, changes: [change] }) => ({
    commitLsn,
    name: change?.op === 'insert' ? `${change.row.writer}/${change.row.id}` : '',
  }));
  for (const { lsn, seen } of snapshots) {
    const before = commits.filter(({ commitLsn }) => commitLsn < lsn).map(({ name }) => name);
    expect([...seen].sort()).toEqual(before.sort());
  }
  // The snapshots fell between commits, not before or behind all of them.
  expect(snapshots[0]?.seen.size).toBeLessThan(snapshots.at(-1)?.seen.size ?? 0);
  await client.query(`SELECT pg_drop_replication_slot('${SLOT}')`);
  await client.end();
});

test("COPY's text read back is what a SELECT gives, and a limit cuts between rows", async () => {
  const url = await createQueue(inject('sandbox'), `${SLOT}_copy`);
  const client = new Client({ connectionString: url });
  await client.connect();
  const text = fc.string({
    unit: fc.constantFrom('\\', '\t', '\n', '\r', '\b', '\f', '\v', 'N', '.', 'x', 'ä', '\u{1F600}'),
    maxLength: 8,
  });
  const rows = fc.sample(fc.tuple(fc.option(text), fc.option(text)), { seed: 7, numRuns: 400 });
  await client.query('CREATE TABLE c (id serial PRIMARY KEY, "a$1" text, b text)');
  await client.query('INSERT INTO c ("a$1", b) SELECT * FROM unnest($1::text[], $2::text[])', [
    rows.map(([a]) => a),
    rows.map(([, b]) => b),
  ]);
  const select = 'SELECT id::text, "a$1", b FROM c ORDER BY id';
  const selected = (await client.query(select)).rows;
  const columns = ['id', 'a$1', 'b'];
  const whole = await copyOut(client, `COPY (${select}) TO STDOUT`, 1 << 20);
  expect(whole).toMatchObject({ rows: 400, isCut: false });
  expect([...copiedRows(whole.bytes, columns)]).toEqual(selected);
  const cut = await copyOut(client, `COPY (${select}) TO STDOUT`, 200);
  expect(cut.isCut).toBe(true);
  expect([...copiedRows(cut.bytes, columns)]).toEqual(selected.slice(0, cut.rows));
  const one = await copyOut(client, `COPY (${select}) TO STDOUT`, 0);
  expect(one).toMatchObject({ rows: 1, isCut: true });
  await expect(copyOut(client, 'COPY nothing TO STDOUT', 1)).rejects.toThrow('nothing');
  // The connection is as good as before.
  expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  await client.end();
});
