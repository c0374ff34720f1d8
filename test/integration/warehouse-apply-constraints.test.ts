// Apply under the constraints of a legacy warehouse: foreign keys, unique keys, checks; and rows that they refuse.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestLane, type TestTable } from './warehouse-apply-lane.ts';

const people: TestTable = {
  entity: 'people',
  key: ['id'],
  columns: {
    id: ['bigint', 'long'],
    boss: ['bigint', 'long'],
    email: ['nvarchar(100)', 'string'],
  },
};
const orders: TestTable = {
  entity: 'orders',
  key: ['id'],
  columns: { id: ['bigint', 'long'], person: ['bigint', 'long'], quantity: ['int', 'int'] },
};
const ddl = [
  'ALTER TABLE dbo.people ADD CONSTRAINT FK_boss FOREIGN KEY (boss) REFERENCES dbo.people (id)',
  'ALTER TABLE dbo.people ADD CONSTRAINT UQ_email UNIQUE (email)',
  'ALTER TABLE dbo.people ADD legacy nvarchar(20) NULL',
  // Named as a column of the staging table.
  'ALTER TABLE dbo.people ADD r int NULL',
  'ALTER TABLE dbo.orders ADD CONSTRAINT FK_person FOREIGN KEY (person) REFERENCES dbo.people (id)',
  'ALTER TABLE dbo.orders ADD CONSTRAINT CK_quantity CHECK (quantity > 0)',
];
const person = (id: number, email: string, boss: number | null = null) => ({ id, boss, email });
const order = (id: number, of: number | null, quantity = 1) => ({ id, person: of, quantity });

