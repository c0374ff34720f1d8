// Apply over a connection that breaks at the worst moments, and against others who lock the same rows.

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { retry } from '../../src/fault/retry.ts';
import { openWarehouse } from '../../src/warehouse/connection.ts';
import type { SqlSession, Warehouse } from '../../src/warehouse/session.ts';
import { TestLane, type TestTable } from './warehouse-apply-lane.ts';

const counters: TestTable = {
  entity: 'counters',
  key: ['id'],
  columns: { id: ['bigint', 'long'], n: ['int', 'int'] },
};
const { signal } = new AbortController();

/** A network between walbridge and the warehouse that can be cut. */
class Wire {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Set: the server's next answer is lost, and its connection with it. */
  loseNextAnswer = false;

  constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      const upstream = connect(port, host);
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => this.#sockets.delete(socket));
      }
      client.pipe(upstream);
      upstream.on('data', (data) => {
        if (!this.loseNextAnswer) {
          client.write(data);
          return;
        }
        this.loseNextAnswer = false;
        client.destroy();
      });
      upstream.on('close', () => client.destroy());
      client.on('close', () => upstream.destroy());
    });
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

describe('apply over a failing connection', () => {
  let lane: TestLane;
  let wire: Wire;
  let remote: Warehouse;

  beforeAll(async () => {
    lane = await TestLane.open([counters]);
    const [, host = '', port = ''] = /Server=([^,;]+),(\d+)/i.exec(lane.connectionString) ?? [];
    wire = new Wire(host, Number(port));
    const connectionString = lane.connectionString.replace(
      /Server=[^;]+/i,
      `Server=127.0.0.1,${await wire.open()}`,
    );
    remote = await openWarehouse({ connectionString }, { requestTimeoutMs: 20_000 });
  });
  afterAll(async () => {
    await remote?.close();
    wire?.close();
    await lane?.close();
  });

  /** The far warehouse, with something happening at the end of a transaction's work. */
  const applierWith = (atCommit: (attempt: number, session: SqlSession) => undefined | Promise<void>) => {
    let attempt = 0;
    return lane.newApplier({
      warehouse: {
        ...remote,
        transaction: (work) =>
          remote.transaction(async (session) => {
            const result = await work(session);
            attempt += 1;
            await atCommit(attempt, session);
            return result;
          }),
      },
    });
  };
  const stored = () => lane.rows('dbo.counters', 'id, n');

  it('leaves nothing of a batch whose connection breaks before the commit, and applies it when called again', async () => {
    const applier = await applierWith((attempt) => {
      if (attempt === 1) wire.cut();
      return undefined;
    });
    const batch = lane.batch([{ insert: 'counters', row: { id: 1, n: 1 } }]);
    await expect(applier.apply(batch, signal)).rejects.toMatchObject({ kind: 'transient' });
    await expect.poll(stored, { timeout: 10_000 }).toEqual([]);
    expect(await applier.apply(batch, signal)).toMatchObject({ kind: 'applied' });
    expect(await stored()).toEqual([{ id: '1', n: 1 }]);
  });

  it('finds out that a commit happened although its answer was lost', async () => {
    const applier = await applierWith((attempt) => {
      wire.loseNextAnswer = attempt === 1;
      return undefined;
    });
    const batch = lane.batch([{ update: 'counters', row: { id: 1, n: 2 } }]);
    const outcome = await retry(() => applier.apply(batch, signal), {
      backoff: { initialMs: 50, maximumMs: 500 },
      signal,
    });
    expect(['applied', 'skipped']).toContain(outcome.kind);
    expect(await stored()).toEqual([{ id: '1', n: 2 }]);
    expect(await lane.rows('walbridge.batch_log', 'position', 'commit_lsn')).toHaveLength(2);
  });

  it('is serialised with another applier of the lane, and each batch counts once', async () => {
    const [a, b] = [await lane.newApplier(), await lane.newApplier()];
    const batch = lane.batch([{ update: 'counters', row: { id: 1, n: 3 } }]);
    const outcomes = await Promise.all([a.apply(batch, signal), b.apply(batch, signal)]);
    expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(['applied', 'skipped']);
  });

  it('is transient while somebody else keeps the lane', async () => {
    const applier = await lane.newApplier({ limits: { lockTimeoutMs: 100 } });
    await lane.apply([{ update: 'counters', row: { id: 1, n: 3 } }]);
    const batch = lane.batch([{ update: 'counters', row: { id: 1, n: 4 } }]);
    await lane.warehouse.transaction(async (session) => {
      await session.batch(
        "DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'walbridge.lane.main', @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 0; SELECT @r AS r;",
      );
      // Whoever applies holds the lane's watermark too: it must not be waited for.
      await session.batch("UPDATE walbridge.watermark SET position = position WHERE lane = N'main'");
      await expect(applier.apply(batch, signal)).rejects.toMatchObject({ code: 'WB6504', kind: 'transient' });
    });
    expect(await applier.apply(batch, signal)).toMatchObject({ kind: 'applied' });
  });

  it('comes through a deadlock, as its victim or as the survivor', async () => {
    await lane.apply([
      { insert: 'counters', row: { id: 2, n: 0 } },
      { insert: 'counters', row: { id: 9, n: 0 } },
    ]);
    const batch = lane.batch([{ update: 'counters', row: { id: 2, n: 5 } }]);
    const victims: unknown[] = [];
    let crossOver = () => {};
    const crossed = new Promise<void>((resolve) => {
      crossOver = resolve;
    });
    // The other holds row 9 and then wants row 2; apply holds row 2 and, by the hook, then wants row 9.
    let holds = () => {};
    const held = new Promise<void>((resolve) => {
      holds = resolve;
    });
    const other = lane.warehouse
      .transaction(async (session) => {
        await session.batch('UPDATE dbo.counters SET n = n + 1 WHERE id = 9');
        holds();
        await crossed;
        await session.batch('UPDATE dbo.counters SET n = n + 1 WHERE id = 2');
      })
      .catch((error: unknown) => victims.push(error));
    await held;
    const applier = await applierWith(async (attempt, session) => {
      if (attempt > 1) return;
      crossOver();
      await session.batch('UPDATE dbo.counters SET n = n + 1 WHERE id = 9');
    });
    const outcome = await retry(() => applier.apply(batch, signal), {
      backoff: { initialMs: 20, maximumMs: 200 },
      signal,
      onRetry: (fault) => victims.push(fault),
    });
    await other;
    expect(outcome.kind).toBe('applied');
    expect(victims).toMatchObject([{ fault: { number: 1205 }, kind: 'transient' }]);
  });
});
