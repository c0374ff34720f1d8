// Rows of one table that refer to each other, where the warehouse has a foreign key for it: which columns, and in which order.
// Guarantees: a row of a chunk stands behind its ancestors, save in a circle, and beyond 10,000 that come along.
import type { SelfReference } from '../capture/ancestor-statement.ts';
import type { ChunkRead, ChunkReader } from '../capture/chunk-reader.ts';
import type { ChunkRange, ChunkTable } from '../capture/chunk-statement.ts';
import type { SourceRow } from '../change/source-change.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { isSameName } from '../warehouse/identifier.ts';

/** The warehouse's foreign keys of the target on itself in columns of the source; those that are not mapped as they are, are left out. */
export function selfReferencesOf(
  { plan }: Pick<CompiledMapping, 'plan'>,
  foreignKeys: readonly { readonly columns: readonly string[]; readonly toColumns: readonly string[] }[],
): readonly SelfReference[] {
  const sourceOf = (column: string): string | null => {
    const field = plan.fields.find((one) => isSameName(one.column.name, column));
    const isAsItIs = field?.expression === null && field.mapping.steps.length === 0;
    return isAsItIs && field.inputs.length === 1 ? (field.inputs[0] ?? null) : null;
  };
  return foreignKeys.flatMap((key) => {
    const [columns, referenced] = [key.columns.map(sourceOf), key.toColumns.map(sourceOf)];
    const isKnown = (names: readonly (string | null)[]): names is readonly string[] => !names.includes(null);
    return isKnown(columns) && isKnown(referenced) ? [{ columns, referenced }] : [];
  });
}

export interface AncestorReading {
  readonly table: ChunkTable;
  readonly columns: readonly string[];
  readonly range: ChunkRange;
  /** None: the rows may come in any order. */
  readonly references: readonly SelfReference[];
}

/** What one chunk takes along, for memory's sake. */
const MOST_ANCESTORS = 10_000;

/** The chunk's rows, in their order, with the ancestors that its range has not brought before. */
export async function withAncestors(
  reader: ChunkReader,
  { rows, lastKey }: ChunkRead,
  { table, columns, range, references }: AncestorReading,
): Promise<readonly SourceRow[]> {
  if (references.length === 0 || lastKey === null) return rows;
  const isAll = range.where === null && range.since === null;
  const known = isAll ? { from: range.from, to: lastKey } : null;
  const keys = rows.map((row) => table.key.map((column) => row[column] ?? ''));
  const ancestors = await reader.readAncestors(table, columns, references, keys, known, MOST_ANCESTORS);
  return ancestorsFirst([...ancestors, ...rows], references);
}

/** The rows, each behind its ancestors. */
export function ancestorsFirst(
  rows: readonly SourceRow[],
  references: readonly SelfReference[],
): readonly SourceRow[] {
  const links = references.map(({ columns, referenced }) => ({
    columns,
    rows: new Map(rows.map((row) => [textOf(row, referenced), row])),
  }));
  const entered = new Set<SourceRow>();
  const ordered: SourceRow[] = [];
  for (const row of rows) {
    const path = entered.has(row) ? [] : [row];
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      entered.add(last);
      const child = last;
      const parent = links
        .map((link) => link.rows.get(textOf(child, link.columns)))
        .find((one) => one !== undefined && !entered.has(one));
      if (parent === undefined) ordered.push(...path.splice(-1));
      else path.push(parent);
    }
  }
  return ordered;
}

/** Text that tells values apart; NULL refers to nothing, and no referenced value is NULL. */
function textOf(row: SourceRow, columns: readonly string[]): string {
  return JSON.stringify(columns.map((column) => row[column] ?? null));
}
