// An entity's move from one lane to another: refused while either lane has what the source would send again.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createWarehouse } from '../../sandbox/address.ts';
import { assignEntities } from '../../src/warehouse/assign-entities.ts';
import { openWarehouse } from '../../src/warehouse/connection.ts';
import { initWarehouse } from '../../src/warehouse/init.ts';
import { registerLanes } from '../../src/warehouse/register-lanes.ts';
import type { Warehouse } from '../../src/warehouse/session.ts';

let warehouse: Warehouse;

beforeAll(async () => {
  const name = `lanes_${randomUUID().slice(0, 8)}`;
  warehouse = await openWarehouse({ connectionString: await createWarehouse(inject('sandbox'), name) });
  await initWarehouse(warehouse, [], { dryRun: false, actor: 'test' });
  await registerLanes(warehouse, ['a', 'b'], { systemIdentifier: '7', slot: 's' });
});

afterAll(() => warehouse.close());

const lanesOf = async (slot: string) =>
  (
    await warehouse.batch<{ entity: string; lane: string }>(
      `SELECT entity, lane FROM walbridge.entity WHERE slot = '${slot}' ORDER BY entity`,
    )
  ).rows;

it('lets an entity change its lane only when both lanes are drained', async () => {
  await warehouse.batch("UPDATE walbridge.watermark SET commit_lsn = 100 WHERE lane = 'a'");
  await warehouse.batch("UPDATE walbridge.watermark SET commit_lsn = 200 WHERE lane = 'b'");
  const inA = [
    { entity: 'contacts', lane: 'a' },
    { entity: 'leads', lane: 'b' },
  ];
  // A new entity is taken as it is, and once known nothing is asked.
  await assignEntities(warehouse, 's', inA, 0n);
  await assignEntities(warehouse, 's', inA, 0n);
  expect(await lanesOf('s')).toEqual(inA);

  const inB = [{ entity: 'contacts', lane: 'b' }];
  await expect(assignEntities(warehouse, 's', inB, 150n)).rejects.toThrow(/WB6301.*'a' to lane 'b'.*0\/C8/s);
  await expect(assignEntities(warehouse, 's', inB, 99n)).rejects.toThrow(/WB6301/);
  expect(await lanesOf('s')).toEqual(inA);

  await assignEntities(warehouse, 's', inB, 200n);
  expect(await lanesOf('s')).toEqual([{ entity: 'contacts', lane: 'b' }, inA[1]]);
});

it('keeps the entities of two slots apart', async () => {
  await assignEntities(warehouse, 'other', [{ entity: 'contacts', lane: 'a' }], 0n);
  expect(await lanesOf('other')).toEqual([{ entity: 'contacts', lane: 'a' }]);
  expect(await lanesOf('s')).toContainEqual({ entity: 'contacts', lane: 'b' });
});
