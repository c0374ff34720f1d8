// Starting, stopping, taking over and reloading under load.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { seedCrm } from '../../sandbox/crm/seed.ts';
import { startTraffic } from '../../sandbox/crm/traffic.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { until } from './until.ts';
import { judge } from './verdict.ts';

const graceMs = 10_000;
/** What a busy machine may add to it. */
const slackMs = 5_000;
let bridge: Bridge;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), {
    name: 'lifecycle',
    backend: 'redis',
    settings: { shutdown: { graceMs }, lane: { maxBatchRows: 200 } },
  });
  await withClient(bridge.crm, (client) =>
    seedCrm(client, { accounts: 30, contacts: 100, leads: 50, opportunities: 60, activities: 100 }),
  );
}, 120_000);

afterAll(() => bridge.remove());

test('a SIGTERM under load ends both roles within the grace, with exit code 0 and without loss', async () => {
  const daemon = bridge.run('all');
  await bridge.caughtUp();
  const traffic = await startTraffic(bridge.crm, { seed: 1, ratePerSecond: 800 });
  await until('the daemon is in the midst of it', () => traffic.stats.changes > 800);
  const askedAt = performance.now();
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(performance.now() - askedAt).toBeLessThan(graceMs + slackMs);
  await traffic.stop();

  const next = bridge.run('all');
  await bridge.caughtUp();
  await next.stop();
  expect((await judge(bridge)).faults).toEqual([]);
});

test('a second capture waits, takes over when the first is killed, and nothing is lost', async () => {
  const active = bridge.run('capture');
  await active.untilLogged('reading the slot');
  const waiting = bridge.run('capture');
  await waiting.untilLogged('standing by');
  const apply = bridge.run('apply');
  const traffic = await startTraffic(bridge.crm, { seed: 2, ratePerSecond: 400 });
  await until('there is traffic', () => traffic.stats.changes > 200);
  await active.kill();
  await waiting.untilLogged('reading the slot');
  const { changes } = traffic.stats;
  await until('there is more traffic', () => traffic.stats.changes > changes + 100);
  await traffic.stop();
  await bridge.caughtUp();
  await Promise.all([waiting.stop(), apply.stop()]);
  expect((await judge(bridge)).faults).toEqual([]);
});

test('while only other tables are written, the source can let go of its WAL', async () => {
  const daemon = bridge.run('all');
  await withClient(bridge.crm, async (client) => {
    await client.query(
      'CREATE TABLE unmapped AS SELECT i, repeat(md5(i::text), 20) AS filler FROM generate_series(1, 20000) i',
    );
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    await bridge.caughtUp();
    await until('the slot holds nothing of it', async () => {
      // The server moves restart_lsn only past a record of its running transactions.
      await client.query('SELECT pg_log_standby_snapshot()');
      const slots = await client.query(
        'SELECT FROM pg_replication_slots WHERE slot_name = $1 AND restart_lsn >= $2',
        [bridge.name, rows[0]!.lsn],
      );
      return slots.rowCount === 1;
    });
  });
  await daemon.stop();
});

test('SIGHUP keeps the old mappings where the new ones are broken, and takes valid ones', async () => {
  const file = join(bridge.folder, 'mappings', 'readings.yaml');
  const mapping = readFileSync(file, 'utf8');
  const daemon = bridge.run('all');
  await daemon.untilLogged('applying');

  writeFileSync(file, mapping.replace('value: value', 'valeu: value'));
  daemon.signal('SIGHUP');
  await daemon.untilLogged('the mappings stay as they were');
  await withClient(bridge.crm, (client) =>
    client.query(`INSERT INTO readings VALUES (1, 1, now(), 'before');
      INSERT INTO expected_readings SELECT *, true, 0 FROM readings WHERE id = 1`),
  );
  await bridge.caughtUp();

  writeFileSync(
    file,
    mapping.replace('label: {target: nvarchar(10)}', 'label: {target: nvarchar(10), misfit: {value: cut}}'),
  );
  daemon.signal('SIGHUP');
  await daemon.untilLogged('taking the new mappings');
  await until(
    'both roles are up again',
    () => daemon.lines.filter(({ msg }) => msg === 'applying').length === 2,
  );
  await withClient(bridge.crm, (client) =>
    client.query(`INSERT INTO readings VALUES (2, 1, '2025-01-01Z', 'longer than ten');
      INSERT INTO expected_readings VALUES (2, 1, '2025-01-01Z', 'cut', true, 0)`),
  );
  await bridge.caughtUp();
  expect(await daemon.stop()).toMatchObject({ code: 0 });
  expect((await judge(bridge)).faults).toEqual([]);
});