describe('apply under constraints', () => {
  let lane: TestLane;
  beforeAll(async () => {
    lane = await TestLane.open([orders, people], ddl);
  });
  afterAll(() => lane?.close());
  const storedPeople = () => lane.rows('dbo.people', 'id, boss, email');
  const storedOrders = () => lane.rows('dbo.orders', 'id, person, quantity');

  it('writes children and parents of one batch, whatever order they came in', async () => {
    await lane.apply([
      { insert: 'orders', row: order(1, 2) },
      { insert: 'people', row: person(1, 'a', 2) },
      { insert: 'people', row: person(2, 'b') },
    ]);
    await lane.apply([
      { update: 'people', row: person(1, 'a', 3) },
      { insert: 'people', row: person(3, 'c', 1) },
      { delete: 'orders', key: { id: 1 } },
      { delete: 'people', key: { id: 2 } },
    ]);
    expect(await storedPeople()).toEqual([
      { id: '1', boss: '3', email: 'a' },
      { id: '3', boss: '1', email: 'c' },
    ]);
    expect(await storedOrders()).toEqual([]);
    expect(lane.isolated).toEqual([]);
  });

  it('moves a referenced key together with its children', async () => {
    await lane.apply([{ insert: 'orders', row: order(2, 1) }]);
    await lane.warehouse.batch("UPDATE dbo.people SET legacy = N'old' WHERE id = 3");
    await lane.apply([
      { update: 'people', row: person(4, 'd'), was: { id: 1 } },
      { update: 'people', row: person(3, 'c', 4) },
      { update: 'orders', row: order(2, 4) },
    ]);
    expect(await lane.rows('dbo.people', 'id, boss, email, legacy')).toEqual([
      { id: '3', boss: '4', email: 'c', legacy: 'old' },
      { id: '4', boss: null, email: 'd', legacy: null },
    ]);
    expect(await storedOrders()).toEqual([{ id: '2', person: '4', quantity: 1 }]);
  });

  it('swaps a unique value between two rows and passes one on to a new row', async () => {
    await lane.apply([
      { update: 'people', row: person(3, 'tmp', 4) },
      { update: 'people', row: person(4, 'c') },
      { update: 'people', row: person(3, 'd', 4) },
    ]);
    await lane.apply([
      { update: 'people', row: person(3, 'e', 4) },
      { insert: 'people', row: person(5, 'd') },
    ]);
    expect(await lane.rows('dbo.people', 'id, email, legacy')).toEqual([
      { id: '3', email: 'e', legacy: 'old' },
      { id: '4', email: 'c', legacy: null },
      { id: '5', email: 'd', legacy: null },
    ]);
    expect(await lane.quarantine()).toEqual([]);
  });

  it('passes a unique value of a row that others refer to on to a new row', async () => {
    await lane.apply([
      { update: 'people', row: person(4, 'f') },
      { insert: 'people', row: person(8, 'c', 4) },
      { update: 'people', row: person(5, 'g', 8) },
    ]);
    await lane.apply([
      { delete: 'people', key: { id: 8 } },
      { update: 'people', row: person(4, 'c') },
      { update: 'people', row: person(5, 'd') },
    ]);
    expect(await lane.quarantine()).toEqual([]);
    expect(await storedPeople()).toEqual([
      { id: '3', boss: '4', email: 'e' },
      { id: '4', boss: null, email: 'c' },
      { id: '5', boss: null, email: 'd' },
    ]);
  });

  it('moves a referenced key that keeps its unique value, and other columns of its children', async () => {
    await lane.apply([{ insert: 'people', row: person(6, 'six', 3) }]);
    await lane.warehouse.batch("UPDATE dbo.people SET legacy = N'child' WHERE id = 6");
    await lane.apply([
      { update: 'people', row: person(7, 'e', 4), was: { id: 3 } },
      { update: 'people', row: person(6, 'six', 7) },
    ]);
    expect(await lane.rows('dbo.people', 'id, boss, email, legacy')).toEqual([
      { id: '4', boss: null, email: 'c', legacy: null },
      { id: '5', boss: null, email: 'd', legacy: null },
      { id: '6', boss: '7', email: 'six', legacy: 'child' },
      { id: '7', boss: '4', email: 'e', legacy: null },
    ]);
    expect(await lane.quarantine()).toEqual([]);
  });

  it('quarantines what the warehouse refuses, with what depends on it, and applies the rest', async () => {
    await lane.apply([
      { insert: 'people', row: person(10, 'ten') },
      { insert: 'people', row: person(11, 'c') },
      { insert: 'orders', row: order(10, 10) },
      { insert: 'orders', row: order(11, 11) },
      { insert: 'orders', row: order(12, 10, 0) },
      { update: 'orders', row: order(2, 10, 7) },
    ]);
    expect((await storedPeople()).map((row) => row.id)).toEqual(['4', '5', '6', '7', '10']);
    expect(await storedOrders()).toEqual([
      { id: '2', person: '10', quantity: 7 },
      { id: '10', person: '10', quantity: 1 },
    ]);
    const quarantined = await lane.quarantine();
    expect(quarantined).toMatchObject([
      { entity: 'people', code: 'WB6515', key_json: '{"id":"11"}' },
      { entity: 'orders', code: 'WB6514', key_json: '{"id":"11"}' },
      { entity: 'orders', code: 'WB6514', key_json: '{"id":"12"}' },
    ]);
    // The reason names the constraint and holds no value.
    expect(quarantined[0]?.reason).toMatch(/2627.*UQ_email/);
    expect(lane.isolated).not.toEqual([]);
  });

  it('asks for rows without a parent, and those that hang on them, in a few transactions however many there are', async () => {
    const known = (await lane.quarantine()).length;
    let transactions = 0;
    const { warehouse } = lane;
    const applier = await lane.newApplier({
      warehouse: {
        ...{ batch: warehouse.batch.bind(warehouse), query: warehouse.query.bind(warehouse) },
        ...{ bulkLoad: warehouse.bulkLoad.bind(warehouse), close: warehouse.close.bind(warehouse) },
        transaction: (work) => {
          transactions += 1;
          return warehouse.transaction(work);
        },
      },
    });
    const many = Array.from({ length: 300 }, (_, id) => id);
    const batch = lane.batch([
      // Parents that come later in the batch, that are there already, and none at all.
      ...many.map((id) => ({ insert: 'orders', row: order(3000 + id, id % 3 === 0 ? 3001 : null) }) as const),
      ...many.map((id) => ({ insert: 'orders', row: order(4000 + id, 9000 + id) }) as const),
      { insert: 'people', row: person(3001, 'p1', 10) },
      { insert: 'people', row: person(3002, 'p2', 9999) },
      { insert: 'people', row: person(3003, 'p3', 3002) },
      { insert: 'people', row: person(3004, 'p4', 3004) },
      { insert: 'orders', row: order(5000, 3003) },
      { update: 'orders', row: order(10, 10, 5) },
    ]);
    const { signal } = new AbortController();
    expect(await applier.apply(batch, signal)).toMatchObject({ kind: 'applied' });
    expect(transactions).toBeLessThan(12);
    const refused = (await lane.quarantine()).slice(known);
    expect(refused.map(({ key_json }) => key_json).sort()).toEqual(
      [...many.map((id) => 4000 + id), 3002, 3003, 5000].map((id) => `{"id":"${id}"}`).sort(),
    );
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['WB6514']));
    for (const { entity, reason } of refused)
      expect(reason).toMatch(entity === 'people' ? /547.*FK_boss/ : /547.*FK_person/);
    expect((await storedOrders()).filter(({ id }) => Number(id) >= 3000)).toHaveLength(300);
    expect((await storedPeople()).map(({ id }) => id)).toEqual(expect.arrayContaining(['3001', '3004']));
    await lane.apply([
      ...many.map((id) => ({ delete: 'orders', key: { id: 3000 + id } }) as const),
      { delete: 'people', key: { id: 3001 } },
      { delete: 'people', key: { id: 3004 } },
    ]);
  });

  it('quarantines no row twice when a batch is sent again', async () => {
    const batch = lane.batch([{ insert: 'orders', row: order(20, 999) }]);
    const { signal } = new AbortController();
    await lane.applier.apply(batch, signal);
    const before = await lane.quarantine();
    expect(await lane.applier.apply(batch, signal)).toMatchObject({ kind: 'skipped' });
    await lane.warehouse.batch('DELETE FROM walbridge.watermark');
    await lane.applier.apply({ ...batch, previous: { lsn: 0n, ordinal: Number.MAX_SAFE_INTEGER } }, signal);
    expect(await lane.quarantine()).toEqual(before);
  });

  it('empties a referenced table and fills it anew in one batch', async () => {
    await lane.apply([
      { truncate: 'people' },
      { truncate: 'orders' },
      { insert: 'people', row: person(10, 'new') },
      { insert: 'people', row: person(50, 'fifty', 10) },
      { insert: 'orders', row: order(10, 50) },
    ]);
    expect((await storedPeople()).map((row) => row.id)).toEqual(['10', '50']);
    expect(await storedOrders()).toEqual([{ id: '10', person: '50', quantity: 1 }]);
  });

  it('halts where more rows are refused than single rows can explain', async () => {
    const applier = await lane.newApplier({ limits: { maxRefusedRows: 3 } });
    const rows = Array.from(
      { length: 8 },
      (_, id) => ({ insert: 'orders', row: order(100 + id, null, 0) }) as const,
    );
    const batch = lane.batch(rows);
    const { signal } = new AbortController();
    await expect(applier.apply(batch, signal)).rejects.toMatchObject({ code: 'WB6506', kind: 'permanent' });
    expect(await lane.applier.apply(batch, signal)).toMatchObject({ kind: 'applied' });
    expect((await lane.quarantine()).filter((row) => row.is_open === 1).length).toBeGreaterThanOrEqual(8);
  });

  it('halts where no row is to blame', async () => {
    const log = '[walbridge].[batch_log]';
    await lane.warehouse.batch(`ALTER TABLE ${log} ADD CONSTRAINT CK_no_more CHECK (changes <> 17)`);
    const batch = lane.batch(
      Array.from({ length: 17 }, (_, id) => ({ insert: 'orders', row: order(200 + id, null, 1) }) as const),
    );
    const { signal } = new AbortController();
    lane.isolated.length = 0;
    await expect(lane.applier.apply(batch, signal)).rejects.toMatchObject({
      code: 'WB6516',
      kind: 'permanent',
      what: expect.stringContaining('SQL Server error 547'),
    });
    expect(lane.isolated).toEqual([547]);
    await lane.warehouse.batch(`ALTER TABLE ${log} DROP CONSTRAINT CK_no_more`);
    expect(await lane.applier.apply(batch, signal)).toMatchObject({ kind: 'applied' });
  });
});
