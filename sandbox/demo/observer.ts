// Reads both ends once a second, as any client could: rows and change counters of the source, rows and control tables of the warehouse.
import type { ConnectionPool } from 'mssql';
import type pg from 'pg';
import { entities } from './entities.ts';
import type { Reading } from './screen.ts';

interface Sample {
  readonly at: number;
  readonly applied: number;
  readonly changes: ReadonlyMap<string, number>;
}

/** Rates are over this many milliseconds: PostgreSQL's counters move once a second. */
const WINDOW_MS = 3000;

const sourceQuery = entities
  .map(
    ({ name }) => `SELECT '${name}' AS name, (SELECT COUNT(*) FROM ${name})::int AS rows,
      (n_tup_ins + n_tup_upd + n_tup_del)::float8 AS changes FROM pg_stat_user_tables WHERE relid = '${name}'::regclass`,
  )
  .join(' UNION ALL ');
const warehouseQuery = entities
  .map(({ name }) => `SELECT '${name}' AS name, COUNT(*) AS row_count FROM crm.${name}`)
  .join(' UNION ALL ');
// A bigint comes as a string, whose bounds do not matter here.
const controlQuery = `SELECT CONVERT(varchar(40), SWITCHOFFSET(MAX(w.commit_time), '+00:00'), 126) AS commit_time,
  (SELECT COALESCE(SUM(changes), 0) FROM walbridge.batch_log) AS applied FROM walbridge.watermark w`;

export class Observer {
  readonly #source: pg.ClientBase;
  readonly #warehouse: ConnectionPool;
  readonly #startedAt = Date.now();
  #samples: Sample[] = [];

  constructor(source: pg.ClientBase, warehouse: ConnectionPool) {
    this.#source = source;
    this.#warehouse = warehouse;
  }

  async read(): Promise<Reading> {
    const [source, warehouse, control] = await Promise.all([
      this.#source.query<{ name: string; rows: number; changes: number }>(sourceQuery),
      this.#warehouse.request().query<{ name: string; row_count: number }>(warehouseQuery),
      this.#warehouse.request().query<{ commit_time: string | null; applied: string }>(controlQuery),
    ]);
    const at = Date.now();
    const { commit_time: commitTime, applied } = control.recordset[0]!;
    const now: Sample = {
      at,
      applied: Number(applied),
      changes: new Map(source.rows.map(({ name, changes }) => [name, changes])),
    };
    this.#samples = [...this.#samples.filter((sample) => at - sample.at <= WINDOW_MS), now];
    const then = this.#samples[0]!;
    const perSecond = (count: number) => (at === then.at ? 0 : (count * 1000) / (at - then.at));
    const warehouseRows = new Map(warehouse.recordset.map((row) => [row.name, row.row_count]));
    return {
      seconds: (at - this.#startedAt) / 1000,
      lag: commitTime === null ? null : Math.max(0, (at - Date.parse(commitTime)) / 1000),
      applied: perSecond(now.applied - then.applied),
      entities: source.rows.map(({ name, rows, changes }) => ({
        name,
        sourceRows: rows,
        warehouseRows: warehouseRows.get(name) ?? 0,
        rate: perSecond(changes - (then.changes.get(name) ?? changes)),
      })),
    };
  }
}

/** How many rows are in quarantine, unresolved. */
export async function quarantined(warehouse: ConnectionPool): Promise<number> {
  const query = 'SELECT COUNT(*) AS row_count FROM walbridge.quarantine WHERE resolved_at IS NULL';
  return (await warehouse.request().query<{ row_count: number }>(query)).recordset[0]!.row_count;
}
