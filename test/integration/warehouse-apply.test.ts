// Batches applied to a warehouse of the sandbox, or to a real server where WALBRIDGE_TEST_MSSQL names one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestLane, type TestTable } from './warehouse-apply-lane.ts';

const contacts: TestTable = {
  entity: 'contacts',
  key: ['id'],
  columns: {
    id: ['bigint', 'long'],
    email: ['nvarchar(100)', 'string'],
    notes: ['nvarchar(max)', 'string'],
    amount: ['decimal(18,4)', { type: 'bytes', logicalType: 'decimal', precision: 18, scale: 4 }],
  },
  metadata: { commitLsn: '_lsn', commitTime: '_committed', operation: '_op', appliedAt: '_applied' },
};
const tags: TestTable = {
  entity: 'tags',
  key: ['name'],
  columns: { name: ['nvarchar(40)', 'string'], n: ['int', 'int'] },
};
const signal = new AbortController().signal;
const contact = (id: number, text: string) => ({ id, email: text, notes: text, amount: '1.5000' });

describe('apply', () => {
  let lane: TestLane;
  beforeAll(async () => {
    lane = await TestLane.open([contacts, tags], ['ALTER TABLE dbo.contacts ADD legacy nvarchar(20) NULL']);
  });
  afterAll(() => lane?.close());
  const stored = () => lane.rows('dbo.contacts', 'id, email, notes');

  it('inserts, updates and deletes, and keeps columns that no mapping names', async () => {
    await lane.apply([
      { insert: 'contacts', row: contact(1, 'a') },
      { insert: 'contacts', row: contact(2, 'b') },
      { insert: 'contacts', row: contact(3, 'c') },
    ]);
    await lane.warehouse.batch("UPDATE dbo.contacts SET legacy = N'kept'");
    await lane.apply(
      [{ update: 'contacts', row: contact(1, 'A') }],
      [
        { delete: 'contacts', key: { id: 2 } },
        { insert: 'contacts', row: contact(4, 'd') },
      ],
    );
    expect(await lane.rows('dbo.contacts', 'id, email, legacy, _lsn, _op')).toEqual([
      { id: '1', email: 'A', legacy: 'kept', _lsn: '0/20', _op: 'U' },
      { id: '3', email: 'c', legacy: 'kept', _lsn: '0/10', _op: 'I' },
      { id: '4', email: 'd', legacy: null, _lsn: '0/30', _op: 'I' },
    ]);
    expect(lane.reports.at(-1)?.tables).toMatchObject([{ inserted: 1, updated: 1, deleted: 1 }]);
  });

  it('skips what it has, refuses what comes too early, and applies the rest of an overlapping batch', async () => {
    const first = await lane.apply([{ update: 'contacts', row: contact(1, 'one') }]);
    expect(await lane.applier.apply(first, signal)).toEqual({ kind: 'skipped', watermark: first.last });
    const second = lane.batch([{ update: 'contacts', row: contact(3, 'three') }]);
    const third = lane.batch([{ delete: 'contacts', key: { id: 4 } }]);
    expect(await lane.applier.apply(third, signal)).toEqual({ kind: 'gap', watermark: first.last });
    await lane.warehouse.batch("UPDATE dbo.contacts SET email = N'touched' WHERE id = 1");
    // Cut elsewhere after a rewind: from before `first` to the end of `second`.
    const payload = Buffer.concat([first.payload, second.payload]);
    const overlapping = { ...second, previous: first.previous, payload, changes: 2 };
    expect(await lane.applier.apply(overlapping, signal)).toMatchObject({ kind: 'applied' });
    expect(await lane.applier.apply(third, signal)).toMatchObject({ kind: 'applied', watermark: third.last });
    expect(await stored()).toEqual([
      { id: '1', email: 'touched', notes: 'one' },
      { id: '3', email: 'three', notes: 'three' },
    ]);
    expect(await lane.rows('walbridge.watermark', 'lane, position')).toEqual([
      { lane: 'main', position: '0/60' },
    ]);
    expect(await lane.rows('walbridge.batch_log', 'position, changes', 'commit_lsn')).toEqual([
      { position: '0/10', changes: '3' },
      { position: '0/30', changes: '3' },
      { position: '0/40', changes: '1' },
      { position: '0/50', changes: '1' },
      { position: '0/60', changes: '1' },
    ]);
  });

  it('fills unchanged TOAST from the warehouse, also while keys move and swap', async () => {
    await lane.apply([
      { insert: 'contacts', row: contact(10, 'ten') },
      { insert: 'contacts', row: contact(11, 'eleven') },
    ]);
    const move = (from: number, id: number, email: string) =>
      ({ update: 'contacts', row: { id, email, amount: '2.0000' }, was: { id: from } }) as const;
    await lane.apply(
      [move(10, 99, 'a'), move(11, 10, 'b'), move(99, 11, 'c')],
      [move(1, 12, 'd'), move(12, 13, 'e')],
    );
    expect(await stored()).toEqual([
      { id: '3', email: 'three', notes: 'three' },
      { id: '10', email: 'b', notes: 'eleven' },
      { id: '11', email: 'c', notes: 'ten' },
      { id: '13', email: 'e', notes: 'one' },
    ]);
  });

  it('empties a table where the source was truncated, and applies what came after', async () => {
    await lane.apply(
      [{ update: 'contacts', row: contact(3, 'x') }],
      [{ truncate: 'contacts' }, { insert: 'contacts', row: contact(20, 'new') }],
      [{ update: 'contacts', row: { id: 20, email: 'newer', amount: null } }],
    );
    expect(await stored()).toEqual([{ id: '20', email: 'newer', notes: 'new' }]);
  });

  it('quarantines a partial image of a row that it lacks, and resolves that when the whole row comes', async () => {
    await lane.apply([
      { update: 'contacts', row: { id: 77, email: 'p', amount: null } },
      { insert: 'contacts', row: contact(21, 'good') },
    ]);
    expect(await lane.quarantine()).toMatchObject([
      { entity: 'contacts', code: 'WB6511', change: 'update', key_json: '{"id":"77"}', is_open: 1 },
    ]);
    await lane.apply([{ update: 'contacts', row: { id: 77, email: 'q', amount: null } }]);
    await lane.apply([{ update: 'contacts', row: contact(77, 'whole') }]);
    expect((await lane.quarantine()).map((row) => row.is_open)).toEqual([0, 0]);
    expect((await stored()).map((row) => row.id)).toEqual(['20', '21', '77']);
  });

  it('lets no partial image build on a row whose last change is in quarantine', async () => {
    await lane.apply([{ reject: 'contacts', keyJson: '{"id":"20"}' }]);
    await lane.apply([{ update: 'contacts', row: { id: 20, email: 'stale', amount: null } }]);
    const open = (await lane.quarantine()).filter((row) => row.is_open === 1);
    expect(open.map((row) => row.code)).toEqual(['WB3101', 'WB6512']);
    await lane.apply([{ delete: 'contacts', key: { id: 20 } }]);
    expect((await lane.quarantine()).every((row) => row.is_open === 0)).toBe(true);
  });

  it('quarantines a value that its column lacks room for, and no more', async () => {
    await lane.apply([
      { insert: 'contacts', row: { ...contact(30, 'x'), email: 'x'.repeat(101) } },
      { insert: 'contacts', row: contact(31, 'fits') },
    ]);
    expect((await lane.quarantine()).at(-1)).toMatchObject({ code: 'WB6040', key_json: '{"id":"30"}' });
    expect((await stored()).map((row) => row.id)).toEqual(['21', '31', '77']);
  });

  it('tells keys apart that differ in case, and never merges those that differ in trailing blanks', async () => {
    await lane.apply([
      { insert: 'tags', row: { name: 'a', n: 1 } },
      { insert: 'tags', row: { name: 'A', n: 2 } },
      { insert: 'tags', row: { name: 'a ', n: 3 } },
    ]);
    expect(await lane.rows('dbo.tags', 'name, n', 'n')).toEqual([
      { name: 'a', n: 1 },
      { name: 'A', n: 2 },
    ]);
    expect((await lane.quarantine()).at(-1)).toMatchObject({ code: 'WB6513', key_json: '{"name":"a "}' });
    // Not in one batch, and the other way round: deletes and moves of the one leave the other alone.
    await lane.apply(
      [{ update: 'tags', row: { name: 'A ', n: 4 } }],
      [{ delete: 'tags', key: { name: 'a ' } }],
    );
    expect(await lane.rows('dbo.tags', 'name, n', 'n')).toEqual([
      { name: 'a', n: 1 },
      { name: 'A', n: 2 },
    ]);
    await lane.apply([{ update: 'tags', row: { name: 'a ', n: 5 }, was: { name: 'a' } }]);
    expect(await lane.rows('dbo.tags', 'name, n', 'n')).toEqual([
      { name: 'A', n: 2 },
      { name: 'a ', n: 5 },
    ]);
  });

  it('halts on a payload that it cannot read, with nothing applied', async () => {
    const batch = lane.batch([{ insert: 'contacts', row: contact(40, 'x') }]);
    const damaged = { ...batch, payload: Buffer.concat([batch.payload, Buffer.from([1, 2, 3])]) };
    await expect(lane.applier.apply(damaged, signal)).rejects.toMatchObject({
      code: 'WB6503',
      kind: 'permanent',
    });
    expect(await lane.applier.apply(batch, signal)).toMatchObject({ kind: 'applied' });
  });

  it('rolls back when it is aborted', async () => {
    const batch = lane.batch([{ insert: 'contacts', row: contact(41, 'x') }]);
    await expect(lane.applier.apply(batch, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    expect(await lane.applier.apply(batch, signal)).toMatchObject({ kind: 'applied' });
  });
});
