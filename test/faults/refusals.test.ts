// What walbridge must refuse, in words that name the way on, with the documented exit codes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { Daemon, runCommand } from './daemon.ts';
import { until } from './until.ts';

let bridge: Bridge;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), { name: 'refusals', backend: 'redis', init: false });
}, 120_000);

afterAll(() => bridge.remove());

test.for(['capture', 'apply'] as const)('%s started before init ends and names init', async (role) => {
  const daemon = bridge.run(role);
  expect(await daemon.exited).toMatchObject({ code: 1 });
  const fatal = daemon.lines.find(({ level }) => level === 60);
  expect(`${fatal?.what} ${fatal?.next}`).toContain('walbridge init');
});

test('a warehouse that another slot has filled is refused, though the source is idle', async () => {
  expect((await bridge.command('init')).code).toBe(0);
  const first = bridge.run('capture');
  await withClient(bridge.crm, (client) =>
    client.query(`INSERT INTO accounts (id, external_id, name) VALUES (1, gen_random_uuid(), 'one')`),
  );
  await first.untilLogged('reading the slot');
  const apply = bridge.run('apply');
  await bridge.caughtUp();
  await Promise.all([first.stop(), apply.stop()]);

  const config = join(bridge.folder, 'config', 'other.yaml');
  writeFileSync(
    config,
    readFileSync(bridge.config, 'utf8').replace('"slot":"refusals"', '"slot":"refusals_other"'),
  );
  expect((await runCommand(config, 'init')).code).toBe(0);
  const capture = new Daemon(config, 'capture');
  try {
    expect(await capture.exited).toMatchObject({ code: 1 });
    expect(capture.lines.find(({ level }) => level === 60)).toMatchObject({ code: 'WB6300' });
  } finally {
    await capture.kill();
    await withClient(bridge.crm, (client) =>
      client.query(`SELECT pg_drop_replication_slot('refusals_other')`),
    );
  }
});

test('a slot that was dropped halts capture for good and names the way back', async () => {
  const capture = bridge.run('capture');
  await capture.untilLogged('reading the slot');
  await withClient(bridge.crm, (client) =>
    // The reader comes back at once: it is ended until the slot can be dropped.
    until('the slot is dropped', async () => {
      try {
        await client.query(
          `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'refusals'`,
        );
        await client.query(`SELECT pg_drop_replication_slot('refusals')`);
        return true;
      } catch (error) {
        if ((error as { code?: string }).code === '55006') return false;
        throw error;
      }
    }),
  );
  expect(await capture.exited).toMatchObject({ code: 1 });
  expect(capture.lines.find(({ level }) => level === 60)).toMatchObject({
    code: 'WB2010',
    next: expect.stringContaining('walbridge backfill --all'),
  });
});
