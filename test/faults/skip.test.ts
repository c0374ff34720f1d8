// Batches that the warehouse will not take: their lane halts, somebody exports and skips them, and the lane goes on by itself.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import sql from 'mssql';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { until } from './until.ts';

let bridge: Bridge;
let pool: sql.ConnectionPool;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), { name: 'skip', backend: 'redis' });
  pool = await new sql.ConnectionPool(bridge.warehouse).connect();
}, 120_000);

afterAll(async () => {
  await pool.close();
  await bridge.remove();
});

const write = (statement: string) => withClient(bridge.crm, (client) => client.query(statement));
const account = (id: number) =>
  write(`INSERT INTO accounts (id, external_id, name) VALUES (${id}, gen_random_uuid(), 'account')`);
const accounts = async () => {
  const { recordset } = await pool.request().query<{ id: string }>('SELECT id FROM crm.accounts ORDER BY id');
  return recordset.map(({ id }) => Number(id));
};
const skip = (...args: string[]) => bridge.command('skip', '--lane', 'main', ...args);
const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('a halted batch is exported and skipped while the daemon runs, and the lane goes on', async () => {
  const daemon = bridge.run('all');
  await account(1);
  await bridge.caughtUp();
  expect(await skip('--yes')).toMatchObject({ code: 2, stderr: expect.stringContaining('WB7211') });

  await pool.request().query('DROP TABLE crm.readings');
  await write(
    `INSERT INTO readings SELECT i, 1.5, '2025-01-01Z', 'reading' FROM generate_series(9007199254740990, 9007199254740999) i`,
  );
  const { code } = await daemon.untilLogged('lane halted');
  await account(2);
  const out = join(bridge.folder, 'skipped.jsonl');
  expect(await skip('--out', out)).toMatchObject({ code: 2, stderr: expect.stringContaining('WB7214') });
  expect(await skip('--out', bridge.config, '--yes')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('WB7213'),
  });
  expect(await accounts()).toEqual([1]);

  const done = await skip('--out', out, '--yes', '--json');
  expect(done.code, done.stderr).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ lane: 'main', changes: 10, code, file: out });
  await until('the lane goes on', async () => (await accounts()).includes(2), { state: () => daemon.tail() });
  await daemon.untilLogged('the halted lane was moved and goes on');
  await bridge.caughtUp();
  const status = JSON.parse((await bridge.command('status', '--json')).stdout) as object;
  expect(status).toMatchObject({ lanes: [{ trouble: null }] });

  expect(statSync(out).mode & 0o777).toBe(0o600);
  const [head, ...events] = linesOf(out);
  expect(head).toMatchObject({ kind: 'batch', lane: 'main', changes: 10, code });
  expect(Buffer.from(String(head!.payload), 'base64').length).toBeGreaterThan(100);
  expect(events).toHaveLength(10);
  // Exact beyond 2^53.
  expect(events.at(-1)).toMatchObject({
    kind: 'event',
    op: 'upsert',
    entity: 'readings',
    record: { id: '9007199254740999', value: 1.5, label: 'reading' },
  });

  const { recordset: log } = await pool
    .request()
    .query('SELECT position, changes, rows_inserted FROM walbridge.batch_log WHERE is_skipped = 1');
  expect(log).toMatchObject([{ position: head!.last, changes: '10', rows_inserted: '0' }]);
  const { recordset: audit } = await pool
    .request()
    .query<{ detail_json: string }>(`SELECT detail_json FROM walbridge.audit WHERE action = 'skip'`);
  expect(audit.map(({ detail_json }) => JSON.parse(detail_json) as object)).toMatchObject([
    { code, changes: 10, file: out },
  ]);
  await daemon.stop();
  expect((await bridge.command('init')).code).toBe(0);
});

test('a damaged one may be skipped while the daemon is stopped', async () => {
  const capture = bridge.run('capture');
  await capture.untilLogged('reading the slot');
  await account(3);
  const redis = new Redis(bridge.queue.redis!.port);
  try {
    const job = await until('a batch waits in the queue', async () => {
      const [key] = await redis.keys('walbridge:walbridge-lane-main:*..*');
      return key !== undefined && (await redis.hget(key, 'data')) !== null ? key : null;
    });
    const data = JSON.parse((await redis.hget(job, 'data'))!) as { payload: string };
    const payload = Buffer.from(data.payload, 'base64');
    payload[payload.length >> 1]! ^= 0xff;
    await redis.hset(job, 'data', JSON.stringify({ ...data, payload: payload.toString('base64') }));
  } finally {
    redis.disconnect();
  }
  const apply = bridge.run('apply');
  await apply.untilLogged('lane halted');
  await Promise.all([apply.stop(), capture.stop()]);
  const out = join(bridge.folder, 'damaged.jsonl');
  const done = await skip('--out', out, '--yes');
  expect(done.code, done.stderr).toBe(0);
  expect(linesOf(out).at(-1)).toMatchObject({ kind: 'undecodable', code: 'WB3040' });

  await account(4);
  const daemon = bridge.run('all');
  await bridge.caughtUp();
  expect(await accounts()).toEqual([1, 2, 4]);
  expect(daemon.has('lane halted')).toBe(false);
  await daemon.stop();
});

test('a rewind that is not possible is refused as bad input', async () => {
  for (const [args, code] of [
    [['--to', '0/1'], 'WB7203'],
    [['--to-time', '2026-01-01 00:00'], 'zone'],
    [[], '--to-time'],
  ] as const) {
    const refused = await bridge.command('rewind', '--lane', 'main', ...args);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(code) });
  }
});
