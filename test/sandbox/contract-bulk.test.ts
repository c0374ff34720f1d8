// Bulk loads through the driver: into tables and #temp tables, NULLs, defaults, identities, every type, and refused rows.
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

type ColumnSpec = readonly [name: string, type: sql.ISqlType | (() => sql.ISqlType), nullable?: boolean];

async function load(
  name: string,
  columns: readonly ColumnSpec[],
  rows: readonly unknown[][],
  options?: sql.IBulkOptions,
) {
  const table = new sql.Table(name);
  for (const [column, type, nullable = true] of columns) table.columns.add(column, type, { nullable });
  for (const row of rows) table.rows.add(...(row as string[]));
  const request = session.pool.request();
  return options ? request.bulk(table, options) : request.bulk(table);
}

describe('a bulk load', () => {
  it('keeps every type and NULL, in a #temp table', async () => {
    const columns: ColumnSpec[] = [
      ['i', sql.Int, false],
      ['b', sql.Bit],
      ['s', sql.SmallInt],
      ['l', sql.BigInt],
      ['f', sql.Float],
      ['r', sql.Real],
      ['n', sql.NVarChar(20)],
      ['m', sql.NVarChar(sql.MAX)],
      ['v', sql.VarChar(20)],
      ['x', sql.VarBinary(sql.MAX)],
      ['u', sql.UniqueIdentifier],
      ['d', sql.Date],
      ['t', sql.DateTime2(3)],
    ];
    await session.rows(`CREATE TABLE #every (i int NOT NULL, b bit NULL, s smallint NULL, l bigint NULL, f float NULL, r real NULL,
      n nvarchar(20) NULL, m nvarchar(max) NULL, v varchar(20) NULL, x varbinary(max) NULL, u uniqueidentifier NULL, d date NULL,
      t datetime2(3) NULL)`);
    const full = [
      1,
      true,
      -32768,
      '9223372036854775807',
      1.5e300,
      0.5,
      'ä😀',
      'y'.repeat(50_000),
      '',
      Buffer.from([0, 1, 255]),
      '6F9619FF-8B86-D011-B42D-00C04FC964FF',
      new Date('9999-12-31T00:00:00Z'),
      new Date('0001-01-01T00:00:00.001Z'),
    ];
    const none = [2, ...columns.slice(1).map(() => null)];
    const { rowsAffected } = await load('#every', columns, [full, none]);
    expect(rowsAffected).toBe(2);
    expect(await session.rows('SELECT * FROM #every ORDER BY i')).toEqual([full, none]);
  });

  it('carries decimals and microseconds as text that is converted', async () => {
    await session.rows('CREATE TABLE #text (d varchar(60) NULL, t varchar(40) NULL)');
    await load(
      '#text',
      [
        ['d', sql.VarChar(60)],
        ['t', sql.VarChar(40)],
      ],
      [['-1234567890123456789012345678.0123456789', '2024-02-29T23:59:59.123456+05:30']],
    );
    const text =
      'SELECT CONVERT(varchar(60), CONVERT(decimal(38,10), d)), CONVERT(varchar(40), CONVERT(datetimeoffset(6), t)) FROM #text';
    expect(await session.rows(text)).toEqual([
      ['-1234567890123456789012345678.0123456789', '2024-02-29 23:59:59.123456 +05:30'],
    ]);
  });

  it('fills columns that it does not name: defaults, identities, NULL', async () => {
    await session.rows(`CREATE TABLE dbo.filled (id int IDENTITY(5,1) NOT NULL PRIMARY KEY, a int NOT NULL,
      d int NOT NULL DEFAULT 7, n int NULL)`);
    await load('dbo.filled', [['a', sql.Int, false]], [[1], [2]]);
    expect(await session.rows('SELECT id, a, d, n FROM dbo.filled ORDER BY id')).toEqual([
      [5, 1, 7, null],
      [6, 2, 7, null],
    ]);
  });

  it.each<[number, unknown[][]]>([
    [
      2627,
      [
        [1, 'a'],
        [1, 'b'],
      ],
    ],
    [515, [[2, null]]],
  ])('is refused as a whole with %i', async (number, rows) => {
    await session.rows(
      'DROP TABLE IF EXISTS dbo.strict; CREATE TABLE dbo.strict (id int NOT NULL PRIMARY KEY, t nvarchar(3) NOT NULL)',
    );
    const columns: ColumnSpec[] = [
      ['id', sql.Int, false],
      ['t', sql.NVarChar(3), true],
    ];
    await expect(load('dbo.strict', columns, rows)).rejects.toMatchObject({ number });
    expect(await session.value('SELECT COUNT(*) FROM dbo.strict')).toBe(0);
  });

  it('checks constraints only where it is asked to', async () => {
    await session.rows('CREATE TABLE dbo.checked (v int CONSTRAINT CK_positive CHECK (v > 0))');
    await expect(
      load('dbo.checked', [['v', sql.Int]], [[-1]], { checkConstraints: true }),
    ).rejects.toMatchObject({ number: 547 });
    expect(await session.value('SELECT COUNT(*) FROM dbo.checked')).toBe(0);
  });

  it('into a table that is not there is 208', async () => {
    await expect(load('dbo.nowhere', [['v', sql.Int]], [[1]])).rejects.toMatchObject({ number: 208 });
  });

  it('is undone with its transaction', async () => {
    await session.rows('CREATE TABLE dbo.undone (v int)');
    const transaction = session.pool.transaction();
    await transaction.begin();
    const table = new sql.Table('dbo.undone');
    table.columns.add('v', sql.Int, { nullable: true });
    table.rows.add(1);
    await transaction.request().bulk(table);
    await transaction.rollback();
    expect(await session.value('SELECT COUNT(*) FROM dbo.undone')).toBe(0);
  });
});
