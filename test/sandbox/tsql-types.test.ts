// Types, collation, conversions and bulk loads of the T-SQL engine: exact values and exact column metadata.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnMetadata, SqlType, Value } from '../../sandbox/sqlserver/session.ts';
import { type Client, startEngine, type TestEngine } from './tsql-session.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = await engine.open();
});
afterAll(() => engine.close());

describe('expression types', () => {
  it.each([
    ['1', 'int'],
    ['12345678901', 'decimal(11,0)'],
    ['1.50', 'decimal(3,2)'],
    ["'ab'", 'varchar(2)'],
    ["N'ab' + 'c'", 'nvarchar(3)'],
    ['CAST(1 AS decimal(10,2)) + CAST(1 AS decimal(5,3))', 'decimal(12,3)'],
    ['CAST(1 AS decimal(10,2)) * CAST(1 AS decimal(5,3))', 'decimal(16,5)'],
    ['CAST(1 AS decimal(10,2)) / CAST(3 AS decimal(5,3))', 'decimal(19,8)'],
    ['CAST(1 AS decimal(38,10)) * CAST(1 AS decimal(38,10))', 'decimal(38,6)'],
    ['COUNT(*)', 'int'],
    ['COUNT_BIG(*)', 'bigint'],
    ['SUM(CAST(1 AS decimal(9,3)))', 'decimal(38,3)'],
    ['SYSDATETIMEOFFSET()', 'datetimeoffset(7)'],
    ["HASHBYTES('MD5', 'x')", 'varbinary(8000)'],
    ["IIF(1 = 1, N'a', 'bcd')", 'nvarchar(3)'],
    ['XACT_STATE()', 'smallint'],
  ])('%s is %s', async (expression, type) => {
    expect(await client.type(`SELECT ${expression}`)).toBe(type);
  });
});

describe('values', () => {
  it.each<[string, Value]>([
    ["CASE WHEN 'a' = 'A  ' THEN 1 ELSE 0 END", '1'],
    ["CASE WHEN 'a' = 'á' THEN 1 ELSE 0 END", '0'],
    ["CASE WHEN N'a' COLLATE Latin1_General_BIN2 = N'A' THEN 1 ELSE 0 END", '0'],
    ["CASE WHEN '' IS NULL THEN 1 ELSE 0 END", '0'],
    ['CONVERT(varchar(16), CONVERT(binary(8), CAST(-0.5 AS float)), 2)', 'BFE0000000000000'],
    ['CONVERT(varchar(8), CONVERT(binary(4), CAST(1 AS real)), 2)', '3F800000'],
    ["'a ' + 'b'", 'a b'],
    ["'a' + NULL", null],
    ["'1' + 2", '3'],
    ['7 / 2', '3'],
    ['-7 / 2', '-3'],
    ['2.0 / 3', '0.666666'],
    ["LEN('ab  ')", '2'],
    ["LEN(N'😀')", '2'],
    ["DATALENGTH(N'ab')", '4'],
    ["CONVERT(varchar(40), HASHBYTES('MD5', N'é'), 2)", 'ED71E8FFD3D8C47C1A2E22C53CD384AA'],
    ["CONVERT(varchar(30), CAST('2024-02-03 04:05:06.789' AS datetime2(3)), 126)", '2024-02-03T04:05:06.789'],
    ["CONVERT(varchar(8), CAST('2024-02-03' AS date), 112)", '20240203'],
    ["CAST('2024-01-02 10:11:12.345' AS datetime)", '2024-01-02 10:11:12.347'],
    ["CAST('2024-01-02 10:11:12.1234565' AS datetime2(6))", '2024-01-02 10:11:12.123457'],
    ["CAST('2024-01-31 12:00:00.5+02:00' AS datetimeoffset(6))", '("2024-01-31 10:00:00.5",120)'],
    [
      "CASE WHEN CAST('2024-01-31 12:00:00 +02:00' AS datetimeoffset) = CAST('2024-01-31 10:00:00 +00:00' AS datetimeoffset) THEN 1 END",
      '1',
    ],
    ["TRY_CONVERT(int, 'x')", null],
    ["TRY_CAST('1e400' AS float)", null],
    ["CONVERT(varbinary(4), '0x0102', 1)", '\\x0102'],
    ['~CAST(5 AS int) & 7', '2'],
    ['CASE WHEN EXISTS (SELECT NULL, 1 INTERSECT SELECT NULL, 1) THEN 1 ELSE 0 END', '1'],
    ["DATEDIFF(year, '2023-12-31', '2024-01-01')", '1'],
    ['JSON_VALUE(N\'{"a":[{"b":"x"}]}\', \'$.a[0].b\')', 'x'],
    ['AVG(v) FROM (VALUES (1), (2)) AS x(v)', '1'],
    ["STRING_AGG(v, ',') WITHIN GROUP (ORDER BY v DESC) FROM (VALUES ('a'), ('b')) AS x(v)", 'b,a'],
    ["COUNT(DISTINCT v) FROM (VALUES ('a'), ('A '), ('b')) AS x(v)", '2'],
  ])('%s', async (expression, value) => {
    expect(await client.value(`SELECT ${expression}`)).toBe(value);
  });
});

