// Metrics, health and readiness of running daemons: counters and gauges move with what happens, and answers come whatever is away.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import sql from 'mssql';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { metricCatalog } from '../../src/ops/metric-catalog.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { Daemon, runCommand } from './daemon.ts';
import { type Sample, scrape, servedAt, valueIn } from './scrape.ts';
import { until } from './until.ts';

let bridge: Bridge;
let daemon: Daemon;
let base: string;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), {
    name: 'metrics',
    backend: 'redis',
    settings: { http: { listen: '127.0.0.1:0' } },
  });
  daemon = bridge.run('all');
  base = await servedAt(daemon);
}, 120_000);

afterAll(async () => {
  await bridge?.remove();
});

const write = (statement: string) => withClient(bridge.crm, (client) => client.query(statement));
const account = (id: number) =>
  write(`INSERT INTO accounts (id, external_id, name) VALUES (${id}, gen_random_uuid(), 'account')`);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Answer {
  readonly status: number;
  readonly body: { ready: boolean; roles: Record<string, string>; reasons: Record<string, string>[] };
}

async function readiness(of = base): Promise<Answer> {
  const response = await fetch(`${of}/readyz`);
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

/** Resolves with the samples when the value is there. */
const untilValue = (
  name: string,
  labels: Record<string, string>,
  expected: (value: number) => boolean,
  of = base,
): Promise<readonly Sample[]> =>
  until(
    `${name} ${JSON.stringify(labels)}`,
    async () => {
      const samples = await scrape(of);
      const value = valueIn(samples, name, labels);
      return value !== null && expected(value) ? samples : null;
    },
    { everyMs: 500, state: () => daemon.tail() },
  );

test('a daemon becomes ready, and tells what it applied, how late, and how the slot stands', async () => {
  const ready = await until('the daemon is ready', async () => {
    const answer = await readiness();
    return answer.status === 200 ? answer : null;
  });
  expect(ready.body).toEqual({ ready: true, roles: { capture: 'working', apply: 'working' }, reasons: [] });
  expect((await fetch(`${base}/healthz`)).status).toBe(200);

  await account(1);
  await account(2);
  await write(`UPDATE accounts SET name = 'renamed' WHERE id = 1`);
  await write('DELETE FROM accounts WHERE id = 2');
  await write(`INSERT INTO readings VALUES (1, 'NaN', '2025-01-01Z', 'refused')`);
  await bridge.caughtUp();
  const samples = await untilValue(
    'walbridge_quarantine_open_rows',
    { entity: 'readings' },
    (rows) => rows === 1,
  );
  const lane = { lane: 'main' };
  const rows = (operation: string) =>
    valueIn(samples, 'walbridge_rows_total', { entity: 'accounts', operation }) ?? 0;
  // A batch touches a row once: what was inserted and deleted within one never was.
  expect(rows('inserted') - rows('deleted')).toBe(1);
  expect(valueIn(samples, 'walbridge_rows_total', { entity: 'readings', operation: 'quarantined' })).toBe(1);
  expect(valueIn(samples, 'walbridge_changes_total', { ...lane, outcome: 'applied' })).toBe(5);
  expect(valueIn(samples, 'walbridge_queued_changes_total', lane)).toBe(5);
  const batches = valueIn(samples, 'walbridge_batches_total', { ...lane, outcome: 'applied' })!;
  expect(batches).toBeGreaterThanOrEqual(1);
  for (const name of ['walbridge_batch_apply_duration_seconds', 'walbridge_commit_latency_seconds']) {
    expect(valueIn(samples, `${name}_count`, lane), name).toBe(batches);
    expect(valueIn(samples, `${name}_sum`, lane), name).toBeGreaterThan(0);
    expect(valueIn(samples, `${name}_sum`, lane)! / batches, name).toBeLessThan(60);
  }
  const slot = { slot: 'metrics' };
  expect(valueIn(samples, 'walbridge_slot_active', slot)).toBe(1);
  expect(valueIn(samples, 'walbridge_slot_retained_wal_bytes', slot)).toBeGreaterThanOrEqual(0);
  expect(valueIn(samples, 'walbridge_slot_wal_status', { ...slot, status: 'reserved' })).toBe(1);
  expect(valueIn(samples, 'walbridge_gap', slot)).toBe(0);
  expect(valueIn(samples, 'walbridge_lane_lag_seconds', lane)).toBe(0);
  expect(valueIn(samples, 'walbridge_lane_halted', lane)).toBe(0);
  for (const part of ['source', 'warehouse', 'queue'])
    expect(valueIn(samples, 'walbridge_up', { part })).toBe(1);
  expect(valueIn(samples, 'walbridge_ready')).toBe(1);
  expect(valueIn(samples, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  const own = new Set(
    samples
      .map(({ name }) => name.replace(/_(bucket|sum|count)$/, ''))
      .filter((name) => name.startsWith('walbridge_')),
  );
  expect([...own].filter((name) => !(name in metricCatalog))).toEqual([]);
});

test('a verification shows', async () => {
  const entity = { entity: 'accounts' };
  expect(valueIn(await scrape(base), 'walbridge_verification_timestamp_seconds', entity)).toBe(null);
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  await pool.request().query(`UPDATE crm.accounts SET name = N'edited' WHERE id = 1`);
  await pool.close();
  expect((await bridge.command('verify', 'accounts')).code).toBe(1);
  const samples = await untilValue(
    'walbridge_verification_state',
    { ...entity, state: 'different' },
    (is) => is === 1,
  );
  const at = valueIn(samples, 'walbridge_verification_timestamp_seconds', entity)!;
  expect(Math.abs(Date.now() / 1000 - at)).toBeLessThan(120);
  expect(valueIn(samples, 'walbridge_verification_rows', { ...entity, result: 'different' })).toBe(1);
  expect(valueIn(samples, 'walbridge_verification_equal_timestamp_seconds', entity)).toBe(0);
  expect(valueIn(samples, 'walbridge_verification_state_since_timestamp_seconds', entity)).toBe(at);
});

test('with the warehouse away /metrics answers, and /readyz tells why not', async () => {
  bridge.network.refuse(true);
  onTestFinished(() => bridge.network.refuse(false));
  await account(3);
  const answer = await until('the daemon is not ready', async () => {
    const found = await readiness();
    const { reasons } = found.body;
    const isTold =
      reasons.some(({ part }) => part !== undefined) && reasons.some(({ lane }) => lane === 'main');
    return found.status === 503 && isTold ? found : null;
  });
  expect(answer.body.reasons).toContainEqual(
    expect.objectContaining({ part: 'warehouse', state: 'down', code: expect.stringMatching(/^WB/) }),
  );
  expect(answer.body.reasons).toContainEqual(
    expect.objectContaining({ role: 'apply', lane: 'main', state: 'retrying', code: 'WB6002' }),
  );
  const samples = await scrape(base);
  expect(valueIn(samples, 'walbridge_up', { part: 'warehouse' })).toBe(0);
  expect(valueIn(samples, 'walbridge_up', { part: 'source' })).toBe(1);
  expect(valueIn(samples, 'walbridge_ready')).toBe(0);
  expect(valueIn(samples, 'walbridge_lane_lag_seconds', { lane: 'main' })).toBe(null);
  expect(valueIn(samples, 'walbridge_slot_active', { slot: 'metrics' })).toBe(1);
  expect((await fetch(`${base}/healthz`)).status).toBe(200);

  // The source goes, too, for a moment.
  await write(
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'metrics'`,
  );
  await untilValue('walbridge_source_disconnects_total', {}, (count) => count === 1);

  bridge.network.refuse(false);
  await until('the daemon is ready again', async () => (await readiness()).status === 200);
  const after = await scrape(base);
  expect(
    after.filter(({ name }) => name === 'walbridge_lane_retries_total').map(({ value }) => value)[0],
  ).toBeGreaterThan(0);
});

test('a halted lane is told with its code, until it goes on after SIGHUP, and so do the counters', async () => {
  await until('the daemon is ready', async () => (await readiness()).status === 200);
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  await pool.request().query('DROP TABLE crm.readings');
  await pool.close();
  await write(`INSERT INTO readings VALUES (2, 1.5, '2025-01-01Z', 'reading')`);
  const { code } = await daemon.untilLogged('lane halted');
  const lane = { lane: 'main' };
  const halted = await untilValue('walbridge_lane_halted', lane, (is) => is === 1);
  expect(valueIn(halted, 'walbridge_lane_trouble', { ...lane, state: 'halted', code: String(code) })).toBe(1);
  expect((await readiness()).body.reasons).toContainEqual(
    expect.objectContaining({ role: 'apply', ...lane, state: 'halted', code }),
  );
  const applied = { ...lane, outcome: 'applied' };
  const before = valueIn(halted, 'walbridge_changes_total', applied) ?? 0;
  expect((await bridge.command('init')).code).toBe(0);
  daemon.signal('SIGHUP');
  await untilValue('walbridge_changes_total', applied, (changes) => changes === before + 1);
  const samples = await untilValue('walbridge_lane_halted', lane, (is) => is === 0);
  await until('the daemon is ready', async () => (await readiness()).status === 200);
  expect(valueIn(samples, 'walbridge_lane_trouble', lane)).toBe(null);
});

test('the roles serve apart what each knows, and the health command asks', async () => {
  await daemon.stop();
  const text = await readFile(bridge.config, 'utf8');
  const configs = await Promise.all(
    ['capture', 'apply'].map(async (role) => {
      const file = join(bridge.folder, 'config', `${role}.yaml`);
      writeFileSync(file, text.replace('127.0.0.1:0', `127.0.0.1:${await freePort()}`));
      return file;
    }),
  );
  const [capture, apply] = [new Daemon(configs[0]!, 'capture'), new Daemon(configs[1]!, 'apply')];
  try {
    const [captureAt, applyAt] = [await servedAt(capture), await servedAt(apply)];
    await until('both are ready', async () =>
      (await Promise.all([readiness(captureAt), readiness(applyAt)])).every(({ status }) => status === 200),
    );
    await account(4);
    await untilValue(
      'walbridge_rows_total',
      { entity: 'accounts', operation: 'inserted' },
      (rows) => rows === 1,
      applyAt,
    );
    const ofApply = await scrape(applyAt);
    const ofCapture = await untilValue(
      'walbridge_slot_active',
      { slot: 'metrics' },
      (is) => is === 1,
      captureAt,
    );
    expect(valueIn(ofCapture, 'walbridge_queued_changes_total', { lane: 'main' })).toBe(1);
    expect(valueIn(ofApply, 'walbridge_slot_active', { slot: 'metrics' })).toBe(null);
    expect(valueIn(ofApply, 'walbridge_up', { part: 'source' })).toBe(null);
    expect(valueIn(ofApply, 'walbridge_up', { part: 'warehouse' })).toBe(1);

    const health = await runCommand(configs[1]!, 'health');
    expect(health, health.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('"ready":true') });
    const second = new Daemon(configs[1]!, 'apply');
    expect(await second.exited).toMatchObject({ code: 1 });
    expect(second.tail()).toContain('WB7300');
  } finally {
    await Promise.all([capture.stop(), apply.stop()]);
    const health = await runCommand(configs[1]!, 'health');
    expect(health).toMatchObject({ code: 1, stdout: expect.stringContaining('ECONNREFUSED') });
  }
});
