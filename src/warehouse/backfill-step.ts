// What a backfill is made of: steps, their options, their states.
// Guarantees: plain data; which step waits for which is told here alone.

/** truncate: empty the target; backfill: write the source's rows; prune: delete what the source has no more. In this order. */
export type BackfillKind = 'truncate' | 'backfill' | 'prune';
export type BackfillState = 'queued' | 'running' | 'paused' | 'done' | 'cancelled' | 'failed';

export interface BackfillOptions {
  readonly where: string | null;
  /** Only rows whose `column` is not before `from`, PostgreSQL's text of a timestamptz. */
  readonly since: { readonly column: string; readonly from: string } | null;
  readonly chunkRows: number;
  /** Rows that the mapping's filter leaves out are deleted. */
  readonly prune: boolean;
  /** Ranges and tables of a lane that are worked on at once; null: as many as the way of reading suggests. */
  readonly parallel: number | null;
  /** It is one of the ranges that the entity's keys were split into. */
  readonly isRange: boolean;
  /** These keys only (PostgreSQL's text, by the columns of the mapping's source key), in place of a range. */
  readonly keys?: readonly (readonly string[])[];
  /** Of a prune that was split: which of the target's keys, in the target's order; inclusive, exclusive, null: open. */
  readonly targetRange?: {
    readonly from: readonly string[] | null;
    readonly to: readonly string[] | null;
  };
}

/** What to do; one row of the control table. */
export interface BackfillStep {
  readonly id: string;
  readonly entity: string;
  /** Tells the entity's steps apart: the kinds in their order, then the ranges that one was split into. */
  readonly range: number;
  readonly lane: string;
  readonly kind: BackfillKind;
  readonly options: BackfillOptions;
  /** Keys as PostgreSQL's text, by the columns of the mapping's source key. */
  readonly fromKey: readonly string[] | null;
  readonly toKey: readonly string[] | null;
}

export interface BackfillStatus extends BackfillStep {
  readonly state: BackfillState;
  /** Of a prune: the target's key, as text. */
  readonly doneKey: readonly string[] | null;
  readonly chunksDone: number;
  readonly rowsEstimated: number | null;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly rowsYielded: number;
  readonly rowsPruned: number;
  readonly errorCode: string | null;
  readonly error: string | null;
  readonly requestedBy: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly updatedAt: string;
  readonly finishedAt: string | null;
}

const KIND_ORDER: readonly BackfillKind[] = ['truncate', 'backfill', 'prune'];

/** `step` has to wait for the end of `other`: an entity's kinds come one after the other, the ranges of one kind at once. */
export function standsBehind(
  step: Pick<BackfillStep, 'id' | 'entity' | 'kind'>,
  other: Pick<BackfillStep, 'id' | 'entity' | 'kind'>,
): boolean {
  return (
    other.id === step.id &&
    other.entity === step.entity &&
    KIND_ORDER.indexOf(other.kind) < KIND_ORDER.indexOf(step.kind)
  );
}

/**
 * What a request comes to, of all its steps. `queued` and `running`: something more will happen by itself; `paused` and `failed`:
 * it waits for somebody; `cancelled`, `done`: it is over.
 */
export function requestState(
  steps: readonly Pick<BackfillStatus, 'id' | 'entity' | 'kind' | 'state'>[],
): BackfillState {
  const has = (state: BackfillState) => steps.some((step) => step.state === state);
  const isHeldBack = (step: (typeof steps)[number]) =>
    steps.some(
      (other) =>
        standsBehind(step, other) &&
        (other.state === 'failed' || other.state === 'paused' || other.state === 'cancelled'),
    );
  const moves = steps.some(
    (step) => (step.state === 'queued' || step.state === 'running') && !isHeldBack(step),
  );
  // Between two steps it runs as well.
  if (moves) return has('running') || has('done') ? 'running' : 'queued';
  return (['paused', 'failed', 'cancelled'] as const).find(has) ?? 'done';
}

/** What an older walbridge did not write down. */
export const noOptions: BackfillOptions = {
  where: null,
  since: null,
  chunkRows: 10_000,
  prune: false,
  parallel: null,
  isRange: false,
};
