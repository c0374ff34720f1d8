// What must be asked of the warehouse about staged rows before they are applied: rows that it could only take wrongly.
// Guarantees: one SELECT of the rows to reject (table number, row number, code); null where no question applies.
import { rejections } from './apply-fault.ts';
import { exactness, looseMatch, match } from './apply-match.ts';
import type { Staging } from './staging.ts';

export interface CheckRow {
  readonly n: number;
  readonly r: number;
  readonly code: string;
}

/** `further`: questions besides its own. `hint`: as `planHint` gives it. */
export function checkScript(
  stagings: readonly Staging[],
  further: readonly string[],
  hint: string,
): string | null {
  const questions = stagings.flatMap((staging, number) =>
    [...missingOrigins(staging), ...keyCollisions(staging)].map(
      ({ code, from }) => `SELECT ${number} AS n, s.r AS r, '${code}' AS code FROM ${from}`,
    ),
  );
  questions.push(...further);
  return questions.length === 0 ? null : `${questions.join('\nUNION ALL\n')}${hint};`;
}

interface Question {
  readonly code: string;
  readonly from: string;
}

function missingOrigins({ plan, absent }: Staging): Question[] {
  if (absent.length === 0) return [];
  const there = `SELECT 1 FROM ${plan.table} AS t WITH (UPDLOCK, HOLDLOCK) WHERE ${match(plan, 't', 's', 'origin')}`;
  return [
    {
      code: rejections.missingOrigin.code,
      from: `${plan.name} AS s WHERE s.m IS NOT NULL AND NOT EXISTS (${there})`,
    },
  ];
}

/** Keys that differ in the source and are one to the warehouse: the later row is rejected, whichever way they meet. */
function keyCollisions({ plan, upserts, truncatedAt }: Staging): Question[] {
  const exact = exactness(plan, 't', 's');
  if (exact === null || upserts === 0) return [];
  const code = rejections.keyCollision.code;
  const sameKey = plan.keys.map((column) => `e.${column.staged} = s.${column.staged}`).join(' AND ');
  const inBatch = {
    code,
    from: `${plan.name} AS s WHERE s.o > 0 AND EXISTS (SELECT 1 FROM ${plan.name} AS e WHERE e.o > 0 AND e.r < s.r AND ${sameKey})`,
  };
  if (truncatedAt !== null) return [inBatch];
  const leaves = `SELECT 1 FROM ${plan.name} AS d WHERE d.o = 0 AND ${match(plan, 't', 'd')}`;
  const there = `SELECT 1 FROM ${plan.table} AS t WITH (UPDLOCK, HOLDLOCK) WHERE ${looseMatch(plan, 't', 's')} AND NOT (${exact}) AND NOT EXISTS (${leaves})`;
  return [inBatch, { code, from: `${plan.name} AS s WHERE s.o > 0 AND EXISTS (${there})` }];
}
