// Every type of the design's table, at its extremes, there and back: as a literal, as a parameter, through a table; and the
// metadata that a result set carries about it.
import sql from 'mssql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshWarehouse, type Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let session: Session;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  session = await warehouse.open();
});
afterAll(() => warehouse.close());

/** Type, values as the warehouse's staging tables carry them (text that is converted), the style that shows them again. */
const EXACT: readonly [string, readonly string[], string][] = [
  ['bit', ['0', '1'], 'CONVERT(varchar(1), v)'],
  ['tinyint', ['0', '255'], 'CONVERT(varchar(40), v)'],
  ['smallint', ['-32768', '32767'], 'CONVERT(varchar(40), v)'],
  ['int', ['-2147483648', '2147483647'], 'CONVERT(varchar(40), v)'],
  ['bigint', ['-9223372036854775808', '9223372036854775807', '9007199254740993'], 'CONVERT(varchar(40), v)'],
  ['decimal(1,0)', ['-9', '9', '0'], 'CONVERT(varchar(60), v)'],
  ['decimal(18,4)', ['99999999999999.9999', '-0.0001'], 'CONVERT(varchar(60), v)'],
  [
    'decimal(38,0)',
    ['99999999999999999999999999999999999999', '-99999999999999999999999999999999999999'],
    'CONVERT(varchar(60), v)',
  ],
  [
    'decimal(38,38)',
    ['0.99999999999999999999999999999999999999', '-0.00000000000000000000000000000000000001'],
    'CONVERT(varchar(60), v)',
  ],
  ['decimal(38,10)', ['9999999999999999999999999999.9999999999'], 'CONVERT(varchar(60), v)'],
  ['date', ['0001-01-01', '9999-12-31', '2024-02-29', '1752-09-09'], 'CONVERT(varchar(10), v, 23)'],
  ['time(6)', ['00:00:00.000000', '23:59:59.999999'], 'CONVERT(varchar(16), v)'],
  [
    'datetime2(6)',
    ['0001-01-01T00:00:00.000000', '9999-12-31T23:59:59.999999', '2024-02-29T12:34:56.789012'],
    'CONVERT(varchar(30), v, 121)',
  ],
  [
    'datetimeoffset(6)',
    [
      '0001-01-01T00:00:00.000000+00:00',
      '9999-12-31T23:59:59.999999+00:00',
      '2024-02-29T12:34:56.000001-14:00',
    ],
    'CONVERT(varchar(40), v)',
  ],
  [
    'uniqueidentifier',
    ['00000000-0000-0000-0000-000000000000', '6F9619FF-8B86-D011-B42D-00C04FC964FF'],
    'CONVERT(varchar(36), v)',
  ],
];

const shownAs: Readonly<Record<string, (value: string) => string>> = {
  'datetime2(6)': (value) => value.replace('T', ' '),
  'datetimeoffset(6)': (value) => value.replace('T', ' ').replace(/([+-]\d\d:\d\d)$/, ' $1'),
};