const EVERY: readonly [string, SqlType, string][] = [
  ['bit', { name: 'bit' }, 't'],
  ['tinyint', { name: 'tinyint' }, '255'],
  ['smallint', { name: 'smallint' }, '-32768'],
  ['int', { name: 'int' }, '-2147483648'],
  ['bigint', { name: 'bigint' }, '9223372036854775807'],
  ['real', { name: 'real' }, '1.1'],
  ['float', { name: 'float' }, '1.7976931348623157e+308'],
  [
    'decimal(38,10)',
    { name: 'decimal', precision: 38, scale: 10 },
    '-1234567890123456789012345678.0123456789',
  ],
  ['money', { name: 'money' }, '-922337203685477.5808'],
  ['char(3)', { name: 'char', length: 3 }, 'a  '],
  ['varchar(5)', { name: 'varchar', length: 5 }, 'a b '],
  ['nvarchar(3)', { name: 'nvarchar', length: 3 }, '😀\t'],
  ['nvarchar(max)', { name: 'nvarchar', length: 'max' }, 'line\r\nback\\slash \\N'],
  ['varbinary(max)', { name: 'varbinary', length: 'max' }, '\\x00ff10'],
  ['uniqueidentifier', { name: 'uniqueidentifier' }, '6f9619ff-8b86-d011-b42d-00c04fc964ff'],
  ['date', { name: 'date' }, '0001-01-01'],
  ['time(6)', { name: 'time', scale: 6 }, '23:59:59.999999'],
  ['datetime2(6)', { name: 'datetime2', scale: 6 }, '9999-12-31 23:59:59.999999'],
  ['datetimeoffset(6)', { name: 'datetimeoffset', scale: 6 }, '("1970-01-01 05:29:59.999999",-330)'],
];

