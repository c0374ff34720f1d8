// Which step of which backfill comes next.
// Guarantees: an entity's steps one after the other, none behind one that failed or was paused; parents before their children, so
// that a warehouse with foreign keys takes them; else in the order they were asked for.
import type { TableDescription, TableName } from '../change/table-description.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { BackfillStatus } from '../warehouse/backfill-store.ts';

const sameTable = (a: TableName, b: TableName) => a.schema === b.schema && a.table === b.table;

/** Entities by their source tables' foreign keys: parents first; a circle is cut where it is entered. */
export function parentsFirst(
  mappings: readonly CompiledMapping[],
  tables: readonly TableDescription[],
): readonly string[] {
  const ordered = new Set<CompiledMapping>();
  const entered = new Set<CompiledMapping>();
  const enter = (mapping: CompiledMapping) => {
    if (entered.has(mapping)) return;
    entered.add(mapping);
    const table = tables.find((candidate) => sameTable(candidate, mapping.source));
    for (const { target } of table?.foreignKeys ?? []) {
      for (const parent of mappings) if (sameTable(parent.source, target)) enter(parent);
    }
    ordered.add(mapping);
  };
  for (const mapping of mappings) enter(mapping);
  return [...ordered].map(({ entity }) => entity);
}

/** The next step of each lane. `unfinished`: every step that is not done or cancelled, in the order it was asked for. */
export function nextSteps(
  unfinished: readonly BackfillStatus[],
  entities: readonly string[],
): readonly BackfillStatus[] {
  const next = new Map<string, BackfillStatus>();
  const rank = ({ entity }: BackfillStatus) => entities.indexOf(entity);
  for (const step of unfinished) {
    if (step.state !== 'queued' && step.state !== 'running') continue;
    const isBehind = unfinished.some(
      (other) => other.id === step.id && other.entity === step.entity && other.range < step.range,
    );
    if (isBehind) continue;
    const best = next.get(step.lane);
    const isSooner =
      best === undefined ||
      (step.state === 'running' && best.state !== 'running') ||
      (step.state === best.state && step.id === best.id && rank(step) < rank(best));
    if (isSooner) next.set(step.lane, step);
  }
  return [...next.values()];
}