describe('text converted into a column and out again', () => {
  it.each(EXACT)('%s', async (type, values, shown) => {
    await session.rows(`DROP TABLE IF EXISTS dbo.v; CREATE TABLE dbo.v (i int, v ${type} NOT NULL)`);
    for (const [i, value] of values.entries()) {
      await session.rows(`INSERT dbo.v (i, v) SELECT ${i}, CONVERT(${type}, '${value}')`);
    }
    const rows = await session.rows(`SELECT ${shown} FROM dbo.v ORDER BY i`);
    expect(rows.map(([text]) => text)).toEqual(values.map(shownAs[type] ?? ((value) => value)));
  });

  it.each<[string, string]>([
    ['float', '1.7976931348623157E+308'],
    ['float', '-2.2250738585072014E-308'],
    ['float', '0.1'],
    ['float', '123456789.12345679'],
    ['real', '3.4028234663852886E+38'],
    ['real', '0.10000000149011612'],
  ])('%s %s keeps every bit', async (type, text) => {
    expect(await session.value(`SELECT CONVERT(${type}, '${text}')`)).toBe(Number(text));
  });

  it.each<[string, string]>([
    ['nvarchar(20)', 'Grüße, 世界 😀'],
    ['nvarchar(max)', `${'x'.repeat(9_000)}é${'\u{1F600}'.repeat(2_000)}`],
    ['varchar(20)', 'plain \\ "text" \t\r\n'],
    ['nchar(5)', 'ab   '],
    ['nvarchar(20)', ''],
  ])('%s keeps every character', async (type, text) => {
    const literal = `N'${text.replaceAll("'", "''")}'`;
    expect(await session.value(`SELECT CONVERT(${type}, ${literal})`)).toBe(text);
    const parameter = (request: sql.Request) => request.input('p', sql.NVarChar(sql.MAX), text);
    expect(await session.value(`SELECT CONVERT(${type}, @p)`, parameter)).toBe(text);
  });

  it('varbinary(max) keeps every byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 256));
    const parameter = (request: sql.Request) => request.input('p', sql.VarBinary(sql.MAX), bytes);
    expect(await session.value('SELECT @p', parameter)).toEqual(bytes);
    expect(await session.value("SELECT CONVERT(varbinary(max), '0x00FF10', 1)")).toEqual(
      Buffer.from([0, 255, 16]),
    );
  });
});

describe('parameters', () => {
  it.each<[string, () => sql.ISqlType, unknown, unknown]>([
    ['bit', sql.Bit, true, true],
    ['tinyint', sql.TinyInt, 255, 255],
    ['smallint', sql.SmallInt, -32768, -32768],
    ['int', sql.Int, -2147483648, -2147483648],
    ['bigint', sql.BigInt, '-9223372036854775808', '-9223372036854775808'],
    ['real', sql.Real, 0.5, 0.5],
    ['float', sql.Float, 1e308, 1e308],
    [
      'uniqueidentifier',
      sql.UniqueIdentifier,
      '6f9619ff-8b86-d011-b42d-00c04fc964ff',
      '6F9619FF-8B86-D011-B42D-00C04FC964FF',
    ],
    ['date', sql.Date, new Date('0001-01-01T00:00:00Z'), new Date('0001-01-01T00:00:00Z')],
    ['datetime', sql.DateTime, new Date('2024-02-29T12:00:00.500Z'), new Date('2024-02-29T12:00:00.500Z')],
    [
      'datetime2',
      () => sql.DateTime2(3),
      new Date('9999-12-31T23:59:59.999Z'),
      new Date('9999-12-31T23:59:59.999Z'),
    ],
    [
      'datetimeoffset',
      () => sql.DateTimeOffset(3),
      new Date('1999-12-31T23:59:59.999Z'),
      new Date('1999-12-31T23:59:59.999Z'),
    ],
    ['decimal', () => sql.Decimal(9, 3), -123456.789, -123456.789],
    ['nvarchar', () => sql.NVarChar(10), null, null],
    ['varchar', () => sql.VarChar(10), 'é', 'é'],
  ])('%s comes back as it went', async (_name, type, value, expected) => {
    const prepare = (request: sql.Request) => request.input('p', type(), value);
    const back = await session.value('SELECT @p', prepare);
    if (back instanceof Date) expect(back.getTime()).toBe((expected as Date).getTime());
    else expect(back).toBe(expected);
  });

  it('come out of sp_executesql as output', async () => {
    const { output } = await session.run("SET @twice = @n * 2; SET @text = @text + N'!'", (request) => {
      request.input('n', sql.Int, 21).output('twice', sql.Int).output('text', sql.NVarChar(20), 'hi');
    });
    expect(output).toEqual({ twice: 42, text: 'hi!' });
  });
});

