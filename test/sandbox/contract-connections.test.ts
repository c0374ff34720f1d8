// Connections that are many, that go away in the middle, or that never finish what they began to say.
import { connect, type Socket } from 'node:net';
import sql from 'mssql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshWarehouse, type Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let session: Session;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  session = await warehouse.open();
  await session.rows(
    'CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, v int NULL); INSERT dbo.t VALUES (1, 1)',
  );
});
afterAll(() => warehouse.close());

it('a hundred at once are all served', async () => {
  const sessions = await Promise.all(Array.from({ length: 100 }, () => warehouse.open()));
  const answers = await Promise.all(
    sessions.map((each, i) => each.value(`SELECT v + ${i} FROM dbo.t WHERE id = 1`)),
  );
  expect(answers).toEqual(sessions.map((_, i) => i + 1));
  await Promise.all(sessions.map((each) => each.close()));
});

it('one that goes away in a transaction leaves neither its rows nor its locks', async () => {
  const leaving = await warehouse.open();
  await leaving.rows('BEGIN TRAN; UPDATE dbo.t SET v = 9 WHERE id = 1; INSERT dbo.t VALUES (2, 2)');
  await leaving.close();
  await session.rows('SET LOCK_TIMEOUT 10000; UPDATE dbo.t SET v = v WHERE id = 1');
  expect(await session.rows('SELECT id, v FROM dbo.t')).toEqual([[1, 1]]);
});

it.each([
  ['half a header', Buffer.from([0x12, 0x01, 0x00])],
  ['a header and the first bytes of its packet', Buffer.from([0x12, 0x01, 0x10, 0x00, 0, 0, 0, 0, 1, 2, 3])],
])('%s, and then nothing, disturbs nobody', async (_what, bytes) => {
  const { server, port } = sql.ConnectionPool.parseConnectionString(warehouse.connectionString) as sql.config;
  const sockets = await Promise.all(
    Array.from(
      { length: 20 },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(port!, server);
          socket.once('error', reject).once('connect', () => socket.write(bytes, () => resolve(socket)));
        }),
    ),
  );
  const other = await warehouse.open();
  expect(await other.value('SELECT 1')).toBe(1);
  for (const socket of sockets) socket.destroy();
  expect(await other.value('SELECT 2')).toBe(2);
});
