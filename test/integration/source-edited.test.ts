// A source that is edited while the stream runs, so that changes would silently stay away: the classic is somebody who takes deletes
// out of the publication. Capture ends within seconds, acknowledges nothing from behind the edit, and says what brings it back.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readStatus } from '../../src/daemon/status.ts';
import { caughtUp, done, nothing, request, withControl } from './backfill-rig.ts';
import { Bridge } from './types-bridge.ts';

let bridge: Bridge;
let publication: string;
const lines: Record<string, unknown>[] = [];
const log = pino(
  new Writable({
    write: (line, _encoding, written) => {
      lines.push(JSON.parse(String(line)));
      written();
    },
  }),
);

beforeAll(async () => {
  bridge = await Bridge.open({
    log,
    ddl: `CREATE TABLE things (id int PRIMARY KEY, v text, w text); CREATE TABLE others (id int PRIMARY KEY, w text NOT NULL DEFAULT 'x');
      CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (100);`,
    tables: [
      { schema: 'public', table: 'things' },
      { schema: 'public', table: 'others' },
      { schema: 'public', table: 'parts' },
    ],
  });
  publication = `"${bridge.settings.source.publications[0]}"`;
});

afterAll(() => bridge?.close());

const halted = () => bridge.halted();

const confirmed = async () => {
  const { rows } = await bridge.source.query<{ lsn: string }>(
    `SELECT (confirmed_flush_lsn - '0/0')::text AS lsn FROM pg_replication_slots WHERE slot_name = $1`,
    [bridge.settings.source.slot],
  );
  return BigInt(rows[0]!.lsn);
};

const written = async () => {
  const { rows } = await bridge.source.query<{ lsn: string }>(
    `SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS lsn`,
  );
  return BigInt(rows[0]!.lsn);
};

const gap = async () => (await readStatus(bridge.settings, log)).gap;

const things = async () =>
  (await bridge.rows<{ id: number }>('SELECT id FROM crm.things ORDER BY id')).map(({ id }) => id);

test.each([
  [
    'deletes are taken out',
    'WB2133',
    `ALTER PUBLICATION $p SET (publish = 'insert, update, truncate')`,
    `ALTER PUBLICATION $p SET (publish = 'insert, update, delete, truncate')`,
  ],
  [
    'the table is taken out',
    'WB2132',
    'ALTER PUBLICATION $p DROP TABLE things',
    'ALTER PUBLICATION $p ADD TABLE things',
  ],
  [
    'rows are filtered',
    'WB2134',
    'ALTER PUBLICATION $p SET TABLE things WHERE (id > 5), others, parts',
    'ALTER PUBLICATION $p SET TABLE things, others, parts',
  ],
  [
    'a column is taken out',
    'WB2136',
    'ALTER PUBLICATION $p SET TABLE things (id, v), others, parts',
    'ALTER PUBLICATION $p SET TABLE things, others, parts',
  ],
  [
    'updates no longer carry the key',
    'WB2124',
    'ALTER TABLE things REPLICA IDENTITY NOTHING',
    'ALTER TABLE things REPLICA IDENTITY DEFAULT',
  ],
  [
    "a partition's updates no longer carry the key",
    'WB2124',
    'ALTER TABLE part REPLICA IDENTITY NOTHING',
    'ALTER TABLE part REPLICA IDENTITY DEFAULT',
  ],
])('while the stream runs, %s', async (_what, code, edit, mend) => {
  const hurt =
    code === 'WB2133' ? ['others', 'parts', 'things'] : edit.includes(' part ') ? ['parts'] : ['things'];
  const sql = (statement: string) => bridge.source.query(statement.replace('$p', publication));
  await request(bridge, { all: true, prune: true });
  await bridge.start();
  await sql(`INSERT INTO things VALUES (1, 'a', 'a') ON CONFLICT DO NOTHING`);
  await caughtUp(bridge);

  const before = await written();
  await sql(edit);
  // Under NOTHING the source itself refuses.
  await sql('DELETE FROM things WHERE id = 1').catch(() => undefined);
  await sql('INSERT INTO others SELECT COALESCE(MAX(id), 0) + 1 FROM others');
  const { code: halt, what, next } = await halted();
  expect(halt).toBe('WB7003');
  expect(what).toContain(code);
  expect(what).toMatch(/between \d{4}-.* and \d{4}-/);
  expect(next).toContain(`walbridge backfill ${hurt.join(' ')} --prune`);
  expect(await confirmed()).toBeLessThanOrEqual(before);

  await sql(mend);
});

