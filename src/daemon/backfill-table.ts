// What a backfill needs to know of a mapping: the source's table and key, and how keys get back from the warehouse.
// Guarantees: pure; decided from the mapping alone, so that the command line and the daemon decide alike.
import type { ChunkTable, KeyValues } from '../capture/chunk-statement.ts';
import type { TableDescription } from '../change/table-description.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { unreadableKeyColumn } from '../warehouse/backfill-keys.ts';
import type { BackfillOptions } from '../warehouse/backfill-step.ts';

/** Columns that identify a row in the source, in order. */
export function sourceKeyOf({ document, plan }: CompiledMapping): readonly string[] {
  return document.sourceKey ?? [...new Set(plan.key.flatMap((field) => field.inputs))];
}

/** Columns that the mapping reads. */
export function readColumnsOf(mapping: CompiledMapping): readonly string[] {
  return [
    ...new Set([...mapping.plan.fields.flatMap((field) => field.inputs), ...(mapping.filter?.columns ?? [])]),
  ];
}

export function chunkTableOf(mapping: CompiledMapping, described: TableDescription | undefined): ChunkTable {
  return {
    ...mapping.source,
    isPartitioned: described?.kind === 'partitioned',
    key: sourceKeyOf(mapping),
  };
}

/**
 * For each column of the source's key the target key's field and column that hold its very value; or why there is no way back
 * from a key of the warehouse to one of the source.
 */
export function keyWayBack(
  mapping: CompiledMapping,
): readonly { readonly field: string; readonly column: string }[] | { readonly problem: string } {
  const unreadable = unreadableKeyColumn(mapping.target);
  if (unreadable !== null)
    return { problem: `the type of key column "${unreadable}" has no text that both sides share` };
  const key = sourceKeyOf(mapping);
  const way = key.map((source) =>
    mapping.plan.key.find(
      (field) =>
        field.inputs.length === 1 &&
        field.inputs[0] === source &&
        field.expression === null &&
        field.mapping.steps.length === 0,
    ),
  );
  const missing = key.find((_source, index) => way[index] === undefined);
  if (missing !== undefined) return { problem: `no key column of the target holds "${missing}" as it is` };
  if (way.length !== mapping.plan.key.length)
    return { problem: 'the target has more key columns than the source' };
  return way.flatMap((field) =>
    field === undefined ? [] : [{ field: field.field.name, column: field.column.name }],
  );
}

/** Of a step that names its keys the next ones; null of any other. */
export function nextKeys(
  { keys, chunkRows }: BackfillOptions,
  after: KeyValues | null,
): { readonly keys: readonly KeyValues[]; readonly isLast: boolean } | null {
  if (keys === undefined) return null;
  const last = JSON.stringify(after);
  const start = after === null ? 0 : keys.findIndex((key) => JSON.stringify(key) === last) + 1;
  return { keys: keys.slice(start, start + chunkRows), isLast: start + chunkRows >= keys.length };
}
