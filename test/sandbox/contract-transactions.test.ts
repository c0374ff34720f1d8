// Transactions, locks and cancellation over two real connections. No test reads a row that another session has changed and
// not committed, so that READ_COMMITTED_SNAPSHOT may be on or off.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freshWarehouse, type Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let a: Session;
let b: Session;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  [a, b] = [await warehouse.open(), await warehouse.open()];
  await a.rows('CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, v int NULL)');
});
beforeEach(async () => {
  for (const session of [a, b]) {
    await session.run('IF @@TRANCOUNT > 0 ROLLBACK; SET XACT_ABORT OFF; SET LOCK_TIMEOUT -1');
  }
  await a.rows('DELETE dbo.t; INSERT dbo.t VALUES (1, 1), (2, 2)');
});
afterAll(() => warehouse.close());

/** Resolves when a session of this database waits for another's lock. */
async function someoneWaits(): Promise<void> {
  const watcher = await warehouse.open();
  const waiting =
    'SELECT COUNT(*) FROM sys.dm_exec_requests WHERE blocking_session_id <> 0 AND database_id = DB_ID()';
  const deadline = Date.now() + 10_000;
  while ((await watcher.value(waiting)) === 0) {
    if (Date.now() > deadline) throw new Error('Nobody waited for a lock within 10 s.');
  }
}

describe('transactions', () => {
  it('count their nesting; only the outermost commit commits', async () => {
    const nested = 'BEGIN TRAN; BEGIN TRAN; COMMIT; INSERT dbo.t VALUES (3, 3); SELECT @@TRANCOUNT';
    expect(await a.value(nested)).toBe(1);
    await a.rows('ROLLBACK');
    expect(await a.rows('SELECT @@TRANCOUNT, COUNT(*) FROM dbo.t')).toEqual([[0, 2]]);
  });

  it('go back to a savepoint and stay open', async () => {
    const text = `BEGIN TRAN; INSERT dbo.t VALUES (3, 3); SAVE TRAN here; DELETE dbo.t; ROLLBACK TRAN here;
      SELECT COUNT(*), @@TRANCOUNT FROM dbo.t; COMMIT`;
    expect(await a.rows(text)).toEqual([[3, 1]]);
    expect(await a.numbers('BEGIN TRAN; ROLLBACK TRAN nowhere')).toEqual([6401]);
  });

  it('roll back tables made inside', async () => {
    await a.rows(`BEGIN TRAN; CREATE TABLE dbo.made (id int); CREATE TABLE #made (id int); INSERT dbo.made VALUES (1);
      INSERT #made VALUES (1); ROLLBACK`);
    expect(await a.numbers('SELECT * FROM dbo.made')).toEqual([208]);
    expect(await a.numbers('SELECT * FROM #made')).toEqual([208]);
  });

  it("work through the driver's own calls", async () => {
    const transaction = a.pool.transaction();
    await transaction.begin();
    await transaction.request().batch('INSERT dbo.t VALUES (3, 3)');
    const { recordset } = await transaction.request().query<{ n: number }>('SELECT @@TRANCOUNT AS n');
    expect(recordset[0]?.n).toBe(1);
    await transaction.rollback();
    expect(await a.value('SELECT COUNT(*) FROM dbo.t')).toBe(2);
  });
});

describe('XACT_ABORT OFF', () => {
  it('loses the failed statement only, and the batch goes on', async () => {
    const { errors, sets } = await a.run(
      'BEGIN TRAN; INSERT dbo.t VALUES (3, 3); INSERT dbo.t VALUES (1, 1); SELECT @@ERROR, @@TRANCOUNT; COMMIT',
    );
    expect(errors.map((e) => e.number)).toEqual([2627]);
    expect(sets.at(-1)?.rows).toEqual([[2627, 1]]);
    expect(await b.value('SELECT COUNT(*) FROM dbo.t')).toBe(3);
  });

  it('in TRY leaves the transaction committable after a constraint error', async () => {
    const text = `BEGIN TRY BEGIN TRAN; INSERT dbo.t VALUES (3, 3); INSERT dbo.t VALUES (1, 1); END TRY
      BEGIN CATCH SELECT XACT_STATE(), @@TRANCOUNT, ERROR_NUMBER(); COMMIT; END CATCH`;
    expect(await a.rows(text)).toEqual([[1, 1, 2627]]);
    expect(await b.value('SELECT COUNT(*) FROM dbo.t')).toBe(3);
  });

  it('still dooms the transaction at a failed conversion in TRY', async () => {
    const text = `BEGIN TRY BEGIN TRAN; SELECT CAST('x' AS int); END TRY
      BEGIN CATCH SELECT XACT_STATE(), ERROR_NUMBER(); ROLLBACK; END CATCH`;
    expect(await a.rows(text)).toEqual([[-1, 245]]);
  });

  it('ends batch and transaction at a failed conversion outside of TRY', async () => {
    const { errors, sets } = await a.run("BEGIN TRAN; SELECT CAST('x' AS int); SELECT 1");
    expect(errors.map((e) => e.number)).toEqual([245]);
    expect(sets.flatMap(({ rows }) => rows)).toEqual([]);
    expect(await a.value('SELECT @@TRANCOUNT')).toBe(0);
  });
});

