// Where a running sandbox is to be found, as plain data that can go to another process, and what can be made there: fresh
// databases for one demo or one test file each.
import sql from 'mssql';
import { createCrmDatabase, createDatabase } from './crm/crm.ts';
import { type PostgresAddress, postgresUrl } from './postgres.ts';

export interface SandboxAddress {
  readonly postgres: PostgresAddress;
  /** Connection string of the SQL Server (the stand-in, or a real one), without a Database. */
  readonly sqlServer: string;
  /** Null where there is no Redis. */
  readonly redis: string | null;
}

/** @returns the connection string of a new CRM with empty tables */
export function createCrm({ postgres }: SandboxAddress, name: string): Promise<string> {
  return createCrmDatabase(postgres, name);
}

/** @returns the connection string of a new, empty PostgreSQL database, e.g. for BullMQ's PostgreSQL backend */
export async function createQueue({ postgres }: SandboxAddress, name: string): Promise<string> {
  await createDatabase(postgres, name);
  return postgresUrl(postgres, name);
}

/** @returns the connection string of a new, empty warehouse, for the `mssql` driver */
export async function createWarehouse({ sqlServer }: SandboxAddress, name: string): Promise<string> {
  const pool = await new sql.ConnectionPool(sqlServer).connect();
  try {
    await pool.request().batch(`CREATE DATABASE [${name.replaceAll(']', ']]')}]`);
  } finally {
    await pool.close();
  }
  return `${sqlServer};Database=${name}`;
}
