// Reads chunks of a table beside the WAL tail, between watermarks that it writes into the same WAL.
// Guarantees: what is read shows every transaction that commits before the low watermark; values are spelt as the stream spells
// them; nothing is locked beyond what a SELECT takes; rows and bytes of one chunk are bounded.
import { Client, type ClientConfig } from 'pg';
import { type Lsn, parseLsn } from '../change/position.ts';
import type { Relation, SourceRow } from '../change/source-change.ts';
import {
  type ChunkRange,
  type ChunkTable,
  type KeyValues,
  type Statement,
  selectAbsent,
  selectChunk,
  selectKeys,
} from './chunk-statement.ts';
import { textSettings } from './replication-connection.ts';
import { fault, sourceFault } from './source-fault.ts';

/** Prefix of the logical messages that are watermarks. */
export const WATERMARK_PREFIX = 'walbridge.backfill';

export interface ChunkLimits {
  readonly rows: number;
  /** Characters of values, about. */
  readonly bytes: number;
}

export interface ChunkRead {
  /** The table as this chunk's columns show it. */
  readonly relation: Relation;
  readonly rows: readonly SourceRow[];
  /** Key of the last row; null of none. */
  readonly lastKey: KeyValues | null;
  /** Nothing of the range is behind it. */
  readonly isLast: boolean;
}

interface TableShape {
  readonly columns: readonly string[];
  readonly keyTypes: readonly string[];
  readonly oids: readonly string[];
}

const CONNECT_TIMEOUT_MS = 15_000;
const FIRST_FETCH_ROWS = 100;
const MOST_FETCH_ROWS = 2_000;
/** How long the look for transactions that still write pauses, at most. */
const WRITERS_POLL_MS = 250;

/** What conflicts with ShareLock: the modes of those who may have written to the table. */
const WRITING_MODES = `('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`;

