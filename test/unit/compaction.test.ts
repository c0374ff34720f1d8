// Compaction against a naive replay, row by row: whatever the traffic and wherever batches are cut, the result is the same.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CanonicalEvent, CanonicalRecord } from '../../src/canonical/event.ts';
import type { TargetTable } from '../../src/mapping/target.ts';
import { type CompactedBatch, compact } from '../../src/warehouse/compaction.ts';

const target: TargetTable = {
  entity: 'contact',
  lane: 'main',
  schema: 'dbo',
  table: 'contacts',
  key: ['id'],
  columns: [
    { name: 'id', type: { name: 'bigint' }, nullable: false, field: 'id' },
    { name: 'name', type: { name: 'nvarchar', length: 50 }, nullable: true, field: 'name' },
    { name: 'notes', type: { name: 'nvarchar', length: 'max' }, nullable: true, field: 'notes' },
    { name: 'body', type: { name: 'nvarchar', length: 'max' }, nullable: true, field: 'body' },
  ],
  metadata: {},
};
const targets = new Map([[target.entity, target]]);
const toastable = ['notes', 'body'] as const;

type Rows = Map<unknown, CanonicalRecord>;

/** One row, one change at a time: what the batch means. */
function replay(rows: Rows, event: CanonicalEvent): void {
  if (event.op === 'truncate') rows.clear();
  if (event.op === 'delete') rows.delete(event.key.id);
  if (event.op !== 'upsert') return;
  const before = rows.get((event.previousKey ?? event.record).id);
  if (event.previousKey !== null) rows.delete(event.previousKey.id);
  if (event.absent.length > 0 && before === undefined) return;
  rows.set(event.record.id, { ...before, ...event.record });
}

/** What apply does with a compacted batch: fill from the state before, truncate or delete, then upsert. */
function apply(rows: Rows, batch: CompactedBatch): Rows {
  const after: Rows = new Map(rows);
  for (const table of batch.tables) {
    if (table.truncatedAt !== null) after.clear();
    for (const row of table.rows) if (row.op === 'delete') after.delete(row.record.id);
    for (const row of table.rows) {
      if (row.op !== 'upsert') continue;
      const record = { ...row.record };
      const origin = row.origin === null ? undefined : rows.get(row.origin.id);
      if (row.origin !== null && origin === undefined) throw new Error('no origin');
      for (const field of row.absent) record[field] = origin?.[field] ?? null;
      after.set(record.id, record);
    }
  }
  return after;
}

let lsn = 0n;
const at = () => ({ at: { lsn: ++lsn, ordinal: 1 }, commitTimeMicros: lsn, entity: 'contact' });
const upsert = (
  record: CanonicalRecord,
  more: { absent?: string[]; previousKey?: CanonicalRecord; inserted?: boolean } = {},
): CanonicalEvent => ({
  op: 'upsert',
  ...at(),
  inserted: more.inserted ?? false,
  record,
  absent: more.absent ?? [],
  previousKey: more.previousKey ?? null,
});
const remove = (id: number): CanonicalEvent => ({ op: 'delete', ...at(), key: { id } });
const truncate = (): CanonicalEvent => ({ op: 'truncate', ...at() });
const full = (id: number, text: string): CanonicalRecord => ({ id, name: text, notes: text, body: text });

type Step = { kind: number; id: number; to: number; text: string; keep: readonly string[] };
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.integer({ min: 0, max: 40 }),
  id: fc.integer({ min: 1, max: 6 }),
  to: fc.integer({ min: 1, max: 6 }),
  text: fc.string({ maxLength: 3 }),
  keep: fc.subarray([...toastable]),
});

