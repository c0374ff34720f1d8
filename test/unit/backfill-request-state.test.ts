// What the steps of a request come to, for those who follow it and for its job.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { viewOf } from '../../src/daemon/backfill-jobs.ts';
import {
  type BackfillKind,
  type BackfillState,
  type BackfillStatus,
  requestState,
} from '../../src/warehouse/backfill-step.ts';

const step = (entity: string, kind: BackfillKind, state: BackfillState, rest: Partial<BackfillStatus> = {}) =>
  ({
    ...{ id: '1', entity, kind, state, rowsRead: 0, rowsEstimated: null },
    ...rest,
  }) as BackfillStatus;

test('it moves while one step moves, and is what its steps wait for else', () => {
  const state = (...steps: BackfillStatus[]) => requestState(steps);
  expect(state(step('a', 'backfill', 'queued'))).toBe('queued');
  expect(state(step('a', 'backfill', 'done'), step('a', 'prune', 'queued'))).toBe('running');
  expect(state(step('a', 'backfill', 'failed'), step('a', 'prune', 'queued'))).toBe('failed');
  expect(state(step('a', 'backfill', 'failed'), step('b', 'backfill', 'queued'))).toBe('queued');
  expect(state(step('a', 'backfill', 'failed'), step('b', 'backfill', 'paused'))).toBe('paused');
  expect(state(step('a', 'backfill', 'done'), step('b', 'backfill', 'cancelled'))).toBe('cancelled');
  expect(state(step('a', 'backfill', 'done'), step('a', 'prune', 'done'))).toBe('done');
});

test('of any steps: it moves just where some step that moves is held back by none', () => {
  const kinds = fc.constantFrom<BackfillKind>('truncate', 'backfill', 'prune');
  const states = fc.constantFrom<BackfillState>(
    ...(['queued', 'running', 'paused', 'done', 'cancelled', 'failed'] as const),
  );
  const steps = fc.array(
    fc
      .tuple(fc.constantFrom('a', 'b'), kinds, states)
      .map(([entity, kind, state]) => step(entity, kind, state)),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(steps, (some) => {
      const state = requestState(some);
      const isOpen = (one: BackfillStatus) => one.state === 'queued' || one.state === 'running';
      const halts = (one: BackfillStatus) => !isOpen(one) && one.state !== 'done';
      const order = ['truncate', 'backfill', 'prune'];
      const moves = some.some(
        (one) =>
          isOpen(one) &&
          !some.some(
            (other) =>
              halts(other) &&
              other.entity === one.entity &&
              order.indexOf(other.kind) < order.indexOf(one.kind),
          ),
      );
      expect(state === 'queued' || state === 'running').toBe(moves);
      if (!moves) expect(some.some((one) => one.state === state)).toBe(true);
    }),
  );
});

test('the job shows the rows of what is read, and why the request has failed', () => {
  const read = step('a', 'backfill', 'running', { rowsRead: 5, rowsEstimated: 10 });
  const other = step('b', 'backfill', 'queued');
  expect(viewOf([read, other, step('a', 'prune', 'queued', { rowsRead: 7 })])).toEqual({
    ...{ state: 'running', rows: 5, estimated: 10, error: null },
  });
  expect(viewOf([other])).toMatchObject({ state: 'queued', rows: 0, estimated: null });
  const failed = step('b', 'backfill', 'failed', { errorCode: 'WB7022', error: 'Overtaken.' });
  expect(viewOf([failed])).toMatchObject({ state: 'failed', error: 'WB7022 (b): Overtaken.' });
});
