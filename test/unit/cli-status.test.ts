// What `walbridge status` shows at a glance: what needs somebody before what is only told, one line for all that is equal.
import { expect, it } from 'vitest';
import { formatStatus } from '../../src/cli/status.ts';
import type { Status } from '../../src/daemon/status.ts';

const verified = (entity: string, more: Partial<Status['verifications'][number]> = {}) => ({
  ...({ entity, state: 'equal', share: 1, missing: 0, extra: 0, different: 0, quarantined: 0 } as const),
  ...({ unsettled: 0, errorCode: null, error: null, finishedAt: '2026-11-25T03:00:09.000Z' } as const),
  ...more,
});

it('names what is missing, what is in quarantine and what was found different, and sums up the rest', () => {
  const status = {
    slot: { isActive: false, retainedBytes: 5, walStatus: 'reserved' },
    lanes: [
      {
        lane: 'main',
        lagSeconds: 0,
        trouble: { state: 'halted', code: 'WB6020', at: '2026-11-25T04:00:00Z', what: 'It failed.' },
      },
    ],
    problems: [],
    gap: { code: 'WB7003', reason: 'The source was edited:\nWB2133 …\n', entities: ['contacts', 'leads'] },
    quarantine: [
      { entity: 'leads', code: 'WB4103', rows: 20, lastAt: '2026-11-25T03:00:00.000Z' },
      { entity: 'leads', code: 'WB3110', rows: 1, lastAt: '2026-11-25T02:00:00.000Z' },
    ],
    verifications: [
      verified('accounts'),
      verified('contacts', { state: 'different', missing: 2 }),
      verified('leads', { quarantined: 21 }),
      verified('notes', { finishedAt: '2026-11-24T03:00:09.000Z' }),
    ],
  } as unknown as Status;
  const lines = formatStatus(status).split('\n');
  expect(lines.slice(lines.findIndex((line) => line.startsWith('slot:')))).toEqual([
    'slot: not read by anybody, holds 5 bytes of WAL, reserved',
    'lane main halted since 2026-11-25T04:00:00Z: WB6020 It failed.',
    '  Mend the cause (walbridge check names it), then send SIGHUP to the daemon, or start it again.',
    'changes are missing since WB7003: The source was edited:',
    'WB2133 …',
    '  walbridge backfill contacts leads --prune --detach lets the daemon go on, once the cause is mended.',
    'quarantine: 21 open rows: leads WB4103 20 (last 2026-11-25T03:00:00.000Z), leads WB3110 1 (last 2026-11-25T02:00:00.000Z)',
    'verified contacts 2026-11-25T03:00:09.000Z: different, 2 missing',
    'verified leads 2026-11-25T03:00:09.000Z: equal, 21 quarantined',
    'verified 2 entities: equal, the oldest 2026-11-24T03:00:09.000Z',
  ]);
});
