// Splits a step of a backfill into key ranges, each a row of the control table with a progress of its own.
// Guarantees: all or nothing; every key of the step lies in exactly one of the ranges.
import type { BackfillStatus } from './backfill-step.ts';
import { changed, IDENTITY, identity, keyJson, NOW, nvarchar, table } from './backfill-store.ts';
import type { Warehouse } from './session.ts';

/**
 * The step keeps what is before the first of the given keys, the others begin at one each and are steps of their own.
 * Of a prune the keys are the target's, in its order. Returns them in order; null where it was paused or cancelled meanwhile.
 */
export async function splitBackfill(
  warehouse: Warehouse,
  step: BackfillStatus,
  boundaries: readonly (readonly string[])[],
): Promise<readonly BackfillStatus[] | null> {
  const [first, ...others] = cut(step, boundaries);
  return warehouse.transaction(async (session) => {
    const isOurs = await changed(
      session,
      `UPDATE ${table} SET to_key_json = @to, options_json = @options, updated_at = ${NOW} WHERE ${IDENTITY} AND state IN ('queued', 'running')`,
      { ...identity(step), to: keyJson(first.toKey), options: optionsJson(first) },
    );
    if (!isOurs) return null;
    const { rows } = await session.query<{ last: number }>(
      `SELECT MAX(range_no) AS last FROM ${table} WHERE backfill_id = @id AND entity = @entity`,
      identity(step),
    );
    const last = rows[0]?.last ?? step.range;
    const ranges: BackfillStatus[] = [{ ...step, ...first }];
    for (const [index, part] of others.entries()) {
      const range = { ...part, range: last + 1 + index };
      ranges.push({ ...step, ...range, state: 'queued', doneKey: null });
      await session.query(
        `INSERT INTO ${table} (backfill_id, entity, range_no, lane, kind, state, options_json, from_key_json, to_key_json, chunks_done, rows_read, rows_written, rows_yielded, rows_pruned, requested_by, created_at, updated_at)
SELECT backfill_id, entity, @next, lane, kind, 'queued', @options, @from, @to, 0, 0, 0, 0, 0, requested_by, created_at, ${NOW} FROM ${table} WHERE ${IDENTITY}`,
        {
          ...identity(step),
          next: { type: 'int', value: range.range },
          options: optionsJson(part),
          from: keyJson(part.fromKey),
          to: keyJson(part.toKey),
        },
      );
    }
    return ranges;
  });
}

type Part = Pick<BackfillStatus, 'fromKey' | 'toKey' | 'options'>;

function cut(step: BackfillStatus, boundaries: readonly (readonly string[])[]): [Part, ...Part[]] {
  const { kind, fromKey, toKey } = step;
  const part = (from: readonly string[] | null, to: readonly string[] | null): Part => {
    const options = { ...step.options, isRange: true };
    // The range that was asked for is in the source's order, and stands beside it.
    if (kind === 'prune') return { fromKey, toKey, options: { ...options, targetRange: { from, to } } };
    return { fromKey: from ?? fromKey, toKey: to ?? toKey, options };
  };
  const others = boundaries.map((from, index) => part(from, boundaries[index + 1] ?? null));
  return [part(null, boundaries[0] ?? null), ...others];
}

function optionsJson({ options }: Part) {
  return nvarchar(JSON.stringify(options));
}
