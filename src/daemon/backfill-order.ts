// Which steps of which backfill are worked on now.
// Guarantees: an entity's kinds of step one after the other, none behind one that failed or was paused; rows of parents before
// those of their children, and deletes the other way round, so that a warehouse with foreign keys takes them; else in the order they were asked for, as many at once as asked for.
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { type BackfillStatus, standsBehind } from '../warehouse/backfill-step.ts';

/** Entities by their source tables' foreign keys. */
export interface EntityOrder {
  /** Parents first; a circle is cut where it is entered. */
  readonly entities: readonly string[];
  /** Of each entity those that stand before it and that it refers to. */
  readonly parents: ReadonlyMap<string, readonly string[]>;
}

export function parentsFirst(
  mappings: readonly CompiledMapping[],
  tables: readonly TableDescription[],
): EntityOrder {
  const ordered = new Set<CompiledMapping>();
  const entered = new Set<CompiledMapping>();
  const parents = new Map<string, readonly string[]>();
  const enter = (mapping: CompiledMapping) => {
    if (entered.has(mapping)) return;
    entered.add(mapping);
    const table = tables.find((candidate) => isSameTable(candidate, mapping.source));
    const referred = (table?.foreignKeys ?? []).flatMap(({ target }) =>
      mappings.filter((parent) => isSameTable(parent.source, target)),
    );
    for (const parent of referred) enter(parent);
    const before = referred.filter((parent) => ordered.has(parent)).map(({ entity }) => entity);
    parents.set(mapping.entity, [...new Set(before)]);
    ordered.add(mapping);
  };
  for (const mapping of mappings) enter(mapping);
  return { entities: [...ordered].map(({ entity }) => entity), parents };
}

const isActive = ({ state }: BackfillStatus) => state === 'queued' || state === 'running';

/**
 * The steps to be worked on now: of each lane those of one backfill, as many at once as it may. `unfinished`: every step that is
 * not done or cancelled, in the order it was asked for.
 */
export function nextSteps(
  unfinished: readonly BackfillStatus[],
  { entities, parents }: EntityOrder,
): readonly BackfillStatus[] {
  const rank = ({ entity }: BackfillStatus) => entities.indexOf(entity);
  const open = unfinished.filter(
    (step) => isActive(step) && !unfinished.some((other) => standsBehind(step, other)),
  );
  return [...new Set(open.map(({ lane }) => lane))].flatMap((lane) => {
    const ofLane = open.filter((step) => step.lane === lane);
    const leading = ofLane.find(({ state }) => state === 'running') ?? ofLane[0];
    const refers = (child: BackfillStatus, parent: BackfillStatus) =>
      parents.get(child.entity)?.includes(parent.entity) === true;
    const waits = (step: BackfillStatus) =>
      ofLane.some(
        (other) =>
          other.id === step.id &&
          (step.kind === 'prune' ? refers(other, step) : other.kind !== 'prune' && refers(step, other)),
      );
    return ofLane
      .filter((step) => step.id === leading?.id && !waits(step))
      .sort((a, b) => place(a) - place(b) || rank(a) - rank(b) || a.range - b.range)
      .slice(0, Math.max(1, leading?.options.parallel ?? 1));
  });
}

/** What runs goes on. */
const place = ({ state }: BackfillStatus) => (state === 'running' ? 0 : 1);
