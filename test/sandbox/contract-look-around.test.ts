// What a person types to look around in a warehouse: joins, aggregates, CTEs, windows, OPENJSON, INFORMATION_SCHEMA and the
// common sys views, and what comes back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshWarehouse, type Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let session: Session;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  session = await warehouse.open();
  await session.rows('CREATE SCHEMA crm');
  await session.rows(`
    CREATE TABLE crm.account (
      id int NOT NULL CONSTRAINT PK_account PRIMARY KEY, name nvarchar(40) NOT NULL, industry varchar(20) NULL,
      revenue decimal(12,2) NULL, created datetime2(6) NOT NULL CONSTRAINT DF_created DEFAULT SYSUTCDATETIME());
    CREATE TABLE crm.opportunity (
      id int IDENTITY(100,1) NOT NULL CONSTRAINT PK_opportunity PRIMARY KEY,
      account int NOT NULL CONSTRAINT FK_opportunity_account REFERENCES crm.account (id),
      stage varchar(10) NOT NULL CONSTRAINT CK_stage CHECK (stage IN ('open', 'won', 'lost')),
      amount decimal(10,2) NOT NULL, closed date NULL, tags nvarchar(max) NULL);
    CREATE INDEX IX_opportunity_account ON crm.opportunity (account) INCLUDE (amount);
    INSERT crm.account (id, name, industry, revenue) VALUES (1, N'Ärzte AG', 'health', 1200.50), (2, N'Bolt', 'steel', NULL),
      (3, N'Corner Shop', 'retail', 90), (4, N'Dry Dock', NULL, 5000);
    INSERT crm.opportunity (account, stage, amount, closed, tags) VALUES
      (1, 'won', 100, '2024-01-15', N'["big","new"]'), (1, 'won', 250.25, '2024-02-20', NULL), (1, 'open', 70, NULL, N'["new"]'),
      (2, 'lost', 10, '2024-02-01', NULL), (3, 'won', 5, '2024-02-28', N'[]')`);
  await session.rows(
    `CREATE VIEW crm.won AS SELECT account, SUM(amount) AS total FROM crm.opportunity WHERE stage = 'won' GROUP BY account`,
  );
});
afterAll(() => warehouse.close());

