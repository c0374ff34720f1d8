// The WAL tail through lost connections, restarts, dead peers and lost slots: what is acknowledged, what is sent again.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePort } from '../../sandbox/guarded.ts';
import { type PostgresServer, startPostgres } from '../../sandbox/postgres.ts';
import { type TailObserver, WalTail } from '../../src/capture/stream.ts';
import { type Lsn, parseLsn } from '../../src/change/position.ts';
import type { WalbridgeError } from '../../src/fault/fault.ts';
import { Recorder, until } from './capture-recorder.ts';

const SLOT = 'capture_faults';
const folder = mkdtempSync(join(tmpdir(), 'walbridge-capture-'));
let port: number;
let server: PostgresServer;
let client: Client;
const tails: { stop: AbortController; run: Promise<void> }[] = [];
let faults: string[] = [];

const start = () =>
  startPostgres({
    dataFolder: folder,
    port,
    settings: { wal_sender_timeout: '1s', max_wal_size: '64MB', min_wal_size: '32MB', fsync: 'off' },
  });

async function connect(): Promise<Client> {
  const connected = new Client({ connectionString: server.connectionString('postgres') });
  connected.on('error', () => {});
  await connected.connect();
  return connected;
}

beforeAll(async () => {
  port = await freePort();
  server = await start();
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  faults = [];
  client = await connect();
  await client.query(
    `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE unpublished (v text); CREATE PUBLICATION faults FOR TABLE t`,
  );
  await client.query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
});

afterEach(async () => {
  for (const { stop, run } of tails.splice(0)) {
    stop.abort();
    await run.catch(() => {});
  }
  await client.query('DROP TABLE t, unpublished; DROP PUBLICATION IF EXISTS faults');
  await client.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
  await client.end();
});

function startTail(recorder: Recorder, over: { port?: number; observer?: TailObserver } = {}) {
  const stop = new AbortController();
  const tail = new WalTail({
    connection: {
      host: '127.0.0.1',
      port: over.port ?? port,
      user: server.user,
      password: server.password,
      database: 'postgres',
    },
    slot: SLOT,
    publications: ['faults'],
    statusIntervalMs: 100,
    reconnect: { initialMs: 20, maximumMs: 200 },
    observer: { disconnected: ({ code }) => faults.push(code), ...over.observer },
  });
  const run = tail.run(recorder, stop.signal);
  run.catch(() => {});
  tails.push({ stop, run });
  return { tail, run, stop };
}

async function confirmed(): Promise<Lsn> {
  const { rows } = await client.query(`SELECT confirmed_flush_lsn AS lsn FROM pg_replication_slots`);
  return parseLsn(rows[0].lsn);
}

const ids = (recorder: Recorder) =>
  recorder.changes.map((change) => ('row' in change ? Number(change.row.id) : 0));
const failure = (run: Promise<void>) =>
  run.then(
    () => undefined,
    (error: WalbridgeError) => error.code,
  );

test('nothing beyond what was told is acknowledged, whatever is received and however long', async () => {
  const recorder = new Recorder();
  const { tail } = startTail(recorder);
  const initial = await confirmed();
  await client.query('INSERT INTO t VALUES (1)');
  await client.query('INSERT INTO t VALUES (2)');
  await until('both', () => recorder.transactions.length === 2);
  let keepalives = 0;
  recorder.onIdle = () => {
    keepalives += 1;
  };
  // Longer than the server's timeout: it has asked for replies meanwhile, and idle positions have passed.
  await pause(1_500);
  await until('keepalives', () => keepalives > 0);
  expect(await confirmed()).toBe(initial);
  expect(faults).toEqual([]);
  const [first, second] = recorder.transactions;
  tail.acknowledge(first!.commitLsn);
  await until('the acknowledgement', async () => (await confirmed()) > initial);
  expect(await confirmed()).toBe(first!.commitLsn + 1n);
  tail.acknowledge(first!.commitLsn - 100n);
  await pause(300);
  expect(await confirmed()).toBe(first!.commitLsn + 1n);
  expect(await confirmed()).toBeLessThanOrEqual(second!.commitLsn);
});

