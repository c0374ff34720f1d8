// The pool against a TDS server that answers by script: what crosses the wire, and what errors become.
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TdsListener } from '../../sandbox/sqlserver/tds/listener.ts';
import { listen } from '../../sandbox/sqlserver/tds/listener.ts';
import type { WalbridgeError } from '../../src/fault/fault.ts';
import { openWarehouse, type WarehouseServer } from '../../src/warehouse/connection.ts';
import type { Warehouse } from '../../src/warehouse/session.ts';
import { message, PASSWORD, Script, USER } from '../sandbox/tds-scripted.ts';

let script: Script;
let server: TdsListener;
let open: Warehouse[];

function where(change: Partial<WarehouseServer> = {}): WarehouseServer {
  return {
    server: '127.0.0.1',
    port: server.port,
    database: 'dw',
    user: USER,
    password: PASSWORD,
    trustServerCertificate: true,
    ...change,
  };
}

async function connect(change: Partial<WarehouseServer> = {}): Promise<Warehouse> {
  const warehouse = await openWarehouse(where(change), { poolSize: 2, connectTimeoutMs: 5000 });
  open.push(warehouse);
  return warehouse;
}

/** Statements that tests sent, without what the driver says at login. */
function sent(): string[] {
  return script.batches.map(({ sql }) => sql).filter((sql) => !/^set ansi_nulls/i.test(sql));
}

beforeEach(async () => {
  script = new Script();
  server = await listen(script);
  open = [];
});

afterEach(async () => {
  await Promise.all(open.map((warehouse) => warehouse.close()));
  await server.stop();
});

describe('login', () => {
  it('sends every packet at once: none waits for the acknowledgement of another', async () => {
    const ports: (number | undefined)[] = [];
    const { setNoDelay } = Socket.prototype;
    const spy = vi.spyOn(Socket.prototype, 'setNoDelay').mockImplementation(function (this: Socket, on) {
      if (on) ports.push(this.remotePort);
      return setNoDelay.call(this, on);
    });
    await connect();
    spy.mockRestore();
    expect(ports).toContain(server.port);
  });

  it('sets every option that DML on indexed views asks for, and XACT_ABORT', async () => {
    await connect();
    const options = script.batches[0]?.sql.toLowerCase() ?? '';
    for (const option of [
      'ansi_nulls on',
      'ansi_padding on',
      'ansi_warnings on',
      'arithabort on',
      'concat_null_yields_null on',
      'quoted_identifier on',
      'numeric_roundabort off',
      'xact_abort on',
    ]) {
      expect(options).toContain(`set ${option}`);
    }
  });

  it.each([
    [{ password: 'wrong' }, { code: 'WB6022', kind: 'permanent', fault: { number: 18456 } }],
    [{ database: 'missing' }, { code: 'WB6001', kind: 'transient', fault: { number: 4060 } }],
  ])('refused keeps its number: %o', async (change, expected) => {
    await expect(connect(change)).rejects.toMatchObject(expected);
  });

  it('to nobody is transient', async () => {
    server.refuseConnections(true);
    await expect(connect()).rejects.toMatchObject({ code: 'WB6002', kind: 'transient' });
  });

  it('takes a connection string as well', async () => {
    const connectionString = `Server=127.0.0.1,${server.port};Database=dw;User Id=${USER};Password={${PASSWORD}};Encrypt=true;TrustServerCertificate=true`;
    const warehouse = await openWarehouse({ connectionString });
    open.push(warehouse);
    await warehouse.batch('SELECT 1');
    expect(sent()).toEqual(['SELECT 1']);
  });
});

