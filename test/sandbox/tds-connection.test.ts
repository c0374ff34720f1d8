// The wire's conduct: logins, TLS, errors, row counts, transactions, cancelling, resets, backpressure and broken input.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import sql from 'mssql';
import { Request } from 'tedious';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen, type TdsListener } from '../../sandbox/sqlserver/tds/listener.ts';
import { packetize } from '../../sandbox/sqlserver/tds/packets.ts';
import { connect, run, TYPES } from './tds-client.ts';
import { message, PASSWORD, Script, USER } from './tds-scripted.ts';

const INT = { name: 'n', type: { name: 'int' }, nullable: true } as const;

let script: Script;
let listener: TdsListener;
beforeEach(async () => {
  script = new Script();
  listener = await listen(script);
});
afterEach(() => listener.stop());

describe('login', () => {
  it.each([false, true])('mssql logs in and queries, encrypt: %s', async (encrypt) => {
    script.onBatch = ({ sink, sql: text }) => {
      if (!text.includes('@x')) return sink.done(null);
      sink.columns([INT]);
      sink.row(['7']);
      sink.done(1);
    };
    const pool = await new sql.ConnectionPool({
      server: 'localhost',
      port: listener.port,
      user: USER,
      password: PASSWORD,
      options: { encrypt, trustServerCertificate: true },
    }).connect();
    const { recordset } = await pool.request().input('x', sql.Int, 7).query('select @x as n');
    expect(recordset).toEqual([{ n: 7 }]);
    await pool.close();
  });

  it('refuses a wrong password with 18456 and closes', async () => {
    const failure = await connect(listener.port, {}, { password: 'no' }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'ELOGIN', message: "Login failed for user 'sa'." });
    const refused = await rawLogin(await open(), 'sa', 'no');
    expect(errors(refused)).toEqual([[18456, 1, 14]]);
  });

  it('says first which database is missing, then that the login failed', async () => {
    const refused = await rawLogin(await open(), USER, PASSWORD, 'missing');
    expect(errors(refused)).toEqual([
      [4060, 1, 11],
      [18456, 1, 14],
    ]);
  });

  it('refuses integrated logins by name', async () => {
    const failure = await connect(listener.port, {}, {}).then((connection) => connection.close());
    expect(failure).toBeUndefined();
    const answer = await rawLogin(await open(), USER, PASSWORD, 'crm', { flags2: 0x80 });
    expect(answer.toString('utf16le', answer.indexOf('s\0a\0n\0d\0b\0'))).toContain('SSPI');
  });

  it('agrees on the packet size that the client asks for', async () => {
    script.onBatch = ({ sink, sql: text }) => {
      if (text !== 'select') return sink.done(null);
      sink.columns([{ name: 't', type: { name: 'nvarchar', length: 'max' }, nullable: true }]);
      sink.row(['z'.repeat(200_000)]);
      sink.done(1);
    };
    for (const packetSize of [512, 32767]) {
      const connection = await connect(listener.port, { packetSize });
      expect((await run(connection, 'select')).rows).toEqual([['z'.repeat(200_000)]]);
      connection.close();
    }
  });
});

describe('FreeTDS', () => {
  it.each(['off', 'request', 'require'])(
    'tsql runs a batch over TDS 7.4, encryption %s',
    async (encryption) => {
      script.onBatch = ({ sink }) => {
        sink.columns([
          { name: 'exact', type: { name: 'decimal', precision: 38, scale: 10 }, nullable: true },
          { name: 'name', type: { name: 'nvarchar', length: 20 }, nullable: true },
          { name: 'id', type: { name: 'uniqueidentifier' }, nullable: false },
        ]);
        sink.row([
          '-1234567890123456789012345678.0123456789',
          'Zoë 東京',
          '6f9619ff-8b86-d011-b42d-00c04fc964ff',
        ]);
        sink.done(1);
      };
      const output = await tsql(encryption, 'select 1\ngo\n');
      expect(output).toContain(
        '-1234567890123456789012345678.0123456789\tZoë 東京\t6F9619FF-8B86-D011-B42D-00C04FC964FF',
      );
      expect(output).toContain('(1 row affected)');
    },
  );

  it('tsql shows an error with number, level, state, line and procedure', async () => {
    script.onBatch = ({ sink }) => sink.error(message(2627, 'Violation of PRIMARY KEY', 14));
    expect(await tsql('off', 'insert\ngo\n')).toMatch(
      /Msg 2627 \(severity 14, state 3\).*Procedure p Line 4[\s\S]*Violation of PRIMARY KEY/,
    );
  });
});

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
});

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
    const socket = await open();
    await rawLogin(socket, USER, PASSWORD);
    socket.write(packetize(Buffer.from([0x81, 0, 0]), 7, 4096, 1, true));
    expect(errors(await answer(socket))).toEqual([[4002, 1, 16]]);
    await closed(socket);
  });
});

