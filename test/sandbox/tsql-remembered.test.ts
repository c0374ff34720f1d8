// What the engine remembers and sends ahead changes no answer: batches read by parts, translations used again, changes that
// travel together.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlType } from '../../sandbox/sqlserver/session.ts';
import { type Client, startEngine, type TestEngine } from './tsql-session.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = await engine.open();
  await client.rows(
    'CREATE TABLE dbo.kept (id int NOT NULL CONSTRAINT PK_kept PRIMARY KEY, v varchar(20) NULL)',
  );
});
afterAll(() => engine.close());

describe('a batch is read by parts', () => {
  it.each<[string, string, unknown[][]]>([
    ['strings', "SELECT 'a;b'; SELECT 'it''s; so'", [["it's; so"]]],
    ['names', 'SELECT 1 AS [x;y]; SELECT 2 AS "p;q"', [['2']]],
    ['comments', 'SELECT 1; -- no; statement\nSELECT 2 /* nor; this */; SELECT 3', [['3']]],
    ['blocks', 'IF 1 = 1 BEGIN SELECT 1; SELECT 2; END; SELECT 3', [['3']]],
    ['ELSE', 'IF 1 = 0 SELECT 1; ELSE SELECT 2;', [['2']]],
  ])('with semicolons in %s', async (_, sql, rows) => {
    expect(await client.rows(sql)).toEqual(rows);
  });

  it('counts lines through the whole of it', async () => {
    const { errors } = await client.run("SELECT 1;\nSELECT 'a\nb';\n\nSELECT 1 / 0;\nSELECT nothing");
    expect(errors.map(({ number, line }) => [number, line])).toEqual([
      [8134, 5],
      [207, 6],
    ]);
  });

  it('does nothing where a later part is wrong', async () => {
    const { errors } = await client.run('INSERT dbo.kept VALUES (90, NULL);\nSELECT FROM;');
    expect(errors.map(({ number, line }) => [number, line])).toEqual([[156, 2]]);
    expect(await client.rows('SELECT * FROM dbo.kept WHERE id = 90')).toEqual([]);
  });

  it('tells of a variable that is declared twice, in the same words', async () => {
    expect(await client.error('SELECT 1; DECLARE @a int; DECLARE @a int;')).toMatchObject([
      134,
      15,
      expect.anything(),
    ]);
  });
});

describe('a translation is used again', () => {
  it('not after the table has changed', async () => {
    await client.rows('CREATE TABLE dbo.changing (v int NULL); INSERT dbo.changing VALUES (1)');
    const sql = 'SELECT v FROM dbo.changing WHERE v = 1';
    expect(await client.type(sql)).toBe('int');
    const other = await engine.open();
    await other.rows('ALTER TABLE dbo.changing ALTER COLUMN v nvarchar(30) NULL');
    expect(await client.type(sql)).toBe('nvarchar(30)');
    expect(await client.rows(sql)).toEqual([['1']]);
  });

  it('not for another #table of the name, nor for other texts in it', async () => {
    const sql = 'SELECT CONVERT(decimal(9,2), v) FROM #t AS t';
    const target = {
      table: '#t',
      columns: [{ name: 'v', type: { name: 'varchar', length: 20 }, nullable: true } as const],
    };
    await client.rows('CREATE TABLE #t (v varchar(20) NULL)');
    await client.bulk(target, [[['1.25']]]);
    expect(await client.rows(sql)).toEqual([['1.25']]);
    // PostgreSQL's own cast would take it.
    await client.bulk(target, [[['1e1']]]);
    expect(await client.error(sql)).toMatchObject([8114, 16, expect.anything()]);
    await client.rows('DROP TABLE #t; CREATE TABLE #t (v int NULL); INSERT #t VALUES (7)');
    expect(await client.rows(sql)).toEqual([['7.00']]);
    await client.rows('DROP TABLE #t');
    expect(await client.error(sql)).toMatchObject([208, 16, "Invalid object name '#t'."]);
  });

  it('not for a parameter of another type', async () => {
    const typed = async (type: SqlType, value: string) => {
      const { sets } = await client.run('SELECT @p AS v', [{ name: '@p', type, value, output: false }]);
      return [sets[0]?.columns[0]?.type, sets[0]?.rows[0]?.[0]];
    };
    expect(await typed({ name: 'int' }, '1')).toEqual([{ name: 'int' }, '1']);
    expect(await typed({ name: 'nvarchar', length: 5 }, 'x')).toEqual([{ name: 'nvarchar', length: 5 }, 'x']);
    expect(await typed({ name: 'nvarchar', length: 9 }, 'yy')).toEqual([
      { name: 'nvarchar', length: 9 },
      'yy',
    ]);
  });
});

