// Where SQL Server differs from other engines: collation, trailing blanks, strings, numbers, implicit conversions, row
// counts, unique keys at the end of a statement, and the life of temporary tables.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshWarehouse, type Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let session: Session;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  session = await warehouse.open();
});
afterAll(() => warehouse.close());

describe('values', () => {
  it.each<[string, unknown]>([
    ["CASE WHEN 'a' = 'A  ' THEN 1 ELSE 0 END", 1],
    ["CASE WHEN N'ä' = N'Ä' THEN 1 ELSE 0 END", 1],
    ["CASE WHEN N'a' = N'ä' THEN 1 ELSE 0 END", 0],
    ["CASE WHEN ' a' = 'a' THEN 1 ELSE 0 END", 0],
    ["CASE WHEN N'a' COLLATE Latin1_General_BIN2 = N'A' THEN 1 ELSE 0 END", 0],
    ["CASE WHEN N'a ' COLLATE Latin1_General_BIN2 = N'a' THEN 1 ELSE 0 END", 1],
    ["CASE WHEN '' IS NULL THEN 1 ELSE 0 END", 0],
    ["CASE WHEN '' = '   ' THEN 1 ELSE 0 END", 1],
    ["CASE WHEN 'Anna' LIKE 'a%' THEN 1 ELSE 0 END", 1],
    ["CASE WHEN 'a_c' LIKE 'a[_]c' AND 'abc' NOT LIKE 'a[_]c' THEN 1 ELSE 0 END", 1],
    ['CASE WHEN NULL = NULL THEN 1 ELSE 0 END', 0],
    ["'a ' + 'b'", 'a b'],
    ["'a' + NULL", null],
    ["CONCAT('a', NULL, 1)", 'a1'],
    ["'1' + 2", 3],
    ["'1' + '2'", '12'],
    ['7 / 2', 3],
    ['-7 / 2', -3],
    ['-7 % 3', -1],
    ['7 / 2.0', 3.5],
    ['CONVERT(varchar(20), 2.0 / 3)', '0.666666'],
    ["LEN('ab  ')", 2],
    ["LEN(N'😀')", 2],
    ["DATALENGTH(N'ab')", 4],
    ["DATALENGTH('ab ')", 3],
    ["REPLACE('Aba', 'a', 'x')", 'xbx'],
    ["CHARINDEX('B', 'abc')", 2],
    ["SUBSTRING('abc', 0, 3)", 'ab'],
    ["STUFF('abcdef', 2, 3, 'X')", 'aXef'],
    ["ISNULL(CAST(NULL AS varchar(2)), 'abc')", 'ab'],
    ["COALESCE(NULL, 'abc')", 'abc'],
    ['CAST(2.5 AS int)', 2],
    ['CAST(-2.9 AS int)', -2],
    ["CAST('2.5' AS decimal(3,0))", 3],
    ["CAST('' AS int)", 0],
    ["CONVERT(varchar(10), CAST('' AS date), 23)", '1900-01-01'],
    ["CAST('true' AS bit)", true],
    ['CAST(2 AS bit)', true],
    ['CAST(123.456 AS varchar(3))', undefined],
    ["CAST('abcdef' AS varchar(3))", 'abc'],
    ['CAST(12345 AS varchar(3))', '*'],
    ["TRY_CONVERT(int, 'x')", null],
    ["TRY_CAST('1e400' AS float)", null],
    ["DATEDIFF(year, '2023-12-31', '2024-01-01')", 1],
    ["DATEPART(weekday, '2024-01-01')", 2],
    ["CONVERT(varchar(8), CAST('2024-02-03' AS date), 112)", '20240203'],
    ["CONVERT(varchar(10), EOMONTH('2024-02-03'), 23)", '2024-02-29'],
    ["CONVERT(varchar(30), CAST('2024-01-02 10:11:12.345' AS datetime), 121)", '2024-01-02 10:11:12.347'],
    [
      "CONVERT(varchar(40), CAST('2024-01-02 10:11:12.1234565' AS datetime2(6)), 121)",
      '2024-01-02 10:11:12.123457',
    ],
    [
      "CASE WHEN CAST('2024-01-31 12:00:00 +02:00' AS datetimeoffset) = CAST('2024-01-31 10:00:00 +00:00' AS datetimeoffset) THEN 1 END",
      1,
    ],
    ["CONVERT(varchar(40), HASHBYTES('MD5', N'é'), 2)", 'ED71E8FFD3D8C47C1A2E22C53CD384AA'],
    [
      "CONVERT(varchar(64), HASHBYTES('SHA2_256', 'x'), 2)",
      '2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881',
    ],
    ["IIF(1 = 1, 'y', 'n')", 'y'],
    ['ROUND(2.567, 1)', 2.6],
    ['CASE WHEN EXISTS (SELECT NULL, 1 INTERSECT SELECT NULL, 1) THEN 1 ELSE 0 END', 1],
    ['JSON_VALUE(N\'{"a":[{"b":"x"}]}\', \'$.a[0].b\')', 'x'],
    ["ISJSON(N'{')", 0],
  ])('%s', async (expression, expected) => {
    if (expected === undefined) expect(await session.numbers(`SELECT ${expression}`)).toEqual([8115]);
    else expect(await session.value(`SELECT ${expression}`)).toEqual(expected);
  });
});

