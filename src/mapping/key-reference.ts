// Which columns of the warehouse refer to each other, by the source's foreign keys and the mappings of both tables.
// Guarantees: pure; only columns that take one source column, whatever steps it goes through.
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import type { CompiledMapping } from './compiled-mapping.ts';

export interface KeyReference {
  readonly from: { readonly entity: string; readonly column: string };
  /** What is referred to. */
  readonly to: { readonly entity: string; readonly column: string };
}

/** One for each pair of columns; a table that several mappings read is referred to in each of its targets. */
export function keyReferences(
  mappings: readonly CompiledMapping[],
  tables: readonly TableDescription[],
): readonly KeyReference[] {
  return mappings.flatMap((from) => {
    const keys = tables.find((table) => isSameTable(table, from.source))?.foreignKeys ?? [];
    return keys.flatMap((key) =>
      mappings
        .filter((to) => isSameTable(to.source, key.target))
        .flatMap((to) =>
          key.columns.flatMap((name, place) => {
            const column = columnOf(from, name);
            const referred = columnOf(to, key.targetColumns[place] ?? '');
            if (column === null || referred === null) return [];
            return [{ from: { entity: from.entity, column }, to: { entity: to.entity, column: referred } }];
          }),
        ),
    );
  });
}

function columnOf(mapping: CompiledMapping, source: string): string | null {
  const field = mapping.plan.fields.find(
    ({ inputs, expression }) => expression === null && inputs.length === 1 && inputs[0] === source,
  );
  return field?.column.name ?? null;
}
