// A warehouse that was restored from a backup lacks what was acknowledged since: nothing goes on until somebody has said how. Where
// the source still has everything, the bridge reads it again; and a lane that idles is no reason to halt.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { caughtUp, done, request } from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';
import { WarehouseBackup } from './warehouse-backup.ts';

let bridge: Bridge;

/** Tables `busy` and `calm`, each in a lane of its own. */
beforeAll(async () => {
  bridge = await Bridge.open({
    ddl: 'CREATE TABLE busy (id int PRIMARY KEY, v text); CREATE TABLE calm (id int PRIMARY KEY, v text);',
    tables: [
      { schema: 'public', table: 'busy' },
      { schema: 'public', table: 'calm' },
    ],
    edit: (table, mapping) => `${mapping}lane: ${table}\n`,
  });
});

afterAll(() => bridge?.close());

const backup = () => WarehouseBackup.take(bridge.warehouse, ['walbridge', 'crm']);

const write = (table: string, id: number, value: string) =>
  bridge.source.query(
    `INSERT INTO ${table} VALUES (${id}, $1) ON CONFLICT (id) DO UPDATE SET v = excluded.v`,
    [value],
  );

const valuesOf = async (table: string) =>
  (await bridge.rows<{ id: number; v: string }>(`SELECT id, v FROM crm.${table} ORDER BY id`)).map(
    ({ id, v }) => `${id}${v}`,
  );

const halted = () => bridge.halted();

const inSource = async () =>
  (await bridge.source.query<{ id: number; v: string }>('SELECT id, v FROM busy ORDER BY id')).rows.map(
    ({ id, v }) => `${id}${v}`,
  );

async function record(): Promise<{ acknowledged: bigint; confirmed: bigint }> {
  const [row] = await bridge.rows<{ lsn: string }>(
    'SELECT CONVERT(varchar(20), acknowledged_lsn) AS lsn FROM walbridge.slot',
  );
  const { rows } = await bridge.source.query<{ lsn: string }>(
    `SELECT (confirmed_flush_lsn - '0/0')::text AS lsn FROM pg_replication_slots WHERE slot_name = $1`,
    [bridge.settings.source.slot],
  );
  return { acknowledged: BigInt(row!.lsn), confirmed: BigInt(rows[0]!.lsn) };
}

/** Keeps a lane from applying, and so the source from being told of anything behind it, until the work is done. */
async function whileHeld(lane: string, work: () => Promise<void>): Promise<void> {
  await bridge.warehouse.transaction(async (session) => {
    await session.batch(
      `DECLARE @g int; EXEC @g = sp_getapplock @Resource = N'walbridge.lane.${lane}', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0; SELECT @g AS g;`,
    );
    await work();
  });
}

test('a lane that idles while others are acknowledged is left in peace, start after start', async () => {
  await bridge.start();
  await write('calm', 1, 'a');
  await write('busy', 1, 'a');
  await caughtUp(bridge);
  const [row] = await bridge.rows<{ calm: string }>(
    `SELECT CONVERT(varchar(20), commit_lsn) AS calm FROM walbridge.watermark WHERE lane = N'calm'`,
  );
  await write('busy', 2, 'a');
  await caughtUp(bridge);
  const { acknowledged, confirmed } = await record();
  expect(acknowledged).toBeGreaterThanOrEqual(confirmed);
  // What makes it hard: the watermark alone says nothing.
  expect(BigInt(row!.calm)).toBeLessThan(confirmed);
  await bridge.stop();
  await bridge.start();
  await write('calm', 2, 'b');
  await caughtUp(bridge);
  expect(await valuesOf('calm')).toEqual(['1a', '2b']);
});

test('a restore to a time after the last acknowledgement costs nothing but reading again', async () => {
  await whileHeld('calm', async () => {
    await write('calm', 3, 'a');
    await write('busy', 3, 'a');
    await until('busy to have 3', async () => (await valuesOf('busy')).includes('3a'));
    const taken = await backup();
    await write('busy', 4, 'a');
    await bridge.source.query('DELETE FROM busy WHERE id = 1');
    await until('busy to lack 1', async () => !(await valuesOf('busy')).includes('1a'));
    await taken.restore();
    await until('busy to lack 1 again', async () => (await valuesOf('busy')).join() === '2a,3a,4a');
  });
  await caughtUp(bridge);
  expect(bridge.fault).toBeNull();
  expect(await valuesOf('busy')).toEqual(await inSource());
  expect(await valuesOf('calm')).toEqual(['1a', '2b', '3a']);
});

test('a restored warehouse halts capture within seconds and at every start, until everything is asked for', async () => {
  const taken = await backup();
  await bridge.source.query('DELETE FROM busy WHERE id = 2');
  await write('busy', 5, 'a');
  await caughtUp(bridge);
  await taken.restore();
  expect(await valuesOf('busy')).toContain('2a');
  expect(await halted()).toMatchObject({
    code: 'WB6302',
    kind: 'permanent',
    next: expect.stringContaining('walbridge backfill --all --prune'),
  });
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6302' });

  // A part of it does not fill the gap.
  await request(bridge, { entities: ['busy'], prune: true });
  await request(bridge, { all: true });
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6302' });

  const id = await request(bridge, { all: true, prune: true });
  await bridge.start();
  await write('busy', 6, 'b');
  await done(bridge, id);
  await caughtUp(bridge);
  expect(await valuesOf('busy')).toEqual(await inSource());
  const audit = await bridge.rows<{ subject: string; actor: string; detail_json: string }>(
    `SELECT subject, actor, detail_json FROM walbridge.audit WHERE action = 'accept gap'`,
  );
  expect(audit).toEqual([
    { subject: bridge.settings.source.slot, actor: 'test', detail_json: expect.stringContaining(id) },
  ]);
  await bridge.stop();
});

test('a warehouse that was restored while the bridge was stopped, and a slot made anew, are noticed at the start', async () => {
  const taken = await backup();
  await bridge.start();
  await write('busy', 7, 'a');
  await caughtUp(bridge);
  await bridge.stop();
  await taken.restore();
  await bridge.start();
  expect(await halted()).toMatchObject({ code: 'WB6302' });
  await request(bridge, { all: true, prune: true });

  const { slot } = bridge.settings.source;
  await bridge.source.query('SELECT pg_drop_replication_slot($1)', [slot]);
  await write('busy', 8, 'lost');
  await bridge.source.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  await bridge.start();
  expect(await halted()).toMatchObject({ code: 'WB6302' });
  const id = await request(bridge, { all: true, truncateFirst: true });
  await bridge.start();
  await done(bridge, id);
  expect(await valuesOf('busy')).toEqual(await inSource());
});
