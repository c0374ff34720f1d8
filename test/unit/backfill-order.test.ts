// Which steps of a backfill are worked on at once in each lane.
import { expect, test } from 'vitest';
import { type EntityOrder, nextSteps, parentsFirst } from '../../src/daemon/backfill-order.ts';
import type { BackfillKind, BackfillState, BackfillStatus } from '../../src/warehouse/backfill-step.ts';

const order: EntityOrder = {
  entities: ['accounts', 'contacts', 'leads'],
  parents: new Map([['contacts', ['accounts']]]),
};

/** `id entity range kind state lane`, in the order they were asked for. */
function named(lines: readonly string[], parallel: number | null): BackfillStatus[] {
  return lines.map((line) => {
    const [id = '', entity = '', range, kind, state, lane = 'main'] = line.split(' ');
    return {
      id,
      entity,
      range: Number(range),
      kind: kind as BackfillKind,
      state: state as BackfillState,
      lane,
      options: { parallel },
    } as BackfillStatus;
  });
}

function nextOf(parallel: number | null, lines: string[]): string[] {
  return nextSteps(named(lines, parallel), order).map(({ id, entity, range }) => `${id} ${entity} ${range}`);
}
const next = (...lines: string[]) => nextOf(null, lines);

test('parents first within a backfill, the earlier backfill first, one step a lane', () => {
  expect(next('1 contacts 0 backfill queued', '1 accounts 0 backfill queued')).toEqual(['1 accounts 0']);
  expect(next('1 leads 0 backfill queued', '2 accounts 0 backfill queued')).toEqual(['1 leads 0']);
  expect(next('1 accounts 0 backfill queued a', '1 contacts 0 backfill queued b')).toEqual([
    '1 accounts 0',
    '1 contacts 0',
  ]);
});

test('what runs goes on; what failed or was paused holds back its own later steps only', () => {
  expect(next('1 accounts 0 backfill queued', '2 leads 0 backfill running')).toEqual(['2 leads 0']);
  expect(next('1 accounts 0 truncate failed', '1 accounts 1 backfill queued')).toEqual([]);
  expect(
    next(
      '1 accounts 0 truncate paused',
      '1 accounts 1 backfill queued',
      '1 contacts 0 backfill queued',
      '1 leads 0 backfill queued',
    ),
  ).toEqual(['1 contacts 0']);
  expect(next('1 accounts 0 truncate queued', '1 accounts 1 backfill queued')).toEqual(['1 accounts 0']);
});

test('ranges and tables at once, as many as asked for; children wait for their parents', () => {
  const asked = [
    '1 contacts 0 backfill queued',
    '1 leads 0 backfill queued',
    '1 accounts 0 backfill queued',
    '1 accounts 1 prune queued',
    '1 accounts 2 backfill queued',
    '1 accounts 3 backfill running',
    '2 leads 0 backfill queued',
  ];
  expect(nextOf(3, asked)).toEqual(['1 accounts 3', '1 accounts 0', '1 accounts 2']);
  expect(nextOf(9, asked)).toEqual(['1 accounts 3', '1 accounts 0', '1 accounts 2', '1 leads 0']);
  const behind = [
    '1 accounts 0 backfill queued',
    '1 contacts 0 backfill queued',
    '1 leads 0 backfill queued',
  ];
  expect(nextOf(9, behind)).toEqual(['1 accounts 0', '1 leads 0']);
  expect(nextOf(9, behind.slice(1))).toEqual(['1 contacts 0', '1 leads 0']);
});

test('deletes go the other way round: a parent is pruned behind all steps of its children', () => {
  const prunes = ['1 accounts 1 prune queued', '1 contacts 0 backfill queued', '1 contacts 1 prune queued'];
  expect(nextOf(9, prunes)).toEqual(['1 contacts 0']);
  expect(nextOf(9, [prunes[0] ?? '', prunes[2] ?? ''])).toEqual(['1 contacts 1']);
  expect(nextOf(9, prunes.slice(0, 1))).toEqual(['1 accounts 1']);
  expect(nextOf(9, [prunes[0] ?? '', '1 contacts 0 backfill failed', '2 leads 0 backfill queued'])).toEqual([
    '1 accounts 1',
  ]);
});

test('parents are found by the foreign keys of the source, and a circle is cut', () => {
  const mapping = (table: string) => ({ entity: table, source: { schema: 'public', table } });
  const described = (table: string, ...targets: string[]) => ({
    schema: 'public',
    table,
    foreignKeys: targets.map((target) => ({ target: { schema: 'public', table: target } })),
  });
  const { entities, parents } = parentsFirst(
    [mapping('c'), mapping('b'), mapping('a')] as never,
    [described('c', 'b', 'c'), described('b', 'a'), described('a', 'c')] as never,
  );
  expect(entities).toEqual(['a', 'b', 'c']);
  expect(Object.fromEntries(parents)).toEqual({ a: [], b: ['a'], c: ['b'] });
});
