// Collations that a mapping states, and columns that refer to a key under another one.
import { expect, it } from 'vitest';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import type { TargetColumn, TargetTable } from '../../src/mapping/target.ts';
import { type Catalog, type ColumnFacts, type TableFacts, tableKey } from '../../src/warehouse/catalog.ts';
import { referenceFindings } from '../../src/warehouse/reference-collation.ts';
import { planTargets } from '../../src/warehouse/target-plan.ts';

const BIN = 'Latin1_General_BIN2';
const CI = 'SQL_Latin1_General_CP1_CI_AS';

function column(name: string, text: string, collation?: string): TargetColumn {
  const type = parseSqlType(text);
  if ('problem' in type) throw new Error(type.problem);
  return { name, type, nullable: name !== 'id', field: name, ...(collation !== undefined && { collation }) };
}

function target(table: string, columns: readonly TargetColumn[]): TargetTable {
  return { entity: table, lane: 'main', schema: 'crm', table, key: ['id'], columns, metadata: {} };
}

/** The target's table as it exists, with these collations. */
function existing(of: TargetTable, collations: readonly string[]): TableFacts {
  return {
    name: { schema: of.schema, table: of.table },
    columns: of.columns.map(
      ({ name, type, nullable }, index): ColumnFacts => ({
        name,
        type,
        typeText: 'nvarchar(450)',
        nullable,
        identity: false,
        computed: false,
        generated: false,
        hasDefault: false,
        collation: collations[index] ?? null,
      }),
    ),
    uniqueKeys: [{ name: 'PK', columns: ['id'], primary: true, filtered: false }],
    triggers: [],
    temporal: false,
    empty: false,
  };
}

function catalog(...tables: readonly TableFacts[]): Catalog {
  const byKey = new Map(tables.map((facts) => [tableKey(facts.name), facts]));
  return { tables: byKey, foreignKeys: [], schemas: new Set(['CRM']), unread: [] };
}

const accounts = target('accounts', [column('id', 'nvarchar(450)')]);
const plain = target('contacts', [column('id', 'bigint'), column('account_id', 'nvarchar(450)')]);
const stated = target('contacts', [column('id', 'bigint'), column('account_id', 'nvarchar(450)', BIN)]);
const references = [
  { from: { entity: 'contacts', column: 'account_id' }, to: { entity: 'accounts', column: 'id' } },
];

it('is declared as the mapping says, also where a column is added', () => {
  const create = planTargets(catalog(), [stated]);
  expect(create.statements[0]?.sql).toContain(`[account_id] nvarchar(450) COLLATE ${BIN} NULL`);
  const facts = existing(stated, []);
  const added = planTargets(catalog({ ...facts, columns: facts.columns.slice(0, 1) }), [stated]);
  expect(added.statements.map(({ sql }) => sql)).toEqual([
    `ALTER TABLE [crm].[contacts] ADD [account_id] nvarchar(450) COLLATE ${BIN} NULL`,
  ]);
});

it('is never given to a column that exists: advice only', () => {
  const { statements, findings } = planTargets(catalog(existing(stated, ['', CI])), [stated]);
  expect(statements).toEqual([]);
  expect(findings).toEqual([
    {
      code: 'WB6121',
      severity: 'advice',
      entity: 'contacts',
      object: 'crm.contacts.account_id',
      message: expect.stringContaining(`has the collation ${CI}, the mapping says ${BIN}: it stays as it is`),
      statement: `ALTER TABLE [crm].[contacts] ALTER COLUMN [account_id] nvarchar(450) COLLATE ${BIN} NULL`,
    },
  ]);
  expect(planTargets(catalog(existing(stated, ['', BIN.toUpperCase()])), [stated]).findings).toEqual([]);
});

it('differs from the key’s: advice with the statement, or with what the mapping should say', () => {
  const both = catalog(existing(plain, ['', CI]), existing(accounts, [BIN]));
  expect(referenceFindings(both, [plain, accounts], [...references, ...references])).toEqual([
    {
      code: 'WB6122',
      severity: 'advice',
      entity: 'contacts',
      object: 'crm.contacts.account_id',
      message: `The column refers to crm.accounts.id and has the collation ${CI}, not ${BIN}: SQL Server refuses a join over the two (error 468). Queries need COLLATE, unless the column gets the same collation: drop the indexes on it, run the statement, make them again.`,
      statement: `ALTER TABLE [crm].[contacts] ALTER COLUMN [account_id] nvarchar(450) COLLATE ${BIN} NULL`,
    },
  ]);
  expect(referenceFindings(catalog(), [plain, accounts], references)).toMatchObject([
    {
      message: expect.stringContaining(
        `has the database's collation, not ${BIN}: SQL Server refuses a join over the two (error 468). Say it in the mapping: target: {collation: ${BIN}}.`,
      ),
      statement: null,
    },
  ]);
  const old = catalog(existing(stated, ['', BIN]), existing(accounts, [CI]));
  expect(referenceFindings(old, [stated, accounts], references)).toMatchObject([
    { message: expect.stringMatching(/unless the key gets a binary collation\.$/), statement: null },
  ]);
});

it('is the key’s: nothing to say', () => {
  for (const facts of [
    catalog(),
    catalog(existing(accounts, [BIN])),
    catalog(existing(stated, ['', BIN]), existing(accounts, ['latin1_general_bin2'])),
  ])
    expect(referenceFindings(facts, [stated, accounts], references)).toEqual([]);
  // What the database's collation is, is not known here.
  expect(referenceFindings(catalog(existing(accounts, [CI])), [plain, accounts], references)).toEqual([]);
  // Numbers have none.
  const numbers = target('contacts', [column('id', 'bigint'), column('account_id', 'bigint')]);
  expect(referenceFindings(catalog(), [numbers, accounts], references)).toEqual([]);
});
