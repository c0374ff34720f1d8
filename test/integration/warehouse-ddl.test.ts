// init, check and the catalog on a warehouse of the sandbox, or on a real server where WALBRIDGE_TEST_MSSQL names one.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createWarehouse } from '../../sandbox/address.ts';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import type { TargetColumn, TargetTable } from '../../src/mapping/target.ts';
import { pruneBatchLog } from '../../src/warehouse/batch-log.ts';
import { tableKey } from '../../src/warehouse/catalog.ts';
import { openWarehouse } from '../../src/warehouse/connection.ts';
import { controlTable } from '../../src/warehouse/control-tables.ts';
import { checkWarehouse, initWarehouse } from '../../src/warehouse/init.ts';
import { migrations } from '../../src/warehouse/migrations.ts';
import { readMissingPermissions } from '../../src/warehouse/permissions.ts';
import { readCatalog } from '../../src/warehouse/read-catalog.ts';
import type { Warehouse } from '../../src/warehouse/session.ts';
import { readWatermarks } from '../../src/warehouse/watermark.ts';

let warehouse: Warehouse;

beforeAll(async () => {
  const connectionString = await createWarehouse(
    inject('sandbox'),
    `warehouse_ddl_${randomBytes(4).toString('hex')}`,
  );
  warehouse = await openWarehouse({ connectionString });
});

afterAll(() => warehouse?.close());

function column(name: string, text: string, nullable = true): TargetColumn {
  const type = parseSqlType(text);
  if ('problem' in type) throw new Error(type.problem);
  return { name, type, nullable, field: name };
}

const everyType = [
  'bit',
  'smallint',
  'int',
  'bigint',
  'real',
  'float',
  'decimal(38,10)',
  'nvarchar(200)',
  'nvarchar(max)',
  'varchar(30)',
  'varbinary(max)',
  'uniqueidentifier',
  'date',
  'time(6)',
  'datetime2(6)',
  'datetimeoffset(6)',
];

const contacts: TargetTable = {
  entity: 'contacts',
  lane: 'crm',
  schema: 'crm',
  table: 'contacts',
  key: ['code', 'n'],
  columns: [
    column('code', 'nvarchar(40)', false),
    column('n', 'int', false),
    ...everyType.map((text, index) => column(`c${index}`, text)),
  ],
  metadata: { commitLsn: '_lsn', commitTime: '_committed_at', operation: '_op', appliedAt: '_applied_at' },
};

