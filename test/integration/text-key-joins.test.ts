// Keys of text and the columns that refer to them, as CRMs with cuids and the like have them: the warehouse joins the two as
// they are, and what runs over a column of a binary collation that is no key (apply, its repairs, verification) is right.
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { checkAll } from '../../src/daemon/check.ts';
import { generateFiles } from '../../src/daemon/generate.ts';
import { Bridge } from './types-bridge.ts';
import { verify } from './verify-rig.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });

const names = ['accounts', 'contacts', 'old_contacts', 'adopted', 'lines', 'details', 'marks'];
const BIN = 'Latin1_General_BIN2';
let bridge: Bridge;

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl: `CREATE TABLE accounts (id text PRIMARY KEY, name text, parent_id text REFERENCES accounts,
        code text NOT NULL DEFAULT gen_random_uuid());
      CREATE TABLE contacts (id text PRIMARY KEY, account_id text REFERENCES accounts, body text);
      ALTER TABLE contacts ALTER body SET STORAGE EXTERNAL;
      CREATE TABLE old_contacts (id int PRIMARY KEY, account_id text REFERENCES accounts);
      CREATE TABLE adopted (id int PRIMARY KEY, account_id text REFERENCES accounts);
      CREATE TABLE lines (account_id text REFERENCES accounts, no varchar(20), PRIMARY KEY (account_id, no));
      CREATE TABLE details (id int PRIMARY KEY, a text NOT NULL, n varchar(20) NOT NULL, FOREIGN KEY (a, n) REFERENCES lines);
      CREATE TABLE marks (id int PRIMARY KEY);`,
    legacy: [
      'CREATE SCHEMA crm',
      'CREATE TABLE crm.adopted (id int NOT NULL PRIMARY KEY, account_id nvarchar(450) NULL)',
    ],
    tables: names.map((table) => ({ schema: 'public', table })),
    edit: (table, mapping) =>
      table === 'old_contacts'
        ? mapping.replace(/^ {2}account_id: .*$/m, '  account_id: {target: nvarchar(450)}')
        : mapping
            .replace('  code: code', `  code: {target: {type: nvarchar(60), collation: ${BIN}}}`)
            .replace('target: crm.adopted', 'target: {table: crm.adopted, mode: adopt}')
            .replace('  body: body', `  body: {target: {collation: ${BIN}}}`),
  });
  // A foreign key wants both ends under one collation, and a unique index a column that an index takes.
  await bridge.warehouse.batch(`ALTER TABLE crm.contacts ADD CONSTRAINT FK_account FOREIGN KEY (account_id) REFERENCES crm.accounts (id);
    ALTER TABLE crm.accounts ADD CONSTRAINT FK_parent FOREIGN KEY (parent_id) REFERENCES crm.accounts (id);`);
  await bridge.warehouse.batch('CREATE UNIQUE INDEX UX_account ON crm.contacts (account_id)');
  await bridge.warehouse.batch('CREATE UNIQUE INDEX UX_code ON crm.accounts (code)');
  await bridge.start();
});

afterAll(() => bridge?.close());

let marks = 0;
function settled(): Promise<void> {
  marks += 1;
  return bridge.settled({ table: 'marks', values: `(${marks})` });
}

const joins = [
  'SELECT c.id, a.name FROM s.contacts AS c JOIN s.accounts AS a ON a.id = c.account_id',
  'SELECT c.id, p.id FROM s.accounts AS c JOIN s.accounts AS p ON p.id = c.parent_id',
  'SELECT d.id, l.no FROM s.details AS d JOIN s.lines AS l ON l.account_id = d.a AND l.no = d.n',
  'SELECT l.no, a.name FROM s.lines AS l JOIN s.accounts AS a ON a.id = l.account_id',
];

async function expectEqual(): Promise<void> {
  await settled();
  expect(await bridge.rows('SELECT entity, code, reason FROM walbridge.quarantine')).toEqual([]);
  for (const join of joins) {
    const [left, right] = /SELECT (\S+), (\S+)/.exec(join)!.slice(1);
    const named = join.replace(`${left}, ${right}`, `${left} AS l, ${right} AS r`);
    const sent = await bridge.source.query<{ l: string; r: string }>(named.replaceAll('s.', 'public.'));
    const arrived = await bridge.rows<{ l: string; r: string }>(named.replaceAll('s.', 'crm.'));
    const spelt = (rows: readonly { l: string; r: string }[]) => rows.map(({ l, r }) => `${l}/${r}`).sort();
    expect(spelt(arrived), join).toEqual(spelt(sent.rows));
    expect(arrived.length).toBeGreaterThan(0);
  }
  const { reports } = await verify(bridge);
  expect(reports.map(({ entity, state, way }) => `${entity} ${state} ${way}`)).toEqual(
    names.toSorted().map((entity) => `${entity} equal sql`),
  );
}

it('joins them as they are, whatever differs by case only', async () => {
  await bridge.source.query(`
    INSERT INTO accounts VALUES ('a', 'lower', NULL), ('A', 'upper', 'a'), ('ä', 'umlaut', 'A');
    INSERT INTO contacts VALUES ('c', 'a', repeat('b', 9000)), ('C', 'A', repeat('B', 9000)), ('d', NULL, NULL);
    INSERT INTO old_contacts VALUES (1, 'a'), (2, 'A');
    INSERT INTO adopted SELECT * FROM old_contacts;
    INSERT INTO lines VALUES ('a', 'x'), ('A', 'X'), ('A', 'x');
    INSERT INTO details VALUES (1, 'A', 'x'), (2, 'a', 'x'), (3, 'A', 'X');`);
  await expectEqual();
});

