// `--where`: judged by the source at the request already; the daemon that works on it finds out by itself again.
// Guarantees: what PostgreSQL does not understand is refused, in its words; a source that is away or busy holds no request up.
import { type JudgedTable, judgeConditions } from '../capture/judge-condition.ts';
import { isTransient } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { refused } from './backfill-request.ts';
import { chunkTableOf } from './backfill-table.ts';
import type { sourceOf } from './connections.ts';

/** Throws WB7024, and WB2002, WB2003 or WB2030 where the source refuses to be asked. */
export async function judgeWhere(
  where: string | null,
  chosen: readonly CompiledMapping[],
  source: ReturnType<typeof sourceOf>,
): Promise<void> {
  if (where === null) return;
  const tables = new Map<JudgedTable, string>(
    chosen.map((mapping) => [{ ...chunkTableOf(mapping, undefined), where }, mapping.entity]),
  );
  const said = await judgeConditions(source, [...tables.keys()]).catch((error) => {
    if (isTransient(error)) return new Map<JudgedTable, string>();
    throw error;
  });
  if (said.size === 0) return;
  const lines = [...said].map(([table, words]) => `${tables.get(table)}: ${words}`);
  throw refused(
    `The source does not understand the condition of --where.\n${lines.join('\n')}\n`,
    "It is PostgreSQL's SQL over the table's columns, by name or as t.name; functions and types outside of pg_catalog take their schema's name.",
  );
}
