// Inspection and initialisation of a real source: every finding with a statement that really mends it.
import { Client } from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createQueue } from '../../sandbox/address.ts';
import { isMendedByInit } from '../../src/capture/finding.ts';
import { planInit, runInit } from '../../src/capture/init.ts';
import { inspect } from '../../src/capture/inspect.ts';
import { textSettings } from '../../src/capture/replication-connection.ts';
import { hoursLeft, readSlotHealth, runsShort } from '../../src/capture/slot-health.ts';
import { readSourceFacts, type WantedSource, type WantedTable } from '../../src/capture/source-facts.ts';

let client: Client;
let number = 0;

beforeEach(async () => {
  number += 1;
  client = new Client({ connectionString: await createQueue(inject('sandbox'), `capture_init_${number}`) });
  await client.connect();
});

afterEach(async () => {
  await client.query(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
    WHERE database = current_database() AND NOT active`);
  await client.end();
});

const wantedTable = (
  table: string,
  columns: string[] = ['id'],
  key: string[] | null = null,
): WantedTable => ({
  schema: 'public',
  table,
  columns,
  key,
});

const wantedSource = (...tables: WantedTable[]): WantedSource => ({
  tables,
  publications: ['walbridge', 'Second "one"'],
  slot: `init_${number}`,
});

const findings = async (wanted: WantedSource) => inspect(await readSourceFacts(client, wanted), wanted);
const codes = async (wanted: WantedSource) => (await findings(wanted)).map(({ code }) => code);

test('the plan creates what is missing, is printable, and empty once it was run', async () => {
  await client.query(`CREATE TABLE a (id int PRIMARY KEY, n int, d int GENERATED ALWAYS AS (n * 2) STORED);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10)`);
  const wanted = wantedSource(wantedTable('a', ['id', 'd']), wantedTable('parts'));
  const before = await findings(wanted);
  expect(before.every(isMendedByInit)).toBe(true);
  const plan = planInit(await readSourceFacts(client, wanted), wanted);
  const options =
    "publish = 'insert, update, delete, truncate', publish_via_partition_root = true, publish_generated_columns = stored";
  expect(plan).toEqual([
    `CREATE PUBLICATION "walbridge" FOR TABLE "public"."a", "public"."parts" WITH (${options})`,
    `CREATE PUBLICATION "Second ""one""" WITH (${options})`,
    `SELECT pg_catalog.pg_create_logical_replication_slot('init_${number}', 'pgoutput', failover => true)`,
  ]);
  const done: string[] = [];
  await runInit(client, plan, (statement) => done.push(statement));
  expect(done).toEqual(plan);
  expect(await findings(wanted)).toEqual([]);
  expect(planInit(await readSourceFacts(client, wanted), wanted)).toEqual([]);
});

test('an edited publication is found and mended: operations, a dropped table, partitions, generated columns', async () => {
  await client.query(`CREATE TABLE a (id int PRIMARY KEY, n int, d int GENERATED ALWAYS AS (n * 2) STORED);
    CREATE TABLE b (id int PRIMARY KEY);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE PUBLICATION walbridge FOR TABLE a, parts WITH (publish = 'insert, update');
    CREATE PUBLICATION "Second ""one"""`);
  const wanted = wantedSource(wantedTable('a', ['id', 'd']), wantedTable('b'), wantedTable('parts'));
  const before = await findings(wanted);
  expect(before.map(({ code }) => code).sort()).toEqual(['WB2131', 'WB2132', 'WB2133', 'WB2135', 'WB2140']);
  expect(before.find(({ code }) => code === 'WB2133')).toMatchObject({
    what: expect.stringContaining('delete, truncate'),
    next: `ALTER PUBLICATION "walbridge" SET (publish = 'insert, update, delete, truncate');`,
  });
  await runInit(client, planInit(await readSourceFacts(client, wanted), wanted));
  expect(await findings(wanted)).toEqual([]);
});

test('what init cannot mend: row filters, column lists, virtual columns; FOR ALL TABLES is fine', async () => {
  await client.query(`CREATE TABLE a (id int PRIMARY KEY, n int, v int GENERATED ALWAYS AS (n + 1) VIRTUAL);
    CREATE TABLE b (id int PRIMARY KEY, n int);
    CREATE PUBLICATION walbridge FOR TABLE a (id), b WHERE (id > 5);
    CREATE PUBLICATION "Second ""one""";
    CREATE PUBLICATION everything FOR ALL TABLES`);
  await client.query(`SELECT pg_create_logical_replication_slot('init_${number}', 'pgoutput')`);
  const wanted = wantedSource(wantedTable('a', ['id', 'n', 'v']), wantedTable('b', ['n']));
  expect((await codes(wanted)).sort()).toEqual(['WB2134', 'WB2136', 'WB2138']);
  const mend = (await findings(wanted)).find(({ code }) => code === 'WB2136')!.next;
  await client.query(`BEGIN; ${mend.replace('In one transaction: ', '')} COMMIT`);
  expect((await codes(wanted)).sort()).toEqual(['WB2134', 'WB2138']);
  expect(await codes({ ...wanted, publications: ['everything'] })).toEqual(['WB2138']);
});

test('replica identities: each finding names the statement that mends it', async () => {
  await client.query(`CREATE TABLE bare (id int);
    CREATE TABLE uniq (code text NOT NULL UNIQUE, v int);
    CREATE TABLE nullable (code text UNIQUE);
    CREATE TABLE partial (code text NOT NULL, v int); CREATE UNIQUE INDEX ON partial (code) WHERE v > 0;
    CREATE TABLE late (code text NOT NULL UNIQUE DEFERRABLE);
    CREATE TABLE latepk (id int PRIMARY KEY DEFERRABLE);
    CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE other (id int PRIMARY KEY, code text NOT NULL UNIQUE);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20); ALTER TABLE parts_2 REPLICA IDENTITY NOTHING;
    CREATE TABLE "odd 'parts" (code text NOT NULL UNIQUE) PARTITION BY LIST (code);
    CREATE TABLE odd_1 PARTITION OF "odd 'parts" FOR VALUES IN ('a');
    CREATE PUBLICATION walbridge FOR ALL TABLES WITH (publish_via_partition_root)`);
  await client.query(`SELECT pg_create_logical_replication_slot('init_${number}', 'pgoutput')`);
  const partWise = (name: string, identity: string) =>
    `DO $$ DECLARE part regclass; BEGIN FOR part IN SELECT relid FROM pg_partition_tree('"public"."${name}"') LOOP EXECUTE format('ALTER TABLE %s REPLICA IDENTITY ${identity}', part); END LOOP; END $$;`;
  const cases: [WantedTable, string, string | null][] = [
    [wantedTable('bare'), 'WB2122', null],
    [wantedTable('uniq', ['code'], ['code']), 'WB2124', 'USING INDEX "uniq_code_key";'],
    [wantedTable('nullable', ['code'], ['code']), 'WB2123', null],
    [wantedTable('partial', ['code'], ['code']), 'WB2124', 'FULL;'],
    [wantedTable('late', ['code'], ['code']), 'WB2124', 'FULL;'],
    [wantedTable('latepk'), 'WB2124', 'FULL;'],
    [wantedTable('nothing'), 'WB2124', 'DEFAULT;'],
    [wantedTable('other', ['code'], ['code']), 'WB2124', 'USING INDEX "other_code_key";'],
    [wantedTable('parts'), 'WB2124', partWise('parts', 'DEFAULT')],
    [wantedTable("odd 'parts", ['code'], ['code']), 'WB2124', partWise("odd ''parts", 'FULL')],
  ];
  for (const [table, code, statement] of cases) {
    const wanted: WantedSource = { ...wantedSource(table), publications: ['walbridge'] };
    const found = (await findings(wanted)).find((finding) => finding.code === code);
    expect(found, `${table.table} ${code}`).toBeDefined();
    if (statement === null) continue;
    expect(found!.next).toBe(
      statement.startsWith('DO ')
        ? statement
        : `ALTER TABLE "public"."${table.table}" REPLICA IDENTITY ${statement}`,
    );
    await client.query(found!.next);
    expect(await codes(wanted)).toEqual([]);
  }
  const misspelt: WantedSource = { ...wantedSource(wantedTable('barre')), publications: ['walbridge'] };
  expect((await findings(misspelt))[0]).toMatchObject({
    code: 'WB2120',
    next: expect.stringContaining('public.bare'),
  });
});

test('tables whose changes never come: unlogged ones, and partitions beside their partitioned table', async () => {
  await client.query(`CREATE UNLOGGED TABLE u (id int PRIMARY KEY);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
    CREATE TABLE parts_1_a PARTITION OF parts_1 FOR VALUES FROM (0) TO (5)`);
  const both = wantedSource(wantedTable('u'), wantedTable('parts'), wantedTable('parts_1_a'));
  const before = (await findings(both)).filter((finding) => !isMendedByInit(finding));
  expect(before.map(({ code }) => code)).toEqual(['WB2125', 'WB2126']);
  expect(before[1]).toMatchObject({ next: 'Map public.parts instead.' });
  await client.query('ALTER TABLE "public"."u" SET LOGGED');
  // By itself a partition comes under its own name.
  const alone = wantedSource(wantedTable('u'), wantedTable('parts_1_a'));
  await runInit(client, planInit(await readSourceFacts(client, alone), alone));
  expect(await findings(alone)).toEqual([]);
  await client.query(
    'ALTER PUBLICATION walbridge ADD TABLE parts; ALTER PUBLICATION walbridge SET (publish_via_partition_root)',
  );
  expect(await codes(alone)).toEqual(['WB2126']);
});

test('a policy that hides rows is found, and a backfill as that role is refused', async () => {
  await client.query(`CREATE TABLE a (id int PRIMARY KEY); ALTER TABLE a ENABLE ROW LEVEL SECURITY;
    CREATE PUBLICATION walbridge FOR TABLE a; CREATE ROLE tenant_${number} REPLICATION;
    GRANT SELECT ON a TO tenant_${number}; GRANT CREATE ON DATABASE capture_init_${number} TO tenant_${number}`);
  await client.query(`SELECT pg_create_logical_replication_slot('init_${number}', 'pgoutput')`);
  const wanted: WantedSource = { ...wantedSource(wantedTable('a')), publications: ['walbridge'] };
  await client.query(`SET ROLE tenant_${number}`);
  const found = await findings(wanted);
  expect(found.map(({ code, severity }) => [code, severity])).toEqual([['WB2127', 'warning']]);
  for (const [name, value] of Object.entries(textSettings)) {
    await client.query(`SELECT set_config($1, $2, false)`, [name, value]);
  }
  await expect(client.query('SELECT * FROM public.a')).rejects.toMatchObject({ code: '42501' });
  await client.query('RESET ROLE');
  await client.query(found[0]!.next);
  await client.query(`SET ROLE tenant_${number}`);
  expect(await codes(wanted)).toEqual([]);
  await client.query('RESET ROLE');
  await client.query(`DROP OWNED BY tenant_${number}; DROP ROLE tenant_${number}`);
});

test('a role without privileges gets every finding at once, and the named grants suffice', async () => {
  await client.query(`CREATE TABLE a (id int PRIMARY KEY); CREATE ROLE poor_${number} LOGIN`);
  const wanted = wantedSource(wantedTable('a'));
  await client.query(`SET ROLE poor_${number}`);
  const found = await findings(wanted);
  expect(found.map(({ code }) => code)).toEqual(
    expect.arrayContaining(['WB2110', 'WB2111', 'WB2121', 'WB2130']),
  );
  await client.query('RESET ROLE');
  for (const { code, next } of found) {
    if (['WB2110', 'WB2111', 'WB2121'].includes(code))
      await client.query(next.replace(/\(Amazon.*|or run.*/, ''));
  }
  await client.query(`ALTER TABLE a OWNER TO poor_${number}; SET ROLE poor_${number}`);
  await runInit(client, planInit(await readSourceFacts(client, wanted), wanted));
  expect(await findings(wanted)).toEqual([]);
  await client.query(`RESET ROLE; DROP OWNED BY poor_${number} CASCADE; DROP ROLE poor_${number}`);
});

test('a slot of another plugin, a temporary one and a two-phase one are refused', async () => {
  await client.query('CREATE TABLE a (id int PRIMARY KEY); CREATE PUBLICATION walbridge FOR TABLE a');
  const wanted: WantedSource = { ...wantedSource(wantedTable('a')), publications: ['walbridge'] };
  for (const [statement, code] of [
    [`SELECT pg_create_logical_replication_slot($1, 'test_decoding')`, 'WB2012'],
    ['SELECT pg_create_physical_replication_slot($1)', 'WB2012'],
    [`SELECT pg_create_logical_replication_slot($1, 'pgoutput', true)`, 'WB2141'],
    [`SELECT pg_create_logical_replication_slot($1, 'pgoutput', false, true)`, 'WB2142'],
  ] as const) {
    await client.query(statement, [wanted.slot]);
    expect(await codes(wanted)).toContain(code);
    await client.query('SELECT pg_drop_replication_slot($1)', [wanted.slot]);
  }
});

test('slot health: what is held, and how long that can go on', async () => {
  const slot = `init_${number}`;
  expect(await readSlotHealth(client, slot)).toBe(null);
  await client.query('CREATE TABLE a (id int PRIMARY KEY, v text)');
  await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  const before = (await readSlotHealth(client, slot))!;
  await client.query(`INSERT INTO a SELECT g, repeat('x', 500) FROM generate_series(1, 2000) g`);
  const after = (await readSlotHealth(client, slot))!;
  expect(after).toMatchObject({ isActive: false, walStatus: 'reserved', safeBytes: null });
  expect(after.lagBytes - before.lagBytes).toBeGreaterThan(1_000_000);
  expect(after.retainedBytes).toBeGreaterThanOrEqual(after.lagBytes);
  expect(hoursLeft(after, before, 1_000)).toBe(null);
  const limited = { ...after, safeBytes: 7_200_000, writtenBytes: before.writtenBytes + 1_000 };
  expect(hoursLeft(limited, before, 1_000)).toBeCloseTo(2);
  expect(runsShort(before, after)).toBe(false);
  expect(runsShort({ ...before, safeBytes: 100 }, { ...after, safeBytes: 50 })).toBe(false);
  expect(runsShort({ ...before, safeBytes: 100 }, { ...after, safeBytes: 49 })).toBe(true);
  expect(runsShort(before, { ...after, walStatus: 'unreserved' })).toBe(true);
});
