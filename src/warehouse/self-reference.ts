// Foreign keys of a target on itself, such as a parent's id: its rows can't be written in any order.
import type { TargetTable } from '../mapping/target.ts';
import { type ForeignKeyFacts, tableKey } from './catalog.ts';
import { readForeignKeys } from './read-constraints.ts';
import type { SqlSession } from './session.ts';

/** Those that are checked; none where the server or the login does not let them be read. Throws a WarehouseError. */
export async function readSelfReferences(
  session: SqlSession,
  targets: readonly TargetTable[],
): Promise<readonly ForeignKeyFacts[]> {
  const found = await readForeignKeys(session, targets);
  return (found ?? []).filter(({ from, to, disabled }) => !disabled && tableKey(from) === tableKey(to));
}