describe('the default collation', () => {
  it('holds in keys, joins, groups and orders', async () => {
    await session.rows(
      "CREATE TABLE dbo.names (n nvarchar(10) NOT NULL PRIMARY KEY); INSERT dbo.names VALUES (N'ada'), (N'bob')",
    );
    expect(await session.numbers("INSERT dbo.names VALUES (N'ADA')")).toEqual([2627]);
    expect(await session.numbers("INSERT dbo.names VALUES (N'ada ')")).toEqual([2627]);
    expect(await session.value("SELECT n FROM dbo.names WHERE n = N'BOB  '")).toBe('bob');
    const grouped = "SELECT COUNT(*) FROM (VALUES (N'x'), (N'X '), (N'y')) AS v (n) GROUP BY n ORDER BY n";
    expect(await session.rows(grouped)).toEqual([[2], [1]]);
    const joined = "SELECT COUNT(*) FROM dbo.names a JOIN (VALUES (N'ADA'), (N'Bob ')) AS v (n) ON v.n = a.n";
    expect(await session.value(joined)).toBe(2);
    const ordered = "SELECT n FROM (VALUES (N'b'), (N'A'), (N'C'), (N'a1')) AS v (n) ORDER BY n";
    expect((await session.rows(ordered)).map(([n]) => n)).toEqual(['A', 'a1', 'b', 'C']);
    expect(await session.value("SELECT COUNT(DISTINCT n) FROM (VALUES ('q'), ('Q')) AS v (n)")).toBe(1);
  });

  it('gives way to a binary one, but for trailing blanks', async () => {
    await session.rows(`CREATE TABLE dbo.exact_names (n nvarchar(10) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY);
      INSERT dbo.exact_names VALUES (N'a'), (N'A')`);
    expect(await session.numbers("INSERT dbo.exact_names VALUES (N'a ')")).toEqual([2627]);
    expect(await session.value("SELECT COUNT(*) FROM dbo.exact_names WHERE n = N'a'")).toBe(1);
  });

  it('does not tell the case of names apart', async () => {
    await session.rows(
      'CREATE TABLE dbo.Mixed (Id int, [Two Words] int); INSERT DBO.MIXED (ID, [two words]) VALUES (1, 2)',
    );
    expect(await session.rows('SELECT m.id, M."TWO WORDS" FROM mixed AS m')).toEqual([[1, 2]]);
  });
});

