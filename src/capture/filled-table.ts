// Whether the source's tables hold anything yet.
import type { ClientConfig } from 'pg';
import { type ChunkTable, fromClause } from './chunk-statement.ts';
import { withSource } from './source-client.ts';

/** Milliseconds a table: one whose first pages hold dead rows only is given up. */
const WITHIN_MS = 1_000;

/** The first of the tables that has a row; null where none is found soon. Throws a WalbridgeError (WB2001 to WB2004). */
export function findFilledTable(
  config: ClientConfig,
  tables: readonly ChunkTable[],
): Promise<ChunkTable | null> {
  return withSource(config, async (client) => {
    await client.query(`SET statement_timeout = ${WITHIN_MS}`);
    for (const table of tables) {
      const { rowCount } = await client.query(`SELECT FROM ${fromClause(table)} LIMIT 1`);
      if (rowCount === 1) return table;
    }
    return null;
  });
}
