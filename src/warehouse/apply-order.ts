// In which order tables are written, by the warehouse's enabled foreign keys.
// Guarantees: parents stand before children; where foreign keys form a ring, the order within it is stable but arbitrary.
import type { ForeignKeyFacts } from './catalog.ts';
import { tableKey } from './catalog.ts';
import type { TableName } from './identifier.ts';

/** The tables with parents first. */
export function parentsFirst<T extends TableName>(
  tables: readonly T[],
  foreignKeys: readonly ForeignKeyFacts[],
): T[] {
  const byKey = new Map(tables.map((table) => [tableKey(table), table]));
  const parents = new Map<string, string[]>();
  for (const key of foreignKeys) {
    const [from, to] = [tableKey(key.from), tableKey(key.to)];
    if (key.disabled || from === to || !byKey.has(from) || !byKey.has(to)) continue;
    parents.set(from, [...(parents.get(from) ?? []), to]);
  }
  const ordered: T[] = [];
  const seen = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const parent of parents.get(name) ?? []) visit(parent);
    const table = byKey.get(name);
    if (table !== undefined) ordered.push(table);
  };
  for (const name of byKey.keys()) visit(name);
  return ordered;
}

/** The enabled foreign keys that refer to the table. */
export function referencesTo(table: TableName, foreignKeys: readonly ForeignKeyFacts[]): ForeignKeyFacts[] {
  const name = tableKey(table);
  return foreignKeys.filter((key) => !key.disabled && tableKey(key.to) === name);
}
