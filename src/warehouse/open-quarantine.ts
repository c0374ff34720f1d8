// Which rows of an entity are in quarantine now, by their keys as quarantine spells them.
// Guarantees: keys compare byte by byte.
import { controlTable } from './control-tables.ts';
import { paddedList } from './padded-list.ts';
import type { SqlParameters, SqlSession } from './session.ts';

/** A statement takes 2,100 parameters. */
const MOST_KEYS = 1024;

/** The code of an open row by its `key_json`, of the given ones. */
export async function readOpenQuarantine(
  session: SqlSession,
  entity: string,
  keys: readonly string[],
): Promise<Map<string, string>> {
  const codes = new Map<string, string>();
  for (let start = 0; start < keys.length; start += MOST_KEYS) {
    const parameters: Record<string, SqlParameters[string]> = { entity: { type: 'nvarchar', value: entity } };
    const page = keys.slice(start, start + MOST_KEYS);
    const names = paddedList(page, page[0] ?? '').map((value, index) => {
      parameters[`k${index}`] = { type: 'nvarchar', value };
      return `@k${index}`;
    });
    const { rows } = await session.query<{ key_json: string; code: string }>(
      `SELECT key_json, code FROM ${controlTable('quarantine')} WHERE entity = @entity AND resolved_at IS NULL AND key_json COLLATE Latin1_General_BIN2 IN (${names.join(', ')})`,
      parameters,
    );
    for (const { key_json, code } of rows) codes.set(key_json, code);
  }
  return codes;
}
