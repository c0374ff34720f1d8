// T-SQL predicates that pair target rows with staged rows by key.
// Guarantees: index seeks on the target's key, and byte-exact pairs: a collation calls 'a' and 'A' equal, every collation
// 'a' and 'a ', and varbinary 0x61 and 0x6100.
// https://learn.microsoft.com/sql/t-sql/language-elements/string-comparison-assignment
import type { ForeignKeyFacts } from './catalog.ts';
import { quoteName, quoteTable } from './identifier.ts';
import type { PlannedColumn, StagingPlan } from './staging.ts';

/** Which staging columns hold the key: the row's own, or the one it had before the batch. */
type KeyColumns = 'own' | 'origin';

function staged(column: PlannedColumn, alias: string, of: KeyColumns): string {
  return `${alias}.${of === 'own' ? column.staged : column.origin}`;
}

/** Equal as the warehouse sees it: a seek on the target's key. */
export function looseMatch(plan: StagingPlan, target: string, stage: string, of: KeyColumns = 'own'): string {
  return plan.keys
    .map((column) => `${target}.${column.name} = ${column.toTarget(staged(column, stage, of))}`)
    .join(' AND ');
}

/** What tells apart keys that are equal to the warehouse only; null where there are no such keys. */
export function exactness(
  plan: StagingPlan,
  target: string,
  stage: string,
  of: KeyColumns = 'own',
): string | null {
  const terms = plan.keys.flatMap((column) => {
    const there = column.toStaging(`${target}.${column.name}`);
    const here = staged(column, stage, of);
    return [
      ...(column.collation !== null && !/_BIN2$/i.test(column.collation)
        ? [`${there} COLLATE Latin1_General_BIN2 = ${here} COLLATE Latin1_General_BIN2`]
        : []),
      ...(column.variable ? [`DATALENGTH(${there}) = DATALENGTH(${here})`] : []),
    ];
  });
  return terms.length === 0 ? null : terms.join(' AND ');
}

export function match(plan: StagingPlan, target: string, stage: string, of: KeyColumns = 'own'): string {
  const exact = exactness(plan, target, stage, of);
  const loose = looseMatch(plan, target, stage, of);
  return exact === null ? loose : `${loose} AND ${exact}`;
}

/** True while no row of any child refers to the target row `alias`. */
export function unreferenced(alias: string, references: readonly ForeignKeyFacts[]): string {
  return references
    .map((reference) => {
      const on = reference.columns.map(
        (column, index) =>
          `c.${quoteName(column)} = ${alias}.${quoteName(reference.toColumns[index] ?? column)}`,
      );
      return `NOT EXISTS (SELECT 1 FROM ${quoteTable(reference.from)} AS c WHERE ${on.join(' AND ')})`;
    })
    .join(' AND ');
}
