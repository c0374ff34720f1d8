// Before the first stream of an empty warehouse: whether somebody has forgotten to ask for the rows that are there already.
// Guarantees: a few reads of one row each; what cannot be asked is not warned of.

import { findFilledTable } from '../capture/filled-table.ts';
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import { WalbridgeError } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { hasBackfills } from '../warehouse/backfill-store.ts';
import { findFilledTarget } from '../warehouse/filled-target.ts';
import type { SqlSession } from '../warehouse/session.ts';
import { chunkTableOf } from './backfill-table.ts';
import type { sourceOf } from './connections.ts';

/** The warning; null where there is nothing to warn of. For a bridge whose lanes are at their origin. Throws what is refused. */
export async function forgottenLoad(
  source: ReturnType<typeof sourceOf>,
  warehouse: SqlSession,
  mappings: readonly CompiledMapping[],
  tables: readonly TableDescription[],
): Promise<WalbridgeError | null> {
  if (await hasBackfills(warehouse)) return null;
  const targets = mappings.map(({ target }) => target);
  if ((await findFilledTarget(warehouse, targets)) !== null) return null;
  const filled = await findFilledTable(
    source,
    mappings.map((mapping) =>
      chunkTableOf(
        mapping,
        tables.find((one) => isSameTable(one, mapping.source)),
      ),
    ),
  );
  if (filled === null) return null;
  return new WalbridgeError({
    code: 'WB7031',
    kind: 'permanent',
    what: `The source has rows (in ${filled.schema}.${filled.table}, for one), the warehouse has none, and no backfill was asked for: rows from before \`walbridge init\` are not streamed.`,
    safe: 'The stream begins all the same.',
    next: 'Run `walbridge backfill --all --detach` now: before the first change arrives they come from one snapshot, later in chunks.',
  });
}
