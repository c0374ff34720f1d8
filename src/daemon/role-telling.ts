// What the roles report, in the words of ops/: from what lanes and warehouse say.
// Guarantees: counts, names and codes only.
import { firstCommitMicros } from '../canonical/batch-decoder.ts';
import type { ApplyOutcome, LaneBatch } from '../change/batch.ts';
import type { WalbridgeError } from '../fault/fault.ts';
import type { RoleReport } from '../ops/role-report.ts';
import type { AppliedReport } from '../warehouse/lane-applier.ts';

/** Until BullMQ has its first answer it just waits, without a word. */
export const awaitsQueue: RoleReport = {
  of: 'state',
  state: 'starting',
  trouble: { code: 'WB5001', what: "The queue's server has not answered yet." },
};

export const works: RoleReport = { of: 'state', state: 'working', trouble: null };

export function reconnects({ code, what }: WalbridgeError): RoleReport {
  return { of: 'state', state: 'reconnecting', trouble: { code, what } };
}

export function laneTrouble(lane: string, { code, what }: WalbridgeError, isHalted: boolean): RoleReport {
  return { of: 'lane trouble', lane, isHalted, trouble: { code, what } };
}

/** `applied`: what was said of this very batch when it was applied, else null. `nowMs`: milliseconds since 1970-01-01 UTC. */
export function settledBatch(
  batch: LaneBatch,
  outcome: ApplyOutcome,
  applied: AppliedReport | null,
  nowMs: number,
): RoleReport {
  const { lane, changes } = batch;
  const told = { of: 'batch', lane, outcome: outcome.kind, changes } as const;
  if (outcome.kind !== 'applied' || applied === null) return { ...told, applied: null };
  const first = firstCommitMicros(batch.payload);
  const quarantined = new Map<string, number>();
  for (const { entity } of applied.quarantined) quarantined.set(entity, (quarantined.get(entity) ?? 0) + 1);
  return {
    ...told,
    applied: {
      seconds: applied.milliseconds / 1000,
      // The clocks of two machines differ.
      latencySeconds: first === null ? null : Math.max(0, nowMs / 1000 - Number(first) / 1e6),
      tables: applied.tables.map(({ entity, inserted, updated, deleted, truncated }) => ({
        entity,
        inserted,
        updated,
        deleted,
        isTruncated: truncated,
      })),
      quarantined: [...quarantined].map(([entity, rows]) => ({ entity, rows })),
    },
  };
}
