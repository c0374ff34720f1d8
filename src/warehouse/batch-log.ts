// Keeps the batch log short: removes what is older than its retention.
// Guarantees: small statements, each its own transaction, so that no lane waits for them; only the given lanes' rows go, for
// another walbridge may share the warehouse.
import { controlTable } from './control-tables.ts';
import { quoteTexts } from './identifier.ts';
import type { SqlSession } from './session.ts';

/** Well below the 5,000 locks at which SQL Server takes the whole table instead. */
const CHUNK_ROWS = 1000;

/** Removes the lanes' rows that were applied more than `days` days ago; resolves with how many. Throws a WarehouseError. */
export async function pruneBatchLog(
  session: SqlSession,
  lanes: readonly string[],
  days: number,
  signal: AbortSignal,
): Promise<number> {
  let removed = 0;
  for (let last = CHUNK_ROWS; last === CHUNK_ROWS && lanes.length > 0 && !signal.aborted; ) {
    const { rows } = await session.batch<{ removed: number }>(pruneStatement(lanes, days));
    last = rows[0]?.removed ?? 0;
    removed += last;
  }
  return removed;
}

/** Asks for the count, since the driver is told none where the session's NOCOUNT is on, as apply leaves it. */
function pruneStatement(lanes: readonly string[], days: number): string {
  const table = controlTable('batchLog');
  const oldest = `SELECT TOP (${CHUNK_ROWS}) lane, commit_lsn, ordinal FROM ${table} WHERE lane IN (${quoteTexts(lanes)}) AND applied_at < DATEADD(day, -${days}, SYSDATETIMEOFFSET()) ORDER BY applied_at`;
  return `DELETE b FROM ${table} AS b JOIN (${oldest}) AS o ON o.lane = b.lane AND o.commit_lsn = b.commit_lsn AND o.ordinal = b.ordinal;
SELECT @@ROWCOUNT AS removed;`;
}
