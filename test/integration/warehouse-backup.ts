// A backup of a warehouse and its restore, for tests: all tables of some schemas, copied within the database. What a restore does to
// walbridge is that every table is as it was, at one moment.
import { randomBytes } from 'node:crypto';
import type { Warehouse } from '../../src/warehouse/session.ts';

interface Copy {
  readonly table: string;
  readonly copy: string;
}

export class WarehouseBackup {
  readonly #warehouse: Warehouse;
  readonly #tables: readonly Copy[];

  private constructor(warehouse: Warehouse, tables: readonly Copy[]) {
    this.#warehouse = warehouse;
    this.#tables = tables;
  }

  static async take(warehouse: Warehouse, schemas: readonly string[]): Promise<WarehouseBackup> {
    const { rows } = await warehouse.batch<{ s: string; t: string }>(
      `SELECT s.name AS s, t.name AS t FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id
WHERE s.name IN (${schemas.map((schema) => `N'${schema}'`).join(', ')})`,
    );
    const id = randomBytes(4).toString('hex');
    const tables = rows.map(({ s, t }) => ({ table: `[${s}].[${t}]`, copy: `[dbo].[${id}_${s}_${t}]` }));
    await warehouse.transaction(async (session) => {
      for (const { table, copy } of tables) await session.batch(`SELECT * INTO ${copy} FROM ${table}`);
    });
    return new WarehouseBackup(warehouse, tables);
  }

  /** Tables without foreign keys among each other only. */
  async restore(): Promise<void> {
    await this.#warehouse.transaction(async (session) => {
      for (const { table, copy } of this.#tables)
        await session.batch(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM ${copy};`);
    });
  }
}
