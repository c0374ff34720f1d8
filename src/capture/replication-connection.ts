// One connection in logical replication mode: session settings, the source's identity, the slot's state, the raw stream.
// Guarantees: values are sent in one spelling whatever the role's or the server's settings; every wait has an end.
// https://www.postgresql.org/docs/current/protocol-replication.html
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Client, type ClientConfig, escapeIdentifier, escapeLiteral } from 'pg';
import type { PgoutputPlugin } from 'pg-logical-replication';
import { type Lsn, parseLsn } from '../change/position.ts';
import type { Timelines } from '../change/timelines.ts';
import type { Flow } from './message-pump.ts';
import { type SlotFacts, slotFactsExpression } from './slot-facts.ts';
import { errorCode } from './source-fault.ts';
import { parseTimelineHistory } from './timeline-history.ts';

/** Who the source is. Another system identifier is another cluster: its LSNs mean nothing here. */
export interface SourceIdentity {
  readonly systemId: string;
  /** A restore to an earlier state, or a promotion, begins a new one: from there on LSNs stand for other WAL than before. */
  readonly timelines: Timelines;
  /** The WAL had been written durably up to here (on a stand-by: received). */
  readonly flushed: Lsn;
  readonly database: string;
}

export interface StreamFacts {
  readonly slot: SlotFacts | null;
  readonly missingPublications: readonly string[];
  /** A stand-by: it follows another server, and lags behind it. */
  readonly isInRecovery: boolean;
  /** Milliseconds; 0: disabled. */
  readonly walSenderTimeoutMs: number;
}

/** The driver's connection below its client, which has no published types. */
interface WireConnection extends EventEmitter {
  readonly stream: Socket;
  sendCopyFromChunk(chunk: Buffer): void;
  end(): void;
}

const CONNECT_TIMEOUT_MS = 15_000;
const QUERY_TIMEOUT_MS = 15_000;
const CLOSE_TIMEOUT_MS = 1_000;
const UNDEFINED_FILE = '58P01';

/** What decides the text of values, and that warnings are sent; roles and databases may have settings of their own. */
export const textSettings = {
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  search_path: 'pg_catalog',
  client_min_messages: 'warning',
  // A policy that hides rows is an error, not a table of fewer rows: a backfill would delete what it does not see.
  row_security: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
};

/**
 * Columns of a SELECT that sets them for the session. Text comes in UTF-8, but from a database without an encoding as it is: there
 * the server converts nothing, and would refuse a value, and with it the whole stream, for a byte that is no UTF-8.
 */
export function settingColumns(settings: Readonly<Record<string, string>>): string {
  const encoding = `CASE pg_catalog.current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END`;
  const values = Object.entries(settings).map(([name, value]) => [name, escapeLiteral(value)]);
  return [['client_encoding', encoding], ...values]
    .map(([name, value]) => `pg_catalog.set_config('${name}', ${value}, false)`)
    .join(', ');
}

