// The timelines of a PostgreSQL cluster: which pieces its WAL is made of, and where the WAL of two looks at it parts.
// Guarantees: pure. Below the position that `divergence` tells both are the same bytes; from it on they need not be.
// https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
import { formatLsn, type Lsn, parseLsn } from './position.ts';

export interface Timeline {
  readonly id: number;
  /** Where the next one branched off; null: the present one. */
  readonly end: Lsn | null;
}

/** To the present one: from the first, or from where the server still has their history. */
export type Timelines = readonly Timeline[];

/** Where two histories part: what commits before it is common to both. Null where they don't. */
export function divergence(a: Timelines, b: Timelines): Lsn | null {
  const first = Math.max(a[0]?.id ?? 0, b[0]?.id ?? 0);
  const ours = a.filter(({ id }) => id >= first);
  const theirs = b.filter(({ id }) => id >= first);
  let common: Lsn = 0n;
  for (const [index, one] of ours.entries()) {
    const other = theirs[index];
    if (other === undefined || other.id !== one.id) return common;
    if (one.end !== other.end) {
      if (one.end === null) return other.end;
      return other.end === null || one.end < other.end ? one.end : other.end;
    }
    if (one.end === null) return null;
    common = one.end;
  }
  return common;
}

/** `1 to 0/5000148, 2`, for people. */
export function formatTimelines(timelines: Timelines): string {
  return timelines.map(({ id, end }) => (end === null ? `${id}` : `${id} to ${formatLsn(end)}`)).join(', ');
}

/** Plain data, as JSON keeps it. */
export type TimelinesData = readonly (readonly [id: number, end: string | null])[];

export function toTimelinesData(timelines: Timelines): TimelinesData {
  return timelines.map(({ id, end }) => [id, end === null ? null : formatLsn(end)] as const);
}

export function fromTimelinesData(data: TimelinesData): Timelines {
  return data.map(([id, end]) => ({ id, end: end === null ? null : parseLsn(end) }));
}
