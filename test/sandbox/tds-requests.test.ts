// Requests and their answers through tedious: errors, counts, procedures, output parameters, and backpressure.

import { once } from 'node:events';
import { Request } from 'tedious';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Writer } from '../../sandbox/sqlserver/tds/bytes.ts';
import { listen, type TdsListener } from '../../sandbox/sqlserver/tds/listener.ts';
import { packetize } from '../../sandbox/sqlserver/tds/packets.ts';
import { codecOf } from '../../sandbox/sqlserver/tds/types.ts';
import { connect, run, TYPES } from './tds-client.ts';
import { answer, open, rawLogin, until } from './tds-raw.ts';
import { message, PASSWORD, Script, USER } from './tds-scripted.ts';

const INT = { name: 'n', type: { name: 'int' }, nullable: true } as const;

let script: Script;
let listener: TdsListener;
beforeEach(async () => {
  script = new Script();
  listener = await listen(script);
});
afterEach(() => listener.stop());

describe('answers', () => {
  it('carry an error’s number, state, class, line and procedure', async () => {
    const connection = await connect(listener.port);
    script.onBatch = ({ sink }) => sink.error(message(547, 'conflicted'));
    await expect(run(connection, 'insert')).rejects.toMatchObject({
      number: 547,
      state: 3,
      class: 16,
      lineNumber: 4,
      procName: 'p',
      message: 'conflicted',
    });
    connection.close();
  });

  it('count each statement, and carry messages between them', async () => {
    const connection = await connect(listener.port);
    const messages: string[] = [];
    connection.on('infoMessage', ({ message: text }) => messages.push(text));
    script.onBatch = ({ sink }) => {
      sink.done(3);
      sink.info(message(0, 'between', 0));
      sink.done(null);
      sink.done(4_294_967_296);
    };
    expect((await run(connection, 'update')).rowCount).toBe(4_294_967_299);
    expect(messages).toEqual(['between']);
    connection.close();
  });

  it('of two result sets come one after the other', async () => {
    const connection = await connect(listener.port);
    script.onBatch = ({ sink }) => {
      for (const n of ['1', '2']) {
        sink.columns([INT]);
        sink.row([n]);
        sink.done(1);
      }
    };
    expect((await run(connection, 'select')).rows).toEqual([[1], [2]]);
    connection.close();
  });

  it('tell of the database that USE changed to', async () => {
    const connection = await connect(listener.port);
    script.onBatch = ({ sink }) => {
      sink.database('other', 'crm');
      sink.done(null);
    };
    const changed = once(connection, 'databaseChange');
    await run(connection, 'use other');
    expect(await changed).toEqual(['other']);
    connection.close();
  });

  it('of 200,000 rows are held back while the client does not read', async () => {
    const connection = await connect(listener.port);
    let written = 0;
    let waited = false;
    script.onBatch = async ({ sink }) => {
      sink.columns([{ name: 't', type: { name: 'nvarchar', length: 100 }, nullable: true }]);
      const value = ['x'.repeat(100)];
      for (; written < 200_000; written++) {
        const full = sink.row(value);
        waited ||= full !== undefined;
        await full;
      }
      sink.done(written);
    };
    let rows = 0;
    await new Promise<void>((resolve, reject) => {
      const request = new Request('select', (error) => (error ? reject(error) : resolve()));
      request.on('row', () => {
        rows += 1;
        if (rows !== 1) return;
        request.pause();
        until(() => waited).then(() => {
          expect(written).toBeLessThan(200_000);
          request.resume();
        }, reject);
      });
      connection.execSqlBatch(request);
    });
    expect(rows).toBe(200_000);
    connection.close();
  });

  it('report a fault of the engine to its client alone', async () => {
    const [broken, other] = await Promise.all([connect(listener.port), connect(listener.port)]);
    script.onBatch = ({ sql: text, sink }) => {
      if (text === 'bug') throw new TypeError('a bug');
      sink.done(5);
    };
    await expect(run(broken, 'bug')).rejects.toMatchObject({
      message: 'sandbox: internal error: a bug',
      class: 20,
    });
    expect((await run(other, 'fine')).rowCount).toBe(5);
    other.close();
  });

  it('keep no half a row when a value does not fit its column', async () => {
    const connection = await connect(listener.port);
    script.onBatch = ({ sink }) => {
      sink.columns([INT, { name: 'd', type: { name: 'date' }, nullable: true }]);
      sink.row(['1', 'infinity']);
    };
    await expect(run(connection, 'select')).rejects.toThrow(/no date or time of SQL Server/);
    connection.close();
  });
});