describe('rows that a statement touches', () => {
  it('are counted by @@ROWCOUNT and sent, unless NOCOUNT is on', async () => {
    const text = `CREATE TABLE #n (i int); INSERT #n VALUES (1), (2), (3); SELECT @@ROWCOUNT;
      UPDATE #n SET i = 0 WHERE i > 1; SELECT @@ROWCOUNT; DELETE #n WHERE i = 9; SELECT @@ROWCOUNT; DROP TABLE #n`;
    const { sets, counts } = await session.run(text);
    expect(sets.map(({ rows }) => rows[0]?.[0])).toEqual([3, 2, 0]);
    expect(counts).toEqual([3, 1, 2, 1, 0, 1]);
    const quiet = await session.run(`SET NOCOUNT ON; ${text}; SET NOCOUNT OFF`);
    expect(quiet.sets.map(({ rows }) => rows[0]?.[0])).toEqual([3, 2, 0]);
    expect(quiet.counts).toEqual([]);
  });

  it('may trade unique values in one UPDATE', async () => {
    await session.rows(
      'CREATE TABLE dbo.swap (id int NOT NULL PRIMARY KEY, v int); INSERT dbo.swap VALUES (1, 1), (2, 2)',
    );
    await session.rows('UPDATE dbo.swap SET id = 3 - id');
    expect(await session.rows('SELECT id, v FROM dbo.swap ORDER BY id')).toEqual([
      [1, 2],
      [2, 1],
    ]);
    expect(await session.numbers('UPDATE dbo.swap SET id = 5')).toEqual([2627]);
  });

  it('come out of OUTPUT', async () => {
    await session.rows(
      'CREATE TABLE dbo.audit (id int IDENTITY(10, 5) NOT NULL, v int); INSERT dbo.audit (v) VALUES (1)',
    );
    expect(await session.rows('INSERT dbo.audit (v) OUTPUT inserted.id, inserted.v VALUES (2)')).toEqual([
      [15, 2],
    ]);
    expect(
      await session.rows('UPDATE dbo.audit SET v = v * 10 OUTPUT deleted.v, inserted.v WHERE id = 15'),
    ).toEqual([[2, 20]]);
    expect(await session.rows('DELETE dbo.audit OUTPUT deleted.id WHERE v = 20')).toEqual([[15]]);
    expect(Number(await session.value('INSERT dbo.audit (v) VALUES (3); SELECT SCOPE_IDENTITY()'))).toBe(20);
    expect(await session.numbers('INSERT dbo.audit (id, v) VALUES (1, 1)')).toEqual([544]);
  });
});

describe('NULL and the empty string', () => {
  it('stay what they are', async () => {
    await session.rows(
      "CREATE TABLE dbo.empty_or_null (i int, s nvarchar(5) NULL); INSERT dbo.empty_or_null VALUES (1, N''), (2, NULL)",
    );
    expect(await session.rows('SELECT s, LEN(s), DATALENGTH(s) FROM dbo.empty_or_null ORDER BY i')).toEqual([
      ['', 0, 0],
      [null, null, null],
    ]);
    const nulls = 'SELECT i FROM dbo.empty_or_null ORDER BY s';
    expect(await session.rows(nulls)).toEqual([[2], [1]]);
  });
});

describe('temporary tables', () => {
  it('live with their session and are not seen by another', async () => {
    await session.rows('CREATE TABLE #mine (id int); INSERT #mine VALUES (1)');
    expect(await session.value('SELECT COUNT(*) FROM #mine')).toBe(1);
    const other = await warehouse.open();
    expect(await other.numbers('SELECT * FROM #mine')).toEqual([208]);
    await other.rows('CREATE TABLE #mine (other int); DROP TABLE #mine');
    await session.rows('DROP TABLE IF EXISTS #mine');
    expect(await session.value("SELECT OBJECT_ID('tempdb..#mine')")).toBeNull();
  });

  it('of sp_executesql end with it', async () => {
    await session.rows("EXEC sp_executesql N'CREATE TABLE #inner (id int); INSERT #inner VALUES (1)'");
    expect(await session.numbers('SELECT * FROM #inner')).toEqual([208]);
  });

  it('are made once a session and emptied before each use, within its transactions', async () => {
    const empty =
      "IF OBJECT_ID(N'tempdb..#kept') IS NULL CREATE TABLE #kept (id int NOT NULL, note nvarchar(9) NULL) ELSE TRUNCATE TABLE #kept;";
    await session.rows(`BEGIN TRANSACTION; ${empty} INSERT #kept (id) VALUES (1); ROLLBACK`);
    expect(await session.numbers('SELECT * FROM #kept')).toEqual([208]);
    await session.rows(`BEGIN TRANSACTION; ${empty} INSERT #kept (id) VALUES (1), (2); COMMIT`);
    await session.rows(`BEGIN TRANSACTION; ${empty} INSERT #kept (id) VALUES (3); ROLLBACK`);
    expect(await session.value('SELECT SUM(id) FROM #kept')).toBe(3);
    await session.rows(`${empty} INSERT #kept (id) SELECT 4 OPTION (KEEP PLAN)`);
    expect(await session.value('SELECT SUM(id) FROM #kept OPTION (RECOMPILE)')).toBe(4);
    const { counts } = await session.run('DELETE k FROM #kept AS k OPTION (KEEP PLAN)');
    expect(counts).toEqual([1]);
  });
});
