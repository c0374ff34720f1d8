// Which staged rows a foreign key must refuse, asked for in one SELECT: trials would take as many transactions as there are rows.
// Guarantees: only rows whose parent is neither in the warehouse nor in the batch, and which do not stand there so already; in doubt a
// row is left out, and trials decide.
import { rejections } from './apply-fault.ts';
import { match } from './apply-match.ts';
import { type ForeignKeyFacts, tableKey } from './catalog.ts';
import { isSameName, quoteName, quoteTable } from './identifier.ts';
import type { PlannedColumn, Staging } from './staging.ts';

/** Questions for `checkScript`, of the enabled foreign keys that are called so. */
export function orphanQuestions(
  stagings: readonly Staging[],
  foreignKeys: readonly ForeignKeyFacts[],
  names: readonly string[],
): string[] {
  const asked = foreignKeys.filter(
    ({ name, disabled }) => !disabled && names.some((one) => isSameName(one, name)),
  );
  return asked.flatMap((key) => {
    const number = stagings.findIndex(({ plan, upserts }) => upserts > 0 && isTable(plan.target, key.from));
    const child = stagings[number];
    const question = child === undefined ? null : questionOf(child, stagings, key);
    return question === null
      ? []
      : [`SELECT ${number} AS n, s.r AS r, '${rejections.parentMissing.code}' AS code FROM ${question}`];
  });
}

function questionOf(child: Staging, stagings: readonly Staging[], key: ForeignKeyFacts): string | null {
  const referring = plannedColumns(child, key.columns);
  if (referring === null) return null;
  const terms = ['s.o > 0', ...referring.map(({ staged }) => `s.${staged} IS NOT NULL`)];
  const value = ({ toTarget, staged }: PlannedColumn, alias: string) => toTarget(`${alias}.${staged}`);
  const there = key.toColumns.map((name, index) => {
    const column = referring[index];
    return column === undefined ? '1 = 0' : `p.${quoteName(name)} = ${value(column, 's')}`;
  });
  terms.push(`NOT EXISTS (SELECT 1 FROM ${quoteTable(key.to)} AS p WHERE ${there.join(' AND ')})`);
  for (const parent of stagings) {
    if (parent.upserts === 0 || !isTable(parent.plan.target, key.to)) continue;
    const referred = plannedColumns(parent, key.toColumns);
    // Nobody knows what the rows that come get there.
    if (referred === null) return null;
    const same = referred.map((column, index) => {
      const from = referring[index];
      return from === undefined ? '1 = 0' : `${value(column, 'e')} = ${value(from, 's')}`;
    });
    terms.push(`NOT EXISTS (SELECT 1 FROM ${parent.plan.name} AS e WHERE e.o > 0 AND ${same.join(' AND ')})`);
  }
  const unchanged = referring.map((column) => `t.${column.name} = ${value(column, 's')}`);
  terms.push(
    `NOT EXISTS (SELECT 1 FROM ${child.plan.table} AS t WHERE ${[match(child.plan, 't', 's'), ...unchanged].join(' AND ')})`,
  );
  return `${child.plan.name} AS s WHERE ${terms.join(' AND ')}`;
}

/** Null where one of them is not the mapping's. */
function plannedColumns({ plan }: Staging, names: readonly string[]): PlannedColumn[] | null {
  const found = names.flatMap(
    (name) => plan.columns.find((column) => isSameName(column.name, quoteName(name))) ?? [],
  );
  return found.length === names.length ? found : null;
}

function isTable(a: Parameters<typeof tableKey>[0], b: Parameters<typeof tableKey>[0]): boolean {
  return tableKey(a) === tableKey(b);
}