test('an idle publication lets the WAL of other tables go', async () => {
  const recorder = new Recorder();
  const { tail } = startTail(recorder);
  recorder.onIdle = (lsn) => tail.acknowledge(lsn);
  await until('the stream', () => tail.state === 'streaming');
  const before = await confirmed();
  await client.query(`INSERT INTO unpublished SELECT repeat('x', 900) FROM generate_series(1, 5000)`);
  const { rows } = await client.query('SELECT pg_current_wal_lsn() AS lsn');
  await until('the release', async () => (await confirmed()) >= parseLsn(rows[0].lsn));
  expect(parseLsn(rows[0].lsn) - before).toBeGreaterThan(4_000_000n);
  expect(recorder.changes).toEqual([]);
  await client.query('INSERT INTO t VALUES (1)');
  await until('the change after it', () => recorder.transactions.length === 1);
});

test('a commit right at the acknowledged idle position is not skipped', async () => {
  const recorder = new Recorder();
  const { tail, run, stop } = startTail(recorder);
  recorder.onIdle = (lsn) => tail.acknowledge(lsn);
  const other = await connect();
  // The commit record is the first that is written after the position.
  await other.query('BEGIN; INSERT INTO t VALUES (1)');
  await client.query(`SELECT pg_logical_emit_message(false, 'flush', 'x', true)`);
  const { rows } = await client.query('SELECT pg_current_wal_insert_lsn() AS lsn');
  await until('the idle position', async () => (await confirmed()) === parseLsn(rows[0].lsn));
  stop.abort();
  await run;
  await other.query('COMMIT');
  await other.end();
  const next = new Recorder();
  startTail(next);
  await until('the change', () => next.transactions.length === 1);
  expect(next.transactions[0]!.commitLsn).toBe(parseLsn(rows[0].lsn));
});

test('a killed walsender: the stream goes on at the acknowledged position, also from within a transaction', async () => {
  const recorder = new Recorder();
  const { tail } = startTail(recorder);
  await client.query('INSERT INTO t VALUES (1)');
  await until('the first', () => recorder.transactions.length === 1);
  tail.acknowledge(recorder.transactions[0]!.commitLsn);
  await until('the acknowledgement', async () => (await confirmed()) > recorder.transactions[0]!.commitLsn);
  const kill = () =>
    client.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active');
  let isKilled = false;
  recorder.onChange = async (change) => {
    if (change.ordinal !== 5_000 || isKilled) return;
    isKilled = true;
    await kill();
  };
  await client.query(`INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(2, 20001) g`);
  await until('all of it', () => recorder.transactions.length === 1 && recorder.restarts === 2);
  expect(ids(recorder)).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 2));
  expect(recorder.changes.at(-1)!.ordinal).toBe(20_000);
  expect(faults).toEqual(['WB2001']);
});

test('a server restart: nothing is lost, nothing before the acknowledged position comes again', async () => {
  const recorder = new Recorder();
  const { tail } = startTail(recorder);
  recorder.onIdle = (lsn) => tail.acknowledge(lsn);
  await client.query('INSERT INTO t VALUES (1)');
  await until('the first', () => recorder.transactions.length === 1);
  await until(
    'the idle position behind it',
    () => (tail.acknowledged ?? 0n) >= recorder.transactions[0]!.commitLsn,
  );
  await client.end();
  await server.stop();
  await until('the loss', () => faults.length > 0);
  server = await start();
  client = await connect();
  await client.query('INSERT INTO t VALUES (2)');
  await until('the second', () => ids(recorder).includes(2));
  expect(ids(recorder)).toEqual([2]);
  expect(new Set(faults)).toEqual(new Set(['WB2001']));
});

