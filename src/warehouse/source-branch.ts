// Whether the source still has the WAL that the lanes' positions stand for: LSNs beyond a fork of its timelines are used again.
// Guarantees: pure. A fork, or a loss of WAL, below anything that a lane has is never taken for harmless.
import { formatLsn, type Lsn } from '../change/position.ts';
import { divergence, formatTimelines, type Timelines } from '../change/timelines.ts';
import { WalbridgeError } from '../fault/fault.ts';
import type { LockedWatermark } from './watermark.ts';

/** What a slot is read from, and with. */
export interface KnownSource {
  readonly timelines: Timelines;
  readonly publications: readonly string[];
  /** It follows another server, and may be promoted while it is read. */
  readonly isStandby: boolean;
}

/** The source as it is when a stream begins. */
export interface SourceState extends KnownSource {
  readonly systemIdentifier: string;
  /** Its WAL had been written up to here; on a stand-by more is still coming. */
  readonly flushed: Lsn;
  /** The slot's position. */
  readonly confirmed: Lsn;
}

/** A commit that a lane has, and that the source is to send again: if it does not, its WAL is another one. */
export interface OwedCommit {
  readonly lane: string;
  readonly lsn: Lsn;
  readonly commitTimeMicros: bigint;
}

export interface Branch {
  /** Where the WAL parted from the one that was read; null: nowhere, so far as timelines tell. */
  readonly fork: Lsn | null;
  /** What the record of acknowledgements is worth in this WAL. */
  readonly limit: Lsn;
  /** Up to where the lanes have what this WAL has not; null where they have none of it. */
  readonly beyond: Lsn | null;
  /** A stand-by that has not come to where the lanes are: nobody can tell yet what it will have there. */
  readonly isEarly: boolean;
  readonly owed: readonly OwedCommit[];
}

/** Records of the WAL begin at multiples of this: a position at another LSN lies between commits. */
const ALIGNMENT = 8n;

/** `known`: the source when the slot was read last; null: nobody knows. `limit`: of the record of acknowledgements. */
export function branchOf(
  known: KnownSource | null,
  source: SourceState,
  lanes: readonly LockedWatermark[],
  limit: Lsn,
): Branch {
  const fork = known === null ? null : divergence(known.timelines, source.timelines);
  const owed = known !== null && isSame(known.publications, source.publications) ? owedBy(lanes, source) : [];
  // A stand-by that was promoted while it was read: beyond the fork the lanes have its own WAL. It shows that by sending it again,
  // or by a slot that was told of it.
  const isPromotion = fork !== null && known?.isStandby === true && endsAt(fork, known, source);
  const isProven = ({ lane, position, replay }: LockedWatermark) =>
    replay === null && (position.lsn < source.confirmed || owed.some((commit) => commit.lane === lane));
  const beyondFork =
    fork === null ? null : reachedBy(isPromotion ? lanes.filter((lane) => !isProven(lane)) : lanes);
  // A commit lies before the end of the WAL that it is in: equality, too, is too far.
  const isBeyondFork = fork !== null && beyondFork !== null && beyondFork >= fork;
  const reached = reachedBy(lanes);
  const isBeyondEnd = reached !== null && reached >= source.flushed;
  const ends = [
    ...(fork === null || isPromotion ? [] : [fork]),
    ...(source.isStandby ? [] : [source.flushed]),
  ];
  return {
    fork,
    limit: ends.reduce((lowest, end) => (end < lowest ? end : lowest), limit),
    beyond: isBeyondFork || (isBeyondEnd && !source.isStandby) ? reached : null,
    isEarly: isBeyondEnd && source.isStandby,
    owed,
  };
}

/** Whether the timeline that was read last ends at the fork. */
function endsAt(fork: Lsn, known: KnownSource, { timelines }: SourceState): boolean {
  const last = known.timelines.at(-1);
  return timelines.some(({ id, end }) => id === last?.id && end === fork);
}

/** The highest LSN that a lane has a commit from, or had before it was rewound; null: none. */
function reachedBy(lanes: readonly LockedWatermark[]): Lsn | null {
  let reached: Lsn = 0n;
  for (const { position, replay } of lanes) {
    if (position.lsn > reached) reached = position.lsn;
    if (replay !== null && replay.lsn > reached) reached = replay.lsn;
  }
  return reached === 0n ? null : reached;
}

function owedBy(lanes: readonly LockedWatermark[], { confirmed }: SourceState): OwedCommit[] {
  return lanes.flatMap(({ lane, position: { lsn }, commitTimeMicros, replay }) => {
    // A rewound lane may stand anywhere.
    const isCommit = commitTimeMicros !== null && lsn > 0n && lsn % ALIGNMENT === 0n && replay === null;
    return isCommit && lsn >= confirmed ? [{ lane, lsn, commitTimeMicros }] : [];
  });
}

export function isSame(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());
}

export const SOURCE_WENT_BACK = 'WB6303';

/** `beyond`: as `branchOf` gives it. */
export function sourceWentBack(
  known: KnownSource | null,
  { timelines, flushed }: SourceState,
  fork: Lsn | null,
  beyond: Lsn,
): WalbridgeError {
  const how =
    fork === null
      ? `it has WAL up to ${formatLsn(flushed)} only, of the timeline that was read`
      : `its WAL parted from the one that was read at ${formatLsn(fork)} (timelines ${formatTimelines(timelines)}; before: ${formatTimelines(known?.timelines ?? [])})`;
  return wentBack(
    `${how}, but the warehouse has changes up to ${formatLsn(beyond)}, which are not the source's any more.`,
  );
}

/** The stream has passed a commit that a lane has, and did not bring it. */
export function commitRewritten(lane: string, lsn: Lsn): WalbridgeError {
  return wentBack(
    `the commit at ${formatLsn(lsn)}, which is the last that lane '${lane}' has, is not in its WAL: that was written anew.`,
  );
}

export function earlyStandby({ flushed }: SourceState): WalbridgeError {
  return new WalbridgeError({
    code: 'WB6304',
    kind: 'transient',
    what: `The source is a stand-by that has WAL up to ${formatLsn(flushed)}, less than the warehouse has.`,
    safe: 'Nothing is read, applied or acknowledged meanwhile.',
    next: 'It is looked at again until it has come there, or is promoted.',
  });
}

function wentBack(how: string): WalbridgeError {
  return new WalbridgeError({
    code: SOURCE_WENT_BACK,
    kind: 'permanent',
    what: `The source went back to an earlier state: ${how}`,
    safe: 'Nothing was read, applied or acknowledged since.',
    next: 'If this is the wrong server (a former primary, say), point source.url at the right one. Otherwise run `walbridge backfill --all --prune --detach`, which sets the lanes back, brings every table to its present state and lets the daemon go on; then start it.',
  });
}
