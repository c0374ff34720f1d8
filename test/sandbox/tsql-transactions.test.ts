// Transactions, locks and cancellation: what XACT_ABORT, savepoints, deadlocks and timeouts do, on two real connections.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Client, startEngine, type TestEngine } from './tsql-session.ts';

let engine: TestEngine;
let a: Client;
let b: Client;
/** Watches the other two. */
let watcher: Client;

beforeAll(async () => {
  engine = await startEngine();
  [a, b, watcher] = [await engine.open(), await engine.open(), await engine.open()];
  await a.rows('CREATE TABLE dbo.t (id int PRIMARY KEY, v int)');
});
beforeEach(async () => {
  await a.session.reset();
  await b.session.reset();
  await a.rows('DELETE t; INSERT t VALUES (1, 1), (2, 2)');
});
afterAll(() => engine.close());

describe('transactions', () => {
  it('count their nesting; only the outermost commit commits', async () => {
    expect(await a.value('BEGIN TRAN; BEGIN TRAN; COMMIT; INSERT t VALUES (3, 3); SELECT @@TRANCOUNT')).toBe(
      '1',
    );
    expect(await b.value('SELECT COUNT(*) FROM t')).toBe('2');
    await a.rows('COMMIT');
    expect(await b.value('SELECT COUNT(*) FROM t')).toBe('3');
  });

  it('go back to a savepoint and stay open', async () => {
    const sql =
      'BEGIN TRAN; SAVE TRAN s; DELETE t; ROLLBACK TRAN s; SELECT COUNT(*), @@TRANCOUNT FROM t; COMMIT';
    expect(await a.rows(sql)).toEqual([['2', '1']]);
    expect((await a.error('BEGIN TRAN; ROLLBACK TRAN nope'))[0]).toBe(6401);
  });

  it('with XACT_ABORT OFF lose only the failed statement, and the batch goes on', async () => {
    const { errors, sets } = await a.run(
      'SET XACT_ABORT OFF; BEGIN TRAN; INSERT t VALUES (3, 3); INSERT t VALUES (1, 1); SELECT @@ERROR, @@TRANCOUNT; COMMIT',
    );
    expect(errors.map((e) => e.number)).toEqual([2627]);
    expect(sets[0]?.rows).toEqual([['2627', '1']]);
    expect(await b.value('SELECT COUNT(*) FROM t')).toBe('3');
  });

  it('with XACT_ABORT ON are rolled back by any error, and the batch ends', async () => {
    const { errors, sets, transactions } = await a.run(
      'SET XACT_ABORT ON; BEGIN TRAN; INSERT t VALUES (3, 3); INSERT t VALUES (1, 1); SELECT 1',
    );
    expect(errors.map((e) => e.number)).toEqual([2627]);
    expect(sets).toEqual([]);
    expect(transactions).toEqual(['begin', 'rollback']);
    expect(await a.rows('SELECT COUNT(*), @@TRANCOUNT FROM t')).toEqual([['2', '0']]);
  });

  it('are doomed inside TRY: reads go on, writes are 3930, nothing remains', async () => {
    const { sets } = await a.run(`
      SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; INSERT t VALUES (3, 3); INSERT t VALUES (1, 1); END TRY
      BEGIN CATCH
        SELECT ERROR_NUMBER(), XACT_STATE(), @@TRANCOUNT, ERROR_LINE();
        BEGIN TRY DELETE t END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH
        BEGIN TRY COMMIT END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH
        ROLLBACK; SELECT XACT_STATE(), COUNT(*) FROM t
      END CATCH`);
    expect(sets.map((s) => s.rows[0])).toEqual([['2627', '-1', '1', '2'], ['3930'], ['3930'], ['0', '2']]);
  });

  it('left doomed at the end of the batch are rolled back with 3998', async () => {
    const { errors } = await a.run(
      'SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; SELECT 1/0 END TRY BEGIN CATCH SELECT 1 END CATCH',
    );
    expect(errors.map((e) => e.number)).toEqual([3998]);
    expect(await a.value('SELECT @@TRANCOUNT')).toBe('0');
  });

  it('THROW rethrows with the first number, and ends the batch', async () => {
    const { errors, sets } = await a.run(
      'BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH THROW END CATCH; SELECT 1',
    );
    expect(errors.map((e) => e.number)).toEqual([8134]);
    expect(sets.length).toBe(1);
  });

  it('roll back tables made inside', async () => {
    await a.rows(
      'BEGIN TRAN; CREATE TABLE made (id int); CREATE TABLE #made (id int); INSERT made VALUES (1); INSERT #made VALUES (1); ROLLBACK',
    );
    expect((await a.error('SELECT * FROM made'))[0]).toBe(208);
    expect((await a.error('SELECT * FROM #made'))[0]).toBe(208);
  });

  it('check unique keys at the end of the statement', async () => {
    expect(await a.rows('UPDATE t SET id = 3 - id; SELECT id, v FROM t ORDER BY id')).toEqual([
      ['1', '2'],
      ['2', '1'],
    ]);
  });
});

