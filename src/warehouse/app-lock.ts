// Named locks of the warehouse, held to the end of a transaction: one writer a lane, one migration at a time.
// https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-getapplock-transact-sql
import { WalbridgeError } from '../fault/fault.ts';
import { quoteText } from './identifier.ts';
import type { SqlSession } from './session.ts';

/**
 * Takes the exclusive lock `resource` (up to 255 characters, compared byte by byte) for the session's open transaction,
 * waiting up to `timeoutMs`. Throws WB6030, transient, where another holds it for longer.
 */
export async function lockForTransaction(
  session: SqlSession,
  resource: string,
  timeoutMs: number,
): Promise<void> {
  const { rows } = await session.batch<{ granted: number }>(lockStatement(resource, timeoutMs));
  const granted = rows[0]?.granted ?? -999;
  // 0: at once; 1: after a wait.
  if (granted >= 0) return;
  throw new WalbridgeError({
    code: 'WB6030',
    kind: 'transient',
    what: `The warehouse lock ${resource} was not granted within ${timeoutMs} ms (sp_getapplock returned ${granted}).`,
    safe: 'Nothing was changed.',
    next: 'It is retried. If it stays, another walbridge holds it: look into sys.dm_tran_locks for APPLICATION locks.',
  });
}

function lockStatement(resource: string, timeoutMs: number): string {
  return `DECLARE @granted int;
EXEC @granted = sp_getapplock @Resource = ${quoteText(resource)}, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = ${timeoutMs};
SELECT @granted AS granted;`;
}
