// Backfills into a warehouse with foreign keys: rows of one table that refer to later ones, deletes of parents and children.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { caughtUp, done, expectEqual, request } from './backfill-rig.ts';
import { Bridge } from './types-bridge.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const pairs = [
  { source: 'nodes', target: 'crm.nodes', key: ['id'] },
  { source: 'leaves', target: 'crm.leaves', key: ['id'] },
];
let bridge: Bridge;
const quarantined = () => bridge.rows('SELECT entity, code, key_json FROM walbridge.quarantine');

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl: `CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes, second int REFERENCES nodes, name text);
      CREATE INDEX ON nodes (parent);
      CREATE TABLE leaves (id int PRIMARY KEY, node int NOT NULL REFERENCES nodes);`,
    tables: ['nodes', 'leaves'].map((table) => ({ schema: 'public', table })),
  });
  // Parents stand behind their children in the order of the key, up to a hundred of them above one another.
  await bridge.source.query(`
    INSERT INTO nodes SELECT i, CASE WHEN i < 1000 THEN least(i + 1 + i % 20, 1000) END, CASE WHEN i % 3 = 0 THEN i - 1 WHEN i % 50 = 1 THEN 1000 END, 'n' || i
      FROM generate_series(1, 1000) i;
    INSERT INTO leaves SELECT i, 1 + i % 1000 FROM generate_series(1, 300) i`);
  await bridge.source.query('SELECT pg_replication_slot_advance($1, pg_current_wal_insert_lsn())', [
    bridge.settings.source.slot,
  ]);
  await bridge.rows(`ALTER TABLE crm.nodes ADD CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES crm.nodes (id);
    ALTER TABLE crm.nodes ADD CONSTRAINT fk_second FOREIGN KEY (second) REFERENCES crm.nodes (id);
    ALTER TABLE crm.leaves ADD CONSTRAINT fk_node FOREIGN KEY (node) REFERENCES crm.nodes (id)`);
});

afterAll(() => bridge.close());

test('rows that refer to later ones of their table: a first load goes in chunks that bring the ancestors along', async () => {
  const id = await request(bridge, { all: true, chunkRows: 150 });
  await bridge.start();
  const found = await done(bridge, id);
  await expectEqual(bridge, pairs);
  expect(bridge.warned).toContain('WB7030');
  // Each row is read once for itself; nothing had to wait in quarantine.
  expect(found.map(({ entity, rowsRead }) => [entity, rowsRead])).toEqual([
    ['leaves', 300],
    ['nodes', 1000],
  ]);
  expect(await quarantined()).toEqual([]);
});

test('the same in ranges, and of a range alone', async () => {
  await bridge.rows(
    'DELETE FROM crm.leaves; UPDATE crm.nodes SET parent = NULL, second = NULL; DELETE FROM crm.nodes',
  );
  await done(
    bridge,
    await request(bridge, { entities: ['nodes'], fromKey: '1', toKey: '200', chunkRows: 60 }),
  );
  expect(await quarantined()).toEqual([]);
  await done(bridge, await request(bridge, { all: true, chunkRows: 150, parallel: 3 }));
  await expectEqual(bridge, pairs);
  expect(await quarantined()).toEqual([]);
});

test('prune deletes children before their parents', async () => {
  await bridge.rows(`INSERT INTO crm.nodes (id, name) VALUES (5000, N'gone'); INSERT INTO crm.nodes (id, parent, name) VALUES (4999, 5000, N'gone');
    INSERT INTO crm.leaves (id, node) VALUES (5000, 4999)`);
  await done(bridge, await request(bridge, { all: true, prune: true, parallel: 2 }));
  await caughtUp(bridge);
  await expectEqual(bridge, pairs);
  expect(await quarantined()).toEqual([]);
});
