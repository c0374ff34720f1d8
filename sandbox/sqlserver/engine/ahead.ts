// Changes sent to PostgreSQL before their turn: one write for those that follow each other in a batch. Only where any error
// undoes them all, under XACT_ABORT within a transaction, and nothing stands between them but counting rows.

import type { Statement } from './ast.ts';
import type { Placed } from './batch.ts';
import { constant } from './constant.ts';
import { knownTo } from './evaluate.ts';
import type { Sent } from './pipeline.ts';
import { type Change, type Running, takeIdentity, translateChange } from './run.ts';
import { BIGINT } from './types.ts';

const MOST = 16;

export const isChange = (s: Statement): s is Statement & Change =>
  s.k === 'insert' || s.k === 'update' || s.k === 'delete';

/** Adds to `sent` the counts of the changes that `batch` begins with, where there are two or more. */
export async function sendAhead(
  run: Running,
  batch: readonly Placed[],
  sent: Map<Placed, Promise<number>>,
): Promise<void> {
  const { state } = run;
  if (!state.xactAbort || !state.transaction.live) return;
  const places: Placed[] = [];
  const changes: Sent[] = [];
  for (const placed of batch) {
    const { statement } = placed;
    if (!isChange(statement)) {
      if (isCounting(run, statement)) continue;
      break;
    }
    const change = await sendable(run, statement);
    if (!change || places.length === MOST) break;
    places.push(placed);
    changes.push(change);
  }
  if (places.length < 2) return;
  await state.applyTimeout();
  state.connection.runAll(changes).forEach((count, i) => {
    sent.set(places[i]!, count);
  });
}

/** SET @n = @n + @@ROWCOUNT and its like: needs no database, whatever the count. */
function isCounting(run: Running, s: Statement): boolean {
  return s.k === 'setVariable' && constant(s.e, BIGINT, knownTo(run)) !== undefined;
}

/** Undefined where it must wait for its turn: for the values of variables, or because it is refused. */
async function sendable(run: Running, change: Change): Promise<Sent | undefined> {
  try {
    const { made, parameters, writes } = await translateChange(run, change);
    if (made.columns || parameters.length > 0) return undefined;
    for (const write of writes) run.state.written(write);
    return { sql: made.sql, parameters: [], take: takeIdentity(run, made) };
  } catch {
    return undefined;
  }
}
