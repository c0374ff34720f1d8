// Counts over the control tables, for metrics: what is in quarantine, how far backfills are, since when verifications agree.
// Guarantees: a few short SELECTs; no keys, no values; tables of an older walbridge are answered for as empty.
import type { BackfillState } from './backfill-step.ts';
import { readIfPossible } from './catalog-query.ts';
import { controlTable } from './control-tables.ts';
import { quoteTexts } from './identifier.ts';
import { isoTime } from './iso-time.ts';
import type { SqlSession } from './session.ts';

/** Open rows by entity, of the given entities and lanes; one without any is left out. Throws what is transient. */
export async function countOpenQuarantine(
  session: SqlSession,
  entities: readonly string[],
  lanes: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await readIfPossible<{ entity: string; open_rows: number }>(
    session,
    `SELECT entity, COUNT(*) AS open_rows FROM ${controlTable('quarantine')} WHERE entity IN (${quoteTexts(entities)}) AND resolved_at IS NULL AND lane IN (${quoteTexts(lanes)}) GROUP BY entity`,
  );
  return new Map((rows ?? []).map(({ entity, open_rows }) => [entity, Number(open_rows)]));
}

export interface BackfillSums {
  readonly entity: string;
  readonly state: BackfillState;
  readonly steps: number;
  readonly rowsEstimated: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly rowsPruned: number;
}

/** Of every backfill that has steps left to do, all its steps, summed by entity and state. Throws what is transient. */
export async function sumBackfills(
  session: SqlSession,
  entities: readonly string[],
  lanes: readonly string[],
): Promise<BackfillSums[]> {
  const table = controlTable('backfill');
  const rows = await readIfPossible<Record<string, unknown>>(
    session,
    `SELECT entity, state, COUNT(*) AS steps, SUM(rows_estimated) AS rows_estimated, SUM(rows_read) AS rows_read, SUM(rows_written) AS rows_written, SUM(rows_pruned) AS rows_pruned FROM ${table} WHERE backfill_id IN (SELECT backfill_id FROM ${table} WHERE state IN ('queued', 'running', 'paused', 'failed')) AND entity IN (${quoteTexts(entities)}) AND lane IN (${quoteTexts(lanes)}) GROUP BY entity, state ORDER BY entity, state`,
  );
  return (rows ?? []).map((row) => ({
    entity: String(row.entity),
    state: row.state as BackfillState,
    steps: Number(row.steps),
    rowsEstimated: Number(row.rows_estimated ?? 0),
    rowsRead: Number(row.rows_read),
    rowsWritten: Number(row.rows_written),
    rowsPruned: Number(row.rows_pruned),
  }));
}

export interface VerificationTimes {
  readonly entity: string;
  /** ISO 8601: end of the first verification since which all have found the same state. */
  readonly stateSince: string;
  /** ISO 8601: end of the last one that found it equal; null where none has. */
  readonly lastEqualAt: string | null;
}

/** Of each entity that was ever verified. Throws what is transient. */
export async function readVerificationTimes(session: SqlSession): Promise<VerificationTimes[]> {
  const table = controlTable('verification');
  // A verification counts where no later one of another state is known: the last of each state tells.
  const rows = await readIfPossible<{ entity: string; since: string; equal_at: string | null }>(
    session,
    `SELECT s.entity, ${isoTime('s.since')} AS since, ${isoTime('e.equal_at')} AS equal_at
FROM (SELECT v.entity, MIN(v.finished_at) AS since FROM ${table} AS v
  LEFT JOIN (SELECT entity, state, MAX(finished_at) AS last_at FROM ${table} GROUP BY entity, state) AS o
    ON o.entity = v.entity AND o.state <> v.state AND o.last_at > v.finished_at
  WHERE o.entity IS NULL GROUP BY v.entity) AS s
LEFT JOIN (SELECT entity, MAX(finished_at) AS equal_at FROM ${table} WHERE state = 'equal' GROUP BY entity) AS e
  ON e.entity = s.entity
ORDER BY s.entity`,
  );
  return (rows ?? []).map(({ entity, since, equal_at }) => ({
    entity,
    stateSince: since,
    lastEqualAt: equal_at,
  }));
}