describe('XACT_ABORT ON', () => {
  it('rolls back and ends the batch at any error', async () => {
    const { errors, sets } = await a.run(
      'SET XACT_ABORT ON; BEGIN TRAN; INSERT dbo.t VALUES (3, 3); INSERT dbo.t VALUES (1, 1); SELECT 1',
    );
    expect(errors.map((e) => e.number)).toEqual([2627]);
    expect(sets).toEqual([]);
    expect(await a.rows('SELECT COUNT(*), @@TRANCOUNT FROM dbo.t')).toEqual([[2, 0]]);
  });

  it('dooms inside TRY: reads go on, writes and commits are 3930, nothing remains', async () => {
    const { sets } = await a.run(`
      SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; INSERT dbo.t VALUES (3, 3); INSERT dbo.t VALUES (1, 1); END TRY
      BEGIN CATCH
        SELECT ERROR_NUMBER(), XACT_STATE(), @@TRANCOUNT, ERROR_LINE();
        BEGIN TRY DELETE dbo.t END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH
        BEGIN TRY COMMIT END TRY BEGIN CATCH SELECT ERROR_NUMBER() END CATCH
        ROLLBACK; SELECT XACT_STATE(), COUNT(*) FROM dbo.t
      END CATCH`);
    expect(sets.map(({ rows }) => rows[0])).toEqual([[2627, -1, 1, 2], [3930], [3930], [0, 2]]);
  });

  it('left doomed at the end of the batch is rolled back with 3998', async () => {
    const text = 'SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; SELECT 1/0 END TRY BEGIN CATCH SELECT 1 END CATCH';
    expect(await a.numbers(text)).toEqual([3998]);
    expect(await a.value('SELECT @@TRANCOUNT')).toBe(0);
  });

  it('is not moved by RAISERROR, but by THROW', async () => {
    const raised = "SET XACT_ABORT ON; BEGIN TRAN; RAISERROR('r', 16, 1); SELECT @@TRANCOUNT";
    expect((await a.run(raised)).sets.at(-1)?.rows).toEqual([[1]]);
    await a.run('ROLLBACK');
    expect(await a.numbers("SET XACT_ABORT ON; BEGIN TRAN; THROW 50001, 't', 1")).toEqual([50001]);
    expect(await a.value('SELECT @@TRANCOUNT')).toBe(0);
  });
});

describe('THROW', () => {
  it('in CATCH throws the first error again, and ends the batch', async () => {
    const { errors, sets } = await a.run(
      'BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH THROW END CATCH; SELECT 1',
    );
    expect(errors.map((e) => e.number)).toEqual([8134]);
    expect(sets.flatMap(({ rows }) => rows)).toEqual([]);
  });
});

