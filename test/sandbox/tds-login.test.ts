// Who may log in and how, over TLS or not, from tedious, mssql and FreeTDS; and what broken input does to the others: nothing.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import sql from 'mssql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listen, type TdsListener } from '../../sandbox/sqlserver/tds/listener.ts';
import { packetize } from '../../sandbox/sqlserver/tds/packets.ts';
import { connect, run } from './tds-client.ts';
import { answer, closed, errors, loginMessage, open, rawLogin, until } from './tds-raw.ts';
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
    const refused = await rawLogin(await open(listener.port), 'sa', 'no');
    expect(errors(refused)).toEqual([[18456, 1, 14]]);
  });

  it('says first which database is missing, then that the login failed', async () => {
    const refused = await rawLogin(await open(listener.port), USER, PASSWORD, 'missing');
    expect(errors(refused)).toEqual([
      [4060, 1, 11],
      [18456, 1, 14],
    ]);
  });

  it('refuses integrated logins by name', async () => {
    const failure = await connect(listener.port, {}, {}).then((connection) => connection.close());
    expect(failure).toBeUndefined();
    const answer = await rawLogin(await open(listener.port), USER, PASSWORD, 'crm', { flags2: 0x80 });
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
          const socket = await open(listener.port);
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
          const socket = await open(listener.port);
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