/** A name, what is typed, what is seen. */
const SESSION: readonly [string, string, unknown[][]][] = [
  [
    'a table',
    'SELECT id, name FROM crm.account ORDER BY id',
    [
      [1, 'Ärzte AG'],
      [2, 'Bolt'],
      [3, 'Corner Shop'],
      [4, 'Dry Dock'],
    ],
  ],
  ['TOP', 'SELECT TOP 2 name FROM crm.account ORDER BY revenue DESC', [['Dry Dock'], ['Ärzte AG']]],
  [
    'TOP WITH TIES',
    'SELECT TOP (1) WITH TIES stage FROM crm.opportunity ORDER BY stage DESC',
    [['won'], ['won'], ['won']],
  ],
  ['OFFSET', 'SELECT id FROM crm.account ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY', [[2], [3]]],
  [
    'LIKE and IN',
    "SELECT name FROM crm.account WHERE name LIKE '%o%' AND industry IN ('steel', 'retail') ORDER BY name",
    [['Bolt'], ['Corner Shop']],
  ],
  [
    'a join',
    "SELECT a.name, o.amount FROM crm.account AS a JOIN crm.opportunity o ON o.account = a.id WHERE o.stage = 'won' ORDER BY o.id",
    [
      ['Ärzte AG', 100],
      ['Ärzte AG', 250.25],
      ['Corner Shop', 5],
    ],
  ],
  [
    'an outer join',
    'SELECT a.id, COUNT(o.id) AS n FROM crm.account a LEFT JOIN crm.opportunity o ON o.account = a.id GROUP BY a.id ORDER BY n DESC, a.id',
    [
      [1, 3],
      [2, 1],
      [3, 1],
      [4, 0],
    ],
  ],
  [
    'HAVING',
    'SELECT account, SUM(amount) FROM crm.opportunity GROUP BY account HAVING COUNT(*) > 1',
    [[1, 420.25]],
  ],
  [
    'aggregates',
    'SELECT COUNT(*), COUNT(closed), MIN(amount), MAX(amount), AVG(amount), COUNT(DISTINCT stage) FROM crm.opportunity',
    [[5, 4, 5, 250.25, 87.05, 3]],
  ],
  [
    'a common table expression',
    "WITH won AS (SELECT account, amount FROM crm.opportunity WHERE stage = 'won'), best AS (SELECT account, MAX(amount) AS top_amount FROM won GROUP BY account) SELECT * FROM best ORDER BY account",
    [
      [1, 250.25],
      [3, 5],
    ],
  ],
  [
    'a recursive one',
    'WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT SUM(i) FROM n',
    [[10]],
  ],
  [
    'a window',
    'SELECT id, ROW_NUMBER() OVER (PARTITION BY account ORDER BY amount DESC) AS r, SUM(amount) OVER (PARTITION BY account) AS s FROM crm.opportunity ORDER BY id',
    [
      [100, '2', 420.25],
      [101, '1', 420.25],
      [102, '3', 420.25],
      [103, '1', 10],
      [104, '1', 5],
    ],
  ],
  [
    'LAG and RANK',
    'SELECT amount, LAG(amount) OVER (ORDER BY id), RANK() OVER (ORDER BY stage) FROM crm.opportunity WHERE account = 1 ORDER BY id',
    [
      [100, null, '2'],
      [250.25, 100, '2'],
      [70, 250.25, '1'],
    ],
  ],
  [
    'EXISTS',
    'SELECT name FROM crm.account a WHERE NOT EXISTS (SELECT * FROM crm.opportunity o WHERE o.account = a.id)',
    [['Dry Dock']],
  ],
  [
    'a derived table',
    'SELECT t.stage, t.n FROM (SELECT stage, COUNT(*) AS n FROM crm.opportunity GROUP BY stage) AS t WHERE t.n > 1',
    [['won', 3]],
  ],
  ['CASE', "SELECT SUM(CASE WHEN stage = 'won' THEN amount ELSE 0 END) FROM crm.opportunity", [[355.25]]],
  [
    'dates',
    'SELECT YEAR(closed) * 100 + MONTH(closed), COUNT(*) FROM crm.opportunity WHERE closed IS NOT NULL GROUP BY YEAR(closed) * 100 + MONTH(closed) ORDER BY 1',
    [
      [202401, 1],
      [202402, 3],
    ],
  ],
  [
    'totals',
    'SELECT stage, COUNT(*) AS n FROM crm.opportunity GROUP BY stage WITH ROLLUP ORDER BY n, stage',
    [
      ['lost', 1],
      ['open', 1],
      ['won', 3],
      [null, 5],
    ],
  ],
  [
    'all totals',
    'SELECT account, stage, SUM(amount) FROM crm.opportunity WHERE account > 1 GROUP BY CUBE (account, stage) ORDER BY account, stage',
    [
      [null, null, 15],
      [null, 'lost', 10],
      [null, 'won', 5],
      [2, null, 10],
      [2, 'lost', 10],
      [3, null, 5],
      [3, 'won', 5],
    ],
  ],
  [
    'shares of a window',
    'SELECT PERCENT_RANK() OVER (ORDER BY id), CUME_DIST() OVER (ORDER BY id) FROM crm.account ORDER BY id',
    [
      [0, 0.25],
      [1 / 3, 0.5],
      [2 / 3, 0.75],
      [1, 1],
    ],
  ],
  [
    'FORMAT',
    "SELECT FORMAT(closed, 'dd MMM yyyy'), FORMAT(amount, 'N2'), FORMAT(amount * 10000, '#,##0.0'), FORMAT(id, '00000'), FORMAT(CONVERT(datetime2(0), closed), 'yyyy-MM-dd h:mm tt') FROM crm.opportunity WHERE id = 101",
    [['20 Feb 2024', '250.25', '2,502,500.0', '00101', '2024-02-20 12:00 AM']],
  ],
  [
    'PATINDEX, STR, SQUARE, COL_NAME',
    "SELECT PATINDEX('%[b-d]o%', name), STR(12.5, 6, 1), STR(123456, 3), SQUARE(3), COL_NAME(OBJECT_ID('crm.account'), 2) FROM crm.account WHERE id = 3",
    [[1, '  12.5', '***', 9, 'name']],
  ],
  ['a set operation', 'SELECT id FROM crm.account EXCEPT SELECT account FROM crm.opportunity', [[4]]],
  [
    'CROSS APPLY',
    'SELECT a.id, t.amount FROM crm.account a CROSS APPLY (SELECT TOP (1) o.amount FROM crm.opportunity o WHERE o.account = a.id ORDER BY o.amount DESC) AS t ORDER BY a.id',
    [
      [1, 250.25],
      [2, 10],
      [3, 5],
    ],
  ],
  [
    'OPENJSON',
    'SELECT o.id, j.[value] FROM crm.opportunity o CROSS APPLY OPENJSON(o.tags) AS j ORDER BY o.id, j.[key]',
    [
      [100, 'big'],
      [100, 'new'],
      [102, 'new'],
    ],
  ],
  [
    'OPENJSON … WITH',
    'SELECT a, b FROM OPENJSON(N\'[{"a":1,"b":"x"},{"a":2}]\') WITH (a int \'$.a\', b nvarchar(5) \'$.b\') ORDER BY a',
    [
      [1, 'x'],
      [2, null],
    ],
  ],
  [
    'a view',
    'SELECT * FROM crm.won ORDER BY account',
    [
      [1, 350.25],
      [3, 5],
    ],
  ],
  [
    'the tables',
    "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'crm' ORDER BY TABLE_NAME",
    [
      ['crm', 'account', 'BASE TABLE'],
      ['crm', 'opportunity', 'BASE TABLE'],
      ['crm', 'won', 'VIEW'],
    ],
  ],
  [
    'the columns',
    "SELECT COLUMN_NAME, DATA_TYPE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, IS_NULLABLE, ORDINAL_POSITION FROM information_schema.columns WHERE table_name = 'account' ORDER BY ORDINAL_POSITION",
    [
      ['id', 'int', null, 10, 0, null, 'NO', 1],
      ['name', 'nvarchar', 40, null, null, null, 'NO', 2],
      ['industry', 'varchar', 20, null, null, null, 'YES', 3],
      ['revenue', 'decimal', null, 12, 2, null, 'YES', 4],
      ['created', 'datetime2', null, null, null, 6, 'NO', 5],
    ],
  ],
  [
    'the keys',
    "SELECT c.CONSTRAINT_TYPE, k.COLUMN_NAME FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS c JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE k ON k.CONSTRAINT_NAME = c.CONSTRAINT_NAME WHERE c.TABLE_NAME = 'opportunity' ORDER BY c.CONSTRAINT_TYPE",
    [
      ['FOREIGN KEY', 'account'],
      ['PRIMARY KEY', 'id'],
    ],
  ],
  [
    'sys.tables with their schemas',
    "SELECT s.name + '.' + t.name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE s.name = 'crm' ORDER BY t.name",
    [['crm.account'], ['crm.opportunity']],
  ],
  [
    'sys.columns with their types',
    "SELECT c.name, t.name, c.max_length, c.precision, c.scale, c.is_nullable, c.is_identity FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID('crm.opportunity') ORDER BY c.column_id",
    [
      ['id', 'int', 4, 10, 0, false, true],
      ['account', 'int', 4, 10, 0, false, false],
      ['stage', 'varchar', 10, 0, 0, false, false],
      ['amount', 'decimal', 9, 10, 2, false, false],
      ['closed', 'date', 3, 10, 0, true, false],
      ['tags', 'nvarchar', -1, 0, 0, true, false],
    ],
  ],
  [
    'sys.indexes',
    "SELECT i.name, i.type_desc, i.is_unique, i.is_primary_key FROM sys.indexes i WHERE i.object_id = OBJECT_ID('crm.opportunity') ORDER BY i.index_id",
    [
      ['PK_opportunity', 'CLUSTERED', true, true],
      ['IX_opportunity_account', 'NONCLUSTERED', false, false],
    ],
  ],
  [
    'sys.foreign_keys',
    "SELECT name, OBJECT_NAME(parent_object_id), OBJECT_NAME(referenced_object_id) FROM sys.foreign_keys WHERE parent_object_id = OBJECT_ID('crm.opportunity')",
    [['FK_opportunity_account', 'opportunity', 'account']],
  ],
  [
    'constraints by sys.objects',
    "SELECT name, type FROM sys.objects WHERE parent_object_id = OBJECT_ID('crm.account') ORDER BY name",
    [
      ['DF_created', 'D '],
      ['PK_account', 'PK'],
    ],
  ],
  [
    'sys.databases',
    'SELECT name, state_desc, is_read_only, is_auto_close_on FROM sys.databases WHERE database_id = DB_ID()',
    [[expect.stringMatching(/^Contract_/), 'ONLINE', false, false]],
  ],
  [
    'row counts',
    "SELECT SUM(p.rows) FROM sys.partitions p WHERE p.object_id = OBJECT_ID('crm.opportunity') AND p.index_id IN (0, 1)",
    [['5']],
  ],
  [
    'who and where',
    "SELECT CASE WHEN @@VERSION <> '' THEN 1 END, SUSER_SNAME(), SCHEMA_NAME(), ISNULL(DB_NAME(), '') , @@SPID % 1",
    [[1, expect.any(String), 'dbo', expect.any(String), 0]],
  ],
];

describe('a person looks around', () => {
  it.each(SESSION)('%s', async (_name, text, expected) => {
    expect(await session.rows(text)).toEqual(expected);
  });
});