export class ChunkReader {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Throws a WalbridgeError (WB2001 to WB2004), or the signal's reason. */
  static async open(config: ClientConfig, signal: AbortSignal): Promise<ChunkReader> {
    signal.throwIfAborted();
    const client = new Client({ keepAlive: true, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...config });
    // What ends the connection rejects the query in hand as well.
    client.on('error', () => {});
    const reader = new ChunkReader(client);
    signal.addEventListener('abort', reader.#destroy);
    try {
      await client.connect();
      const settings = {
        ...textSettings,
        // Chunks come by the key's index, also where statistics are missing or old.
        enable_seqscan: 'off',
        enable_bitmapscan: 'off',
        enable_sort: 'off',
        // A watermark needs its place in the WAL, not a standby's word for it.
        synchronous_commit: 'local',
        // Behind a DDL statement that waits for its own lock, everyone else would wait behind this reader too.
        lock_timeout: '10s',
      };
      await client.query(
        `SELECT ${Object.entries(settings)
          .map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', false)`)
          .join(', ')}`,
      );
      return reader;
    } catch (error) {
      await reader.close(signal);
      signal.throwIfAborted();
      throw sourceFault(error);
    }
  }

  readonly #destroy = (): void => {
    (
      this.#client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }
    ).connection.stream.destroy();
  };

  async close(signal: AbortSignal): Promise<void> {
    signal.removeEventListener('abort', this.#destroy);
    await this.#client.end().catch(() => undefined);
  }

  /** Writes a watermark into the WAL, as a transaction of its own; it has committed when this resolves. */
  async mark(content: string): Promise<Lsn> {
    const rows = await this.#rows(`SELECT pg_catalog.pg_logical_emit_message(true, $1, $2) AS lsn`, [
      WATERMARK_PREFIX,
      content,
    ]);
    return parseLsn(rows[0]?.lsn ?? '0/0');
  }

  /**
   * Resolves when every transaction that holds a writer's lock on the table now has ended. A commit stands in the WAL a moment
   * before others can see it, with synchronous replication a long one; it keeps its locks until they can. So what is read after
   * this shows all that commits before a watermark written before this. (CREATE INDEX CONCURRENTLY waits likewise.) A session
   * that idles within its transaction has not begun to commit, and need not be waited for.
   */
  async writersEnded(
    table: ChunkTable,
    signal: AbortSignal,
    onWaiting: (pids: readonly string[]) => void,
  ): Promise<void> {
    const { oids } = await this.#shape(table, []);
    const holders = `SELECT l.virtualtransaction AS transaction, coalesce(l.pid::text, 'prepared') AS pid
      FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ${WRITING_MODES} AND l.relation = ANY ($1::oid[])
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() AND coalesce(a.state, '') NOT LIKE 'idle in transaction%'`;
    let writers = await this.#rows(holders, [oids]);
    for (let waitMs = 2; writers.length > 0; waitMs = Math.min(waitMs * 2, WRITERS_POLL_MS)) {
      if (waitMs === WRITERS_POLL_MS) onWaiting([...new Set(writers.map(({ pid }) => pid ?? ''))]);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      signal.throwIfAborted();
      writers = await this.#rows(`${holders} AND l.virtualtransaction = ANY ($2::text[])`, [
        oids,
        writers.map(({ transaction }) => transaction ?? ''),
      ]);
    }
  }

  /** The rows behind `after`, until the range or one of the limits is reached. `wanted` columns that vanished are left out. */
  async read(
    table: ChunkTable,
    wanted: readonly string[],
    range: ChunkRange,
    after: KeyValues | null,
    limits: ChunkLimits,
  ): Promise<ChunkRead> {
    const { columns } = await this.#shape(table, wanted);
    const rows: SourceRow[] = [];
    let relation: Relation | null = null;
    let bytes = 0;
    let isLast = false;
    const statement = selectChunk(table, columns, range, after, limits.rows);
    await this.#readOnly(async () => {
      await this.#query({ ...statement, text: `DECLARE chunk NO SCROLL CURSOR FOR ${statement.text}` });
      for (let count = FIRST_FETCH_ROWS; rows.length < limits.rows && bytes < limits.bytes; ) {
        const fetched = await this.#query({ text: `FETCH ${count} FROM chunk`, values: [] });
        relation ??= relationOf(table, fetched.fields);
        for (const row of fetched.rows) {
          rows.push(row);
          for (const name in row) bytes += row[name]?.length ?? 0;
        }
        if (fetched.rows.length < count) {
          isLast = rows.length < limits.rows;
          break;
        }
        const room = Math.ceil(((limits.bytes - bytes) / Math.max(bytes, 1)) * rows.length);
        count = Math.max(1, Math.min(room, MOST_FETCH_ROWS, limits.rows - rows.length));
      }
    });
    const last = rows.at(-1);
    return {
      relation: relation ?? relationOf(table, []),
      rows,
      lastKey: last === undefined ? null : table.key.map((column) => last[column] ?? ''),
      isLast,
    };
  }

  /** The rows of the given keys. */
  async readKeys(
    table: ChunkTable,
    wanted: readonly string[],
    keys: readonly KeyValues[],
  ): Promise<ChunkRead> {
    const { columns, keyTypes } = await this.#shape(table, wanted);
    const { rows, fields } = await this.#readOnly(() =>
      this.#query(selectKeys(table, keyTypes, columns, keys)),
    );
    return { relation: relationOf(table, fields), rows, lastKey: null, isLast: true };
  }

  /** Of the given keys those that lie in the range and that no row of the table has. */
  async readAbsent(
    table: ChunkTable,
    range: Pick<ChunkRange, 'from' | 'to'>,
    keys: readonly KeyValues[],
  ): Promise<Pick<ChunkRead, 'relation' | 'rows'>> {
    const { keyTypes } = await this.#shape(table, []);
    const { rows, fields } = await this.#readOnly(() =>
      this.#query(selectAbsent(table, keyTypes, range, keys)),
    );
    return { relation: relationOf(table, fields), rows };
  }

  /** What the planner thinks of the range's number of rows. */
  async estimate(table: ChunkTable, range: ChunkRange): Promise<number> {
    const { text, values } = selectChunk(table, table.key, range, null, null);
    const rows = await this.#rows(`EXPLAIN (FORMAT JSON) ${text}`, values);
    const plan = JSON.parse(rows[0]?.['QUERY PLAN'] ?? '[]') as { Plan?: { 'Plan Rows'?: number } }[];
    return plan[0]?.Plan?.['Plan Rows'] ?? 0;
  }

  /** The columns of those wanted that exist, the key's types, and the table with its partitions. WB2030 where there is no such table or key. */
  async #shape(table: ChunkTable, wanted: readonly string[]): Promise<TableShape> {
    const rows = await this.#rows(
      `SELECT a.attname AS name, pg_catalog.format_type(a.atttypid, NULL) AS type, bn.nspname AS type_schema,
         (SELECT pg_catalog.string_agg(relid::oid::text, ' ') FROM pg_catalog.pg_partition_tree(c.oid)) AS partitions, c.oid::text AS oid
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_catalog.pg_type bt ON bt.oid = a.atttypid JOIN pg_catalog.pg_namespace bn ON bn.oid = bt.typnamespace
       WHERE n.nspname = $1 AND c.relname = $2`,
      [table.schema, table.table],
    );
    const known = new Map(rows.map((row) => [row.name, row]));
    const key = table.key.map((column) => known.get(column));
    const missing = table.key.find((column) => !known.has(column));
    if (missing !== undefined) {
      throw fault('WB2030', 'permanent', {
        what: `The table ${table.schema}.${table.table} ${rows.length === 0 ? 'does not exist' : `has no column "${missing}", which is part of its mapping's key`}.`,
        next: 'Mend the mapping or the table: `walbridge check` names both.',
      });
    }
    await this.#findOperators([...new Set(key.map((column) => column?.type_schema ?? ''))]);
    return {
      columns: [...new Set([...table.key, ...wanted.filter((column) => known.has(column))])],
      keyTypes: key.map((column) => column?.type ?? ''),
      oids: [rows[0]?.oid ?? '', ...(rows[0]?.partitions?.split(' ') ?? [])],
    };
  }

  /** Types of extensions, such as citext, compare by operators of their own schema: others would not agree with their index. */
  async #findOperators(schemas: readonly string[]): Promise<void> {
    const path = ['pg_catalog', ...schemas.filter((schema) => schema !== 'pg_catalog')];
    if (path.length === 1) return;
    await this.#rows(`SELECT pg_catalog.set_config('search_path', $1, false)`, [
      path.map((schema) => `"${schema.replaceAll('"', '""')}"`).join(', '),
    ]);
  }

  /** Read only, so that no condition can write. */
  async #readOnly<T>(work: () => Promise<T>): Promise<T> {
    try {
      await this.#client.query('BEGIN TRANSACTION READ ONLY');
      const result = await work();
      await this.#client.query('COMMIT');
      return result;
    } catch (error) {
      await this.#client.query('ROLLBACK').catch(() => undefined);
      throw sourceFault(error);
    }
  }

  async #rows(text: string, values: Statement['values']): Promise<readonly Record<string, string | null>[]> {
    try {
      return (await this.#query({ text, values })).rows;
    } catch (error) {
      throw sourceFault(error);
    }
  }

  /** Values as PostgreSQL's own text. */
  #query({ text, values }: Statement) {
    return this.#client.query<Record<string, string | null>>({
      text,
      values: [...values],
      types: { getTypeParser: () => (value: string | Buffer) => value },
    });
  }
}

function relationOf(
  table: ChunkTable,
  fields: readonly {
    readonly name: string;
    readonly dataTypeID: number;
    readonly dataTypeModifier: number;
  }[],
): Relation {
  return {
    oid: 0,
    schema: table.schema,
    table: table.table,
    replicaIdentity: 'default',
    columns: fields.map(({ name, dataTypeID, dataTypeModifier }) => ({
      name,
      typeOid: dataTypeID,
      typeModifier: dataTypeModifier,
      identity: table.key.includes(name),
    })),
  };
}
