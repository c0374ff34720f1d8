// Live traffic on the CRM: transactions over several tables, hot keys, key changes, swaps of unique keys, rows deleted and
// inserted again, updates that leave TOAST values alone, rollbacks of savepoints and of whole transactions (transactions.ts).
//
// The invariant: after every commit, each account's `contact_count` is the number of its contacts, and its `open_amount` the sum
// of `amount` over its opportunities that are neither won nor lost. Each transaction that changes one side changes the other too,
// so a reader that ever sees it broken has seen half a transaction. `invariantSql` is the query to poll, on either database.
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { CrmModel } from './model.ts';
import { createRandom } from './random.ts';
import { defaultTransactions, nextTransaction, type TransactionOptions } from './transactions.ts';

export interface TrafficOptions extends Partial<TransactionOptions> {
  readonly seed?: number;
  /** Row changes a second, those of cascades not counted. */
  readonly ratePerSecond?: number | 'max';
  /** End by itself after so many transactions. */
  readonly transactions?: number;
  /** Outlive restarts of PostgreSQL: reconnect for up to a minute. Else the first lost connection ends the traffic. */
  readonly reconnect?: boolean;
}

interface TrafficStats {
  transactions: number;
  /** Row changes committed, those of cascades not counted. */
  changes: number;
  rolledBack: number;
  reconnects: number;
  /** How often each operation of transactions.ts was used. */
  readonly operations: Record<string, number>;
}

export interface Traffic {
  readonly stats: Readonly<TrafficStats>;
  /** Resolves at the end, by itself or by `stop`; rejects with the error that ended it. */
  readonly finished: Promise<TrafficStats>;
  /** Ends after the running transaction. Rejects as `finished` does. */
  stop(): Promise<TrafficStats>;
}

/**
 * One connection, and the only writer of the CRM. With the same seed and the same rows to start from, the same transactions.
 * @throws the driver's error when it cannot connect
 */
export async function startTraffic(connectionString: string, options: TrafficOptions = {}): Promise<Traffic> {
  const {
    seed = 1,
    ratePerSecond = 200,
    transactions = Number.POSITIVE_INFINITY,
    reconnect = false,
  } = options;
  const settings = { ...defaultTransactions, ...options };
  const random = createRandom(seed);
  const stats: TrafficStats = { transactions: 0, changes: 0, rolledBack: 0, reconnects: 0, operations: {} };
  const stopping = new AbortController();
  let { client, model } = await connect(connectionString);

  const run = async () => {
    const startedAt = performance.now();
    while (!stopping.signal.aborted && stats.transactions < transactions) {
      const transaction = nextTransaction(random, model, settings);
      try {
        await client.query(transaction.sql);
      } catch (error) {
        if (!reconnect || !isConnectionLost(error)) throw error;
        // Whether the transaction was committed is unknown: the model is read again.
        ({ client, model } = await connectAgain(connectionString, stopping.signal));
        stats.reconnects += 1;
        continue;
      }
      stats.transactions += 1;
      stats.changes += transaction.changes;
      if (!transaction.isCommitted) stats.rolledBack += 1;
      for (const name of transaction.operations) stats.operations[name] = (stats.operations[name] ?? 0) + 1;
      if (ratePerSecond === 'max') continue;
      const aheadMs = startedAt + (stats.changes / ratePerSecond) * 1000 - performance.now();
      if (aheadMs > 1) await delay(aheadMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
    return stats;
  };
  const finished = run().finally(() => client.end().catch(() => {}));
  finished.catch(() => {});
  return {
    stats,
    finished,
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}

async function connect(connectionString: string): Promise<{ client: pg.Client; model: CrmModel }> {
  const client = new pg.Client({ connectionString });
  // A lost connection also rejects the query that runs on it or comes next.
  client.on('error', () => {});
  await client.connect();
  return { client, model: await CrmModel.load(client) };
}

async function connectAgain(connectionString: string, signal: AbortSignal): ReturnType<typeof connect> {
  for (const deadline = Date.now() + 60_000; ; await delay(100)) {
    try {
      return await connect(connectionString);
    } catch (error) {
      if (Date.now() > deadline || signal.aborted) throw error;
    }
  }
}

/** The server is going, starting or gone (SQLSTATE class 57P), or the socket is; anything else is a fault of the traffic. */
function isConnectionLost(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === undefined || code.startsWith('57P') || code.startsWith('E');
}

/**
 * Counts the accounts for which the invariant does not hold: PostgreSQL's and SQL Server's SQL alike. The tables have the CRM's
 * column names; `tables` says what they are called.
 */
export function invariantSql(
  tables = { accounts: 'accounts', contacts: 'contacts', opportunities: 'opportunities' },
): string {
  return `SELECT COUNT(*) AS broken FROM ${tables.accounts} a
    LEFT JOIN (SELECT account_id, COUNT(*) AS contact_count FROM ${tables.contacts} GROUP BY account_id) c ON c.account_id = a.id
    LEFT JOIN (SELECT account_id, SUM(amount) AS open_amount FROM ${tables.opportunities}
      WHERE stage NOT IN ('won', 'lost') GROUP BY account_id) o ON o.account_id = a.id
    WHERE a.contact_count <> COALESCE(c.contact_count, 0) OR a.open_amount <> COALESCE(o.open_amount, 0)`;
}
