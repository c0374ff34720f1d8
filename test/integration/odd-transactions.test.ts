// Transactions of every odd kind: rolled back in part, prepared, moved over partitions, with DDL in their midst, cut into parts. The
// warehouse ends with what the source has.
import { afterAll, beforeAll, test } from 'vitest';
import { caughtUp, expectEqual } from './backfill-rig.ts';
import { Bridge } from './types-bridge.ts';

let bridge: Bridge;
const tables = ['docs', 'parted', 'coded'] as const;

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl: `CREATE TABLE docs (id int PRIMARY KEY, v text, big text);
ALTER TABLE docs ALTER big SET STORAGE EXTERNAL;
CREATE TABLE parted (id int, region text, v text, big text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_n PARTITION OF parted FOR VALUES IN ('n');
CREATE TABLE parted_s PARTITION OF parted FOR VALUES IN ('s');
CREATE TABLE coded (code text NOT NULL, v text, n int);
CREATE UNIQUE INDEX coded_code ON coded (code);
ALTER TABLE coded REPLICA IDENTITY USING INDEX coded_code;`,
    tables: tables.map((table) => ({ schema: 'public', table })),
    lane: { maxTransactionRows: 200, maxBatchRows: 50 },
  });
});

afterAll(() => bridge?.close());

const run = (sql: string) => bridge.source.query(sql);
const equal = async () => {
  await caughtUp(bridge);
  const key = { docs: ['id'], parted: ['id', 'region'], coded: ['code'] };
  await expectEqual(
    bridge,
    tables.map((table) => ({ source: `public.${table}`, target: `crm.${table}`, key: key[table] })),
  );
};

test('savepoints, exceptions and large transactions that are rolled back in part', async () => {
  await bridge.start();
  await run(`BEGIN; INSERT INTO docs VALUES (1, 'a', repeat('x', 9000)), (2, 'a', NULL);
    SAVEPOINT one; UPDATE docs SET v = 'gone'; INSERT INTO docs VALUES (3, 'gone', NULL); TRUNCATE coded;
    ROLLBACK TO one; INSERT INTO docs VALUES (3, 'kept', NULL); SAVEPOINT two; DELETE FROM docs WHERE id = 2; RELEASE two; COMMIT`);
  await run(`DO $$ BEGIN FOR i IN 100..900 LOOP
    BEGIN INSERT INTO docs VALUES (i, 'sub', NULL); IF i % 3 = 0 THEN RAISE division_by_zero; END IF;
    EXCEPTION WHEN division_by_zero THEN INSERT INTO coded VALUES (i::text, 'caught', i); END;
    IF i % 7 = 0 THEN UPDATE docs SET v = v || i WHERE id = i - 7; END IF; END LOOP; END $$`);
  await run(
    `BEGIN; INSERT INTO docs SELECT g, 'rolled back', repeat('y', 3000) FROM generate_series(2000, 2500) g; ROLLBACK`,
  );
  await equal();
});

test('prepared transactions: committed after others, over a restart of the bridge, and rolled back', async () => {
  await run(
    `BEGIN; UPDATE docs SET v = 'prepared', id = 5001 WHERE id = 1; INSERT INTO docs SELECT g, 'prepared', NULL FROM generate_series(3000, 3300) g; PREPARE TRANSACTION 'kept_${bridge.settings.source.slot}'`,
  );
  await run(
    `BEGIN; DELETE FROM docs WHERE id = 3; PREPARE TRANSACTION 'gone_${bridge.settings.source.slot}'`,
  );
  await run(`INSERT INTO docs VALUES (4, 'between', NULL)`);
  await caughtUp(bridge);
  await bridge.stop();
  await run(`INSERT INTO docs VALUES (5, 'between', NULL)`);
  await run(`COMMIT PREPARED 'kept_${bridge.settings.source.slot}'`);
  await bridge.start();
  await run(`ROLLBACK PREPARED 'gone_${bridge.settings.source.slot}'`);
  await run(`UPDATE docs SET v = v || '!' WHERE id IN (3, 5001)`);
  await equal();
});

test('rows that move: to another partition, another key, each other’s key, with unchanged large values', async () => {
  await run(`INSERT INTO parted SELECT g, 'n', 'a', repeat('z', 9000) FROM generate_series(1, 20) g`);
  await run(`UPDATE parted SET region = 's' WHERE id <= 10; UPDATE parted SET v = 'b' WHERE id IN (5, 15)`);
  await run(
    `BEGIN; UPDATE parted SET region = 'n', id = id + 100 WHERE id <= 3; UPDATE parted SET v = 'c' WHERE id = 102; DELETE FROM parted WHERE id = 103; COMMIT`,
  );
  await run(
    `BEGIN; UPDATE docs SET id = -1 WHERE id = 5001; UPDATE docs SET id = 5001 WHERE id = 4; UPDATE docs SET id = 4 WHERE id = -1; COMMIT`,
  );
  await run(
    `INSERT INTO coded VALUES ('a', '1', 1), ('A', '2', 2); UPDATE coded SET code = 'b' WHERE code = 'a'; UPDATE coded SET code = 'a' WHERE code = 'A'; UPDATE coded SET v = NULL WHERE code = 'b'`,
  );
  await equal();
});

test('TRUNCATE of several tables amid changes of the same keys', async () => {
  await run(`BEGIN; INSERT INTO parted VALUES (900, 's', 'gone', NULL); UPDATE coded SET v = 'gone'; TRUNCATE parted, coded;
    INSERT INTO parted VALUES (900, 'n', 'kept', NULL); INSERT INTO coded VALUES ('b', 'kept', 9); COMMIT`);
  await run(
    `MERGE INTO coded c USING (VALUES ('b', 'merged'), ('m', 'merged')) s(code, v) ON c.code = s.code WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.code, s.v, 1)`,
  );
  await run(`INSERT INTO coded VALUES ('m', 'x', 2) ON CONFLICT (code) DO UPDATE SET n = excluded.n`);
  await equal();
});

test('DDL in the midst of a transaction, and between others', async () => {
  await run(`BEGIN; INSERT INTO docs VALUES (7000, 'before', NULL); ALTER TABLE docs ADD COLUMN extra int DEFAULT 5; INSERT INTO docs VALUES (7001, 'after', NULL, 6);
    ALTER TABLE docs ALTER v TYPE varchar(200); UPDATE docs SET v = v || '+' WHERE id IN (7000, 7001, 4); ALTER TABLE docs DROP COLUMN extra; INSERT INTO docs VALUES (7002, 'last', NULL); COMMIT`);
  await run(
    `CREATE TABLE parted_w PARTITION OF parted FOR VALUES IN ('w'); INSERT INTO parted VALUES (1, 'w', 'new', NULL); UPDATE parted SET region = 'w' WHERE id = 900`,
  );
  await run(`VACUUM FULL docs`);
  await run(`UPDATE docs SET v = 'rewritten' WHERE id = 7002`);
  await bridge.stop();
  await bridge.start();
  await run(`DELETE FROM docs WHERE id = 7001`);
  await equal();
});