describe('a session', () => {
  it('carries parameters exactly', async () => {
    const warehouse = await connect();
    await warehouse.query('SELECT @b, @t', {
      b: { type: 'bigint', value: 9_223_372_036_854_775_807n },
      t: { type: 'nvarchar', value: 'Ω😀' },
    });
    const parameters = script.batches.at(-1)?.parameters ?? [];
    expect(parameters.map(({ name, value }) => [name, value])).toEqual([
      ['@b', '9223372036854775807'],
      ['@t', 'Ω😀'],
    ]);
  });

  it('gives the rows of the last SELECT, which follows those of triggers, and none where there is none', async () => {
    const warehouse = await connect();
    expect(await warehouse.batch('PRINT 1')).toMatchObject({ rows: [] });
    script.onBatch = async ({ sink }) => {
      for (const n of ['6', '7']) {
        await sink.columns([{ name: 'n', type: { name: 'int' }, nullable: false }]);
        await sink.row([n]);
        sink.done(1);
      }
    };
    expect((await warehouse.batch<{ n: number }>('SELECT 6 AS n; SELECT 7 AS n')).rows).toEqual([{ n: 7 }]);
  });

  it('bulk loads from any iterable, exactly', async () => {
    const warehouse = await connect();
    function* rows() {
      yield [1n, 'Ω', null];
      yield [9_223_372_036_854_775_807n, '', Buffer.from([0, 255])];
    }
    const loaded = await warehouse.bulkLoad(
      '#staging',
      [
        { name: 'c0', type: 'bigint', nullable: false },
        { name: 'c1', type: 'nvarchar', length: 'max', nullable: false },
        { name: 'c2', type: 'varbinary', length: 2, nullable: true },
      ],
      rows(),
    );
    expect(loaded).toBe(2);
    expect(script.loads[0]?.rows).toEqual([
      ['1', 'Ω', null],
      ['9223372036854775807', '', '\\x00ff'],
    ]);
  });

  it('classifies what the server says, without its words', async () => {
    const warehouse = await connect();
    script.onBatch = ({ sink }) => {
      sink.error(
        message(
          2627,
          "Violation of PRIMARY KEY constraint 'PK'. Cannot insert duplicate key in object 'a.b'. The duplicate key value is (secret).",
          14,
        ),
      );
      sink.done(null);
    };
    const error: WalbridgeError = await warehouse.batch('INSERT 1').catch((reason) => reason);
    expect(error).toMatchObject({ code: 'WB6010', fault: { number: 2627, names: ['PK', 'a.b'] } });
    expect(error.message).not.toContain('secret');
  });

  it('reports a dropped connection as transient and goes on with a new one', async () => {
    const warehouse = await connect();
    await warehouse.batch('SELECT 0');
    script.onBatch = () => server.dropConnections();
    await expect(warehouse.batch('SELECT 1')).rejects.toMatchObject({ kind: 'transient' });
    script.onBatch = ({ sink }) => sink.done(null);
    await warehouse.batch('SELECT 2');
    expect(sent()).toEqual(['SELECT 0', 'SELECT 1', 'SELECT 2']);
  });

  it('survives a connection that is dropped while nobody uses it', async () => {
    const warehouse = await connect();
    server.dropConnections();
    const retried = warehouse.batch('SELECT 1').catch(() => warehouse.batch('SELECT 1'));
    await expect(retried).resolves.toBeDefined();
  });
});

describe('a transaction', () => {
  it('commits what resolves, at READ COMMITTED, and gives its result', async () => {
    const warehouse = await connect();
    const result = await warehouse.transaction(async (session) => {
      await session.batch('UPDATE 1');
      return 42;
    });
    expect(result).toBe(42);
    expect(script.transactions.map(({ kind, isolation }) => [kind, isolation])).toEqual([
      ['begin', 2],
      ['commit', expect.anything()],
    ]);
  });

  it('rolls back what throws, and rethrows it', async () => {
    const warehouse = await connect();
    const reason = new Error('mine');
    await expect(warehouse.transaction(() => Promise.reject(reason))).rejects.toBe(reason);
    expect(script.transactions.map(({ kind }) => kind)).toEqual(['begin', 'rollback']);
  });

  it('that the server has rolled back gives the first error, and its connection back', async () => {
    const warehouse = await connect();
    script.onBatch = ({ sql, sink }) => {
      if (!sql.startsWith('UPDATE')) return sink.done(null);
      sink.error(message(1205, 'Transaction (Process ID 52) was deadlocked.', 13));
      sink.transaction('rollback', 7n);
      return sink.done(null);
    };
    for (let round = 0; round < 5; round += 1) {
      await expect(warehouse.transaction((session) => session.batch('UPDATE 1'))).rejects.toMatchObject({
        kind: 'transient',
        fault: { number: 1205 },
      });
    }
  });

  it('whose connection breaks gives it back too', async () => {
    const warehouse = await connect();
    for (let round = 0; round < 5; round += 1) {
      const broken = warehouse.transaction(async (session) => {
        server.dropConnections();
        await session.batch('UPDATE 1');
      });
      await expect(broken).rejects.toMatchObject({ kind: 'transient' });
    }
  });
});