/** Plays steps on a source that refuses what PostgreSQL would, and returns the events it would send. */
function play(steps: readonly Step[]): CanonicalEvent[] {
  const source: Rows = new Map();
  const events: CanonicalEvent[] = [];
  for (const { kind, id, to, text, keep } of steps) {
    const exists = source.has(id);
    let event: CanonicalEvent;
    if (kind === 0) event = truncate();
    else if (!exists) event = upsert(full(id, text), { inserted: true });
    else if (kind < 10) event = remove(id);
    else {
      const moves = kind > 25 && !source.has(to);
      const record = full(moves ? to : id, text);
      for (const field of keep) delete record[field];
      event = upsert(record, { absent: [...keep], ...(moves && { previousKey: { id } }) });
    }
    replay(source, event);
    events.push(event);
  }
  return events;
}

describe('compaction', () => {
  it('does to a table what its events one by one would, wherever the batches are cut', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(fc.nat(60), { maxLength: 4 }),
        (steps, cuts) => {
          const events = play(steps);
          const expected: Rows = new Map();
          for (const event of events) replay(expected, event);
          let rows: Rows = new Map();
          let from = 0;
          for (const to of [
            ...cuts.filter((cut) => cut < events.length).sort((a, b) => a - b),
            events.length,
          ]) {
            const batch = compact(events.slice(from, to), targets);
            const keys = batch.tables.flatMap((table) => table.rows.map((row) => row.record.id));
            expect(new Set(keys).size).toBe(keys.length);
            expect(batch.rejected).toEqual([]);
            rows = apply(rows, batch);
            from = to;
          }
          expect(sorted(rows)).toEqual(sorted(expected));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('merges an INSERT and a partial UPDATE into one full row', () => {
    const rows = only([
      upsert(full(1, 'a'), { inserted: true }),
      upsert({ id: 1, name: 'b', body: 'b' }, { absent: ['notes'] }),
    ]);
    expect(rows).toMatchObject([
      { op: 'upsert', record: { id: 1, name: 'b', notes: 'a', body: 'b' }, absent: [], origin: null },
    ]);
  });

  it('keeps unchanged TOAST through a key change by naming the key that holds it', () => {
    const rows = only([
      upsert({ id: 1, name: 'b' }, { absent: ['notes', 'body'] }),
      upsert({ id: 2, name: 'c', body: 'c' }, { absent: ['notes'], previousKey: { id: 1 } }),
      upsert({ id: 3, name: 'd' }, { absent: ['notes', 'body'], previousKey: { id: 2 } }),
    ]);
    expect(rows).toMatchObject([
      { op: 'delete', record: { id: 1 } },
      { op: 'delete', record: { id: 2 } },
      { op: 'upsert', record: { id: 3, name: 'd', body: 'c' }, absent: ['notes'], origin: { id: 1 } },
    ]);
  });

  it('lets two keys swap through a third, each value staying with its row', () => {
    const move = (from: number, id: number) =>
      upsert({ id, name: `${from}` }, { absent: ['notes', 'body'], previousKey: { id: from } });
    const rows = only([move(1, 9), move(2, 1), move(9, 2)]);
    expect(rows).toMatchObject([
      { op: 'upsert', record: { id: 1 }, origin: { id: 2 } },
      { op: 'delete', record: { id: 9 } },
      { op: 'upsert', record: { id: 2 }, origin: { id: 1 } },
    ]);
  });

  it('makes DELETE and INSERT of one key an upsert, and leaves nothing of what a TRUNCATE removed', () => {
    expect(only([remove(1), upsert(full(1, 'a'), { inserted: true })])).toMatchObject([{ op: 'upsert' }]);
    const batch = compact([upsert(full(1, 'a')), truncate(), upsert(full(2, 'b')), remove(2)], targets);
    expect(batch.tables).toMatchObject([{ truncatedAt: { ordinal: 1 }, rows: [] }]);
  });

  it('sends a partial image of a row that a TRUNCATE or DELETE took away to quarantine', () => {
    const partial = () => upsert({ id: 1, name: 'b' }, { absent: ['notes', 'body'] });
    for (const events of [
      [truncate(), partial()],
      [remove(1), partial()],
    ]) {
      expect(compact(events, targets).rejected).toMatchObject([
        { change: 'update', rejection: { code: 'WB6511' } },
      ]);
    }
  });

  it('quarantines a change without a whole key and passes rejects on', () => {
    const reject: CanonicalEvent = {
      op: 'reject',
      ...at(),
      code: 'WB3101',
      reason: 'name: malformed',
      change: 'update',
      key: null,
      previousKey: null,
      keyJson: '{"id":"7"}',
      rowJson: '{}',
    };
    const { rejected, tables } = compact([upsert({ ...full(1, 'a'), id: null }), reject], targets);
    expect(rejected.map((row) => row.rejection.code)).toEqual(['WB6510', 'WB3101']);
    expect(tables).toEqual([]);
  });

  it('lets no partial image build on a row whose earlier change was rejected, until a full one mends it', () => {
    const reject: CanonicalEvent = {
      op: 'reject',
      ...at(),
      code: 'WB3101',
      reason: 'name: malformed',
      change: 'update',
      key: null,
      previousKey: null,
      keyJson: '{"id":"1"}',
      rowJson: '{}',
    };
    const partial = (id: number, previousKey?: CanonicalRecord) =>
      upsert({ id, name: 'b' }, { absent: ['notes', 'body'], ...(previousKey && { previousKey }) });
    const { rejected, tables } = compact(
      [
        upsert(full(1, 'a')),
        reject,
        partial(1),
        partial(2, { id: 1 }),
        partial(2),
        upsert(full(2, 'c')),
        partial(2),
      ],
      targets,
    );
    expect(rejected.map((row) => row.rejection.code)).toEqual(['WB3101', 'WB6512', 'WB6512', 'WB6512']);
    // The row is under key 1 no more, whatever became of the change that moved it.
    expect(tables[0]?.rows).toMatchObject([
      { op: 'delete', record: { id: 1 } },
      { record: { id: 2, name: 'b', notes: 'c' } },
    ]);
  });

  it('names a rejected row by its canonical key, and leaves nothing under the key that it had', () => {
    const reject: CanonicalEvent = {
      op: 'reject',
      ...at(),
      code: 'WB3101',
      reason: 'name: malformed',
      change: 'update',
      key: { id: 2 },
      previousKey: { id: 1 },
      keyJson: '{"source name of id":"02"}',
      rowJson: '{}',
    };
    const partial = upsert({ id: 2, name: 'b' }, { absent: ['notes', 'body'] });
    const { rejected, tables } = compact([upsert(full(1, 'a')), reject, partial], targets);
    expect(rejected).toMatchObject([
      { rejection: { code: 'WB3101' }, source: { keyJson: '{"id":"2"}' } },
      { rejection: { code: 'WB6512' } },
    ]);
    expect(tables[0]?.rows).toMatchObject([{ op: 'delete', record: { id: 1 } }]);
  });

  it('compares keys exactly', () => {
    const text: TargetTable = { ...target, entity: 'text', key: ['name', 'notes'] };
    const event = (name: string, notes: string): CanonicalEvent => ({
      ...upsert({ id: 1, name, notes, body: '' }),
      entity: 'text',
    });
    const keys = [
      ['a', 'b'],
      ['A', 'b'],
      ['a ', 'b'],
      ['a', ' b'],
      ['ab', ''],
      ['', 'ab'],
    ] as const;
    const batch = compact(
      keys.map(([name, notes]) => event(name, notes)),
      new Map([['text', text]]),
    );
    expect(batch.tables[0]?.rows).toHaveLength(keys.length);
  });

  it('names an entity that it does not know', () => {
    expect(() => compact([{ ...truncate(), entity: 'nobody' }], targets)).toThrow(/WB6501.*nobody/);
  });
});

function only(events: readonly CanonicalEvent[]) {
  const batch = compact(events, targets);
  expect(batch.tables).toHaveLength(1);
  return batch.tables[0]?.rows;
}

function sorted(rows: Rows) {
  return [...rows.values()].sort((a, b) => Number(a.id) - Number(b.id));
}
