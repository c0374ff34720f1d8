// The errors that the warehouse or a person at the prompt meets: number, severity and text, as Microsoft documents them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshWarehouse, type Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let session: Session;
/** 2628 came with SQL Server 2019; before that a text that is too long is 8152. */
let tooLong: number;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  session = await warehouse.open();
  const major = await session.value("SELECT CONVERT(int, SERVERPROPERTY('ProductMajorVersion'))");
  tooLong = Number(major) >= 15 ? 2628 : 8152;
  await session.rows(`
    CREATE TABLE dbo.account (
      id int NOT NULL CONSTRAINT PK_account PRIMARY KEY,
      name nvarchar(10) NULL,
      email varchar(50) NOT NULL CONSTRAINT DF_email DEFAULT 'x',
      size tinyint NULL CONSTRAINT CK_size CHECK (size < 100),
      raw varbinary(2) NULL,
      amount decimal(4,2) NULL,
      parent int NULL CONSTRAINT FK_parent REFERENCES dbo.account (id));
    CREATE UNIQUE INDEX IX_account_name ON dbo.account (name) WHERE name IS NOT NULL;
    CREATE TABLE dbo.contact (
      id int NOT NULL PRIMARY KEY,
      code nvarchar(5) NULL CONSTRAINT UQ_code UNIQUE,
      account int NULL CONSTRAINT FK_contact FOREIGN KEY REFERENCES dbo.account (id));
    INSERT dbo.account (id, name) VALUES (1, N'one'), (2, N'two');
    INSERT dbo.contact (id, code, account) VALUES (1, N'c', 1)`);
});
afterAll(() => warehouse.close());

/** Statement, number, severity, a piece of the text. */
const CASES: readonly [string, number, number, string][] = [
  ['SELECT 1 +', 102, 15, 'Incorrect syntax near'],
  ['SELECT FROM account', 156, 15, "Incorrect syntax near the keyword 'FROM'."],
  ['SELECT nope FROM dbo.account', 207, 16, "Invalid column name 'nope'."],
  ['SELECT * FROM dbo.nope', 208, 16, "Invalid object name 'dbo.nope'."],
  ['SELECT id FROM account a JOIN contact c ON c.account = a.id', 209, 16, "Ambiguous column name 'id'."],
  ['SELECT x.id FROM account', 4104, 16, 'The multi-part identifier "x.id" could not be bound.'],
  ['SELECT @nope', 137, 15, 'Must declare the scalar variable "@nope".'],
  [
    'INSERT account (id) VALUES (1)',
    2627,
    14,
    "Violation of PRIMARY KEY constraint 'PK_account'. Cannot insert duplicate key in object 'dbo.account'. The duplicate key value is (1).",
  ],
  ["INSERT contact (id, code) VALUES (2, N'C ')", 2627, 14, "Violation of UNIQUE KEY constraint 'UQ_code'."],
  ['INSERT contact (id) VALUES (2), (3)', 2627, 14, 'The duplicate key value is (<NULL>).'],
  [
    "INSERT account (id, name) VALUES (3, N'ONE')",
    2601,
    14,
    "Cannot insert duplicate key row in object 'dbo.account' with unique index 'IX_account_name'. The duplicate key value is (ONE).",
  ],
  ['INSERT account (id) VALUES (NULL)', 515, 16, "Cannot insert the value NULL into column 'id', table '"],
  ['UPDATE account SET email = NULL WHERE id = 1', 515, 16, 'column does not allow nulls. UPDATE fails.'],
  [
    "INSERT contact (id, code, account) VALUES (9, N'9', 99)",
    547,
    16,
    'The INSERT statement conflicted with the FOREIGN KEY constraint "FK_contact".',
  ],
  [
    'UPDATE account SET parent = 99 WHERE id = 1',
    547,
    16,
    'The UPDATE statement conflicted with the FOREIGN KEY SAME TABLE constraint "FK_parent".',
  ],
  [
    'DELETE account WHERE id = 1',
    547,
    16,
    'The DELETE statement conflicted with the REFERENCE constraint "FK_contact".',
  ],
  [
    'UPDATE account SET size = 100 WHERE id = 1',
    547,
    16,
    'The UPDATE statement conflicted with the CHECK constraint "CK_size".',
  ],
  ['UPDATE account SET size = 256', 220, 16, 'Arithmetic overflow error for data type tinyint, value = 256.'],
  ['UPDATE account SET amount = 100', 8115, 16, 'Arithmetic overflow error converting'],
  ['SELECT 2147483647 + 1', 8115, 16, 'Arithmetic overflow error converting expression to data type int.'],
  ['SELECT SUM(v) FROM (VALUES (2147483647), (1)) AS t (v)', 8115, 16, 'data type int.'],
  ['SELECT CAST(1000 AS decimal(4, 2))', 8115, 16, 'Arithmetic overflow error converting'],
  [
    "SELECT CAST('1000' AS decimal(4, 2))",
    8115,
    16,
    'Arithmetic overflow error converting varchar to data type numeric.',
  ],
  [
    'SELECT CAST(3000000000 AS int)',
    8115,
    16,
    'Arithmetic overflow error converting expression to data type int.',
  ],
  [
    'SELECT CAST(40000 AS smallint)',
    220,
    16,
    'Arithmetic overflow error for data type smallint, value = 40000.',
  ],
  ['SELECT 1 / 0', 8134, 16, 'Divide by zero error encountered.'],
  ['SELECT 1 % 0', 8134, 16, 'Divide by zero error encountered.'],
  ['SELECT 1.0 / 0', 8134, 16, 'Divide by zero error encountered.'],
  [
    "SELECT CAST('x' AS int)",
    245,
    16,
    "Conversion failed when converting the varchar value 'x' to data type int.",
  ],
  ["SELECT 1 + N'x'", 245, 16, "Conversion failed when converting the nvarchar value 'x' to data type int."],
  ["SELECT CAST(N'1,5' AS decimal(9, 2))", 8114, 16, 'Error converting data type nvarchar to numeric.'],
  ["SELECT CAST('x' AS float)", 8114, 16, 'Error converting data type varchar to float.'],
  ["SELECT CAST('x' AS bigint)", 8114, 16, 'Error converting data type varchar to bigint.'],
  [
    "SELECT CAST('99999999999' AS int)",
    248,
    16,
    "The conversion of the varchar value '99999999999' overflowed an int column.",
  ],
  [
    "SELECT CAST('2024-02-30' AS datetime2)",
    241,
    16,
    'Conversion failed when converting date and/or time from character string.',
  ],
  [
    "SELECT CAST('x' AS date)",
    241,
    16,
    'Conversion failed when converting date and/or time from character string.',
  ],
  ["SELECT CAST('2024-02-30' AS datetime)", 242, 16, 'resulted in an out-of-range value.'],
  [
    "SELECT DATEADD(year, 9000, CAST('2024-01-01' AS date))",
    517,
    16,
    "Adding a value to a 'date' column caused an overflow.",
  ],
  [
    "SELECT CAST('x' AS uniqueidentifier)",
    8169,
    16,
    'Conversion failed when converting from a character string to uniqueidentifier.',
  ],
  ['SELECT CAST(GETDATE() AS date) + 1', 206, 16, 'Operand type clash: date is incompatible with int'],
  ['COMMIT', 3902, 16, 'The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.'],
  ['ROLLBACK', 3903, 16, 'The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.'],
  ['EXEC dbo.sp_nope', 2812, 16, "Could not find stored procedure 'dbo.sp_nope'."],
  [
    'CREATE TABLE dbo.account (id int)',
    2714,
    16,
    "There is already an object named 'account' in the database.",
  ],
  [
    'DROP TABLE nope',
    3701,
    11,
    "Cannot drop the table 'nope', because it does not exist or you do not have permission.",
  ],
  [
    'INSERT account (id) VALUES (5, 6)',
    110,
    15,
    'There are fewer columns in the INSERT statement than values',
  ],
  [
    'INSERT account (id, name) VALUES (5)',
    109,
    15,
    'There are more columns in the INSERT statement than values',
  ],
  ['SELECT (SELECT id FROM account)', 512, 16, 'Subquery returned more than 1 value.'],
  ['SELECT id FROM account GROUP BY name', 8120, 16, "Column 'account.id' is invalid in the select list"],
  ['SELECT 1 UNION SELECT 1, 2', 205, 16, 'must have an equal number of expressions'],
  ['ALTER TABLE dbo.account ADD name int', 2705, 16, 'Column names in each table must be unique.'],
  ["RAISERROR('said %s %d', 16, 1, 'so', 7)", 50000, 16, 'said so 7'],
  ["THROW 51234, 'thrown', 1", 51234, 16, 'thrown'],
];

