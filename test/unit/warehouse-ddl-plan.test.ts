import { describe, expect, it } from 'vitest';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import type { SqlServerType, TargetColumn, TargetTable } from '../../src/mapping/target.ts';
import type { Catalog, ColumnFacts, ForeignKeyFacts, TableFacts } from '../../src/warehouse/catalog.ts';
import { tableKey } from '../../src/warehouse/catalog.ts';
import { permissionFindings } from '../../src/warehouse/permissions.ts';
import { settingsFindings } from '../../src/warehouse/settings.ts';
import { planTargets } from '../../src/warehouse/target-plan.ts';

function type(text: string): SqlServerType {
  const parsed = parseSqlType(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed;
}

function column(name: string, text: string, nullable = true): TargetColumn {
  return { name, type: type(text), nullable, field: name };
}

const contacts: TargetTable = {
  entity: 'contacts',
  lane: 'crm',
  schema: 'crm',
  table: 'contacts',
  key: ['code'],
  columns: [
    column('code', 'nvarchar(40)', false),
    column('name', 'nvarchar(200)'),
    column('since', 'datetime2(6)'),
  ],
  metadata: { commitLsn: '_lsn', appliedAt: '_applied_at' },
};

const none: Catalog = { tables: new Map(), foreignKeys: [], schemas: new Set(['DBO']), unread: [] };

function has(name: string, text: string, more: Partial<ColumnFacts> = {}): ColumnFacts {
  const known = parseSqlType(text);
  const isKnown = !('problem' in known);
  return {
    name,
    type: isKnown ? known : null,
    typeText: text,
    nullable: true,
    identity: false,
    computed: false,
    generated: false,
    hasDefault: false,
    collation: text.includes('char') ? 'SQL_Latin1_General_CP1_CI_AS' : null,
    ...more,
  };
}

const complete: TableFacts = {
  name: { schema: 'crm', table: 'contacts' },
  columns: [
    has('Code', 'nvarchar(40)', { nullable: false, collation: 'Latin1_General_BIN2' }),
    has('name', 'nvarchar(200)'),
    has('since', 'datetime2(6)'),
    has('_lsn', 'varchar(20)'),
    has('_applied_at', 'datetimeoffset(6)'),
  ],
  uniqueKeys: [{ name: 'PK_contacts', columns: ['Code'], primary: true, filtered: false }],
  triggers: [],
  temporal: false,
  empty: false,
};

function catalogOf(facts: TableFacts, foreignKeys: ForeignKeyFacts[] = []): Catalog {
  return {
    tables: new Map([[tableKey(facts.name), facts]]),
    foreignKeys,
    schemas: new Set(['CRM']),
    unread: [],
  };
}

function adopt(change: Partial<TableFacts>, target: TargetTable = contacts) {
  return planTargets(catalogOf({ ...complete, ...change }), [target]);
}

function withColumn(facts: ColumnFacts): ColumnFacts[] {
  return [...complete.columns.filter((one) => one.name.toLowerCase() !== facts.name.toLowerCase()), facts];
}

describe('a table that is missing', () => {
  it('is created with its schema, its key in a binary collation', () => {
    const plan = planTargets(none, [contacts, { ...contacts, entity: 'leads', table: 'leads' }]);
    expect(plan.findings).toEqual([]);
    expect(plan.statements.map(({ entity, sql }) => `${entity}: ${sql}`)).toEqual([
      'contacts: CREATE SCHEMA [crm]',
      `contacts: CREATE TABLE [crm].[contacts] (
  [code] nvarchar(40) COLLATE Latin1_General_BIN2 NOT NULL,
  [name] nvarchar(200) NULL,
  [since] datetime2(6) NULL,
  [_lsn] varchar(20) NULL,
  [_applied_at] datetimeoffset(6) NULL,
  CONSTRAINT [PK_contacts] PRIMARY KEY CLUSTERED ([code])
)`,
      `leads: CREATE TABLE [crm].[leads] (
  [code] nvarchar(40) COLLATE Latin1_General_BIN2 NOT NULL,
  [name] nvarchar(200) NULL,
  [since] datetime2(6) NULL,
  [_lsn] varchar(20) NULL,
  [_applied_at] datetimeoffset(6) NULL,
  CONSTRAINT [PK_leads] PRIMARY KEY CLUSTERED ([code])
)`,
    ]);
  });

  it('quotes names that need it', () => {
    const odd = { ...contacts, schema: "o'brien", table: 'a]b' };
    expect(planTargets(none, [odd]).statements.map(({ sql }) => sql.split('\n')[0])).toEqual([
      "CREATE SCHEMA [o'brien]",
      "CREATE TABLE [o'brien].[a]]b] (",
    ]);
  });

  it.each([
    ['nvarchar(451)', 'WB6101'],
    ['nvarchar(max)', 'WB6101'],
  ])('is refused with a key of %s', (text, code) => {
    const wide = { ...contacts, columns: [column('code', text, false)] };
    expect(planTargets(none, [wide]).findings).toMatchObject([
      { code, severity: 'error', entity: 'contacts' },
    ]);
  });

  it('takes a key of exactly 900 bytes', () => {
    const columns = [
      column('code', 'nvarchar(442)', false),
      column('n', 'bigint', false),
      column('m', 'bigint', false),
    ];
    expect(planTargets(none, [{ ...contacts, key: ['code', 'n', 'm'], columns }]).findings).toEqual([]);
  });

  it('is refused under a name longer than SQL Server takes', () => {
    const long = { ...contacts, table: 'x'.repeat(129) };
    expect(planTargets(none, [long]).findings).toMatchObject([{ code: 'WB6102', severity: 'error' }]);
  });
});

describe('a legacy table', () => {
  it('needs nothing when it is as the mapping wants it', () => {
    expect(adopt({})).toEqual({ statements: [], findings: [] });
  });

  it('keeps its own columns', () => {
    expect(adopt({ columns: [...complete.columns, has('legacy', 'nvarchar(10)')] })).toEqual({
      statements: [],
      findings: [],
    });
  });

  it('gains nullable columns that it lacks', () => {
    const plan = adopt({
      columns: complete.columns.filter((one) => one.name !== 'name' && one.name !== '_lsn'),
    });
    expect(plan.findings).toEqual([]);
    expect(plan.statements.map(({ sql }) => sql)).toEqual([
      'ALTER TABLE [crm].[contacts] ADD [name] nvarchar(200) NULL',
      'ALTER TABLE [crm].[contacts] ADD [_lsn] varchar(20) NULL',
    ]);
  });

  it('gains NOT NULL columns only while it is empty', () => {
    const target = { ...contacts, columns: [...contacts.columns, column('city', 'nvarchar(80)', false)] };
    expect(adopt({ empty: true }, target).statements.map(({ sql }) => sql)).toEqual([
      'ALTER TABLE [crm].[contacts] ADD [city] nvarchar(80) NOT NULL',
    ]);
    const refused = adopt({}, target);
    expect(refused.statements).toEqual([]);
    expect(refused.findings).toMatchObject([
      {
        code: 'WB6109',
        severity: 'error',
        object: 'crm.contacts.city',
        message: expect.stringContaining("can't be added as NOT NULL"),
      },
    ]);
  });

  it.each([
    [has('name', 'nvarchar(50)'), 'WB6106', 'warning', 'values longer than 50 go to quarantine'],
    [has('name', 'varchar(200)'), 'WB6106', 'error', 'code page'],
    [has('name', 'xml'), 'WB6105', 'error', 'xml'],
    [has('name', 'nvarchar(200)', { computed: true }), 'WB6103', 'error', 'computed'],
    [has('name', 'nvarchar(200)', { generated: true }), 'WB6103', 'error', 'filled by the server'],
    [has('since', 'datetime'), 'WB6106', 'error', '1/300 s'],
    [has('since', 'datetime2(6)', { nullable: false }), 'WB6108', 'warning', 'NOT NULL'],
    [has('since', 'datetime2(6)', { identity: true }), 'WB6104', 'error', 'IDENTITY'],
    [has('code', 'nvarchar(40)', { nullable: false }), 'WB6107', 'warning', 'CI_AS'],
    [has('legacy', 'nvarchar(10)', { nullable: false }), 'WB6110', 'error', 'no default'],
  ] as const)('with %o gets %s', (facts, code, severity, message) => {
    const plan = adopt({ columns: withColumn(facts) });
    expect(plan.findings).toMatchObject([{ code, severity, message: expect.stringContaining(message) }]);
    expect(plan.findings[0]?.object).toBe(`crm.contacts.${facts.name}`);
  });

  it.each([
    ['nvarchar(40)', 'nvarchar(40)'],
    ['nvarchar(60)', 'nvarchar(60)'],
    // No index takes it.
    ['nvarchar(max)', 'nvarchar(40)'],
    // As WB6106 has it: run behind that, it must not take it back.
    ['nvarchar(20)', 'nvarchar(40)'],
    ['varchar(40)', 'nvarchar(40)'],
  ])('with a key of %s that is not binary gets a statement with %s', (there, mended) => {
    const { findings } = adopt({ columns: withColumn(has('code', there, { nullable: false })) });
    expect(findings.find(({ code }) => code === 'WB6107')?.statement).toBe(
      `ALTER TABLE [crm].[contacts] ALTER COLUMN [code] ${mended} COLLATE Latin1_General_BIN2 NOT NULL`,
    );
  });

  it.each([{ hasDefault: true }, { identity: true }, { computed: true }, { generated: true }])(
    'may have a NOT NULL column of its own that fills itself: %o',
    (more) => {
      expect(
        adopt({ columns: [...complete.columns, has('legacy', 'int', { nullable: false, ...more })] })
          .findings,
      ).toEqual([]);
    },
  );

  it.each([
    [[]],
    [[{ name: 'U', columns: ['Code', 'name'], primary: false, filtered: false }]],
    [[{ name: 'U', columns: ['Code'], primary: false, filtered: true }]],
  ])('needs a unique index on exactly the key, not %j', (uniqueKeys) => {
    expect(adopt({ uniqueKeys }).findings).toMatchObject([
      {
        code: 'WB6111',
        severity: 'error',
        statement: 'CREATE UNIQUE INDEX [UX_contacts] ON [crm].[contacts] ([code])',
      },
    ]);
  });

  it('says what its triggers and its history mean', () => {
    const trigger = { name: 'trg', disabled: false, insteadOf: false };
    expect(adopt({ triggers: [trigger] }).findings).toMatchObject([{ code: 'WB6112', severity: 'warning' }]);
    expect(adopt({ triggers: [{ ...trigger, insteadOf: true }] }).findings).toMatchObject([
      { code: 'WB6112', severity: 'error', statement: 'ALTER TABLE [crm].[contacts] DISABLE TRIGGER [trg]' },
    ]);
    expect(adopt({ triggers: [{ ...trigger, disabled: true }] }).findings).toEqual([]);
    expect(adopt({ masked: ['Name'] }).findings).toMatchObject([
      { code: 'WB6120', severity: 'warning', object: 'crm.contacts.Name' },
    ]);
    expect(adopt({ temporal: true }).findings).toMatchObject([{ code: 'WB6114', severity: 'advice' }]);
  });
});

describe('what the catalog does not tell', () => {
  it('is advice, and refuses no table', () => {
    const catalog: Catalog = {
      ...catalogOf({ ...complete, uniqueKeys: null, triggers: null }),
      unread: ['column traits', 'temporal tables', 'unique keys', 'triggers', 'foreign keys'],
    };
    const { statements, findings } = planTargets(catalog, [contacts]);
    expect(statements).toEqual([]);
    expect(findings.map(({ code, severity, object }) => [code, severity, object])).toEqual([
      ['WB6116', 'advice', 'sys.columns'],
      ['WB6116', 'advice', 'sys.tables'],
      ['WB6116', 'advice', 'sys.indexes'],
      ['WB6116', 'advice', 'sys.triggers'],
      ['WB6116', 'warning', 'sys.foreign_keys'],
    ]);
  });
});

describe('a wide table', () => {
  const wide = (count: number): TargetTable => ({
    ...contacts,
    columns: [
      column('code', 'nvarchar(40)', false),
      ...Array.from({ length: count - 1 }, (_, n) => column(`c${n}`, 'int')),
    ],
  });

  it('may have as many columns as its staging table has room for', () => {
    expect(planTargets(none, [wide(1018)]).findings).toEqual([]);
    expect(planTargets(none, [wide(1019)]).findings).toMatchObject([{ code: 'WB6117', severity: 'error' }]);
  });
});

describe('permissions', () => {
  it('that the login lacks are warned of with the GRANT, those that nobody can tell are advice', () => {
    const lacking = {
      entity: 'odd',
      object: "dbo.it's",
      table: "[dbo].[it's]",
      permissions: ['INSERT', 'DELETE'] as const,
      user: 'a]b',
    };
    expect(permissionFindings([lacking])).toMatchObject([
      { code: 'WB6206', severity: 'warning', statement: "GRANT INSERT, DELETE ON [dbo].[it's] TO [a]]b]" },
    ]);
    expect(permissionFindings(null)).toMatchObject([{ code: 'WB6206', severity: 'advice' }]);
    expect(permissionFindings([])).toEqual([]);
  });
});

describe('tables together', () => {
  const key = (from: string, to: string): ForeignKeyFacts => ({
    name: 'FK',
    from: { schema: 'crm', table: from },
    columns: ['a'],
    to: { schema: 'crm', table: to },
    toColumns: ['code'],
    onDelete: 'no action',
    onUpdate: 'no action',
    disabled: false,
  });
  const leads = { ...contacts, entity: 'leads', table: 'leads' };
  const findings = (foreignKeys: ForeignKeyFacts[], targets: TargetTable[]) =>
    planTargets({ ...none, foreignKeys, schemas: new Set(['CRM']) }, targets).findings;

  it('can’t be one table', () => {
    const twin = { ...contacts, entity: 'twin', table: 'CONTACTS' };
    expect(planTargets(catalogOf(complete), [contacts, twin]).findings).toMatchObject([
      { code: 'WB6100', severity: 'error', entity: 'twin' },
    ]);
  });

  it('may refer to each other within a lane', () => {
    expect(findings([key('leads', 'contacts'), key('leads', 'leads')], [contacts, leads])).toEqual([]);
  });

  it('may not refer to each other across lanes', () => {
    expect(findings([key('leads', 'contacts')], [contacts, { ...leads, lane: 'other' }])).toMatchObject([
      { code: 'WB6113', severity: 'error', entity: 'leads' },
    ]);
  });

  it('are warned of foreign keys to and from tables that no mapping writes', () => {
    expect(findings([key('contacts', 'country'), key('orders', 'contacts')], [contacts])).toMatchObject([
      { code: 'WB6113', severity: 'warning', message: expect.stringContaining('crm.country') },
      { code: 'WB6113', severity: 'warning', message: expect.stringContaining('crm.orders') },
    ]);
    expect(findings([{ ...key('contacts', 'country'), disabled: true }], [contacts])).toEqual([]);
  });
});

describe('settings', () => {
  const good = {
    database: 'dw',
    majorVersion: 13,
    engineEdition: 3,
    readCommittedSnapshot: true,
    autoClose: false,
    readOnly: false,
    delayedDurability: 1,
  };

  it('finds nothing in good ones, nor in Azure’s version 12', () => {
    expect(settingsFindings(good)).toEqual([]);
    expect(settingsFindings({ ...good, majorVersion: 12, engineEdition: 5 })).toEqual([]);
  });

  it.each([
    [{ majorVersion: 12 }, 'WB6201', 'warning'],
    [{ readOnly: true }, 'WB6202', 'error'],
    [{ delayedDurability: 2 }, 'WB6207', 'warning'],
    [{ readCommittedSnapshot: false }, 'WB6203', 'advice'],
    [{ autoClose: true }, 'WB6204', 'warning'],
  ] as const)('%o is %s', (change, code, severity) => {
    expect(settingsFindings({ ...good, ...change })).toMatchObject([{ code, severity, object: 'dw' }]);
  });
});