describe('changes that travel together', () => {
  const begin = 'SET XACT_ABORT ON; BEGIN TRANSACTION';

  it('are counted one by one', async () => {
    await client.rows(begin);
    const { counts, sets } = await client.run(`DECLARE @n bigint = 0;
      INSERT dbo.kept VALUES (1, 'a'), (2, 'b'); SET @n = @n + @@ROWCOUNT;
      UPDATE dbo.kept SET v = 'c' WHERE id < 3; SET @n = @n + 10 * @@ROWCOUNT;
      UPDATE dbo.kept SET v = 'd' WHERE id = 2; SET @n = @n + @@ROWCOUNT;
      DELETE dbo.kept WHERE v = 'd'; SET @n = @n + @@ROWCOUNT;
      DELETE dbo.kept WHERE v = 'd';
      SELECT @n, @@ROWCOUNT;`);
    expect([counts.filter((count) => count !== null), sets[0]?.rows]).toEqual([
      [2, 2, 1, 1, 0, 1],
      [['24', '0']],
    ]);
    await client.rows('COMMIT');
    expect(await client.rows('SELECT id, v FROM dbo.kept')).toEqual([['1', 'c']]);
  });

  it('give out identity values in their order', async () => {
    await client.rows('CREATE TABLE dbo.numbered (id int IDENTITY(5,1) NOT NULL, v int NULL)');
    await client.rows(begin);
    expect(
      await client.rows(
        'INSERT dbo.numbered (v) VALUES (1); INSERT dbo.numbered (v) VALUES (2); SELECT SCOPE_IDENTITY()',
      ),
    ).toEqual([['6']]);
    await client.rows('ROLLBACK');
  });

  it('fail as the one that is wrong, and nothing of them stays', async () => {
    await client.rows(begin);
    const { errors, counts, transactions } = await client.run(
      "INSERT dbo.kept VALUES (10, 'a');\nINSERT dbo.kept VALUES (11, 'b');\nINSERT dbo.kept VALUES (10, 'twice');\nINSERT dbo.kept VALUES (12, 'd');",
    );
    expect(errors.map(({ number, line }) => [number, line])).toEqual([[2627, 3]]);
    expect(counts).toEqual([1, 1, null]);
    expect(transactions).toEqual(['rollback']);
    expect(await client.rows('SELECT id FROM dbo.kept WHERE id >= 10')).toEqual([]);
    await client.rows("INSERT dbo.kept VALUES (13, 'after')");
    expect(await client.rows('SELECT id FROM dbo.kept WHERE id >= 10')).toEqual([['13']]);
  });

  it('wait for their turn where an error leaves the others', async () => {
    await client.rows('SET XACT_ABORT OFF; BEGIN TRANSACTION');
    const { errors, counts } = await client.run(
      "INSERT dbo.kept VALUES (20, 'a');\nINSERT dbo.kept VALUES (20, 'twice');\nINSERT dbo.kept VALUES (22, 'c');",
    );
    expect([errors.map(({ number }) => number), counts]).toEqual([[2627], [1, null, 1]]);
    await client.rows('COMMIT');
    expect(await client.rows('SELECT id FROM dbo.kept WHERE id >= 20 ORDER BY id')).toEqual([['20'], ['22']]);
  });
});

describe('a #temporary table dropped within a transaction', () => {
  it('is gone at once, gives up its name, and is back after a rollback', async () => {
    await client.rows('CREATE TABLE #d (a int); INSERT #d VALUES (1)');
    await client.rows('SET XACT_ABORT ON; BEGIN TRANSACTION');
    expect(await client.rows("DROP TABLE #d; SELECT OBJECT_ID('tempdb..#d'); ")).toEqual([[null]]);
    expect(
      await client.rows("CREATE TABLE #d (b varchar(5)); INSERT #d VALUES ('x'); SELECT b FROM #d"),
    ).toEqual([['x']]);
    await client.rows('DROP TABLE #d; ROLLBACK');
    expect(await client.rows('SELECT a FROM #d')).toEqual([['1']]);
  });

  it('goes with the commit', async () => {
    const other = await engine.open();
    await other.rows('SET XACT_ABORT ON; CREATE TABLE #d (a int)');
    await other.rows('BEGIN TRANSACTION; DROP TABLE #d; COMMIT');
    expect(await other.error('SELECT a FROM #d')).toMatchObject([208, 16, expect.anything()]);
    expect(await other.value("SELECT OBJECT_ID('tempdb..#d')")).toBe(null);
  });
});