it('applies changes that differ by case only, values that did not come, and rows that trade places', async () => {
  await bridge.source.query(`
    UPDATE accounts SET parent_id = 'A' WHERE id = 'A';
    UPDATE contacts SET account_id = CASE account_id WHEN 'a' THEN 'A' ELSE 'a' END WHERE account_id IS NOT NULL;
    UPDATE details SET n = 'X' WHERE id = 1;
    BEGIN; UPDATE contacts SET account_id = NULL WHERE id = 'd'; UPDATE contacts SET account_id = 'ä' WHERE id = 'c';
    UPDATE accounts SET parent_id = NULL; INSERT INTO accounts VALUES ('n', 'new', 'ä'); UPDATE accounts SET parent_id = 'n' WHERE id <> 'n'; COMMIT;`);
  await expectEqual();
  expect(
    await bridge.rows(
      'SELECT id, LEFT(body, 1) AS body, CONVERT(int, LEN(body)) AS size FROM crm.contacts ORDER BY id',
    ),
  ).toEqual([
    { id: 'C', body: 'B', size: 9000 },
    { id: 'c', body: 'b', size: 9000 },
    { id: 'd', body: null, size: null },
  ]);
  expect(await bridge.rows("SELECT id FROM crm.contacts WHERE account_id = 'Ä' OR body LIKE 'BB%'")).toEqual([
    { id: 'C' },
  ]);
});

it('takes rows out and in again where a new row takes what another gives up', async () => {
  await bridge.source.query("UPDATE accounts SET code = id WHERE id IN ('a', 'A')");
  await settled();
  // The new row refers to its own table, so it comes before the updates: the index refuses it at first.
  await bridge.source.query(`BEGIN; UPDATE accounts SET code = CASE id WHEN 'a' THEN 'q' ELSE 'a' END WHERE id IN ('a', 'A');
    INSERT INTO accounts VALUES ('m', 'more', 'a', 'A'); COMMIT;`);
  await expectEqual();
  expect(
    await bridge.rows("SELECT id, code FROM crm.accounts WHERE id IN ('a', 'A', 'm') ORDER BY id"),
  ).toEqual([
    { id: 'A', code: 'a' },
    { id: 'a', code: 'q' },
    { id: 'm', code: 'A' },
  ]);
});

it('verifies them to the letter', async () => {
  await bridge.rows("UPDATE crm.details SET n = 'x' WHERE id = 1");
  const { reports } = await verify(bridge, { entities: ['details'] });
  expect(reports.map(({ state, counts }) => [state, counts.different])).toEqual([['different', 1]]);
  await bridge.rows("UPDATE crm.details SET n = 'X' WHERE id = 1");
});

it('deletes parents and children of one transaction, in an order that foreign keys of the warehouse take', async () => {
  await bridge.source.query(`BEGIN; UPDATE accounts SET parent_id = NULL WHERE parent_id = 'ä';
    DELETE FROM contacts WHERE account_id = 'ä'; DELETE FROM accounts WHERE id = 'ä'; COMMIT;`);
  await expectEqual();
  expect(await bridge.rows("SELECT id FROM crm.accounts WHERE id = 'ä'")).toEqual([]);
});

it('refuses the join over other collations, which init leaves alone and check advises of', async () => {
  const join = 'SELECT c.id FROM crm.old_contacts AS c JOIN crm.accounts AS a ON a.id = c.account_id';
  await expect(bridge.rows(join)).rejects.toMatchObject({ fault: { number: 468 } });
  expect(await bridge.rows(`${join} COLLATE ${BIN}`)).toHaveLength(2);
  await expect(bridge.rows(join.replace('old_contacts', 'adopted'))).rejects.toMatchObject({
    fault: { number: 468 },
  });
  const findings = await checkAll(bridge.settings, pino({ level: 'silent' }));
  expect(findings.filter(({ text }) => /^WB612[12]/.test(text))).toEqual([
    {
      part: 'warehouse',
      severity: 'advice',
      text: expect.stringMatching(/^WB6121 crm.adopted.account_id \(adopted\): /),
      next: `ALTER TABLE [crm].[adopted] ALTER COLUMN [account_id] nvarchar(450) COLLATE ${BIN} NULL`,
    },
    {
      part: 'warehouse',
      severity: 'advice',
      text: expect.stringMatching(
        /^WB6122 crm.old_contacts.account_id \(old_contacts\): The column refers to crm.accounts.id /,
      ),
      next: `ALTER TABLE [crm].[old_contacts] ALTER COLUMN [account_id] nvarchar(450) COLLATE ${BIN} NULL`,
    },
  ]);
});

it('is generated so, also where the table referred to is not asked for', async () => {
  const request = { tables: ['contacts'], namespace: 'crm', targetSchema: 'crm', force: false };
  const { files } = await generateFiles(bridge.settings, request);
  expect(files.map(({ text }) => text).join('')).toContain(
    `  account_id: {target: {type: nvarchar(450), collation: ${BIN}}}`,
  );
});

it('quarantines a key that is too long with what refers to it: nothing is cut off', async () => {
  await bridge.source.query(`INSERT INTO accounts VALUES (repeat('k', 451), 'long', NULL), (repeat('k', 450), 'fits', NULL);
    INSERT INTO contacts VALUES ('y', repeat('k', 451), NULL), ('z', repeat('k', 450), NULL);`);
  await settled();
  expect(await bridge.rows('SELECT entity, code FROM walbridge.quarantine ORDER BY entity')).toEqual([
    { entity: 'accounts', code: 'WB4102' },
    { entity: 'contacts', code: 'WB4102' },
  ]);
  const join = 'SELECT c.id FROM crm.contacts AS c JOIN crm.accounts AS a ON a.id = c.account_id';
  expect(await bridge.rows(`${join} WHERE a.name IN ('long', 'fits')`)).toEqual([{ id: 'z' }]);
});
