// The record of what the source was told: it moves only from what the writer has seen, while no lane is behind what he believes.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { createWarehouse } from '../../sandbox/address.ts';
import { type Position, wholeAt } from '../../src/change/position.ts';
import { AcknowledgementGate } from '../../src/daemon/acknowledgement-gate.ts';
import { acceptGap } from '../../src/warehouse/accept-gap.ts';
import {
  countRewind,
  moveAcknowledgement,
  readAcknowledgementRecord,
  recordGap,
  registerSlot,
} from '../../src/warehouse/acknowledgement-record.ts';
import { openWarehouse } from '../../src/warehouse/connection.ts';
import { initWarehouse } from '../../src/warehouse/init.ts';
import { registerLanes } from '../../src/warehouse/register-lanes.ts';
import type { Warehouse } from '../../src/warehouse/session.ts';
import type { SourceState } from '../../src/warehouse/source-branch.ts';

let warehouse: Warehouse;
let slot: string;

beforeAll(async () => {
  const name = `record_${randomUUID().slice(0, 8)}`;
  warehouse = await openWarehouse({ connectionString: await createWarehouse(inject('sandbox'), name) });
  await initWarehouse(warehouse, [], { dryRun: false, actor: 'test' });
  await registerLanes(warehouse, ['a', 'b'], { systemIdentifier: '7', slot: 's' });
});

beforeEach(async () => {
  slot = `s_${randomUUID().slice(0, 8)}`;
  await setLane('a', wholeAt(100n));
  await setLane('b', { lsn: 200n, ordinal: 5 });
});

afterAll(() => warehouse.close());

const setLane = (lane: string, { lsn, ordinal }: Position) =>
  warehouse.batch(
    `UPDATE walbridge.watermark SET commit_lsn = ${lsn}, ordinal = ${ordinal} WHERE lane = '${lane}'`,
  );
const lanes = [
  { lane: 'a', position: wholeAt(100n) },
  { lane: 'b', position: { lsn: 200n, ordinal: 5 } },
];
const sourceAt = (confirmed: bigint, over: Partial<SourceState> = {}): SourceState => ({
  systemIdentifier: '7',
  timelines: [{ id: 1, end: null }],
  publications: ['p'],
  isStandby: false,
  flushed: 1000n,
  confirmed,
  ...over,
});
const limit = async () => (await readAcknowledgementRecord(warehouse, slot))?.limit;

it('begins where the slot is, and stays where it was at the next start', async () => {
  expect(await registerSlot(warehouse, slot, '7', 50n)).toMatchObject({ limit: 50n, rewinds: 0, gap: null });
  expect(await registerSlot(warehouse, slot, '7', 70n)).toMatchObject({ limit: 50n });
  // Positions of another cluster mean nothing.
  await recordGap(warehouse, slot, { code: 'WB7003', reason: 'r', entities: ['x'] });
  expect(await registerSlot(warehouse, slot, '8', 30n)).toMatchObject({ limit: 30n, rewinds: 0, gap: null });
});

it('moves from what was seen, and from nothing else', async () => {
  const seen = await registerSlot(warehouse, slot, '7', 50n);
  expect(await moveAcknowledgement(warehouse, slot, seen, 60n, lanes)).toBe(true);
  expect(await limit()).toBe(60n);
  // Another one has moved it.
  expect(await moveAcknowledgement(warehouse, slot, seen, 70n, lanes)).toBe(false);
  const now = { ...seen, limit: 60n };
  await countRewind(warehouse, slot);
  expect(await moveAcknowledgement(warehouse, slot, now, 70n, lanes)).toBe(false);
  const rewound = { ...now, rewinds: 1 };
  for (const back of [wholeAt(99n), { lsn: 100n, ordinal: 3 }]) {
    await setLane('a', back);
    expect(await moveAcknowledgement(warehouse, slot, rewound, 70n, lanes)).toBe(false);
  }
  await setLane('a', wholeAt(101n));
  expect(
    await moveAcknowledgement(warehouse, slot, rewound, 70n, [
      ...lanes,
      { lane: 'c', position: wholeAt(1n) },
    ]),
  ).toBe(false);
  expect(await moveAcknowledgement(warehouse, slot, rewound, 70n, lanes)).toBe(true);
  await recordGap(warehouse, slot, { code: 'WB7003', reason: 'r', entities: null });
  expect(await moveAcknowledgement(warehouse, slot, { ...rewound, limit: 70n }, 80n, lanes)).toBe(false);
  expect(await limit()).toBe(70n);
});

it('tells the source of nothing that is not on record, and of all that is', async () => {
  const told: bigint[] = [];
  const gate = new AcknowledgementGate({
    warehouse,
    slot,
    tell: (lsn) => told.push(lsn),
    writtenBy: async () => sourceAt(50n).flushed,
  });
  gate.acknowledge(10n);
  await gate.pass(10n, lanes);
  expect(told).toEqual([]);
  await gate.open(sourceAt(50n));
  gate.acknowledge(49n);
  gate.acknowledge(50n);
  expect(told).toEqual([49n]);
  await gate.pass(59n, lanes);
  expect(told).toEqual([49n, 59n]);
  // As PostgreSQL spells it: one byte more.
  expect(await limit()).toBe(60n);
  await setLane('a', wholeAt(1n));
  await gate.pass(69n, lanes);
  expect(told).toEqual([49n, 59n]);
  await expect(gate.look()).resolves.toBeUndefined();

  // A restore in a moment when nobody looks.
  await warehouse.batch(`UPDATE walbridge.slot SET acknowledged_lsn = 55 WHERE slot = '${slot}'`);
  await setLane('a', wholeAt(100n));
  await gate.pass(79n, lanes);
  expect(told).toEqual([49n, 59n]);
  await expect(gate.look()).rejects.toMatchObject({ code: 'WB6302', kind: 'permanent' });
  await expect(gate.open(sourceAt(50n))).rejects.toMatchObject({ code: 'WB6302' });
  await warehouse.batch(`DELETE FROM walbridge.slot WHERE slot = '${slot}'`);
  await expect(gate.look()).rejects.toMatchObject({ code: 'WB6302' });
});

it('a gap is accepted for all that it is about, or not at all', async () => {
  await registerSlot(warehouse, slot, '7', 50n);
  const accept = (confirmed: bigint, entities: string[] | null) =>
    warehouse.transaction((session) =>
      acceptGap(session, {
        slot,
        source: sourceAt(confirmed),
        writtenBy: async () => sourceAt(confirmed).flushed,
        entities,
        actor: 'me',
        backfill: 'id',
      }),
    );
  const audited = async () =>
    (await warehouse.batch(`SELECT subject FROM walbridge.audit WHERE subject = '${slot}'`)).rows.length;
  await accept(50n, null);
  expect(await audited()).toBe(0);
  await recordGap(warehouse, slot, { code: 'WB7003', reason: 'first', entities: ['x', 'y'] });
  // The first one tells when it began.
  await recordGap(warehouse, slot, { code: 'WB7003', reason: 'second', entities: null });
  await accept(50n, ['x']);
  expect((await readAcknowledgementRecord(warehouse, slot))?.gap).toMatchObject({ reason: 'first' });
  await accept(50n, ['y', 'z', 'x']);
  expect(await readAcknowledgementRecord(warehouse, slot)).toMatchObject({ limit: 50n, gap: null });
  expect(await audited()).toBe(1);
  await accept(51n, ['x', 'y']);
  expect(await limit()).toBe(50n);
  await accept(51n, null);
  expect(await limit()).toBe(51n);
  expect(await audited()).toBe(2);
});
