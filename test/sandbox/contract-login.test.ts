// Who is let in, to which database, and what a connection says about itself.
import sql from 'mssql';
import { Connection } from 'tedious';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freshWarehouse, Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;

beforeAll(async () => {
  warehouse = await freshWarehouse();
});
afterAll(() => warehouse.close());

function configured(change: (config: sql.config) => void): Promise<sql.ConnectionPool> {
  const config = sql.ConnectionPool.parseConnectionString(warehouse.connectionString) as sql.config;
  change(config);
  return new sql.ConnectionPool(config).connect();
}

/** The numbers that a refused login is told: mssql and tedious forget them. */
function refusal(change: { user?: string; password?: string; database?: string }): Promise<number[]> {
  const config = sql.ConnectionPool.parseConnectionString(warehouse.connectionString) as sql.config;
  const connection = new Connection({
    server: config.server,
    authentication: {
      type: 'default',
      options: { userName: change.user ?? config.user!, password: change.password ?? config.password! },
    },
    options: {
      port: config.port!,
      trustServerCertificate: true,
      database: change.database ?? config.database!,
    },
  });
  const numbers: number[] = [];
  connection.on('errorMessage', ({ number }: { number: number }) => numbers.push(number));
  return new Promise((resolve) => {
    connection.connect(() => {
      connection.close();
      resolve(numbers);
    });
  });
}

describe('a login', () => {
  it('with a wrong password or name is refused with 18456', async () => {
    expect(await refusal({ password: 'wrong' })).toEqual([18456]);
    expect(await refusal({ user: 'nobody_at_all' })).toEqual([18456]);
    await expect(configured((config) => Object.assign(config, { password: 'wrong' }))).rejects.toMatchObject({
      code: 'ELOGIN',
    });
  });

  it('to a database that is not there is refused with 4060', async () => {
    expect((await refusal({ database: 'no_such_database' }))[0]).toBe(4060);
  });

  it.each([true, false])('gets in with encrypt: %s', async (encrypt) => {
    const pool = await configured((config) => Object.assign(config.options!, { encrypt }));
    const { recordset } = await pool
      .request()
      .query<{ n: string; t: number }>('SELECT DB_NAME() AS n, 1 AS t');
    expect(recordset).toEqual([{ n: warehouse.database, t: 1 }]);
    await pool.close();
  });
});

describe('databases', () => {
  it('are created, found whatever their case, and dropped', async () => {
    const name = `${warehouse.database}_Made`;
    const master = await Session.open(inject('sandbox').sqlServer);
    await master.rows(`CREATE DATABASE [${name}]`);
    expect(await master.numbers(`CREATE DATABASE [${name.toUpperCase()}]`)).toEqual([1801]);
    expect(await master.value(`SELECT name FROM sys.databases WHERE name = N'${name.toLowerCase()}'`)).toBe(
      name,
    );
    const inside = await Session.open(`${inject('sandbox').sqlServer};Database=${name}`);
    await inside.rows('CREATE TABLE dbo.t (id int)');
    await inside.close();
    await master.rows(`DROP DATABASE [${name}]; DROP DATABASE IF EXISTS [${name}]`);
    expect(await master.value(`SELECT DB_ID(N'${name}')`)).toBeNull();
    expect(await master.numbers(`DROP DATABASE [${name}]`)).toEqual([3701]);
    await master.close();
  });

  it('are refused in a transaction with 226', async () => {
    const session = await warehouse.open();
    expect(await session.numbers('BEGIN TRAN; CREATE DATABASE in_a_transaction')).toEqual([226]);
    await session.rows('IF @@TRANCOUNT > 0 ROLLBACK');
  });
});
