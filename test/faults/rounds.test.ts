// The short form of `npm run soak`: every kind of fault once on each backend. WALBRIDGE_SEED=n plays another one again.
import { expect, inject, test } from 'vitest';
import { createBridge } from './bridge.ts';
import { type Fault, runRounds } from './rounds.ts';

const seed = Number(process.env.WALBRIDGE_SEED ?? 1);
const faults: readonly Fault[] = [
  'kill capture',
  'kill apply',
  'kill both',
  'empty queue',
  'lose a batch',
  'cut warehouse',
  'empty queue and kill both',
];

test.for(['redis', 'postgres'] as const)(
  'nothing is lost, doubled or seen half, queue on %s',
  async (backend) => {
    const bridge = await createBridge(inject('sandbox'), {
      name: `rounds_${backend}`,
      backend,
      settings: { lane: { maxBatchRows: 100 } },
    });
    try {
      const results = await runRounds(bridge, { seed, faults });
      expect(
        results.map(({ round, fault, faults }) => ({ round, fault, faults })),
        `seed ${seed}`,
      ).toEqual(faults.map((fault, index) => ({ round: index + 1, fault, faults: [] })));
      expect(results.every(({ reads, changes }) => reads > 50 && changes > 500)).toBe(true);
      expect(results.at(-1)?.quarantined).toBeGreaterThan(20);
    } finally {
      await bridge.remove();
    }
  },
);