describe('errors', () => {
  it.each(CASES)('%s', async (text, number, severity, piece) => {
    const [error] = (await session.run(text)).errors;
    expect([error?.number, error?.class]).toEqual([number, severity]);
    expect(error?.message).toContain(piece);
  });

  it.each([
    [
      "INSERT dbo.account (id, name) VALUES (3, N'12345678901')",
      "column 'name'. Truncated value: '1234567890'.",
    ],
    ['UPDATE dbo.account SET raw = 0x010203 WHERE id = 1', "column 'raw'."],
  ])('too long: %s', async (text, piece) => {
    const [error] = (await session.run(text)).errors;
    expect([error?.number, error?.class]).toEqual([tooLong, 16]);
    if (tooLong === 2628) expect(error?.message).toContain(piece);
  });

  it('say the line of the failing statement', async () => {
    const { errors } = await session.run('SELECT 1;\n\n\nSELECT 1 / 0');
    expect(errors.map((e) => [e.number, e.lineNumber])).toEqual([[8134, 4]]);
  });

  it('of a batch that does not parse leave nothing done', async () => {
    expect(await session.numbers('INSERT dbo.account (id) VALUES (77); SELECT +')).toEqual([102]);
    expect(await session.value('SELECT COUNT(*) FROM dbo.account WHERE id = 77')).toBe(0);
  });

  it('leave the rows of a failed statement out, all of them', async () => {
    expect(await session.numbers('INSERT dbo.account (id) VALUES (8), (9), (1)')).toEqual([2627]);
    expect(await session.value('SELECT COUNT(*) FROM dbo.account WHERE id IN (8, 9)')).toBe(0);
  });

  it('are what CATCH sees', async () => {
    const caught = await session.rows(`
      BEGIN TRY
        INSERT dbo.account (id) VALUES (1)
      END TRY
      BEGIN CATCH
        SELECT ERROR_NUMBER(), ERROR_SEVERITY(), ERROR_STATE(), ERROR_LINE(), LEFT(ERROR_MESSAGE(), 9), ERROR_PROCEDURE()
      END CATCH`);
    expect(caught).toEqual([[2627, 14, 1, 3, 'Violation', null]]);
  });
});
