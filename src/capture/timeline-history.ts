// Reads the history of a timeline, as TIMELINE_HISTORY sends it.
// Guarantees: pure; what PostgreSQL itself would refuse is refused, for a fork that is overlooked loses changes.
// https://www.postgresql.org/docs/current/protocol-replication.html (TIMELINE_HISTORY)
import { type Lsn, parseLsn } from '../change/position.ts';
import type { Timelines } from '../change/timelines.ts';
import { fault } from './source-fault.ts';

/**
 * The timelines that lead to `present`. `content`: a line for each ancestor, its number and where it was left, then a reason; `#`
 * begins a comment. Empty for the first timeline, which has no file. @throws WalbridgeError WB2021 for anything else.
 */
export function parseTimelineHistory(present: number, content: string): Timelines {
  const ancestors: { readonly id: number; readonly end: Lsn }[] = [];
  for (const line of content.split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const match = /^\s*(\d{1,10})\s+([0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8})(\s|$)/.exec(line);
    const last = ancestors.at(-1);
    const id = Number(match?.[1]);
    const end = match === null ? 0n : parseLsn(match[2]!);
    if (match === null || id <= (last?.id ?? 0) || id >= present || end < (last?.end ?? 0n)) {
      throw fault('WB2021', 'permanent', {
        what: `The source's history of timeline ${present} cannot be understood.`,
        next: `Look into pg_wal/${present.toString(16).toUpperCase().padStart(8, '0')}.history in the source's data folder.`,
      });
    }
    ancestors.push({ id, end });
  }
  return [...ancestors, { id: present, end: null }];
}
