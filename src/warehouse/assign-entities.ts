// Keeps each entity in its lane, and lets it move only where nothing is lost on the way.
// Guarantees: an entity whose mapping names another lane than before is refused while either lane holds anything that the
// source would send again: the new lane would leave out what the former one still owes.
import { formatPosition, type Lsn, ORIGIN, type Position } from '../change/position.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { controlTable } from './control-tables.ts';
import { quoteText } from './identifier.ts';
import type { Warehouse } from './session.ts';
import { readWatermarks } from './watermark.ts';

export interface EntityLane {
  readonly entity: string;
  readonly lane: string;
}

/**
 * `confirmed`: the source sends again only what commits after it. Throws WB6301 where an entity may not move yet, or a
 * WarehouseError.
 */
export async function assignEntities(
  warehouse: Warehouse,
  slot: string,
  wanted: readonly EntityLane[],
  confirmed: Lsn,
): Promise<void> {
  const { rows } = await warehouse.batch<EntityLane>(
    `SELECT entity, lane FROM ${controlTable('entity')} WHERE slot = ${quoteText(slot)}`,
  );
  const known = new Map(rows.map(({ entity, lane }) => [entity, lane]));
  const changed = wanted.filter(({ entity, lane }) => known.get(entity) !== lane);
  if (changed.length === 0) return;

  const watermarks = new Map((await readWatermarks(warehouse)).map(({ lane, position }) => [lane, position]));
  for (const { entity, lane } of changed) {
    const former = known.get(entity);
    if (former === undefined) continue;
    const ahead = [former, lane].find((name) => isAhead(watermarks.get(name) ?? ORIGIN, confirmed));
    if (ahead !== undefined) throw notDrained(entity, former, lane, ahead, watermarks.get(ahead) ?? ORIGIN);
  }
  await warehouse.batch(assignScript(slot, changed));
}

/** Whether the source would send again what the lane has, so that it would be left out. */
function isAhead(watermark: Position, confirmed: Lsn): boolean {
  return watermark.lsn > confirmed;
}

function assignScript(slot: string, changed: readonly EntityLane[]): string {
  const table = controlTable('entity');
  const statements = changed.map(({ entity, lane }) => {
    const key = `slot = ${quoteText(slot)} AND entity = ${quoteText(entity)}`;
    return `UPDATE ${table} SET lane = ${quoteText(lane)}, assigned_at = SYSDATETIMEOFFSET() WHERE ${key};
INSERT INTO ${table} (slot, entity, lane, assigned_at)
SELECT ${quoteText(slot)}, ${quoteText(entity)}, ${quoteText(lane)}, SYSDATETIMEOFFSET()
WHERE NOT EXISTS (SELECT 1 FROM ${table} WITH (UPDLOCK, HOLDLOCK) WHERE ${key});`;
  });
  return `SET NOCOUNT ON;\n${statements.join('\n')}`;
}

function notDrained(
  entity: string,
  former: string,
  lane: string,
  ahead: string,
  watermark: Position,
): WalbridgeError {
  return new WalbridgeError({
    code: 'WB6301',
    kind: 'permanent',
    what: `The mapping of ${entity} moves it from lane '${former}' to lane '${lane}', but the source has not yet forgotten what lane '${ahead}' has (${formatPosition(watermark)}).`,
    safe: 'Nothing was read: changes on their way in one lane would be left out of the other.',
    next: `Start with ${entity} in lane '${former}', wait until \`walbridge status\` shows nothing queued and no lag for both lanes, stop, and start with the new lane.`,
  });
}