describe('init', () => {
  it('says with dryRun what it would run, and runs nothing', async () => {
    const report = await initWarehouse(warehouse, [contacts], { dryRun: true, actor: 'test' });
    expect(report.applied).toBe(false);
    expect(report.statements[0]).toBe('CREATE SCHEMA [walbridge]');
    expect(report.statements.at(-1)).toMatch(/^CREATE TABLE \[crm\]\.\[contacts\]/);
    const { schemas } = await readCatalog(warehouse, []);
    expect(schemas.has('WALBRIDGE')).toBe(false);
  });

  it('is named by check before it has run', async () => {
    const codes = (await checkWarehouse(warehouse, [contacts])).map((finding) => finding.code);
    expect(codes).toEqual(expect.arrayContaining(['WB6205', 'WB6115']));
  });

  it('run twice at once creates everything once', async () => {
    const reports = await Promise.all([
      initWarehouse(warehouse, [contacts], { dryRun: false, actor: 'one' }),
      initWarehouse(warehouse, [contacts], { dryRun: false, actor: 'two' }),
    ]);
    expect(reports.map((report) => report.applied)).toEqual([true, true]);
    expect(reports.map((report) => report.statements.length).sort((a, b) => a - b)[0]).toBe(0);
    const { rows } = await warehouse.batch(
      `SELECT component, version FROM ${controlTable('schemaHistory')} ORDER BY component, version`,
    );
    expect(rows).toEqual([
      ...migrations.map(({ version }) => ({ component: 'control', version })),
      { component: 'target:contacts', version: 1 },
    ]);
  });

  it('run again has nothing to do, and check nothing to say', async () => {
    expect(await initWarehouse(warehouse, [contacts], { dryRun: false, actor: 'test' })).toMatchObject({
      statements: [],
    });
    const findings = await checkWarehouse(warehouse, [contacts]);
    expect(findings.filter((finding) => finding.severity !== 'advice')).toEqual([]);
  });

  it('adds a column that the mapping gained, and records it', async () => {
    const grown = { ...contacts, columns: [...contacts.columns, column('city', 'nvarchar(80)')] };
    const report = await initWarehouse(warehouse, [grown], { dryRun: false, actor: 'test' });
    expect(report.statements).toEqual(['ALTER TABLE [crm].[contacts] ADD [city] nvarchar(80) NULL']);
    const { rows } = await warehouse.batch(
      `SELECT MAX(version) AS version FROM ${controlTable('schemaHistory')} WHERE component = N'target:contacts'`,
    );
    expect(rows).toEqual([{ version: 2 }]);
  });

  it('runs nothing at all where one table can’t be', async () => {
    const fine = { ...contacts, entity: 'fine', table: 'fine' };
    const wide = { ...contacts, entity: 'wide', table: 'wide', key: ['c8'] };
    const report = await initWarehouse(warehouse, [fine, wide], { dryRun: false, actor: 'test' });
    expect(report).toMatchObject({ applied: false });
    expect(report.findings.map((finding) => finding.code)).toContain('WB6101');
    expect((await readCatalog(warehouse, [fine])).tables.size).toBe(0);
  });

  it('refuses control tables of a newer walbridge', async () => {
    await warehouse.batch(
      `INSERT INTO ${controlTable('schemaHistory')} (component, version, description, statements, applied_at, applied_by) VALUES (N'control', 999, N'x', N'x', SYSDATETIMEOFFSET(), N'x')`,
    );
    await expect(initWarehouse(warehouse, [], { dryRun: false, actor: 'test' })).rejects.toMatchObject({
      code: 'WB6031',
    });
    await warehouse.batch(`DELETE FROM ${controlTable('schemaHistory')} WHERE version = 999`);
  });
});

describe('permissions', () => {
  it('that the server denies are those that are lacking, and a table that isn’t there is none', async () => {
    const odd = { ...contacts, entity: 'odd', table: "it's [odd]" };
    const targets = [contacts, odd];
    const denied = {
      ...warehouse,
      batch: <Row>(sql: string) =>
        warehouse.batch<Row>(
          sql
            .replace("HAS_PERMS_BY_NAME(N'[crm].[contacts]', 'OBJECT', 'DELETE')", '0')
            .replace("HAS_PERMS_BY_NAME(N'[crm].[it''s [odd]]]', 'OBJECT', 'INSERT')", 'NULL'),
        ),
    };
    expect(await readMissingPermissions(warehouse, targets)).toEqual([]);
    expect(await readMissingPermissions(denied, targets)).toMatchObject([
      { entity: 'contacts', table: '[crm].[contacts]', permissions: ['DELETE'], user: expect.any(String) },
    ]);
    const refused = {
      ...warehouse,
      batch: <Row>() => warehouse.batch<Row>('SELECT 1 FROM sys.no_such_view'),
    };
    expect(await readMissingPermissions(refused, targets)).toBeNull();
  });
});

