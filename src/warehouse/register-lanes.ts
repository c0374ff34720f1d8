// Ties the lanes of a warehouse to the source that they are read from.
// Guarantees: every lane has a watermark row before its first batch; a lane of another source or slot is refused, since that
// source's positions mean nothing to it.
import { formatPosition, ORIGIN } from '../change/position.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { controlTable } from './control-tables.ts';
import { quoteText, quoteTexts } from './identifier.ts';
import type { SqlSession } from './session.ts';

export interface LaneSource {
  /** The PostgreSQL cluster's system identifier, IDENTIFY_SYSTEM's systemid. */
  readonly systemIdentifier: string;
  readonly slot: string;
}

interface RegisteredRow {
  readonly lane: string;
  readonly system_identifier: string;
  readonly slot: string;
}

/** Throws WB6300 where a lane belongs to another source or slot, or a WarehouseError. */
export async function registerLanes(
  session: SqlSession,
  lanes: readonly string[],
  source: LaneSource,
): Promise<void> {
  if (lanes.length === 0) return;
  const { rows } = await session.batch<RegisteredRow>(registerScript(lanes, source));
  for (const row of rows) {
    if (row.system_identifier === source.systemIdentifier && row.slot === source.slot) continue;
    throw new WalbridgeError({
      code: 'WB6300',
      kind: 'permanent',
      what: `Lane '${row.lane}' of the warehouse was filled from system ${row.system_identifier}, slot ${row.slot}; the source now is system ${source.systemIdentifier}, slot ${source.slot}.`,
      safe: 'Nothing was read or applied: positions of one source mean nothing in another.',
      next: 'Point the configuration at the right source. If the source was really replaced, delete the rows of walbridge.watermark and run `walbridge backfill --all`.',
    });
  }
}

function registerScript(lanes: readonly string[], source: LaneSource): string {
  const table = controlTable('watermark');
  const system = quoteText(source.systemIdentifier);
  const slot = quoteText(source.slot);
  const origin = `${ORIGIN.lsn}, ${ORIGIN.ordinal}, '${formatPosition(ORIGIN)}'`;
  const inserts = lanes.map(
    (lane) =>
      `INSERT INTO ${table} (lane, commit_lsn, ordinal, [position], system_identifier, slot, applied_at)
SELECT ${quoteText(lane)}, ${origin}, ${system}, ${slot}, SYSDATETIMEOFFSET()
WHERE NOT EXISTS (SELECT 1 FROM ${table} WITH (UPDLOCK, HOLDLOCK) WHERE lane = ${quoteText(lane)});`,
  );
  const names = quoteTexts(lanes);
  return `SET NOCOUNT ON;
${inserts.join('\n')}
UPDATE ${table} SET system_identifier = ${system}, slot = ${slot} WHERE lane IN (${names}) AND system_identifier IS NULL;
SELECT lane, system_identifier, slot FROM ${table} WHERE lane IN (${names});`;
}
