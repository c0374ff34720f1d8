// Which request a first load serves: nothing but every entity, whole and untouched.
import { expect, test } from 'vitest';
import { wholeRequest } from '../../src/daemon/first-load-due.ts';
import { type BackfillStatus, noOptions } from '../../src/warehouse/backfill-step.ts';

const step = (id: string, entity: string, change: Partial<BackfillStatus> = {}): BackfillStatus =>
  ({
    ...{ id, entity, range: 0, kind: 'backfill', state: 'queued', options: noOptions },
    ...{ fromKey: null, toKey: null, doneKey: null, ...change },
  }) as BackfillStatus;

const found = (...steps: BackfillStatus[]) =>
  wholeRequest(steps, ['a', 'b']).map(({ id, entity, range }) => `${id} ${entity} ${range}`);

test('every entity of the daemon, whole; prune may follow', () => {
  expect(found(step('1', 'a'), step('1', 'b'))).toEqual(['1 a 0', '1 b 0']);
  expect(found(step('1', 'a'), step('1', 'b', { kind: 'prune', range: 1 }), step('1', 'b'))).toEqual([
    '1 a 0',
    '1 b 0',
  ]);
  expect(found(step('1', 'a'), step('1', 'b'), step('1', 'of another daemon'))).toEqual(['1 a 0', '1 b 0']);
  expect(found(step('1', 'a'), step('2', 'a'), step('2', 'b'))).toEqual(['2 a 0', '2 b 0']);
  expect(found(step('1', 'a'), step('2', 'b'))).toEqual([]);
  expect(found()).toEqual([]);
});

test('ranges that a step was split into are whole together', () => {
  const first = step('1', 'b', { toKey: ['5'], state: 'running' });
  const second = step('1', 'b', { fromKey: ['5'], range: 1 });
  expect(found(step('1', 'a'), first, second)).toEqual(['1 a 0', '1 b 0', '1 b 1']);
  expect(found(step('1', 'a'), first)).toEqual([]);
  expect(found(step('1', 'a'), second)).toEqual([]);
});

test('a condition, a range, single keys, --truncate-first, a pause, progress: left to chunks', () => {
  const others: Partial<BackfillStatus>[] = [
    { options: { ...noOptions, where: 'true' } },
    { options: { ...noOptions, since: { column: 'c', from: '2026-01-01' } } },
    { options: { ...noOptions, keys: [['1']] } },
    { fromKey: ['1'] },
    { toKey: ['9'] },
    { state: 'paused' },
    { state: 'failed' },
    { doneKey: ['4'] },
    { kind: 'prune' },
  ];
  for (const other of others) expect(found(step('1', 'a'), step('1', 'b', other))).toEqual([]);
  expect(found(step('1', 'a'), step('1', 'b'), step('1', 'b', { kind: 'truncate', range: 1 }))).toEqual([]);
});
