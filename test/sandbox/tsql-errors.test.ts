// Every error that the warehouse or a person at the prompt meets: number, class and text as SQL Server documents them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, LOGIN, startEngine, type TestEngine } from './tsql-session.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = await engine.open();
  await client.rows(`
    CREATE TABLE dbo.account (
      id int NOT NULL, name nvarchar(10) NULL, email varchar(50) NOT NULL DEFAULT 'x', size tinyint NULL, raw varbinary(2) NULL,
      CONSTRAINT PK_account PRIMARY KEY (id), CONSTRAINT CK_size CHECK (size < 100));
    CREATE UNIQUE INDEX IX_account_name ON dbo.account (name);
    CREATE TABLE dbo.contact (id int PRIMARY KEY, code nvarchar(5) CONSTRAINT UQ_code UNIQUE, account int CONSTRAINT FK_contact FOREIGN KEY REFERENCES dbo.account (id));
    INSERT dbo.account (id, name) VALUES (1, N'one'), (2, N'two');
    INSERT dbo.contact VALUES (1, N'c', 1)`);
});

afterAll(() => engine.close());

/** Statement, number, class, and a piece of the message. */
const CASES: readonly [string, number, number, string][] = [
  ['SELECT 1 +', 102, 15, 'Incorrect syntax near'],
  ['SELECT FROM account', 156, 15, "near the keyword 'FROM'"],
  ['SELECT nope FROM account', 207, 16, "Invalid column name 'nope'."],
  ['SELECT * FROM dbo.nope', 208, 16, "Invalid object name 'dbo.nope'."],
  ['SELECT id FROM account a JOIN contact c ON c.account = a.id', 209, 16, "Ambiguous column name 'id'."],
  ['SELECT x.id FROM account', 4104, 16, '"x.id" could not be bound'],
  ['SELECT @nope', 137, 15, 'Must declare the scalar variable "@nope".'],
  [
    'INSERT account (id) VALUES (1)',
    2627,
    14,
    "Violation of PRIMARY KEY constraint 'PK_account'. Cannot insert duplicate key in object 'dbo.account'. The duplicate key value is (1).",
  ],
  ["INSERT contact (id, code) VALUES (2, N'C ')", 2627, 14, "Violation of UNIQUE KEY constraint 'UQ_code'"],
  [
    "INSERT account (id, name) VALUES (3, N'ONE')",
    2601,
    14,
    "Cannot insert duplicate key row in object 'dbo.account' with unique index 'IX_account_name'. The duplicate key value is (ONE).",
  ],
  ['INSERT account (id) VALUES (NULL)', 515, 16, "Cannot insert the value NULL into column 'id'"],
  ['UPDATE account SET email = NULL WHERE id = 1', 515, 16, 'UPDATE fails.'],
  [
    'INSERT contact (id, account) VALUES (9, 99)',
    547,
    16,
    'The INSERT statement conflicted with the FOREIGN KEY constraint "FK_contact"',
  ],
  [
    'DELETE account WHERE id = 1',
    547,
    16,
    'The DELETE statement conflicted with the REFERENCE constraint "FK_contact"',
  ],
  [
    'UPDATE account SET size = 100 WHERE id = 1',
    547,
    16,
    'The UPDATE statement conflicted with the CHECK constraint "CK_size"',
  ],
  [
    "INSERT account (id, name) VALUES (3, N'12345678901')",
    2628,
    16,
    "column 'name'. Truncated value: '1234567890'.",
  ],
  ['UPDATE account SET raw = 0x010203 WHERE id = 1', 2628, 16, "column 'raw'"],
  ['UPDATE account SET size = 256', 8115, 16, 'data type tinyint'],
  ['SELECT 2147483647 + 1', 8115, 16, 'Arithmetic overflow error converting expression to data type int.'],
  ['SELECT CAST(1000 AS decimal(4, 2))', 8115, 16, 'Arithmetic overflow'],
  ['SELECT 1 / 0', 8134, 16, 'Divide by zero error encountered.'],
  [
    "SELECT CAST('x' AS int)",
    245,
    16,
    "Conversion failed when converting the varchar value 'x' to data type int.",
  ],
  ["SELECT CAST(N'1,5' AS decimal(9, 2))", 8114, 16, 'Error converting data type nvarchar to numeric.'],
  ["SELECT CAST('99999999999' AS int)", 248, 16, 'overflowed an int column'],
  [
    "SELECT CAST('2024-02-30' AS datetime2)",
    241,
    16,
    'Conversion failed when converting date and/or time from character string.',
  ],
  ["SELECT CAST('2024-02-30' AS datetime)", 242, 16, 'out-of-range value'],
  ["SELECT CAST('soon' AS smalldatetime)", 295, 16, 'smalldatetime'],
  ["SELECT DATEADD(year, 9000, CAST('2024-01-01' AS date))", 517, 16, 'overflow'],
  ["SELECT CAST('x' AS uniqueidentifier)", 8169, 16, 'uniqueidentifier'],
  ['SELECT CAST(GETDATE() AS date) + 1', 206, 16, 'Operand type clash: date is incompatible with int'],
  ['COMMIT', 3902, 16, 'no corresponding BEGIN TRANSACTION'],
  ['ROLLBACK', 3903, 16, 'no corresponding BEGIN TRANSACTION'],
  ['EXEC dbo.sp_nope', 2812, 16, "Could not find stored procedure 'dbo.sp_nope'."],
  ['CREATE TABLE account (id int)', 2714, 16, "There is already an object named 'account' in the database."],
  ['DROP TABLE nope', 3701, 11, "Cannot drop the table 'nope'"],
  ['DROP INDEX nope ON account', 3701, 11, "Cannot drop the index 'dbo.account.nope'"],
  ['INSERT account (id) VALUES (5, 6)', 110, 15, 'fewer columns'],
  ['SELECT (SELECT id FROM account)', 512, 16, 'Subquery returned more than 1 value'],
  ['SELECT id FROM account GROUP BY name', 8120, 16, 'GROUP BY'],
];