test('a second capture waits as a stand-by, and takes over when the first ends', async () => {
  const active = new Recorder();
  const waiting = new Recorder();
  const first = startTail(active);
  await until('the first', () => first.tail.state === 'streaming');
  const pids: (number | null)[] = [];
  const second = startTail(waiting, { observer: { standby: (pid) => pids.push(pid) } });
  await client.query('INSERT INTO t VALUES (1)');
  await until('the stand-by', () => second.tail.state === 'standby');
  await until('the change', () => active.transactions.length === 1);
  await pause(1_200);
  expect(waiting.restarts).toBe(0);
  expect(pids).toHaveLength(1);
  first.tail.acknowledge(active.transactions[0]!.commitLsn);
  first.stop.abort();
  await first.run;
  await client.query('INSERT INTO t VALUES (2)');
  await until('the take-over', () => waiting.transactions.length === 1);
  // The first one's goodbye carried its last durable position.
  expect(ids(waiting)).toEqual([2]);
  expect(faults).toEqual([]);
  expect(second.tail.source).toMatchObject({ database: 'postgres', timelines: [{ id: 1, end: null }] });
});

test('who comes late for a free slot has begun nothing: what a start does would hit the one who has it', async () => {
  const active = new Recorder();
  const late = new Recorder();
  let isTaken = false;
  const proxy = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    far.on('error', () => near.destroy()).on('data', (data) => near.write(data));
    near
      .on('error', () => far.destroy())
      .on('close', () => far.destroy())
      .on('data', async (data) => {
        if (!isTaken && data.includes('START_REPLICATION')) {
          isTaken = true;
          const { tail } = startTail(active);
          await until('the first', () => tail.state === 'streaming');
        }
        far.write(data);
      });
  });
  const proxyPort = await freePort();
  await new Promise<void>((resolve) => void proxy.listen(proxyPort, '127.0.0.1', resolve));
  const { tail } = startTail(late, { port: proxyPort });
  await until('the stand-by', () => tail.state === 'standby');
  expect(late.restarts).toBe(0);
  expect(active.restarts).toBe(1);
  for (const { stop, run } of tails.splice(0)) {
    stop.abort();
    await run;
  }
  proxy.close();
});

