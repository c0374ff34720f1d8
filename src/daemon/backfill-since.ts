// `--since`: which column tells when a row was changed, and which moment is meant.
// Guarantees: nothing is guessed: the column is named, or the only one that has a name for it; the moment is the source's word,
// taken once, so that a backfill that goes on tomorrow means the same rows.

import { describeTables } from '../capture/describe-tables.ts';
import { readMoment } from '../capture/moment.ts';
import { withSource } from '../capture/source-client.ts';
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { nearestName } from '../text/nearest-name.ts';
import type { BackfillOptions } from '../warehouse/backfill-step.ts';
import { type BackfillRequest, refused } from './backfill-request.ts';
import type { sourceOf } from './connections.ts';

type Since = NonNullable<BackfillOptions['since']>;

/** Lower case, without underscores. */
const USUAL_NAMES = new Set([
  ...['updatedat', 'updatedon', 'lastupdated', 'lastupdatedat', 'modifiedat', 'modifiedon', 'lastmodified'],
  ...['lastmodifiedat', 'lastmodifieddate', 'changedat', 'changedon', 'lastchanged', 'systemmodstamp'],
]);
const TIME_TYPES = new Set(['timestamp', 'timestamptz', 'date']);

/** By entity; empty without `--since`. Throws WB7024, and WB2001 to WB2004 where the source can't be asked. */
export async function resolveSince(
  { since, sinceColumn }: Pick<BackfillRequest, 'since' | 'sinceColumn'>,
  chosen: readonly CompiledMapping[],
  source: ReturnType<typeof sourceOf>,
): Promise<ReadonlyMap<string, Since>> {
  if (since === null) return new Map();
  return withSource(source, async (client) => {
    const from = await readMoment(client, since);
    if (from === null) {
      throw refused(
        `--since ${JSON.stringify(since)} is neither a time nor an interval.`,
        "Give a time such as '2026-01-31' or '2026-01-31 08:00+02', or an interval with its unit such as '3 days'.",
      );
    }
    const tables = await describeTables(
      client,
      chosen.map((mapping) => mapping.source),
    );
    return new Map(
      chosen.map(({ entity, source }) => {
        const described = tables.find((one) => isSameTable(one, source));
        return [entity, { column: sinceColumnOf(entity, described, sinceColumn), from }];
      }),
    );
  });
}

/** Throws WB7024 where none, or several, would do. */
function sinceColumnOf(
  entity: string,
  described: Pick<TableDescription, 'columns'> | undefined,
  wanted: string | null,
): string {
  const times = (described?.columns ?? [])
    .filter(({ baseType }) => TIME_TYPES.has(baseType.name))
    .map(({ name }) => name);
  const has = `Its table has ${times.length === 0 ? 'no column of a time' : `the times ${times.join(', ')}`}.`;
  if (wanted !== null) {
    if (times.includes(wanted)) return wanted;
    const nearest = nearestName(wanted, times);
    throw refused(
      `The table of ${entity} has no time "${wanted}"${nearest === null ? '' : `; nearest: ${nearest}`}.`,
      `${has} Name one of them with --since-column, or use --where.`,
    );
  }
  const usual = times.filter((name) => USUAL_NAMES.has(name.toLowerCase().replaceAll('_', '')));
  if (usual.length === 1 && usual[0] !== undefined) return usual[0];
  throw refused(
    `Which column tells when a row of ${entity} was changed cannot be told from its name: ${usual.length === 0 ? 'none is called updated_at or alike' : `${usual.join(' and ')} are`}.`,
    `${has} Name it with --since-column, or use --where.`,
  );
}
