// Batch assembly and the ledger: chains without gaps, whole transactions, and what may be acknowledged.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LaneBatch } from '../../src/change/batch.ts';
import { comparePositions, ORIGIN, type Position, WHOLE, wholeAt } from '../../src/change/position.ts';
import { BatchAssembly, type BatchLimits } from '../../src/lanes/batch-assembly.ts';
import { fromJobData, toJobData } from '../../src/lanes/job.ts';
import { acknowledgeable, Ledger } from '../../src/lanes/ledger.ts';

const limits: BatchLimits = {
  maxBatchRows: 10,
  maxBatchBytes: 10_000,
  maxTransactionRows: 25,
  maxTransactionBytes: 100_000,
};

/** Feeds transactions of the given sizes as capture does; `cutAfter` says after which of them the pipeline has room. */
function assemble(sizes: readonly number[], cutAfter: readonly boolean[]): LaneBatch[] {
  const assembly = new BatchAssembly('main', limits, ORIGIN);
  const batches: LaneBatch[] = [];
  const keep = (batch: LaneBatch | null) => batch !== null && batches.push(batch);
  sizes.forEach((size, index) => {
    const lsn = BigInt(index + 1) * 100n;
    for (let ordinal = 1; ordinal <= size; ordinal += 1) {
      assembly.buffer.append(Buffer.from([index & 0xff, ordinal & 0xff]));
      if (assembly.countEvent()) {
        keep(assembly.cutWhole());
        keep(assembly.cutPart({ lsn, ordinal }, 0n));
      }
    }
    assembly.commit(wholeAt(lsn), 0n);
    if (assembly.isFull || cutAfter[index]) keep(assembly.cutWhole());
  });
  keep(assembly.cutWhole());
  return batches;
}

describe('batch assembly', () => {
  it('chains batches, keeps every byte in order and parts only transactions that pass the limit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        (sizes, cutAfter) => {
          const batches = assemble(sizes, cutAfter);
          let previous: Position = ORIGIN;
          for (const batch of batches) {
            expect(batch.previous).toEqual(previous);
            expect(comparePositions(batch.last, batch.previous)).toBeGreaterThan(0);
            if (batch.last.ordinal !== WHOLE) {
              const size = sizes[Number(batch.last.lsn / 100n) - 1] ?? 0;
              expect(size).toBeGreaterThanOrEqual(limits.maxTransactionRows);
              // Nothing else rides with a part.
              expect(batch.changes).toBeLessThanOrEqual(limits.maxTransactionRows);
            }
            // What goes on within a transaction that is not whole any more is no larger than a batch.
            if (batch.previous.lsn === batch.last.lsn)
              expect(batch.changes).toBeLessThanOrEqual(limits.maxBatchRows);
            previous = batch.last;
          }
          const expected = sizes.flatMap((size, index) =>
            Array.from({ length: size }, (_, row) => [index & 0xff, (row + 1) & 0xff]),
          );
          expect(Buffer.concat(batches.map((batch) => batch.payload))).toEqual(Buffer.from(expected.flat()));
          expect(batches.reduce((sum, batch) => sum + batch.changes, 0)).toBe(expected.length);
        },
      ),
    );
  });

  it('leaves the transaction in hand out of a whole batch', () => {
    const assembly = new BatchAssembly('main', limits, ORIGIN);
    assembly.buffer.append(Buffer.from('a'));
    assembly.countEvent();
    assembly.commit(wholeAt(1n), 7n);
    assembly.buffer.append(Buffer.from('b'));
    assembly.countEvent();
    const batch = assembly.cutWhole();
    expect(batch?.payload.toString()).toBe('a');
    expect(batch?.commitTimeMicros).toBe(7n);
    expect(assembly.cutWhole()).toBeNull();
    assembly.commit(wholeAt(2n), 8n);
    expect(assembly.cutWhole()?.payload.toString()).toBe('b');
  });
});

const batch = (previous: bigint, last: bigint, bytes = 4): LaneBatch => ({
  lane: 'main',
  previous: wholeAt(previous),
  last: wholeAt(last),
  payload: Buffer.alloc(bytes),
  changes: 1,
  commitTimeMicros: 0n,
});

describe('ledger', () => {
  it('confirms what the watermark covers and nothing more', () => {
    const ledger = new Ledger();
    ledger.add(batch(0n, 10n, 5));
    ledger.add(batch(10n, 20n, 7));
    expect(ledger.confirm(wholeAt(9n))).toBe(false);
    expect(ledger.confirm({ lsn: 20n, ordinal: 3 })).toBe(true);
    expect(ledger.batches).toBe(1);
    expect(ledger.bytes).toBe(7);
    expect(ledger.head?.last).toEqual(wholeAt(20n));
    expect(ledger.confirm(wholeAt(20n))).toBe(true);
    expect(ledger.head).toBeUndefined();
  });

  it('acknowledges the lowest watermark of the lanes with something outstanding', () => {
    const lane = (lsn: bigint, outstanding: boolean, ordinal = WHOLE) => ({
      watermark: { lsn, ordinal },
      outstanding,
    });
    expect(acknowledgeable([lane(5n, false), lane(7n, false)], 100n)).toBe(100n);
    expect(acknowledgeable([lane(5n, false), lane(70n, true)], 100n)).toBe(70n);
    expect(acknowledgeable([lane(50n, true), lane(70n, true)], 100n)).toBe(50n);
    // A transaction applied in part is not durable.
    expect(acknowledgeable([lane(50n, true, 3)], 100n)).toBe(49n);
    expect(acknowledgeable([lane(200n, true)], 100n)).toBe(100n);
  });
});

describe('job data', () => {
  const sent: LaneBatch = {
    ...batch(1n, 2n),
    last: { lsn: 0x16b374d848n, ordinal: 12 },
    payload: Buffer.from([0, 255, 1]),
    commitTimeMicros: -5n,
  };

  it('comes back as it went', () => {
    expect(fromJobData(JSON.parse(JSON.stringify(toJobData(sent, 's'))), 'main', 's')).toEqual(sent);
  });

  it('is told from another stream, another lane, and rubbish', () => {
    const data = toJobData(sent, 's');
    expect(fromJobData(data, 'main', 'other')).toBeNull();
    expect(fromJobData(data, 'other', 's')).toBeNull();
    expect(fromJobData('rubbish', 'main', 's')).toBeNull();
    expect(() => fromJobData({ ...data, last: 'nowhere' }, 'main', 's')).toThrowError(/WB5003.*last/);
    expect(() => fromJobData({ ...data, format: 2 }, 'main', 's')).toThrowError(/WB5003/);
  });
});