test('a missing slot, one that is dropped meanwhile, and a foreign one halt the tail', async () => {
  const { tail, run } = startTail(new Recorder());
  await until('the stream', () => tail.state === 'streaming');
  await client.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active');
  await until('the drop', async () => {
    const dropped = client.query(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active;
       SELECT pg_drop_replication_slot('${SLOT}')`,
    );
    return dropped.then(
      () => true,
      () => false,
    );
  });
  await expect(run).rejects.toMatchObject({
    code: 'WB2010',
    kind: 'permanent',
    next: expect.stringContaining('walbridge backfill --all'),
  });
  await client.query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'test_decoding')`);
  expect(await failure(startTail(new Recorder()).run)).toBe('WB2012');
});

test('an invalidated slot halts the tail and names the way back', async () => {
  const { tail, run } = startTail(new Recorder());
  await until('the stream', () => tail.state === 'streaming');
  await client.query("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
  await client.query('SELECT pg_reload_conf()');
  await until(
    'the invalidation',
    async () => {
      await client.query(`INSERT INTO unpublished SELECT repeat('x', 900) FROM generate_series(1, 20000)`);
      await client.query('SELECT pg_switch_wal()');
      await client.query('CHECKPOINT');
      const { rows } = await client.query('SELECT wal_status FROM pg_replication_slots');
      return rows[0].wal_status === 'lost';
    },
    40_000,
  );
  await expect(run).rejects.toMatchObject({
    code: 'WB2011',
    next: expect.stringContaining('walbridge backfill --all'),
  });
  await client.query('ALTER SYSTEM RESET max_slot_wal_keep_size');
  await client.query('SELECT pg_reload_conf()');
});

test('a publication that is missing, or dropped under the stream, halts the tail before anything is left out', async () => {
  const recorder = new Recorder();
  const { run, tail } = startTail(recorder);
  recorder.onIdle = (lsn) => tail.acknowledge(lsn);
  await client.query('INSERT INTO t VALUES (1)');
  await until('the change', () => recorder.transactions.length === 1);
  await client.query('DROP PUBLICATION faults');
  await client.query('INSERT INTO t VALUES (2)');
  expect(await failure(run)).toBe('WB2013');
  expect(await failure(startTail(new Recorder()).run)).toBe('WB2013');
});

test('what the consumer or the observer throws ends the tail, and is not acknowledged', async () => {
  const recorder = new Recorder();
  recorder.onChange = (change) => {
    if (change.ordinal === 2) throw new Error('the consumer broke');
  };
  const before = await confirmed();
  const { run } = startTail(recorder);
  await client.query('INSERT INTO t VALUES (1), (2), (3)');
  await expect(run).rejects.toThrow('the consumer broke');
  expect(await confirmed()).toBe(before);
  const refused = startTail(new Recorder(), {
    observer: {
      identified: () => {
        throw new Error('another source');
      },
    },
  });
  await expect(refused.run).rejects.toThrow('another source');
});

test('a consumer that waits far longer than wal_sender_timeout keeps its connection, and may abort', async () => {
  const recorder = new Recorder();
  let release = () => {};
  recorder.onChange = (change) =>
    change.ordinal === 10
      ? new Promise<void>((resolve) => {
          release = resolve;
        })
      : undefined;
  const { tail, run, stop } = startTail(recorder);
  await client.query(`INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g`);
  await until('the first ten', () => tail.state === 'streaming' && recorder.restarts === 1);
  await pause(3_500);
  expect(faults).toEqual([]);
  release();
  await until('the rest', () => recorder.transactions.length === 1);
  expect(recorder.restarts).toBe(1);
  await client.query(`INSERT INTO t SELECT g FROM generate_series(30001, 30020) g`);
  await pause(100);
  stop.abort();
  release();
  await run;
  expect(tail.state).toBe('stopped');
});

test('a half-open connection is noticed and made anew', async () => {
  const sockets: Socket[] = [];
  let isFrozen = false;
  const proxy: Server = createServer((near) => {
    const far = dial(port, '127.0.0.1');
    sockets.push(near, far);
    near.on('error', () => {}).on('data', (data) => isFrozen || far.write(data));
    far.on('error', () => {}).on('data', (data) => isFrozen || near.write(data));
  });
  const proxyPort = await freePort();
  await new Promise<void>((resolve) => {
    proxy.listen(proxyPort, '127.0.0.1', resolve);
  });
  const recorder = new Recorder();
  const { tail } = startTail(recorder, { port: proxyPort });
  await client.query('INSERT INTO t VALUES (1)');
  await until('the change', () => recorder.transactions.length === 1);
  isFrozen = true;
  await until('the verdict', () => faults.includes('WB2004'));
  isFrozen = false;
  await client.query('INSERT INTO t VALUES (2)');
  await until('the new connection', () => ids(recorder).includes(2));
  expect(ids(recorder)).toEqual([1, 2]);
  expect(tail.state).toBe('streaming');
  for (const socket of sockets) socket.destroy();
  proxy.close();
});

test('a wrong password halts the tail; a closed port is tried again', async () => {
  const wrong = new WalTail({
    connection: { host: '127.0.0.1', port, user: server.user, password: 'no', database: 'postgres' },
    slot: SLOT,
    publications: ['faults'],
  });
  expect(await failure(wrong.run(new Recorder(), new AbortController().signal))).toBe('WB2002');
  const { run, stop } = startTail(new Recorder(), { port: await freePort() });
  await until('three attempts', () => faults.length >= 3);
  expect(new Set(faults)).toEqual(new Set(['WB2001']));
  stop.abort();
  await run;
});