describe('locks', () => {
  it('are given up with 1222 after LOCK_TIMEOUT; the transaction lives on', async () => {
    await a.rows('BEGIN TRAN; UPDATE dbo.t SET v = 9 WHERE id = 1');
    const { errors, sets } = await b.run(
      'SET LOCK_TIMEOUT 50; BEGIN TRAN; UPDATE dbo.t SET v = 8 WHERE id = 1; SELECT @@TRANCOUNT; ROLLBACK',
    );
    expect(errors.map((e) => e.number)).toEqual([1222]);
    expect(sets.at(-1)?.rows).toEqual([[1]]);
  });

  it('of UPDLOCK keep a second one out', async () => {
    await a.rows('BEGIN TRAN; SELECT v FROM dbo.t WITH (UPDLOCK, HOLDLOCK) WHERE id = 1');
    const second = 'SET LOCK_TIMEOUT 50; SELECT v FROM dbo.t WITH (UPDLOCK, HOLDLOCK) WHERE id = 1';
    expect(await b.numbers(second)).toEqual([1222]);
    await a.rows('ROLLBACK');
    expect(await b.value(second)).toBe(1);
  });

  it('that wait for each other end one transaction with 1205, and only one', async () => {
    await a.rows('BEGIN TRAN; UPDATE dbo.t SET v = 9 WHERE id = 1');
    await b.rows('BEGIN TRAN; UPDATE dbo.t SET v = 9 WHERE id = 2');
    const results = await Promise.all([
      a.run('UPDATE dbo.t SET v = 8 WHERE id = 2'),
      b.run('UPDATE dbo.t SET v = 8 WHERE id = 1'),
    ]);
    expect(results.flatMap(({ errors }) => errors).map((e) => [e.number, e.class])).toEqual([[1205, 13]]);
    const [victim, winner] = results[0]!.errors.length > 0 ? [a, b] : [b, a];
    expect(await victim.value('SELECT @@TRANCOUNT')).toBe(0);
    expect(await winner.value('SELECT @@TRANCOUNT')).toBe(1);
  });
});

describe('sp_getapplock', () => {
  const take = (timeout: number, owner = 'Transaction') => `
    DECLARE @r int;
    EXEC @r = sp_getapplock @Resource = N'lane', @LockMode = 'Exclusive', @LockOwner = '${owner}', @LockTimeout = ${timeout};
    SELECT @r`;

  it('is 0 when free, -1 when it times out, and free again after the transaction', async () => {
    expect(await a.value(`BEGIN TRAN; ${take(50)}`)).toBe(0);
    expect(await a.value(take(50))).toBe(0);
    expect(await b.value(`BEGIN TRAN; ${take(0)}`)).toBe(-1);
    expect(await b.value(take(80))).toBe(-1);
    expect(await b.value('SELECT @@TRANCOUNT')).toBe(1);
    await a.rows('COMMIT');
    expect(await b.value(take(50))).toBe(0);
  });

  it('is 1 when it was waited for', async () => {
    await a.rows(`BEGIN TRAN; ${take(50)}`);
    const waiting = b.value(`BEGIN TRAN; ${take(20_000)}`);
    await someoneWaits();
    await a.rows('ROLLBACK');
    expect(await waiting).toBe(1);
  });

  it('of a session outlives its transaction, until released', async () => {
    await a.rows(`BEGIN TRAN; ${take(50, 'Session')}; COMMIT`);
    expect(await b.value(take(0, 'Session'))).toBe(-1);
    await a.rows("EXEC sp_releaseapplock @Resource = N'lane', @LockOwner = 'Session'");
    expect(await b.value(take(0, 'Session'))).toBe(0);
    await b.rows("EXEC sp_releaseapplock @Resource = N'lane', @LockOwner = 'Session'");
  });

  it('of a transaction wants one', async () => {
    const { errors, sets } = await a.run(take(0));
    expect(errors.map((e) => e.number)).toEqual([15626]);
    expect(sets.at(-1)?.rows).toEqual([[-999]]);
  });
});

describe('a cancelled request', () => {
  it('stops, and leaves the session usable and its transaction open', async () => {
    await b.rows('BEGIN TRAN; UPDATE dbo.t SET v = 9 WHERE id = 1');
    const request = a.pool.request();
    const running = request.batch(
      'BEGIN TRAN; INSERT dbo.t VALUES (3, 3); UPDATE dbo.t SET v = 8 WHERE id = 1',
    );
    await someoneWaits();
    request.cancel();
    await expect(running).rejects.toMatchObject({ code: 'ECANCEL' });
    expect(await a.rows('SELECT @@TRANCOUNT, COUNT(*) FROM dbo.t WHERE id = 3')).toEqual([[1, 1]]);
  });

  it('is rolled back under XACT_ABORT ON', async () => {
    await b.rows('BEGIN TRAN; UPDATE dbo.t SET v = 9 WHERE id = 1');
    const request = a.pool.request();
    const running = request.batch(
      'SET XACT_ABORT ON; BEGIN TRAN; INSERT dbo.t VALUES (3, 3); UPDATE dbo.t SET v = 8 WHERE id = 1',
    );
    await someoneWaits();
    request.cancel();
    await expect(running).rejects.toMatchObject({ code: 'ECANCEL' });
    expect(await a.rows('SELECT @@TRANCOUNT, COUNT(*) FROM dbo.t WHERE id = 3')).toEqual([[0, 0]]);
  });
});