describe('the catalog', () => {
  it('gives back every type as it was created', async () => {
    const { tables } = await readCatalog(warehouse, [contacts]);
    const facts = tables.get(tableKey(contacts));
    const types = facts?.columns.map((one) => [one.name, one.typeText, one.nullable]);
    expect(types?.slice(0, 2 + everyType.length)).toEqual([
      ['code', 'nvarchar(40)', false],
      ['n', 'int', false],
      ...everyType.map((text, index) => [`c${index}`, text, true]),
    ]);
    expect(facts?.columns[0]?.collation).toBe('Latin1_General_BIN2');
    expect(facts?.uniqueKeys).toEqual([
      { name: 'PK_contacts', columns: ['code', 'n'], primary: true, filtered: false },
    ]);
    expect(facts).toMatchObject({ triggers: [], temporal: false, empty: true });
  });

  it('knows legacy tables: identity, defaults, unique keys, foreign keys, self references', async () => {
    await warehouse.batch(`CREATE TABLE crm.parents (
  id int NOT NULL CONSTRAINT PK_parents PRIMARY KEY,
  email nvarchar(100) NOT NULL CONSTRAINT UQ_parents UNIQUE,
  boss int NULL,
  kind int NOT NULL DEFAULT 1,
  row_no int IDENTITY(1,1) NOT NULL
)`);
    await warehouse.batch(
      'ALTER TABLE crm.parents ADD CONSTRAINT FK_boss FOREIGN KEY (boss) REFERENCES crm.parents (id)',
    );
    await warehouse.batch(`CREATE TABLE crm.children (
  id int NOT NULL CONSTRAINT PK_children PRIMARY KEY,
  parent_id int NOT NULL CONSTRAINT FK_parent REFERENCES crm.parents (id) ON DELETE CASCADE
)`);
    await warehouse.batch(`INSERT INTO crm.parents (id, email) VALUES (1, N'a')`);
    const parents = { schema: 'crm', table: 'parents' };
    const { tables, foreignKeys } = await readCatalog(warehouse, [parents]);
    const facts = tables.get(tableKey(parents));
    expect(facts?.empty).toBe(false);
    expect(facts?.uniqueKeys?.map((key) => [key.name, key.columns, key.primary])).toEqual([
      ['PK_parents', ['id'], true],
      ['UQ_parents', ['email'], false],
    ]);
    expect(facts?.columns.map((one) => [one.name, one.identity, one.hasDefault])).toEqual([
      ['id', false, false],
      ['email', false, false],
      ['boss', false, false],
      ['kind', false, true],
      ['row_no', true, false],
    ]);
    expect(
      foreignKeys.map((key) => [key.name, key.from.table, key.columns, key.to.table, key.onDelete]),
    ).toEqual([
      ['FK_parent', 'children', ['parent_id'], 'parents', 'cascade'],
      ['FK_boss', 'parents', ['boss'], 'parents', 'no action'],
    ]);
  });

  it('leaves out what isn’t there', async () => {
    expect((await readCatalog(warehouse, [{ schema: 'crm', table: "no'body" }])).tables.size).toBe(0);
  });
});

describe('a server without most catalog views', () => {
  /** The server itself refuses each, as one that has never heard of it. */
  function without(session: Warehouse): Warehouse {
    const strange = (sql: string) =>
      sql.replace(
        /sys\.(triggers|indexes|foreign_keys|databases)\b|is_computed|GeneratedAlwaysType'\) AS/g,
        'sys.no_such_thing',
      );
    return {
      ...session,
      batch: (sql) => session.batch(strange(sql)),
      transaction: (work) =>
        session.transaction((inner) =>
          work({
            ...inner,
            batch: (sql) => inner.batch(strange(sql)),
            query: inner.query,
            bulkLoad: inner.bulkLoad,
          }),
        ),
    };
  }

  it('is one that init works on: what it does not tell is advice', async () => {
    const bare = { ...contacts, entity: 'bare', table: 'bare' };
    const report = await initWarehouse(without(warehouse), [bare], { dryRun: false, actor: 'test' });
    expect(report).toMatchObject({ applied: true });
    const again = await initWarehouse(without(warehouse), [bare], { dryRun: false, actor: 'test' });
    expect(again).toMatchObject({ applied: true, statements: [] });
    expect(again.findings.map(({ code, severity, object }) => [code, severity, object])).toEqual([
      ['WB6200', 'advice', 'sys.databases'],
      ['WB6116', 'advice', 'sys.columns'],
      ['WB6116', 'advice', 'sys.tables'],
      ['WB6116', 'advice', 'sys.indexes'],
      ['WB6116', 'advice', 'sys.triggers'],
      ['WB6116', 'warning', 'sys.foreign_keys'],
    ]);
    const { tables } = await readCatalog(without(warehouse), [bare]);
    expect(tables.get(tableKey(bare))).toMatchObject({ uniqueKeys: null, triggers: null, temporal: false });
  });
});

