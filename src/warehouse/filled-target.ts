// Whether the targets hold anything yet.
import type { TargetTable } from '../mapping/target.ts';
import { quoteTable } from './identifier.ts';
import type { SqlSession } from './session.ts';

/** The entity of the first target that has a row; null where all are empty. Throws a WarehouseError. */
export async function findFilledTarget(
  session: SqlSession,
  targets: readonly TargetTable[],
): Promise<string | null> {
  const columns = targets.map(
    (target, index) =>
      `CASE WHEN EXISTS (SELECT 1 FROM ${quoteTable(target)}) THEN 1 ELSE 0 END AS t${index}`,
  );
  const { rows } = await session.batch<Record<string, number>>(`SELECT ${columns.join(', ')}`);
  return targets.find((_target, index) => rows[0]?.[`t${index}`] === 1)?.entity ?? null;
}
