// What must hold of a bridge that has caught up, whatever was done to it: every row equal, one quarantine row for each refused
// change, a batch log without gap or overlap.
import sql from 'mssql';
import { withClient } from '../../sandbox/crm/crm.ts';
import type { Bridge } from './bridge.ts';
import { compareTables, formatDifferences } from './compare.ts';

export interface Verdict {
  /** One line each; empty: all is well. */
  readonly faults: readonly string[];
  readonly rows: number;
  readonly quarantined: number;
  readonly batches: number;
}

interface BatchRow {
  readonly position: string;
  readonly previous: string;
}

export async function judge(bridge: Bridge): Promise<Verdict> {
  const { rows, differences } = await compareTables(bridge.crm, bridge.warehouse, bridge.pairs);
  const faults = differences.length === 0 ? [] : formatDifferences(differences).split('\n');
  const refused = await withClient(bridge.crm, async (client) => {
    const result = await client.query<{ id: string; refused: number }>(
      'SELECT id::text, refused FROM expected_readings WHERE refused > 0',
    );
    return new Map(result.rows.map((row) => [row.id, row.refused]));
  });
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  try {
    const quarantine = await pool
      .request()
      .query<{ entity: string; key_json: string }>('SELECT entity, key_json FROM walbridge.quarantine');
    const found = new Map<string, number>();
    for (const { entity, key_json } of quarantine.recordset) {
      const id = String(Object.values(JSON.parse(key_json) as object)[0]);
      if (entity !== 'readings') faults.push(`a row of ${entity} is in quarantine`);
      else found.set(id, (found.get(id) ?? 0) + 1);
    }
    for (const [id, count] of refused) {
      if (found.get(id) !== count)
        faults.push(`reading ${id}: ${count} changes refused, ${found.get(id) ?? 0} in quarantine`);
    }
    for (const id of found.keys())
      if (!refused.has(id)) faults.push(`reading ${id}: none refused, yet in quarantine`);

    const log = await pool
      .request()
      .query<BatchRow>(
        'SELECT position, previous_position AS previous FROM walbridge.batch_log ORDER BY commit_lsn, ordinal',
      );
    log.recordset.forEach(({ position, previous }, index) => {
      const before = log.recordset[index - 1]?.position;
      if (before !== undefined && before !== previous) {
        faults.push(`batch ${previous}..${position} does not begin where the one before ended, ${before}`);
      }
    });
    return {
      faults,
      rows: Object.values(rows).reduce((sum, { warehouse }) => sum + warehouse, 0),
      quarantined: quarantine.recordset.length,
      batches: log.recordset.length,
    };
  } finally {
    await pool.close();
  }
}