test('mended, it does not go on before the backfill is asked for: what was committed under the edit does not come again', async () => {
  const first = await request(bridge, { all: true, prune: true });
  await bridge.start();
  // Or its prune would find what the stream misses.
  await done(bridge, first);
  await bridge.source.query(`INSERT INTO things VALUES (11, 'c', 'c'), (12, 'c', 'c')`);
  await caughtUp(bridge);
  await bridge.source.query(`ALTER PUBLICATION ${publication} DROP TABLE things`);
  await bridge.source.query('DELETE FROM things WHERE id = 11');
  expect(await halted()).toMatchObject({ code: 'WB7003' });
  await bridge.source.query(`ALTER PUBLICATION ${publication} ADD TABLE things`);
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB7004', what: expect.stringContaining('WB2132') });
  expect(await gap()).toMatchObject({ code: 'WB7003', entities: ['things'] });
  // Nor does another table's backfill help.
  await request(bridge, { entities: ['others'], prune: true });
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB7004' });
  expect(await things()).toContain(11);

  const id = await request(bridge, { entities: ['things'], prune: true });
  expect(await gap()).toBeNull();
  await bridge.start();
  await done(bridge, id);
  await caughtUp(bridge);
  const { rows } = await bridge.source.query<{ id: number }>('SELECT id FROM things ORDER BY id');
  expect(await things()).toEqual(rows.map((row) => row.id));
  await bridge.stop();
});

test('edits that lose nothing are taken as they are', async () => {
  await bridge.start();
  await caughtUp(bridge);
  await bridge.source.query('CREATE TABLE strangers (id int PRIMARY KEY)');
  await bridge.source.query(`ALTER PUBLICATION ${publication} ADD TABLE strangers`);
  await bridge.source.query('ALTER TABLE things ADD COLUMN more text');
  await bridge.source.query(`INSERT INTO things VALUES (20, 'c', 'c', 'c')`);
  await caughtUp(bridge);
  await bridge.source.query('DELETE FROM things WHERE id = 20');
  await caughtUp(bridge);
  expect(bridge.fault).toBeNull();
  expect(await things()).not.toContain(20);
  // The new column is named once, however often the table is described.
  await bridge.source.query('ALTER TABLE things ALTER COLUMN w SET DATA TYPE varchar(200)');
  await bridge.source.query(`INSERT INTO things VALUES (21, 'c', 'c', 'c')`);
  await caughtUp(bridge);
  expect(lines.filter(({ columns }) => columns !== undefined)).toMatchObject([
    { entity: 'things', columns: ['more'] },
  ]);
});

test('a column that gets another name has no value for its field: rows go to quarantine, and none goes stale unseen', async () => {
  await bridge.source.query(`INSERT INTO others VALUES (1000, 'a'), (1001, 'b')`);
  await caughtUp(bridge);
  await bridge.source.query('ALTER TABLE others RENAME COLUMN w TO renamed');
  await bridge.source.query(`UPDATE others SET renamed = 'c' WHERE id = 1000`);
  await bridge.source.query('DELETE FROM others WHERE id = 1001');
  await caughtUp(bridge);
  const { quarantine } = await readStatus(bridge.settings, log);
  expect(quarantine).toMatchObject([{ entity: 'others', code: 'WB4103', rows: 1 }]);
  expect(await bridge.rows('SELECT id, w FROM crm.others WHERE id >= 1000')).toEqual([{ id: 1000, w: 'a' }]);
  const noted = lines.filter(({ code, entity }) => code === 'WB4103' && entity === 'others');
  expect(noted).toHaveLength(1);
});

test('dropped tables whose mappings are taken away first: naming all of them lets the daemon go on, with nothing to load', async () => {
  await bridge.source.query('DROP TABLE parts, things');
  expect(await halted()).toMatchObject({ code: 'WB7003' });
  for (const stem of ['parts', 'things']) await rm(join(bridge.settings.mappings, `${stem}.yaml`));
  await bridge.start(['capture']);
  expect(await halted()).toMatchObject({ code: 'WB7004', next: expect.stringContaining('parts things') });
  const ask = (wanted: Partial<typeof nothing>) =>
    withControl(bridge, (control) => control.request({ ...nothing, ...wanted }));
  for (const wanted of [
    // Some of them; one that never was; a part of the table only.
    { entities: ['parts'], prune: true },
    { entities: ['parts', 'things', 'thing'], prune: true },
    { entities: ['parts', 'things'] },
  ])
    await expect(ask(wanted)).rejects.toMatchObject({ code: 'WB7024' });
  expect(await gap()).toMatchObject({ entities: ['parts', 'things'] });
  expect(await ask({ entities: ['parts', 'things'], prune: true })).toBeNull();
  expect(await gap()).toBeNull();
  const accepted = await bridge.rows<{ detail_json: string }>(
    "SELECT detail_json FROM walbridge.audit WHERE action = 'accept gap' ORDER BY happened_at DESC",
  );
  expect(accepted[0]?.detail_json).toContain('"backfill":null');
  await bridge.start();
  await caughtUp(bridge);
  expect(bridge.fault).toBeNull();
});
