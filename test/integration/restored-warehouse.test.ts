// A warehouse that was restored from a backup lacks what was acknowledged since: nothing goes on until somebody has said how. Where
// the source still has everything, the bridge reads it again; and a lane that idles is no reason to halt.
import { afterEach, expect, test } from 'vitest';
import { caughtUp, done, request } from './backfill-rig.ts';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';
import { WarehouseBackup } from './warehouse-backup.ts';

let bridge: Bridge;

afterEach(() => bridge?.close());

/** Tables `busy` and `calm`, each in a lane of its own. */
async function open(): Promise<void> {
  bridge = await Bridge.open({
    ddl: 'CREATE TABLE busy (id int PRIMARY KEY, v text); CREATE TABLE calm (id int PRIMARY KEY, v text);',
    tables: [
      { schema: 'public', table: 'busy' },
      { schema: 'public', table: 'calm' },
    ],
    edit: (table, mapping) => `${mapping}lane: ${table}\n`,
  });
}

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

const halted = async () => {
  await until('capture to halt', () => bridge.fault !== null);
  return bridge.fault as { code: string; next: string };
};

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
  await open();
  await bridge.start();
  await write('calm', 1, 'a');
  for (const [id] of [1, 2, 3].entries()) {
    await write('busy', id, 'a');
    await caughtUp(bridge);
    const { acknowledged, confirmed } = await record();
    expect(acknowledged).toBeGreaterThanOrEqual(confirmed);
    await bridge.stop();
    await bridge.start();
  }
  await write('calm', 2, 'b');
  await caughtUp(bridge);
  expect(await valuesOf('calm')).toEqual(['1a', '2b']);
  const [row] = await bridge.rows<{ calm: string }>(
    `SELECT CONVERT(varchar(20), commit_lsn) AS calm FROM walbridge.watermark WHERE lane = N'calm'`,
  );
  await write('busy', 9, 'z');
  await caughtUp(bridge);
  // What makes it hard: the watermark alone says nothing.
  expect(BigInt(row!.calm)).toBeLessThan((await record()).confirmed);
});

test('a restored warehouse halts capture, and a backfill of everything lets it go on', async () => {
  await open();
  await bridge.start();
  await write('busy', 1, 'a');
  await write('busy', 2, 'a');
  await caughtUp(bridge);
  await bridge.stop();
  const taken = await backup();
  await bridge.start();
  await bridge.source.query('DELETE FROM busy WHERE id = 1');
  await write('busy', 3, 'a');
  await caughtUp(bridge);
  await bridge.stop();

  await taken.restore();
  expect(await valuesOf('busy')).toEqual(['1a', '2a']);
  await bridge.start();
  expect(await halted()).toMatchObject({
    code: 'WB6302',
    kind: 'permanent',
    next: expect.stringContaining('walbridge backfill --all --prune'),
  });
  await bridge.stop();
  bridge.fault = null;
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6302' });
  await bridge.stop();

  // A part of it does not fill the gap.
  await request(bridge, { entities: ['busy'], prune: true });
  await request(bridge, { all: true });
  bridge.fault = null;
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB6302' });
  await bridge.stop();

  const id = await request(bridge, { all: true, prune: true });
  bridge.fault = null;
  await bridge.start();
  await write('busy', 4, 'b');
  await done(bridge, id);
  await caughtUp(bridge);
  expect(await valuesOf('busy')).toEqual(['2a', '3a', '4b']);
  const audit = await bridge.rows<{ subject: string; actor: string; detail_json: string }>(
    `SELECT subject, actor, detail_json FROM walbridge.audit WHERE action = 'accept gap'`,
  );
  expect(audit).toEqual([
    { subject: bridge.settings.source.slot, actor: 'test', detail_json: expect.stringContaining(id) },
  ]);
  await bridge.stop();
  await bridge.start();
  await write('busy', 5, 'c');
  await caughtUp(bridge);
});

test('a restore under a running daemon halts it within seconds', async () => {
  await open();
  await bridge.start();
  await write('busy', 1, 'a');
  await caughtUp(bridge);
  const taken = await backup();
  await write('busy', 2, 'a');
  await caughtUp(bridge);
  await taken.restore();
  expect(await halted()).toMatchObject({ code: 'WB6302' });
});

test('a restore to a time after the last acknowledgement costs nothing but reading again', async () => {
  await open();
  await bridge.start();
  await write('busy', 1, 'a');
  await caughtUp(bridge);
  await whileHeld('calm', async () => {
    await write('calm', 1, 'a');
    await write('busy', 2, 'a');
    await until('busy to have 2', async () => (await valuesOf('busy')).includes('2a'));
    const taken = await backup();
    await write('busy', 3, 'a');
    await bridge.source.query('DELETE FROM busy WHERE id = 1');
    await until('busy to lack 1', async () => !(await valuesOf('busy')).includes('1a'));
    await taken.restore();
    await until('busy to lack 1 again', async () => (await valuesOf('busy')).join() === '2a,3a');
  });
  await caughtUp(bridge);
  expect(bridge.fault).toBeNull();
  expect(await valuesOf('busy')).toEqual(['2a', '3a']);
  expect(await valuesOf('calm')).toEqual(['1a']);
});

test('a slot that was made anew halts capture until the tables are brought up', async () => {
  await open();
  await bridge.start();
  await write('busy', 1, 'a');
  await caughtUp(bridge);
  await bridge.stop();
  const { slot } = bridge.settings.source;
  await bridge.source.query('SELECT pg_drop_replication_slot($1)', [slot]);
  await write('busy', 2, 'lost');
  await bridge.source.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  await bridge.start();
  expect(await halted()).toMatchObject({ code: 'WB6302' });
  await bridge.stop();
  const id = await request(bridge, { all: true, truncateFirst: true });
  bridge.fault = null;
  await bridge.start();
  await done(bridge, id);
  expect(await valuesOf('busy')).toEqual(['1a', '2lost']);
});
