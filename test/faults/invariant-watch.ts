// Reads the invariant that spans two pairs of tables in the warehouse, all the time, as a BI tool would: whoever ever sees it
// broken has seen half a transaction. See sandbox/crm/traffic.ts.
import { setTimeout as pause } from 'node:timers/promises';
import sql from 'mssql';
import { invariantSql } from '../../sandbox/crm/traffic.ts';

export interface InvariantWatch {
  readonly reads: number;
  /** Reads that saw it broken. */
  readonly violations: number;
  stop(): Promise<void>;
}

const query = invariantSql({
  accounts: 'crm.accounts',
  contacts: 'crm.contacts',
  opportunities: 'crm.opportunities',
});
const EVERY_MS = 40;

export async function watchInvariant(warehouse: string): Promise<InvariantWatch> {
  const pool = await new sql.ConnectionPool(warehouse).connect();
  let isStopping = false;
  const seen = { reads: 0, violations: 0 };
  const watching = (async () => {
    for (; !isStopping; await pause(EVERY_MS)) {
      const { recordset } = await pool.request().query<{ broken: number }>(query);
      seen.reads += 1;
      if (Number(recordset[0]!.broken) > 0) seen.violations += 1;
    }
  })();
  watching.catch(() => undefined);
  return {
    get reads() {
      return seen.reads;
    },
    get violations() {
      return seen.violations;
    },
    stop: async () => {
      isStopping = true;
      await watching.finally(() => pool.close());
    },
  };
}
