// What a person types to look around and what only this server answers so: USE, the sp_help family, SET FMTONLY; and what is
// refused by its name.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, startEngine, type TestEngine } from './tsql-session.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = await engine.open();
  await client.rows(`CREATE TABLE dbo.orders (id int NOT NULL CONSTRAINT PK_orders PRIMARY KEY, placed date NULL, total decimal(9,2) NULL);
    CREATE INDEX IX_placed ON dbo.orders (placed DESC, id); INSERT dbo.orders VALUES (1, '2024-02-29', 1234.5)`);
});
afterAll(() => engine.close());

describe('USE', () => {
  it('goes to another database and back', async () => {
    const { infos } = await client.run('USE master');
    expect(infos).toMatchObject([{ number: 5701, message: "Changed database context to 'master'." }]);
    expect(await client.value('SELECT DB_NAME()')).toBe('master');
    expect(await client.error('SELECT * FROM dbo.orders')).toMatchObject([208, 16, expect.anything()]);
    await client.rows(`USE [${engine.database.toUpperCase()}]`);
    expect(await client.value('SELECT COUNT(*) FROM dbo.orders')).toBe('1');
  });

  it('of a database that is not there is 911, and nothing changes', async () => {
    expect(await client.error('USE nowhere')).toMatchObject([911, 16, expect.anything()]);
    expect(await client.value('SELECT DB_NAME()')).toBe(engine.database);
  });

  it('ends with a reset of the connection', async () => {
    const other = await engine.open();
    await other.rows('USE master');
    await other.session.reset();
    expect(await other.value('SELECT DB_NAME()')).toBe(engine.database);
  });

  it.each([
    ['BEGIN TRANSACTION; USE master', 'USE of another database within a transaction'],
    ['CREATE TABLE #own (id int); USE master', 'USE of another database by a session with #temporary tables'],
  ])('is refused where it would lose something: %s', async (sql, what) => {
    const other = await engine.open();
    expect(await other.error(sql)).toEqual([40510, 16, `sandbox: ${what} is not supported`]);
  });
});

describe('help', () => {
  it('sp_help lists the objects, and describes one', async () => {
    expect(await client.rows('sp_help')).toEqual([
      ['orders', 'dbo', 'user table'],
      ['PK_orders', 'dbo', 'primary key constraint'],
    ]);
    const { sets } = await client.run("EXEC sp_help 'dbo.orders'");
    expect(sets.map(({ rows }) => rows.map((row) => row.slice(0, 6)))).toEqual([
      [['orders', 'dbo', 'user table', '2020-01-01 00:00:00']],
      [
        ['id', 'int', 'no', '4', '10   ', '0    '],
        ['placed', 'date', 'no', '3', '     ', '     '],
        ['total', 'decimal', 'no', '5', '9    ', '2    '],
      ],
      [
        ['IX_placed', 'nonclustered located on PRIMARY', 'placed(-), id'],
        ['PK_orders', 'clustered, unique, primary key located on PRIMARY', 'id'],
      ],
    ]);
  });

  it('sp_helpindex and sp_tables', async () => {
    expect((await client.rows('EXEC sp_helpindex orders')).map(([name]) => name)).toEqual([
      'IX_placed',
      'PK_orders',
    ]);
    expect(await client.rows("EXEC sp_tables @table_name = 'ord%'")).toEqual([
      [engine.database, 'dbo', 'orders', 'TABLE', null],
    ]);
    expect(await client.error('sp_help nothing')).toMatchObject([15009, 16, expect.anything()]);
  });
});

describe('SET FMTONLY', () => {
  it('describes queries, and runs nothing', async () => {
    const { sets } = await client.run('SET FMTONLY ON SELECT * FROM dbo.orders SET FMTONLY OFF');
    expect(sets.map(({ columns, rows }) => [columns.map(({ name }) => name), rows])).toEqual([
      [['id', 'placed', 'total'], []],
    ]);
    expect(await client.error('SET FMTONLY ON DELETE dbo.orders')).toMatchObject([
      40510,
      16,
      expect.anything(),
    ]);
    await client.rows('SET FMTONLY OFF');
    expect(await client.value('SELECT COUNT(*) FROM dbo.orders')).toBe('1');
  });
});

it.each([
  ['SET STATISTICS TIME ON', 'SET STATISTICS TIME'],
  ['SELECT $1.5', 'a money literal'],
  ['SELECT * FROM sys.dm_os_wait_stats', 'view sys.dm_os_wait_stats'],
  ["SELECT PARSE('1' AS int)", 'function PARSE'],
  ["SELECT FORMAT(placed, 'D') FROM dbo.orders", "FORMAT of date by 'D'"],
  ["SELECT FORMAT(total, '0.0#') FROM dbo.orders", "FORMAT of decimal by '0.0#'"],
  ["SELECT FORMAT(total, 'N2', 'de-de') FROM dbo.orders", 'FORMAT in a culture other than en-US'],
])('%s is refused by name', async (sql, what) => {
  expect(await client.error(sql)).toEqual([40510, 16, `sandbox: ${what} is not supported`]);
});
