// What the stand-in does not do it refuses by name, in a way that the warehouse never takes for a row's fault.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { classifySqlError } from '../../src/warehouse/sql-fault.ts';
import { type Client, startEngine, type TestEngine } from './tsql-session.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = await engine.open();
  await client.rows('CREATE TABLE dbo.account (id int NOT NULL PRIMARY KEY, name nvarchar(10) NULL)');
});
afterAll(() => engine.close());

it.each([
  ['MERGE INTO account USING account AS b ON 1 = 1 WHEN MATCHED THEN DELETE;', 'MERGE'],
  ['SELECT CHECKSUM(1)', 'CHECKSUM'],
  ['SELECT TOP 10 PERCENT id FROM account', 'TOP … PERCENT'],
  ['SELECT id FROM account FOR JSON PATH', 'FOR JSON'],
  ['CREATE TABLE r (v rowversion)', 'rowversion'],
  ['WITH c AS (SELECT id FROM account) DELETE FROM c', 'common table expression'],
  ['CREATE TABLE t (a nvarchar(5) COLLATE Latin1_General_CS_AS)', 'Latin1_General_CS_AS'],
  ['EXEC sp_columns account', 'sp_columns'],
  ['EXEC sp_who2', 'sp_who2'],
  ['SELECT * FROM other.dbo.account', 'a name in another database (other.dbo.account)'],
  ["INSERT account VALUES (1, N'[a]'); SELECT name FROM account WHERE N'a' LIKE name", 'LIKE'],
  ['DECLARE @t TABLE (id int); BEGIN TRAN; INSERT @t VALUES (1); ROLLBACK', 'table variable'],
  ['CREATE TRIGGER t ON account AFTER INSERT AS SELECT 1', 'TRIGGER'],
  ['CREATE PROCEDURE p AS SELECT 1', 'PROCEDURE'],
  ['DECLARE c CURSOR FOR SELECT 1', 'CURSOR'],
  ["BACKUP DATABASE x TO DISK = N'x'", 'BACKUP'],
])('%s', async (sql, name) => {
  const [number, severity, message] = await client.error(sql);
  expect(message).toMatch(/^sandbox: .* is not supported$/s);
  expect(message).toContain(name);
  const refused = { number, class: severity, message };
  expect(classifySqlError(refused)).toMatchObject({ number: 40510, scope: 'structure' });
  await client.run('IF @@TRANCOUNT > 0 ROLLBACK');
});
