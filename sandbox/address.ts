// Where a running sandbox is to be found, as plain data that can go to another process, and what can be made there: fresh
// databases for one demo or one test file each.
import { createDatabase } from './crm/crm.ts';
import { type PostgresAddress, postgresUrl } from './postgres.ts';

export interface SandboxAddress {
  readonly postgres: PostgresAddress;
  /** Connection string of the SQL Server (the stand-in, or a real one), without a Database. */
  readonly sqlServer: string;
  /** Null where there is no Redis. */
  readonly redis: string | null;
}

/** A database with the CRM's empty tables that every sandbox holds from the start (stack.ts). */
export const CRM_TEMPLATE = 'crm_template';

/** @returns the connection string of a new CRM with empty tables */
export async function createCrm({ postgres }: SandboxAddress, name: string): Promise<string> {
  await createDatabase(postgres, name, CRM_TEMPLATE);
  return postgresUrl(postgres, name);
}

/** @returns the connection string of a new, empty PostgreSQL database, e.g. for BullMQ's PostgreSQL backend */
export async function createQueue({ postgres }: SandboxAddress, name: string): Promise<string> {
  await createDatabase(postgres, name);
  return postgresUrl(postgres, name);
}

/** @returns the connection string of a new, empty warehouse, for the `mssql` driver */
export async function createWarehouse({ sqlServer }: SandboxAddress, name: string): Promise<string> {
  // Half a second of processor time, which not every process that reads this module needs.
  const { default: sql } = await import('mssql');
  const pool = await new sql.ConnectionPool(sqlServer).connect();
  try {
    await pool.request().batch(`CREATE DATABASE [${name.replaceAll(']', ']]')}]`);
  } finally {
    await pool.close();
  }
  return `${sqlServer};Database=${name}`;
}
