// Which step of a backfill comes next in each lane.
import { expect, test } from 'vitest';
import { nextSteps } from '../../src/daemon/backfill-order.ts';
import type { BackfillState, BackfillStatus } from '../../src/warehouse/backfill-store.ts';

const entities = ['accounts', 'contacts', 'leads'];

/** `id entity range state lane`, in the order they were asked for. */
function named(lines: readonly string[]): BackfillStatus[] {
  return lines.map((line) => {
    const [id = '', entity = '', range, state, lane = 'main'] = line.split(' ');
    return { id, entity, range: Number(range), state: state as BackfillState, lane } as BackfillStatus;
  });
}

function next(...lines: string[]): string[] {
  return nextSteps(named(lines), entities).map(({ id, entity, range }) => `${id} ${entity} ${range}`);
}

test('parents first within a backfill, the earlier backfill first, one step a lane', () => {
  expect(next('1 contacts 0 queued', '1 accounts 0 queued')).toEqual(['1 accounts 0']);
  expect(next('1 leads 0 queued', '2 accounts 0 queued')).toEqual(['1 leads 0']);
  expect(next('1 accounts 0 queued a', '1 contacts 0 queued b')).toEqual(['1 accounts 0', '1 contacts 0']);
});

test('what runs goes on; what failed or was paused holds back its own later steps only', () => {
  expect(next('1 accounts 0 queued', '2 leads 0 running')).toEqual(['2 leads 0']);
  expect(next('1 accounts 0 failed', '1 accounts 1 queued')).toEqual([]);
  expect(next('1 accounts 0 paused', '1 accounts 1 queued', '1 leads 0 queued')).toEqual(['1 leads 0']);
  expect(next('1 accounts 0 queued', '1 accounts 1 queued')).toEqual(['1 accounts 0']);
});