describe('connections', () => {
  it('cut by the server end their sessions; new ones are served', async () => {
    const connection = await connect(listener.port);
    const ended = once(connection, 'end');
    listener.dropConnections();
    await ended;
    await until(() => script.closes === 1);
    (await connect(listener.port)).close();
  });

  it('are refused while the server refuses them', async () => {
    listener.refuseConnections(true);
    await expect(connect(listener.port, { connectTimeout: 2000 })).rejects.toThrow();
    listener.refuseConnections(false);
    (await connect(listener.port)).close();
  });

  it('cut by the client abort what runs', async () => {
    const connection = await connect(listener.port);
    let aborted = false;
    script.onBatch = async ({ cancel }) => {
      await once(cancel, 'abort');
      aborted = true;
    };
    run(connection, 'waitfor').catch(() => undefined);
    await until(() => script.batches.some(({ sql: text }) => text === 'waitfor'));
    connection.close();
    await until(() => aborted && script.closes === 1);
  });

  it('with garbage are closed, and nobody else notices', async () => {
    const survivor = await connect(listener.port);
    script.onBatch = ({ sink }) => sink.done(1);
    const good = loginMessage(USER, PASSWORD, 'crm', {});
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ minLength: 8, maxLength: 200 }),
          fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => {
            const changed = Buffer.from(good);
            changed[at] = byte;
            return packetize(changed, 0x10, 4096, 1, true);
          }),
          fc.nat(good.length).map((length) => packetize(good.subarray(0, length), 0x10, 4096, 1, true)),
          fc
            .tuple(fc.constantFrom(1, 3, 7, 14, 18), fc.uint8Array({ maxLength: 100 }))
            .map(([type, payload]) => packetize(Buffer.from(payload), type, 4096, 1, true)),
        ),
        async (bytes) => {
          const socket = await open();
          socket.on('error', () => undefined);
          socket.resume();
          socket.end(bytes);
          await once(socket, 'close');
        },
      ),
      { numRuns: 200 },
    );
    expect((await run(survivor, 'still there')).rowCount).toBe(1);
    survivor.close();
  });

  it('with garbage after a good login are closed with error 4002', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 3, 14),
        fc.uint8Array({ minLength: 0, maxLength: 3 }),
        async (type, payload) => {
          const socket = await open();
          await rawLogin(socket, USER, PASSWORD);
          socket.write(packetize(Buffer.from(payload), type, 4096, 1, true));
          expect(errors(await answer(socket))).toEqual([[4002, 1, 16]]);
          await closed(socket);
        },
      ),
      { numRuns: 20 },
    );
  });
});

async function open(): Promise<Socket> {
  const socket = connectSocket(listener.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** LOGIN7 as MS-TDS 2.2.6.4 lays it out, without TLS. */
function loginMessage(user: string, password: string, database: string, { flags2 = 0 }): Buffer {
  const fixed = Buffer.alloc(94);
  fixed.writeUInt32LE(0x74000004, 4);
  fixed[25] = flags2;
  const scrambled = Buffer.from(password, 'utf16le').map((b) => (((b << 4) | (b >> 4)) & 0xff) ^ 0xa5);
  let offset = fixed.length;
  const place = (at: number, data: Uint8Array): Uint8Array => {
    fixed.writeUInt16LE(offset, at);
    fixed.writeUInt16LE(data.length / 2, at + 2);
    offset += data.length;
    return data;
  };
  const parts = [
    place(40, Buffer.from(user, 'utf16le')),
    place(44, scrambled),
    place(68, Buffer.from(database, 'utf16le')),
  ];
  fixed.writeUInt32LE(offset, 0);
  return Buffer.concat([fixed, ...parts]);
}

async function rawLogin(
  socket: Socket,
  user: string,
  password: string,
  database = 'crm',
  options: { flags2?: number } = {},
): Promise<Buffer> {
  socket.write(packetize(loginMessage(user, password, database, options), 0x10, 4096, 1, true));
  return answer(socket);
}

/** The payload of the next message. */
async function answer(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= 8 && bytes.length >= bytes.readUInt16BE(2)) return bytes.subarray(8);
  }
}

/** Number, state and class of the ERROR tokens that open a message. */
function errors(payload: Buffer): number[][] {
  const found: number[][] = [];
  let at = 0;
  while (payload[at] === 0xaa) {
    found.push([payload.readInt32LE(at + 3), payload[at + 7]!, payload[at + 8]!]);
    at += 3 + payload.readUInt16LE(at + 1);
  }
  return found;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.destroyed) await once(socket, 'close');
}

async function tsql(encryption: string, input: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'walbridge-tsql-'));
  const config = join(folder, 'freetds.conf');
  writeFileSync(
    config,
    `[sandbox]\nhost = 127.0.0.1\nport = ${listener.port}\ntds version = 7.4\nclient charset = UTF-8\nencryption = ${encryption}\n`,
  );
  const running = promisify(execFile)('tsql', ['-S', 'sandbox', '-U', USER, '-P', PASSWORD, '-D', 'crm'], {
    env: { ...process.env, FREETDSCONF: config },
    timeout: 10_000,
  });
  running.child.stdin!.end(`${input}exit\n`);
  const { stdout, stderr } = await running;
  rmSync(folder, { recursive: true });
  return stdout + stderr;
}

async function until(condition: () => boolean, every = 5): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come about in 10 seconds');
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
