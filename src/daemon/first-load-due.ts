// Which request a first load can serve.
// Guarantees: pure; what the stream has from before the snapshot is left out, so nothing but every entity, whole, will do.
import type { BackfillStatus } from '../warehouse/backfill-step.ts';

/** The steps that read, of the first request that brings every one of the entities whole; empty where none does. */
export function wholeRequest(
  unfinished: readonly BackfillStatus[],
  entities: readonly string[],
): readonly BackfillStatus[] {
  for (const id of new Set(unfinished.map((step) => step.id))) {
    const steps = unfinished.filter((step) => step.id === id);
    const loads = steps.filter(({ kind }) => kind === 'backfill');
    const isWhole = (entity: string) => {
      const ranges = loads.filter((step) => step.entity === entity);
      // Ranges that one step was split into meet each other: with both ends open they are all there is.
      return (
        ranges.some(({ fromKey }) => fromKey === null) &&
        ranges.some(({ toKey }) => toKey === null) &&
        ranges.every(isUntouched)
      );
    };
    if (entities.every(isWhole) && !steps.some(({ kind }) => kind === 'truncate')) {
      return loads.filter(({ entity }) => entities.includes(entity));
    }
  }
  return [];
}

/** Not begun, without a condition, and not of single keys. */
function isUntouched({ state, options, doneKey }: BackfillStatus): boolean {
  const isActive = state === 'queued' || state === 'running';
  const isAll = options.where === null && options.since === null && options.keys === undefined;
  return isActive && isAll && doneKey === null;
}
