import sql from 'mssql';
import { expect, inject, test } from 'vitest';
import { createCrm, createWarehouse } from '../../sandbox/address.ts';
import { withClient } from '../../sandbox/crm/crm.ts';
import { compareEntity } from '../../sandbox/demo/compare.ts';
import { entities } from '../../sandbox/demo/entities.ts';

test("the demo's comparison finds a missing row, a surplus row, and a value that differs in its last digit", async () => {
  const address = inject('sandbox');
  const [crm, connectionString] = await Promise.all([
    createCrm(address, 'demo_compare'),
    createWarehouse(address, 'demo_compare'),
  ]);
  const links = entities.find(({ name }) => name === 'opportunity_contacts')!;
  const warehouse = await new sql.ConnectionPool(connectionString).connect();
  try {
    await warehouse.request().batch('CREATE SCHEMA crm');
    await warehouse.request().batch(`CREATE TABLE crm.opportunity_contacts (
      opportunity_id bigint NOT NULL, contact_id bigint NOT NULL, role nvarchar(40) NOT NULL, weight decimal(5,4) NOT NULL,
      PRIMARY KEY (opportunity_id, contact_id))`);
    await withClient(crm, async (source) => {
      await source.query(`SET session_replication_role = replica;
        INSERT INTO opportunity_contacts VALUES (1, 1, 'Pays ', 0.5), (1, 2, 'uses', 0.1234), (2, 1, 'blocks', 1)`);
      await warehouse.request().batch(`INSERT INTO crm.opportunity_contacts VALUES
        (1, 1, N'pays', 0.5), (1, 2, N'uses', 0.1235), (3, 1, N'blocks', 1)`);
      const { differences, ...counts } = await compareEntity(source, warehouse, links);
      expect(counts).toEqual({
        entity: 'opportunity_contacts',
        sourceRows: 3,
        warehouseRows: 3,
        values: 12,
      });
      expect(differences.map(({ key, what }) => `${key}: ${what}`)).toEqual([
        '1 / 2: weight: expected "0.1234", found "0.1235"',
        '3 / 1: surplus in the warehouse',
        '2 / 1: missing in the warehouse',
      ]);
    });
  } finally {
    await warehouse.close();
  }
});
