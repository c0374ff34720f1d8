// `walbridge verify` beside running daemons and traffic: every planted difference is found and nothing else, repaired by its keys;
// no false alarm; without a daemon it says so.
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { createRandom } from '../../sandbox/crm/random.ts';
import { type Bridge, createBridge } from './bridge.ts';
import type { Daemon } from './daemon.ts';
import { until } from './until.ts';
import { changePeople, createPeople, linesOf, plant, plantedLines, verifyPeople } from './verify-show.ts';

const ROWS = 3_000;
const random = createRandom(4);

let bridge: Bridge;
let daemon: Daemon;
let ending: AbortController;
let traffic: Promise<number>;

beforeAll(async () => {
  bridge = await createBridge(inject('sandbox'), { name: 'verify', backend: 'postgres', init: false });
  await createPeople(bridge, ROWS);
  daemon = bridge.run('all');
  const { code, stderr } = await bridge.command('backfill', 'people');
  expect(code, stderr).toBe(0);
  ending = new AbortController();
  traffic = changePeople(bridge, ROWS, 200, random, ending.signal);
}, 180_000);

afterAll(async () => {
  ending?.abort();
  await traffic;
  await bridge?.remove();
});

test('finds 100 of 100 planted differences under traffic, and repairs exactly those', async () => {
  const planted = await plant(bridge, ROWS, 100, random);
  const found = await verifyPeople(bridge, '--repair', '--show-values');
  expect(linesOf(found)).toEqual(plantedLines(planted));
  expect(found).toMatchObject({ code: 1, entity: { state: 'different', way: 'sql', share: 1 } });
  const shown = found.findings.find(({ columns }) => columns[0] === 'updated_at')?.values;
  expect(Object.keys(Object(shown))).toEqual(['updated_at']);
  // Some rows around each: at a million of them, a share of next to nothing.
  const { rowsListed, rowsRead } = found.entity;
  expect((rowsListed + rowsRead) / 2 / planted.length).toBeLessThan(30);
  const id = found.repairId!;
  await until('the repair is done', async () => {
    const { stdout } = await bridge.command('backfill', 'show', id, '--json');
    const steps = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return steps.every(({ state }) => state === 'done') ? steps : null;
  }).then((steps) => {
    expect(steps).toMatchObject([
      { kind: 'backfill', options: { keys: 100 } },
      { kind: 'prune', options: { keys: 100 } },
    ]);
    expect(steps[0]!.rowsWritten).toBe(90);
    expect(steps[1]!.rowsPruned).toBe(10);
  });
  expect(await verifyPeople(bridge)).toMatchObject({ code: 0, findings: [] });
});

test('raises no false alarm while rows come, go and change', async () => {
  for (const options of [[], ['--deep'], ['--sample', '20%']]) {
    const found = await verifyPeople(bridge, ...options);
    expect(linesOf(found)).toEqual([]);
    expect(found).toMatchObject({ code: 0, repairId: null });
  }
});

test('tells a row in flight from a lost one only where a daemon runs, and says so', async () => {
  ending.abort();
  await traffic;
  await bridge.caughtUp();
  await daemon.stop();
  expect(await verifyPeople(bridge)).toMatchObject({ code: 0, entity: { state: 'equal' } });
  await withClient(bridge.crm, (client) =>
    client.query("UPDATE people SET name = 'late' WHERE id IN (4, 6)"),
  );
  const found = await bridge.command('verify', 'people');
  expect(found.code).toBe(2);
  expect(found.stdout).toContain('WB7103 Nobody reads the slot');
  expect(found.stdout).toMatch(/people │ unsettled │ sql/);
});

test('refuses what is not there, with the nearest name', async () => {
  const unknown = await bridge.command('verify', 'poeple');
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('WB7101');
  expect(unknown.stderr).toContain('nearest: people');
  expect((await bridge.command('verify', '--sample', '0')).code).toBe(2);
  expect((await bridge.command('verify', '--all', 'people')).code).toBe(2);
  const status = await bridge.command('status', '--json');
  const { verifications } = JSON.parse(status.stdout) as { verifications: object[] };
  expect(verifications).toMatchObject([{ entity: 'people', state: 'unsettled', errorCode: 'WB7103' }]);
});