describe('columns under the default collation', () => {
  it('convert like literals', async () => {
    await client.rows(`CREATE TABLE #texts (n varchar(20), d varchar(40), u nvarchar(40), f varchar(20), b varchar(5), h varchar(10), j nvarchar(100));
      INSERT #texts VALUES ('12.50', '2024-01-31 12:00:00.123456+02:00', N'6F9619FF-8B86-D011-B42D-00C04FC964FF', '1.5e3', 'true', '0x0102', N'{"a":1}')`);
    expect(
      await client.rows(`SELECT CONVERT(decimal(9,2), n), CONVERT(int, LEFT(n, 2)), CONVERT(datetimeoffset(6), d, 121), CONVERT(uniqueidentifier, u),
        CONVERT(float, f), CONVERT(bit, b), CONVERT(varbinary(5), h, 1), JSON_VALUE(j, '$.a'), LEN(u), CONVERT(varchar(40), u), OBJECT_ID(u) FROM #texts`),
    ).toEqual([
      [
        '12.50',
        '12',
        '("2024-01-31 10:00:00.123456",120)',
        '6f9619ff-8b86-d011-b42d-00c04fc964ff',
        '1500',
        't',
        '\\x0102',
        '1',
        '36',
        '6F9619FF-8B86-D011-B42D-00C04FC964FF',
        null,
      ],
    ]);
  });

  it('OBJECT_ID finds what is there, of the kind asked for', async () => {
    await client.rows(
      'CREATE TABLE dbo.here (id int CONSTRAINT PK_here PRIMARY KEY); CREATE TABLE #here (id int)',
    );
    const found = await client.rows(
      "SELECT OBJECT_NAME(OBJECT_ID('HERE')), OBJECT_NAME(OBJECT_ID(N'[dbo].[here]', 'U')), OBJECT_ID('dbo.here', 'V'), OBJECT_ID('dbo.gone'), OBJECT_NAME(OBJECT_ID('tempdb..#here')), OBJECT_ID('tempdb..#gone')",
    );
    expect(found).toEqual([['here', 'here', null, null, '#here', null]]);
  });

  it('group, join and order without regard to case', async () => {
    await client.rows(
      "CREATE TABLE #names (n nvarchar(10)); INSERT #names VALUES (N'ada'), (N'ADA '), (N'bob')",
    );
    expect(await client.rows('SELECT COUNT(*) FROM #names GROUP BY n ORDER BY n')).toEqual([['2'], ['1']]);
    expect(await client.value("SELECT COUNT(*) FROM #names WHERE n LIKE N'A%' AND n IN (N'Ada')")).toBe('2');
  });
});

describe('bulk loads and parameters', () => {
  const columns: ColumnMetadata[] = EVERY.map(([, type], i) => ({ name: `c${i}`, type, nullable: true }));

  it('keep every type exactly, into #temporary tables too', async () => {
    await client.rows(`CREATE TABLE #every (${EVERY.map(([type], i) => `c${i} ${type} NULL`).join(', ')})`);
    const row = EVERY.map(([, , value]) => value);
    const none = EVERY.map(() => null);
    const { counts, errors } = await client.bulk({ table: '[#every]', columns }, [[row], [none]]);
    expect([errors, counts]).toEqual([[], [2]]);
    const { sets } = await client.run('SELECT * FROM #every');
    expect(sets[0]?.rows).toEqual([row, none]);
    expect(sets[0]?.columns).toEqual(columns);
  });

  it('parameters are bound as what they are', async () => {
    const names = EVERY.map((_, i) => `@p${i}`);
    const parameters = EVERY.map(([, type, value], i) => ({ name: names[i]!, type, value, output: false }));
    expect(await client.rows(`SELECT ${names.join(', ')}`, parameters)).toEqual([
      EVERY.map(([, , value]) => value),
    ]);
  });

  it('a value longer than its column is 4815, and nothing is loaded', async () => {
    await client.rows('CREATE TABLE dbo.short (a nvarchar(3) NOT NULL, b int)');
    const target = {
      table: '[dbo].[short]',
      columns: [{ name: 'a', type: { name: 'nvarchar', length: 3 }, nullable: false } as const],
    };
    expect((await client.bulk(target, [[['abc']], [['abcd']]])).errors.map((e) => e.number)).toEqual([4815]);
    expect((await client.bulk(target, [[[null]]])).errors.map((e) => e.number)).toEqual([515]);
    expect(await client.value('SELECT COUNT(*) FROM dbo.short')).toBe('0');
  });

  it('rows that cannot be read end the load with the error of their reader; the session goes on', async () => {
    await client.rows('CREATE TABLE dbo.torn (a int)');
    const torn = async function* () {
      yield [['1']];
      throw new Error('in the middle of a row');
    };
    const columns = [{ name: 'a', type: { name: 'int' }, nullable: true } as const];
    await expect(client.bulk({ table: 'dbo.torn', columns }, torn())).rejects.toThrow(
      'in the middle of a row',
    );
    expect(await client.value('SELECT COUNT(*) FROM dbo.torn')).toBe('0');
  });

  it('output parameters come back', async () => {
    const { outputs } = await client.run("SET @x = @x + N'!'", [
      { name: '@x', type: { name: 'nvarchar', length: 20 }, value: 'hi', output: true },
    ]);
    expect(outputs.map((o) => o.value)).toEqual(['hi!']);
  });
});