describe('procedures', () => {
  it('sp_executesql returns output parameters and a status', async () => {
    const connection = await connect(listener.port);
    script.onBatch = ({ sink, parameters }) => {
      sink.output({ ...parameters[1]!, value: '1234567890.1234' });
      sink.returnStatus(3);
      sink.done(null);
    };
    const answer = await run(connection, 'set @out = @in', 'execSql', (request) => {
      request.addParameter('in', TYPES.Int, 1);
      request.addOutputParameter('out', TYPES.Decimal, null, { precision: 19, scale: 4 });
    });
    expect(script.batches.at(-1)!.parameters[1]).toMatchObject({
      name: '@out',
      output: true,
      type: { name: 'decimal', precision: 19, scale: 4 },
    });
    expect(answer.outputs).toEqual({ out: 1234567890.1234 });
    expect(answer.returnStatus).toBe(3);
    connection.close();
  });

  it('any other becomes an EXEC with its parameters', async () => {
    const connection = await connect(listener.port);
    await run(connection, 'sp_getapplock', 'callProcedure', (request) => {
      request.addParameter('Resource', TYPES.NVarChar, 'lane');
      request.addOutputParameter('Result', TYPES.Int);
    });
    expect(script.batches.at(-1)).toEqual({
      sql: 'EXEC sp_getapplock @Resource = @Resource, @Result = @Result OUTPUT',
      parameters: [
        { name: '@Resource', type: { name: 'nvarchar', length: 4 }, value: 'lane', output: false },
        { name: '@Result', type: { name: 'int' }, value: null, output: true },
      ],
    });
    connection.close();
  });

  it('prepare, execute twice and unprepare', async () => {
    const connection = await connect(listener.port);
    script.onBatch = ({ sink, parameters }) => {
      sink.columns([INT]);
      sink.row([parameters[0]!.value]);
      sink.done(1);
    };
    const results: unknown[] = [];
    let finished: (error?: Error | null) => void = () => undefined;
    const request = new Request('select @a', (error) => finished(error));
    request.addParameter('a', TYPES.Int);
    request.on('row', (columns: { value: unknown }[]) => results.push(columns[0]!.value));
    const step = (start: () => void): Promise<void> =>
      new Promise((resolve, reject) => {
        finished = (error) => (error ? reject(error) : resolve());
        start();
      });
    const prepared = once(request, 'prepared');
    connection.prepare(request);
    await prepared;
    await step(() => connection.execute(request, { a: 5 }));
    await step(() => connection.execute(request, { a: 6 }));
    expect(results).toEqual([5, 6]);
    await step(() => connection.unprepare(request));
    await expect(step(() => connection.execute(request, { a: 7 }))).rejects.toMatchObject({ number: 8179 });
    connection.close();
  });

  it('refuse a table-valued parameter by name, and the connection goes on', async () => {
    const connection = await connect(listener.port);
    const refused = run(connection, 'select', 'execSql', (request) => {
      request.addParameter('t', TYPES.TVP, { name: 'tt', columns: [], rows: [] });
    });
    await expect(refused).rejects.toThrow('sandbox: table-valued parameters is not supported');
    await run(connection, 'select');
    connection.close();
  });

  it('take unnamed values in the order of the declarations, and answer two calls of one message', async () => {
    script.onBatch = ({ sink }) => {
      sink.transaction('begin', 9n);
      sink.done(1);
    };
    const socket = await open(listener.port);
    await rawLogin(socket, USER, PASSWORD);
    const out = new Writer();
    const text = codecOf({ name: 'nvarchar', length: 40 });
    const parameter = (value: string): void => {
      out.raw(Uint8Array.of(0, 0));
      out.raw(text.info);
      text.write(out, value);
    };
    out.u32(4);
    for (const [i, value] of ['one', 'two'].entries()) {
      if (i > 0) out.u8(0xff);
      out.u16(0xffff);
      out.u16(10);
      out.u16(0);
      for (const each of ['select @a, @b', '@a nvarchar(9), @b nvarchar(9)', value, 'b']) parameter(each);
    }
    socket.write(packetize(out.bytes.subarray(0, out.length), 3, 4096, 1, true));
    const payload = await answer(socket);
    expect(
      script.batches.map(({ parameters }) => parameters.map(({ name, value }) => [name, value])),
    ).toEqual([
      [
        ['@a', 'one'],
        ['@b', 'b'],
      ],
      [
        ['@a', 'two'],
        ['@b', 'b'],
      ],
    ]);
    // DONEPROC: more follows the first, nothing the second; a transaction is open (MS-TDS 2.2.7.8).
    const ends = [...payload.keys()].filter((at) => payload[at] === 0xfe && payload[at - 5] === 0x79);
    expect(ends.map((at) => payload.readUInt16LE(at + 1))).toEqual([0x05, 0x04]);
    socket.destroy();
  });
});
