// Which rows are in quarantine now: of an entity by their keys as quarantine spells them, and how many of each for the status.
// Guarantees: keys compare byte by byte; of values nothing is read.
import { controlTable } from './control-tables.ts';
import { isoTime } from './iso-time.ts';
import { paddedList } from './padded-list.ts';
import type { SqlParameters, SqlSession } from './session.ts';

/** A statement takes 2,100 parameters. */
const MOST_KEYS = 1024;

export interface OpenQuarantine {
  readonly entity: string;
  readonly code: string;
  readonly rows: number;
  /** ISO 8601, UTC. */
  readonly lastAt: string;
}

/** Open rows by entity and code; the most first. */
export async function openQuarantineByCode(session: SqlSession): Promise<OpenQuarantine[]> {
  const { rows } = await session.batch<{ entity: string; code: string; row_count: number; last_at: string }>(
    `SELECT entity, code, COUNT(*) AS row_count, ${isoTime('MAX(quarantined_at)')} AS last_at
FROM ${controlTable('quarantine')} WHERE resolved_at IS NULL GROUP BY entity, code ORDER BY COUNT(*) DESC, entity, code`,
  );
  return rows.map(({ entity, code, row_count, last_at }) => ({
    entity,
    code,
    rows: Number(row_count),
    lastAt: last_at,
  }));
}

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