describe('errors', () => {
  it.each(CASES)('%s', async (sql, number, severity, text) => {
    const [n, c, message] = await client.error(sql);
    expect([n, c]).toEqual([number, severity]);
    expect(message).toContain(text);
  });

  it('says the line of the failing statement', async () => {
    const { errors } = await client.run('SELECT 1;\n\n\nSELECT 1 / 0');
    expect(errors.map((e) => [e.number, e.line])).toEqual([[8134, 4]]);
  });

  it('leaves nothing done when any part of a batch does not parse', async () => {
    const before = await client.value('SELECT COUNT(*) FROM account');
    const { errors } = await client.run('INSERT account (id) VALUES (77); SELECT +');
    expect(errors[0]?.number).toBe(102);
    expect(await client.value('SELECT COUNT(*) FROM account')).toBe(before);
  });

  it.each([
    ['MERGE INTO account USING contact ON 1 = 1 WHEN MATCHED THEN DELETE;', 'MERGE'],
    ['SELECT CHECKSUM(1)', 'CHECKSUM'],
    ['SELECT TOP 10 PERCENT id FROM account', 'TOP … PERCENT'],
    ['SELECT id FROM account FOR JSON PATH', 'FOR JSON'],
    ['CREATE TABLE r (v rowversion)', 'rowversion'],
    ['WITH c AS (SELECT id FROM account) DELETE FROM c', 'common table expression'],
    ['CREATE TABLE t (a nvarchar(5) COLLATE Latin1_General_CS_AS)', 'Latin1_General_CS_AS'],
  ])('refuses by name: %s', async (sql, name) => {
    const [number, , message] = await client.error(sql);
    expect(number).toBe(50001);
    expect(message).toMatch(/^sandbox: .* is not supported$/);
    expect(message).toContain(name);
  });
});

describe('logins', () => {
  const open = (login: { user: string; password: string }, database: string): Promise<unknown> =>
    engine.engine.open({ ...login, database, hostname: '', application: '' });

  it('refuses a wrong password with 18456', async () => {
    await expect(open({ ...LOGIN, password: 'wrong' }, engine.database)).rejects.toMatchObject({
      sqlMessage: { number: 18456, class: 14 },
    });
  });

  it('refuses an unknown database with 4060', async () => {
    await expect(open(LOGIN, 'nowhere')).rejects.toMatchObject({ sqlMessage: { number: 4060, class: 11 } });
  });

  it('does not tell the case of a database name apart', async () => {
    const session = await engine.engine.open({
      ...LOGIN,
      database: engine.database.toUpperCase(),
      hostname: '',
      application: '',
    });
    await session.close();
  });
});
