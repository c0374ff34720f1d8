// A backfill through the command line, whose daemons and whose own command are killed in its midst.
import sql from 'mssql';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { seedCrm } from '../../sandbox/crm/seed.ts';
import { startTraffic } from '../../sandbox/crm/traffic.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { until } from './until.ts';
import { judge } from './verdict.ts';

let bridge: Bridge;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), {
    name: 'backfill',
    backend: 'redis',
    settings: { lane: { maxBatchRows: 100 } },
  });
  await withClient(bridge.crm, async (client) => {
    await seedCrm(client, { accounts: 80, contacts: 400, leads: 200, opportunities: 200, activities: 400 });
    await client.query("SELECT pg_replication_slot_advance('backfill', pg_current_wal_insert_lsn())");
  });
}, 120_000);

afterAll(() => bridge.remove());

interface Step {
  readonly id: string;
  readonly state: string;
  readonly chunksDone: number;
}

async function steps(id: string): Promise<Step[]> {
  const { stdout } = await bridge.command('backfill', 'show', id, '--json');
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Step);
}

test('kill -9 of either role, three times: equal afterwards', async () => {
  let [capture, apply] = [bridge.run('capture'), bridge.run('apply')];
  const traffic = await startTraffic(bridge.crm, { seed: 4, ratePerSecond: 100 });
  const asked = await bridge.command('backfill', '--all', '--chunk-rows', '40', '--detach', '--json');
  expect(asked.code, asked.stderr).toBe(0);
  const { id } = JSON.parse(asked.stdout) as { id: string };
  const chunksDone = async () => (await steps(id)).reduce((sum, step) => sum + step.chunksDone, 0);
  for (let round = 0; round < 3; round += 1) {
    const seen = await chunksDone();
    await until('there are more chunks', async () => (await chunksDone()) > seen + 1, { withinMs: 90_000 });
    if (round !== 1) {
      await capture.kill();
      capture = bridge.run('capture');
    }
    if (round !== 0) {
      await apply.kill();
      apply = bridge.run('apply');
    }
  }
  await until('it is done', async () => (await steps(id)).every(({ state }) => state === 'done'), {
    withinMs: 240_000,
    state: () => `${capture.tail()}\n${apply.tail()}`,
  });
  await traffic.stop();
  await bridge.caughtUp();
  await Promise.all([capture.stop(), apply.stop()]);
  // What the stream could not complete before its chunk came was in quarantine for a while, and is no fault.
  const { faults } = await judge(bridge);
  expect(faults.filter((line) => !line.endsWith('is in quarantine'))).toEqual([]);
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  const open = await pool
    .request()
    .query('SELECT entity, code FROM walbridge.quarantine WHERE resolved_at IS NULL');
  await pool.close();
  expect(open.recordset).toEqual([]);
});

test('the command refuses what cannot be done, and names what can', async () => {
  const unknown = await bridge.command('backfill', 'contact');
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('nearest: contacts');
  const risky = await bridge.command('backfill', 'contacts', '--prune', '--where', 'id > 5');
  expect(risky.code).toBe(2);
  expect(risky.stderr).toContain('--prune with --where');
  const key = await bridge.command('backfill', 'opportunity_contacts', '--from-key', '7');
  expect(key.stderr).toContain('["opportunity_id", "contact_id"]');
  const list = await bridge.command('backfill', 'list');
  expect(list.code).toBe(0);
  expect(list.stdout).toContain('opportunity_contacts');
});
