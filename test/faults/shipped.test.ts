// The mappings that the project ships, through a round of traffic and kills: every column as the demo's own definition has it.
import sql from 'mssql';
import { expect, inject, test } from 'vitest';
import { withClient } from '../../sandbox/crm/crm.ts';
import { compareEntity } from '../../sandbox/demo/compare.ts';
import { entities } from '../../sandbox/demo/entities.ts';
import { type Bridge, createBridge } from './bridge.ts';
import { runRounds } from './rounds.ts';
import type { Verdict } from './verdict.ts';

test('the shipped mappings bring every entity over, whoever is killed', async () => {
  const bridge = await createBridge(inject('sandbox'), {
    name: 'shipped',
    backend: 'redis',
    mappings: 'shipped',
  });
  try {
    const [result] = await runRounds(bridge, { seed: 5, faults: ['kill both'], verdict: compareEntities });
    expect(result?.faults).toEqual([]);
    expect(result?.rows).toBeGreaterThan(500);
  } finally {
    await bridge.remove();
  }
});

async function compareEntities(bridge: Bridge): Promise<Verdict> {
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  try {
    return await withClient(bridge.crm, async (client) => {
      const faults: string[] = [];
      let rows = 0;
      for (const entity of entities) {
        const { differences, warehouseRows } = await compareEntity(client, pool, entity);
        faults.push(...differences.map(({ key, what }) => `${entity.name} ${key}: ${what}`));
        rows += warehouseRows;
      }
      const { recordset } = await pool.request().query('SELECT entity, code FROM walbridge.quarantine');
      for (const { entity, code } of recordset) faults.push(`a row of ${entity} is in quarantine: ${code}`);
      return { faults, rows, quarantined: recordset.length, batches: 0 };
    });
  } finally {
    await pool.close();
  }
}