describe('locks', () => {
  it('give up with 1222 after LOCK_TIMEOUT, and the transaction lives on', async () => {
    await a.rows('BEGIN TRAN; UPDATE t SET v = 9 WHERE id = 1');
    const { errors, sets } = await b.run(
      'SET LOCK_TIMEOUT 50; BEGIN TRAN; UPDATE t SET v = 8 WHERE id = 1; SELECT @@TRANCOUNT; ROLLBACK',
    );
    expect(errors.map((e) => [e.number, e.class])).toEqual([[1222, 16]]);
    expect(sets[0]?.rows).toEqual([['1']]);
    await a.rows('ROLLBACK');
  });

  it('UPDLOCK in a SELECT keeps a second one out', async () => {
    await a.rows('BEGIN TRAN; SELECT v FROM t WITH (UPDLOCK, HOLDLOCK) WHERE id = 1');
    expect((await b.error('SET LOCK_TIMEOUT 50; SELECT v FROM t WITH (UPDLOCK) WHERE id = 1'))[0]).toBe(1222);
    expect(await b.value('SELECT v FROM t WHERE id = 1')).toBe('1');
    await a.rows('ROLLBACK');
  });

  it('a real deadlock ends one transaction with 1205', async () => {
    await a.rows('BEGIN TRAN; UPDATE t SET v = 9 WHERE id = 1');
    await b.rows('BEGIN TRAN; UPDATE t SET v = 9 WHERE id = 2');
    const results = await Promise.all([
      a.run('UPDATE t SET v = 8 WHERE id = 2'),
      b.run('UPDATE t SET v = 8 WHERE id = 1'),
    ]);
    const errors = results.flatMap((r) => r.errors);
    expect(errors.map((e) => [e.number, e.class])).toEqual([[1205, 13]]);
    const victim = results[0]!.errors.length > 0 ? a : b;
    expect(await victim.value('SELECT @@TRANCOUNT')).toBe('0');
  });

  it('sp_getapplock: 0 when free, -1 when it times out, free again after the transaction', async () => {
    const lock =
      "DECLARE @r int; BEGIN TRAN; EXEC @r = sp_getapplock @Resource = N'lane', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 50; SELECT @r";
    expect(await a.value(lock)).toBe('0');
    expect(await b.value(lock)).toBe('-1');
    expect(await b.value('SELECT @@TRANCOUNT')).toBe('1');
    await a.rows('COMMIT');
    expect(
      await b.value(
        "DECLARE @r int; EXEC @r = sp_getapplock 'lane', 'Exclusive', 'Transaction', 50; SELECT @r",
      ),
    ).toBe('0');
  });
});

describe('cancellation', () => {
  /** Cancels a batch as soon as PostgreSQL is seen waiting in it. */
  async function cancelled(sql: string): Promise<void> {
    const cancel = new AbortController();
    const running = a.run(sql, [], cancel.signal);
    const deadline = Date.now() + 5_000;
    while (
      (await watcher.value("SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE status = 'active'")) !== '2' &&
      Date.now() < deadline
    );
    cancel.abort();
    expect((await running).errors).toEqual([]);
  }

  it('leaves the session usable and the transaction open', async () => {
    await b.rows('BEGIN TRAN; UPDATE t SET v = 9 WHERE id = 1');
    await cancelled('BEGIN TRAN; INSERT t VALUES (3, 3); UPDATE t SET v = 8 WHERE id = 1');
    expect(await a.rows('SELECT @@TRANCOUNT, COUNT(*) FROM t')).toEqual([['1', '3']]);
  });

  it('rolls back under XACT_ABORT ON', async () => {
    await b.rows('BEGIN TRAN; UPDATE t SET v = 9 WHERE id = 1');
    await cancelled('SET XACT_ABORT ON; BEGIN TRAN; INSERT t VALUES (3, 3); UPDATE t SET v = 8 WHERE id = 1');
    expect(await a.rows('SELECT @@TRANCOUNT, COUNT(*) FROM t')).toEqual([['0', '2']]);
  });
});
