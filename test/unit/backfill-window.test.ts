// The chunk window against a naive model: any changes of any keys, the read at any moment between the watermarks.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChunkWindow } from '../../src/capture/chunk-window.ts';
import type { Relation, SourceChange, SourceRow } from '../../src/change/source-change.ts';

const table = { schema: 'public', table: 't' };
const relation: Relation = {
  oid: 1,
  ...table,
  replicaIdentity: 'default',
  columns: ['a', 'b', 'v', 'big'].map((name) => ({
    name,
    typeOid: 25,
    typeModifier: -1,
    identity: name === 'a' || name === 'b',
  })),
};
const key = ['a', 'b'];

/** The source: rows by key, and the change that the stream sends of each write. */
class Source {
  readonly rows = new Map<string, { a: string; b: string; v: string; big: string }>();
  #ordinal = 0;

  write(action: Action): SourceChange | null {
    const from = this.rows.get(action.key);
    const at = { relation, ordinal: ++this.#ordinal };
    const [a = '', b = ''] = action.key.split('|');
    switch (action.kind) {
      case 'put': {
        const row = { a, b, v: action.value, big: action.value };
        this.rows.set(action.key, row);
        return from === undefined ? { op: 'insert', ...at, row } : { op: 'update', ...at, row, old: null };
      }
      case 'touch': {
        // The out-of-line value stays as it is and is not sent.
        if (from === undefined) return null;
        this.rows.set(action.key, { ...from, v: action.value });
        return { op: 'update', ...at, row: { ...from, v: action.value, big: undefined }, old: null };
      }
      case 'move': {
        if (from === undefined || this.rows.has(action.to)) return null;
        const [toA = '', toB = ''] = action.to.split('|');
        this.rows.delete(action.key);
        this.rows.set(action.to, { ...from, a: toA, b: toB });
        return {
          op: 'update',
          ...at,
          row: { ...from, a: toA, b: toB, ...(action.isPartial && { big: undefined }) },
          old: { a, b, v: null, big: null },
        };
      }
      case 'drop':
        if (!this.rows.delete(action.key)) return null;
        return { op: 'delete', ...at, old: { a, b, v: null, big: null } };
      case 'empty':
        this.rows.clear();
        return { op: 'truncate', ...at };
    }
  }
}

type Action =
  | { kind: 'put' | 'touch'; key: string; value: string }
  | { kind: 'move'; key: string; to: string; isPartial: boolean }
  | { kind: 'drop'; key: string }
  | { kind: 'empty'; key: string };

const keys = fc.constantFrom('1|1', '1|2', '2|1', '-3|x', '9|9');
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: keys,
      value: fc.string({ maxLength: 2 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('touch' as const),
      key: keys,
      value: fc.string({ maxLength: 2 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      key: keys,
      to: keys,
      isPartial: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('drop' as const), key: keys }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('empty' as const), key: keys }) },
);

/** What the stream alone leaves in a warehouse that began with `start`; a partial image of a row that it lacks is lost. */
function apply(warehouse: Map<string, SourceRow>, change: SourceChange): void {
  const nameOf = (row: SourceRow) => `${row.a}|${row.b}`;
  if (change.op === 'truncate') warehouse.clear();
  else if (change.op === 'delete') warehouse.delete(nameOf(change.old));
  else {
    const old = change.op === 'update' ? change.old : null;
    const before = warehouse.get(nameOf(old ?? change.row));
    if (old !== null) warehouse.delete(nameOf(old));
    if (change.row.big !== undefined) warehouse.set(nameOf(change.row), change.row);
    else if (before !== undefined) warehouse.set(nameOf(change.row), { ...change.row, big: before.big });
  }
}

test('a chunk and the stream together leave the source’s state at the high watermark', () => {
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 6 }),
      fc.array(action, { maxLength: 6 }),
      fc.array(action, { maxLength: 12 }),
      fc.nat(12),
      fc.nat(12),
      (seeds, beforeLow, within, readAt, filledAt) => {
        const source = new Source();
        const warehouse = new Map<string, SourceRow>();
        const window = new ChunkWindow(table, key, 'rows');
        // Keys whose row the stream could not complete where it moved it: read by their keys in the end, not by the window.
        const owed = new Set<string>();
        for (const one of seeds) source.write(one);
        const write = (one: Action) => {
          const change = source.write(one);
          if (change !== null && one.kind === 'move' && (one.isPartial || owed.has(one.key)))
            owed.add(one.to);
          return change;
        };
        const deliver = (change: SourceChange | null) => {
          if (change === null) return;
          window.change(change);
          apply(warehouse, change);
        };
        for (const one of beforeLow) deliver(write(one));
        window.open();
        // The snapshot is taken at one moment; the rows are there at another of the stream, which lags behind.
        let read: SourceRow[] | null = null;
        const changes = within.map((one, index) => {
          if (index === readAt) read = [...source.rows.values()];
          return write(one);
        });
        const rowsRead = read ?? [...source.rows.values()];
        changes.forEach((change, index) => {
          if (index === filledAt) window.fill(rowsRead);
          deliver(change);
        });
        if (filledAt >= changes.length) window.fill(rowsRead);
        const { rows, isSpoiled } = window.close();
        expect(isSpoiled).toBe(false);
        for (const row of rows) warehouse.set(`${row.a}|${row.b}`, row);
        for (const one of owed) {
          const row = source.rows.get(one);
          if (row !== undefined) warehouse.set(one, row);
        }
        const plain = (map: ReadonlyMap<string, SourceRow>) =>
          [...map].map(([name, { a, b, v, big }]) => [name, { a, b, v, big }]).sort();
        expect(plain(warehouse)).toEqual(plain(source.rows));
      },
    ),
    { numRuns: 5000 },
  );
});

test('keys that the source lacks are deleted only where the stream did not touch them', () => {
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 6 }),
      fc.array(action, { maxLength: 6 }),
      fc.array(action, { maxLength: 6 }),
      fc.uniqueArray(keys),
      (seeds, beforeRead, afterRead, held) => {
        const source = new Source();
        const window = new ChunkWindow(table, key, 'absent');
        const stream = (actions: readonly Action[]) => {
          for (const one of actions) {
            const change = source.write(one);
            if (change !== null) window.change(change);
          }
        };
        for (const one of seeds) source.write(one);
        window.open();
        stream(beforeRead);
        const absent = held.filter((name) => !source.rows.has(name));
        window.fill(absent.map((name) => ({ a: name.split('|')[0] ?? '', b: name.split('|')[1] ?? '' })));
        stream(afterRead);
        for (const row of window.close().rows) expect(source.rows.has(`${row.a}|${row.b}`)).toBe(false);
      },
    ),
    { numRuns: 2000 },
  );
});

test('a change without its key spoils the window; one of another table does not', () => {
  const window = new ChunkWindow(table, key, 'rows');
  window.open();
  window.change({ op: 'insert', relation: { ...relation, table: 'other' }, row: {}, ordinal: 1 });
  window.fill([{ a: '1', b: '1', v: 'x' }]);
  window.change({ op: 'delete', relation, old: { a: '1' }, ordinal: 2 });
  expect(window.close()).toEqual({ rows: [], yielded: 0, isSpoiled: true });
});
