// Transactions, resets, cancelling and bulk load, as tedious asks for them.

import { once } from 'node:events';
import { Request } from 'tedious';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen, type TdsListener } from '../../sandbox/sqlserver/tds/listener.ts';
import { packetize } from '../../sandbox/sqlserver/tds/packets.ts';
import { connect, run, TYPES } from './tds-client.ts';
import { answer, closed, errors, open, rawLogin, until } from './tds-raw.ts';
import { message, PASSWORD, Script, USER } from './tds-scripted.ts';

const INT = { name: 'n', type: { name: 'int' }, nullable: true } as const;

let script: Script;
let listener: TdsListener;
beforeEach(async () => {
  script = new Script();
  listener = await listen(script);
});
afterEach(() => listener.stop());

describe('transactions', () => {
  it('begin, save, roll back to the savepoint and commit, with their isolation level', async () => {
    const connection = await connect(listener.port);
    const step = (start: (done: (error?: Error | null) => void) => void): Promise<void> =>
      new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
    await step((done) => connection.beginTransaction(done, 'tx', 4));
    await step((done) => connection.saveTransaction(done, 'point'));
    await step((done) => connection.commitTransaction(done));
    await step((done) => connection.beginTransaction(done));
    const rolledBack = once(connection, 'rollbackTransaction');
    await step((done) => connection.rollbackTransaction(done));
    await rolledBack;
    expect(script.transactions).toEqual([
      { kind: 'begin', name: 'tx', isolation: 4 },
      { kind: 'save', name: 'point', isolation: 0 },
      { kind: 'commit', name: '', isolation: 0 },
      { kind: 'begin', name: '', isolation: 2 },
      { kind: 'rollback', name: '', isolation: 0 },
    ]);
    connection.close();
  });

  it('a reset ends the open one and tells the client', async () => {
    const connection = await connect(listener.port);
    await new Promise<void>((resolve, reject) =>
      connection.beginTransaction((error) => (error ? reject(error) : resolve())),
    );
    const told = Promise.all([once(connection, 'resetConnection'), once(connection, 'rollbackTransaction')]);
    await new Promise<void>((resolve, reject) =>
      connection.reset((error) => (error ? reject(error) : resolve())),
    );
    await told;
    expect(script.resets).toBe(1);
    connection.close();
  });
});

describe('cancelling', () => {
  it('aborts the running batch; the connection goes on', async () => {
    const connection = await connect(listener.port);
    let cancelled = false;
    script.onBatch = async ({ sink, cancel }) => {
      sink.columns([INT]);
      sink.row(['1']);
      await once(cancel, 'abort');
      cancelled = true;
      sink.error(message(3980, 'what the engine says of it must not reach the client'));
    };
    const outcome = run(connection, 'waitfor');
    await until(() => script.batches.some(({ sql: text }) => text === 'waitfor'));
    connection.cancel();
    await expect(outcome).rejects.toMatchObject({ code: 'ECANCEL' });
    expect(cancelled).toBe(true);
    script.onBatch = ({ sink }) => sink.done(2);
    expect((await run(connection, 'next')).rowCount).toBe(2);
    connection.close();
  });

  it('frees a batch that waits for the client to read', async () => {
    const connection = await connect(listener.port);
    let ended = false;
    script.onBatch = async ({ sink, cancel }) => {
      sink.columns([{ name: 't', type: { name: 'nvarchar', length: 4000 }, nullable: true }]);
      while (!cancel.aborted) await sink.row(['x'.repeat(4000)]);
      ended = true;
    };
    await new Promise<void>((resolve, reject) => {
      const request = new Request('select', (error) => {
        expect(error).toMatchObject({ code: 'ECANCEL' });
        resolve();
      });
      request.once('row', () => {
        request.pause();
        setImmediate(() => connection.cancel());
      });
      request.on('error', reject);
      connection.execSqlBatch(request);
    });
    expect(ended).toBe(true);
    connection.close();
  });

  it('in the middle of a bulk load leaves the connection usable', async () => {
    const connection = await connect(listener.port);
    const load = connection.newBulkLoad('t', () => undefined);
    load.addColumn('id', TYPES.Int, { nullable: false });
    const failed = new Promise((resolve) => {
      (load as unknown as { callback: (error: unknown) => void }).callback = resolve;
    });
    connection.execBulkLoad(
      load,
      (async function* () {
        for (let i = 0; ; i++) {
          yield [i];
          if (i === 50_000) load.cancel();
        }
      })(),
    );
    expect(await failed).toMatchObject({ code: 'ECANCEL' });
    script.onBatch = ({ sink }) => sink.done(1);
    expect((await run(connection, 'next')).rowCount).toBe(1);
    connection.close();
  });
});

describe('bulk load', () => {
  it('cancelled before the engine is through does not complete', async () => {
    const socket = await open(listener.port);
    await rawLogin(socket, USER, PASSWORD);
    const batch = Buffer.concat([Buffer.from([4, 0, 0, 0]), Buffer.from('insert bulk t (n int)', 'utf16le')]);
    socket.write(packetize(batch, 1, 4096, 1, true));
    await answer(socket);
    // COLMETADATA of a nullable int "n", one row, DONE; and the attention at its heels.
    const column = [0x81, 1, 0, 0, 0, 0, 0, 1, 0, 0x26, 4, 1, 0x6e, 0];
    const load = Buffer.from([...column, 0xd1, 4, 7, 0, 0, 0, 0xfd, ...new Array(12).fill(0)]);
    const attention = packetize(Buffer.alloc(0), 6, 4096, 1, true);
    socket.write(Buffer.concat([packetize(load, 7, 4096, 1, true), attention]));
    const acknowledged = await answer(socket);
    // Two messages: an error's DONE, then the acknowledgement.
    expect(acknowledged.subarray(0, 3)).toEqual(Buffer.from([0xfd, 0x02, 0]));
    expect(script.loads.some(({ completed }) => completed)).toBe(false);
    socket.destroy();
  });

  it('holds the client back while the engine is slower', async () => {
    const connection = await connect(listener.port);
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    script.onBulkChunk = () => gate;
    let sent = 0;
    const total = 40_000;
    const finished = new Promise<number | undefined>((resolve, reject) => {
      const load = connection.newBulkLoad('t', (error, count) => (error ? reject(error) : resolve(count)));
      load.addColumn('v', TYPES.NVarChar, { nullable: false, length: 1000 });
      connection.execBulkLoad(
        load,
        (function* () {
          for (; sent < total; sent++) yield ['v'.repeat(1000)];
        })(),
      );
    });
    // The client's progress ends although the engine took nothing but the first chunk.
    let before = -1;
    await until(() => {
      const still = sent > 0 && sent === before;
      before = sent;
      return still;
    }, 200);
    expect(sent).toBeLessThan(total);
    release();
    expect(await finished).toBe(total);
    connection.close();
  });

  it('without INSERT BULK is a fault of the stream', async () => {
    const socket = await open(listener.port);
    await rawLogin(socket, USER, PASSWORD);
    socket.write(packetize(Buffer.from([0x81, 0, 0]), 7, 4096, 1, true));
    expect(errors(await answer(socket))).toEqual([[4002, 1, 16]]);
    await closed(socket);
  });
});