export class ReplicationConnection implements Flow {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** @throws the driver's errors, and the signal's reason. */
  static async open(config: ClientConfig, signal: AbortSignal): Promise<ReplicationConnection> {
    signal.throwIfAborted();
    const replication = { replication: 'database' } as ClientConfig;
    const client = new Client({
      application_name: 'walbridge',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ...config,
      ...replication,
    });
    // What ends the connection rejects the query in hand as well; without a listener the process would die.
    client.on('error', () => {});
    const connection = new ReplicationConnection(client);
    const abort = () => connection.destroy();
    signal.addEventListener('abort', abort);
    try {
      await client.connect();
      await connection.#query(`SELECT ${settingColumns(textSettings)}`);
      return connection;
    } catch (error) {
      connection.destroy();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  get #wire(): WireConnection {
    return (this.#client as unknown as { readonly connection: WireConnection }).connection;
  }

  async identify(): Promise<SourceIdentity> {
    const row = (await this.#query('IDENTIFY_SYSTEM'))[0]!;
    const timeline = Number(row.timeline);
    // The first has no history.
    const content = timeline > 1 ? await this.#history(timeline) : '';
    return {
      systemId: String(row.systemid),
      timelines: parseTimelineHistory(timeline, content),
      flushed: parseLsn(String(row.xlogpos)),
      database: String(row.dbname),
    };
  }

  /** Empty where the file is gone: a base backup need not bring it. */
  async #history(timeline: number): Promise<string> {
    try {
      const [row] = await this.#query(`TIMELINE_HISTORY ${timeline}`);
      // The file's bytes, under the type bytea, though not in its text form.
      const content = row?.content;
      return Buffer.isBuffer(content) ? content.toString() : String(content ?? '');
    } catch (error) {
      if (errorCode(error) === UNDEFINED_FILE) return '';
      throw error;
    }
  }

  async facts(slot: string, publications: readonly string[]): Promise<StreamFacts> {
    const names = publications.map((name) => `(${escapeLiteral(name)})`).join(', ');
    const row = (
      await this.#query(`SELECT ${slotFactsExpression(slot)} AS slot,
        (SELECT coalesce(jsonb_agg(wanted.name), '[]') FROM (VALUES ${names}) AS wanted(name)
          WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubname = wanted.name)) AS missing,
        pg_catalog.pg_is_in_recovery() AS recovery,
        (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout') AS timeout`)
    )[0]!;
    return {
      slot: row.slot as SlotFacts | null,
      missingPublications: row.missing as string[],
      isInRecovery: row.recovery === true,
      walSenderTimeoutMs: Number(row.timeout),
    };
  }

  /**
   * Makes a temporary slot and exports its snapshot, which is good until the next command or the end of the connection. Fails
   * after `withinMs`: the server waits for the transactions that write.
   */
  async exportSnapshot(
    slot: string,
    withinMs: number,
  ): Promise<{
    readonly consistentPoint: string;
    readonly snapshot: string;
    readonly takenAtMicros: bigint;
  }> {
    // The export leaves the session within a transaction, idle for as long as others read.
    const [clock] = await this.#query(`SELECT
      (SELECT count(pg_catalog.set_config(name, '0', false)) FROM pg_catalog.pg_settings
        WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')) AS settings,
      (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint::text AS micros`);
    const command = `CREATE_REPLICATION_SLOT ${escapeIdentifier(slot)} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`;
    const [made] = await this.#query(command, withinMs);
    return {
      consistentPoint: String(made?.consistent_point),
      snapshot: String(made?.snapshot_name),
      takenAtMicros: BigInt(String(clock?.micros)),
    };
  }

  /**
   * Starts at the slot's confirmed position. Resolves when the server ends the stream, rejects when it or the connection fails.
   * `onMessage` gets each CopyData message: slices of a buffer that is reused when more is read.
   */
  async stream(
    plugin: PgoutputPlugin,
    slot: string,
    on: {
      readonly started: () => void;
      readonly message: (bytes: Buffer) => void;
      readonly warning: (state: string, routine: string) => void;
    },
  ): Promise<void> {
    this.#wire.once('replicationStart', on.started);
    this.#wire.on('copyData', ({ chunk }: { chunk: Buffer }) => on.message(chunk));
    this.#client.on('notice', (notice) => on.warning(notice.code ?? '', notice.routine ?? ''));
    await plugin.start(this.#client as never, slot, '0/0');
  }

  send(status: Buffer): void {
    this.#wire.sendCopyFromChunk(status);
  }

  pause(): void {
    this.#wire.stream.pause();
  }

  resume(): void {
    this.#wire.stream.resume();
  }

  /** Says goodbye, so that the server takes in the last status and frees the slot at once; gives up after a second. */
  async close(): Promise<void> {
    const { stream } = this.#wire;
    if (stream.destroyed) return;
    this.#wire.removeAllListeners('copyData');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
      stream.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#wire.end();
      stream.resume();
    });
    this.destroy();
  }

  destroy(): void {
    this.#wire.stream.destroy();
  }

  /** Simple protocol only: a replication connection knows no other. */
  async #query(text: string, timeoutMs = QUERY_TIMEOUT_MS): Promise<Record<string, unknown>[]> {
    const query = { text, query_timeout: timeoutMs };
    return (await this.#client.query(query)).rows;
  }
}