describe('a name that is taken', () => {
  it('is found before init would be refused it', async () => {
    await warehouse.batch('CREATE VIEW dbo.legacy_view AS SELECT 1 AS id');
    const view = { ...contacts, entity: 'legacy', schema: 'dbo', table: 'Legacy_View' };
    const report = await initWarehouse(warehouse, [view], { dryRun: false, actor: 'test' });
    expect(report).toMatchObject({ applied: false });
    expect(report.findings).toContainEqual(
      expect.objectContaining({ code: 'WB6119', severity: 'error', object: 'dbo.Legacy_View' }),
    );
  });
});

describe('a statement that the server refuses', () => {
  it('is named, with the mapping that it is for', async () => {
    const column = (name: string) => ({ name, type: { name: 'int' as const }, nullable: true, field: name });
    const columns = [...contacts.columns.slice(0, 1), column('v'), column('V')];
    const twice = { ...contacts, entity: 'twice', table: 'twice', columns, metadata: {} };
    await expect(initWarehouse(warehouse, [twice], { dryRun: false, actor: 'test' })).rejects.toMatchObject({
      what: expect.stringMatching(/^CREATE TABLE \[\w+\]\.\[twice\] for twice failed: SQL Server error \d+/),
    });
  });
});

describe('the batch log', () => {
  it('loses what is older than its days, of the given lanes only, however much that is', async () => {
    const table = controlTable('batchLog');
    // 1,001 rows: more than one statement takes.
    const digits = '(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))';
    const rowOf = (lane: string, lsn: string, days: number) =>
      `SELECT N'${lane}', ${lsn}, 0, '0/1', 0, 0, '0/0', 1, 1, 0, 0, 0, 0, 0, 1, DATEADD(day, -${days}, SYSDATETIMEOFFSET())`;
    const into = `INSERT INTO ${table} (lane, commit_lsn, ordinal, [position], previous_lsn, previous_ordinal, previous_position, changes, rows_inserted, rows_updated, rows_deleted, tables_truncated, rows_quarantined, is_part, milliseconds, applied_at)`;
    await warehouse.batch(
      `${into} ${rowOf('crm', 'a.n * 100 + b.n * 10 + c.n', 8)} FROM ${digits} AS a (n) CROSS JOIN ${digits} AS b (n) CROSS JOIN ${digits} AS c (n)`,
    );
    for (const [lane, lsn, days] of [
      ['crm', '2000', 8],
      ['crm', '2001', 6],
      ['of another', '1', 8],
    ] as const) {
      await warehouse.batch(`${into} ${rowOf(lane, lsn, days)}`);
    }
    const signal = AbortSignal.timeout(60_000);
    // As apply leaves the pool's connections: the driver hears of no counts.
    await warehouse.batch('SET NOCOUNT ON');
    expect(await pruneBatchLog(warehouse, ['crm', "o'ther"], 7, signal)).toBe(1001);
    expect(await pruneBatchLog(warehouse, ['crm'], 7, signal)).toBe(0);
    const { rows } = await warehouse.batch(`SELECT lane, commit_lsn FROM ${table} ORDER BY lane`);
    expect(rows).toEqual([
      { lane: 'crm', commit_lsn: '2001' },
      { lane: 'of another', commit_lsn: '1' },
    ]);
  });
});

describe('watermarks', () => {
  it('come back exactly', async () => {
    const table = controlTable('watermark');
    await warehouse.batch(
      `INSERT INTO ${table} (lane, commit_lsn, ordinal, position, commit_time, applied_at) VALUES (N'crm', 9223372036854775807, 9007199254740991, '7FFFFFFF/FFFFFFFF', '1969-12-31 23:59:59.999999 +00:00', SYSDATETIMEOFFSET())`,
    );
    await warehouse.batch(
      `INSERT INTO ${table} (lane, commit_lsn, ordinal, position, applied_at) VALUES (N'CRM', 1, 2, '0/1+2', SYSDATETIMEOFFSET())`,
    );
    expect(await readWatermarks(warehouse)).toEqual([
      { lane: 'CRM', position: { lsn: 1n, ordinal: 2 }, commitTimeMicros: null },
      {
        lane: 'crm',
        position: { lsn: 9_223_372_036_854_775_807n, ordinal: Number.MAX_SAFE_INTEGER },
        commitTimeMicros: -1n,
      },
    ]);
  });
});