describe('metadata', () => {
  it('names types, lengths, precision, scale and nullability exactly', async () => {
    const columns = `
      a bit NOT NULL, b tinyint NOT NULL, c smallint NULL, d int NOT NULL, e bigint NULL, f real NOT NULL, g float NULL,
      h decimal(38,10) NULL, i decimal(5,0) NOT NULL, j date NULL, k time(6) NULL, l datetime2(6) NOT NULL, m datetimeoffset(6) NULL,
      n nvarchar(17) NOT NULL, o nvarchar(max) NULL, p varchar(9) NULL, q uniqueidentifier NULL, r varbinary(max) NULL,
      s varbinary(20) NOT NULL, t nchar(4) NULL, u datetime NULL, w money NULL, x char(3) NOT NULL, y binary(2) NULL`;
    await session.rows(`CREATE TABLE dbo.meta (id int IDENTITY(1,1) NOT NULL, ${columns})`);
    const { sets } = await session.run('SELECT * FROM dbo.meta');
    const described = sets[0]!.columns.map((column) => {
      const { name, type, length, precision, scale, nullable, identity } = column as sql.IColumn & {
        identity?: boolean;
        length?: number;
        precision?: number;
        scale?: number;
      };
      const declared = (type as unknown as { declaration: string }).declaration;
      return [name, declared, length, precision, scale, nullable, identity];
    });
    // Lengths in bytes; none for the types of one fixed size.
    const none = undefined;
    expect(described).toEqual([
      ['id', 'int', none, none, none, false, true],
      ['a', 'bit', none, none, none, false, false],
      ['b', 'tinyint', none, none, none, false, false],
      ['c', 'smallint', 2, none, none, true, false],
      ['d', 'int', none, none, none, false, false],
      ['e', 'bigint', 8, none, none, true, false],
      ['f', 'real', none, none, none, false, false],
      ['g', 'float', 8, none, none, true, false],
      ['h', 'decimal', 17, 38, 10, true, false],
      ['i', 'decimal', 5, 5, 0, false, false],
      ['j', 'date', none, none, none, true, false],
      ['k', 'time', none, none, 6, true, false],
      ['l', 'datetime2', none, none, 6, false, false],
      ['m', 'datetimeoffset', none, none, 6, true, false],
      ['n', 'nvarchar', 34, none, none, false, false],
      ['o', 'nvarchar', 65535, none, none, true, false],
      ['p', 'varchar', 9, none, none, true, false],
      ['q', 'uniqueidentifier', 16, none, none, true, false],
      ['r', 'varbinary', 65535, none, none, true, false],
      ['s', 'varbinary', 20, none, none, false, false],
      ['t', 'nchar', 8, none, none, true, false],
      ['u', 'datetime', 8, none, none, true, false],
      ['w', 'money', 8, none, none, true, false],
      ['x', 'char', 3, none, none, false, false],
      ['y', 'binary', 2, none, none, true, false],
    ]);
  });

  it.each<[string, string, number | undefined, number | undefined]>([
    ['1', 'int', undefined, undefined],
    ['12345678901', 'numeric', 11, 0],
    ['1.50', 'numeric', 3, 2],
    ['CAST(1 AS decimal(10,2)) + CAST(1 AS decimal(5,3))', 'decimal', 12, 3],
    ['CAST(1 AS decimal(10,2)) * CAST(1 AS decimal(5,3))', 'decimal', 16, 5],
    ['CAST(1 AS decimal(10,2)) / CAST(3 AS decimal(5,3))', 'decimal', 19, 8],
    ['CAST(1 AS decimal(38,10)) * CAST(1 AS decimal(38,10))', 'decimal', 38, 6],
    ['SUM(CAST(1 AS decimal(9,3)))', 'decimal', 38, 3],
    ['COUNT_BIG(*)', 'bigint', undefined, undefined],
    ['SYSUTCDATETIME()', 'datetime2', undefined, 7],
    ["N'a' + 'bc'", 'nvarchar', undefined, undefined],
  ])('of %s is %s', async (expression, type, precision, scale) => {
    const { sets } = await session.run(`SELECT ${expression}`);
    const column = sets[0]!.columns[0] as unknown as {
      type: { declaration: string };
      precision?: number;
      scale?: number;
    };
    const declared = column.type.declaration;
    expect([declared === 'decimal' ? type : declared, column.precision, column.scale]).toEqual([
      type,
      precision,
      scale,
    ]);
  });
});
