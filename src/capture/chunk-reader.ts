// Reads chunks of a table beside the WAL tail, between watermarks that it writes into the same WAL.
// Guarantees: what is read shows every transaction that commits before the low watermark; values are spelt as the stream spells
// them; nothing is locked beyond what a SELECT takes; rows and bytes of one chunk are bounded.
import type { ClientConfig } from 'pg';
import { type Lsn, parseLsn } from '../change/position.ts';
import type { Relation, SourceRow } from '../change/source-change.ts';
import { type KnownKeys, type SelfReference, selectAncestors } from './ancestor-statement.ts';
import {
  type ChunkRange,
  type ChunkTable,
  type KeyValues,
  type Statement,
  selectAbsent,
  selectBoundaries,
  selectChunk,
  selectKeys,
} from './chunk-statement.ts';
import { selectVersions } from './digest-statement.ts';
import { TableSession, type TableShape } from './table-session.ts';

/** Prefix of the logical messages that are watermarks. */
export const WATERMARK_PREFIX = 'walbridge.backfill';
/** Prefix of those that a lane's watermark is to pass, for nobody reads them: their content is the lane's name. */
export const BARRIER_PREFIX = 'walbridge.verify';

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

const FIRST_FETCH_ROWS = 100;
const MOST_FETCH_ROWS = 2_000;
/** 16 MB of the usual 8 kB: read in a moment, and all of a small table. */
const SAMPLED_PAGES = 2_000;
/** How long the look for transactions that still write pauses, at most. */
const WRITERS_POLL_MS = 250;

/** What conflicts with ShareLock: the modes of those who may have written to the table. */
const WRITING_MODES = `('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`;

export class ChunkReader {
  readonly #session: TableSession;

  private constructor(session: TableSession) {
    this.#session = session;
  }

  /** Throws a WalbridgeError (WB2001 to WB2004), or the signal's reason. */
  static async open(config: ClientConfig, signal: AbortSignal): Promise<ChunkReader> {
    return new ChunkReader(await TableSession.open(config, signal));
  }

  close(signal: AbortSignal): Promise<void> {
    return this.#session.close(signal);
  }

  /** Writes a watermark into the WAL, as a transaction of its own; it has committed when this resolves. */
  async mark(content: string, prefix = WATERMARK_PREFIX): Promise<Lsn> {
    const rows = await this.#session.rows(`SELECT pg_catalog.pg_logical_emit_message(true, $1, $2) AS lsn`, [
      prefix,
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
    const { oids } = await this.#session.shape(table, []);
    const holders = `SELECT l.virtualtransaction AS transaction, coalesce(l.pid::text, 'prepared') AS pid
      FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.granted AND l.mode IN ${WRITING_MODES} AND l.relation = ANY ($1::oid[])
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() AND coalesce(a.state, '') NOT LIKE 'idle in transaction%'`;
    let writers = await this.#session.rows(holders, [oids]);
    for (let waitMs = 2; writers.length > 0; waitMs = Math.min(waitMs * 2, WRITERS_POLL_MS)) {
      if (waitMs === WRITERS_POLL_MS) onWaiting([...new Set(writers.map(({ pid }) => pid ?? ''))]);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      signal.throwIfAborted();
      writers = await this.#session.rows(`${holders} AND l.virtualtransaction = ANY ($2::text[])`, [
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
    const columns = namesOf(await this.#session.shape(table, wanted));
    const rows: SourceRow[] = [];
    let relation: Relation | null = null;
    let bytes = 0;
    let isLast = false;
    const statement = selectChunk(table, columns, range, after, limits.rows);
    await this.#session.readOnly(async () => {
      await this.#session.query({
        ...statement,
        text: `DECLARE chunk NO SCROLL CURSOR FOR ${statement.text}`,
      });
      for (let count = FIRST_FETCH_ROWS; rows.length < limits.rows && bytes < limits.bytes; ) {
        const fetched = await this.#session.query({ text: `FETCH ${count} FROM chunk`, values: [] });
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
    const shape = await this.#session.shape(table, wanted);
    const { rows, fields } = await this.#session.readOnly(() =>
      this.#session.query(selectKeys(table, shape.keyTypes, namesOf(shape), keys)),
    );
    return { relation: relationOf(table, fields), rows, lastKey: null, isLast: true };
  }

  /** The rows that those of the given keys refer to, and so on: at most `limit`, without those of the keys that are known. */
  async readAncestors(
    table: ChunkTable,
    wanted: readonly string[],
    references: readonly SelfReference[],
    keys: readonly KeyValues[],
    known: KnownKeys | null,
    limit: number,
  ): Promise<readonly SourceRow[]> {
    const shape = await this.#session.shape(table, wanted);
    const statement = selectAncestors(table, shape.keyTypes, namesOf(shape), references, keys, known, limit);
    return (await this.#session.readOnly(() => this.#session.query(statement))).rows;
  }

  /** The rows of the given keys, each with its key's number (` n`, from 1) and what changes with every update of it (` version`). */
  async readVersions(
    table: ChunkTable,
    wanted: readonly string[],
    keys: readonly KeyValues[],
  ): Promise<Pick<ChunkRead, 'relation' | 'rows'>> {
    const shape = await this.#session.shape(table, wanted);
    const { rows, fields } = await this.#session.readOnly(() =>
      this.#session.query(selectVersions(table, shape.keyTypes, namesOf(shape), keys)),
    );
    return { relation: relationOf(table, fields), rows };
  }

  /** What a SELECT over the table gives, as PostgreSQL's text. `isScan`: it reads most of the table, and need not go by the key. */
  async select(
    table: ChunkTable,
    statement: Statement,
    isScan: boolean,
  ): Promise<Pick<ChunkRead, 'relation' | 'rows'>> {
    await this.#session.shape(table, []);
    const { rows, fields } = await this.#session.readOnly(async () => {
      if (isScan) await this.#session.query({ text: 'SET LOCAL enable_seqscan = on', values: [] });
      return this.#session.query(statement);
    });
    return { relation: relationOf(table, fields), rows };
  }

  async serverEncoding(): Promise<string> {
    const rows = await this.#session.rows("SELECT pg_catalog.current_setting('server_encoding') AS name", []);
    return rows[0]?.name ?? '';
  }

  /** Of the given keys those that lie in the range and that no row of the table has. */
  async readAbsent(
    table: ChunkTable,
    range: Pick<ChunkRange, 'from' | 'to'>,
    keys: readonly KeyValues[],
  ): Promise<Pick<ChunkRead, 'relation' | 'rows'>> {
    const { keyTypes } = await this.#session.shape(table, []);
    const { rows, fields } = await this.#session.readOnly(() =>
      this.#session.query(selectAbsent(table, keyTypes, range, keys)),
    );
    return { relation: relationOf(table, fields), rows };
  }

  /** What the planner thinks of the range's number of rows. */
  async estimate(table: ChunkTable, range: ChunkRange): Promise<number> {
    const { text, values } = selectChunk(table, table.key, range, null, null);
    const rows = await this.#session.rows(`EXPLAIN (FORMAT JSON) ${text}`, values);
    const plan = JSON.parse(rows[0]?.['QUERY PLAN'] ?? '[]') as { Plan?: { 'Plan Rows'?: number } }[];
    return plan[0]?.Plan?.['Plan Rows'] ?? 0;
  }

  /** Keys that cut the range into at most `parts` about equal ones, in order; none where it is small. */
  async boundaries(table: ChunkTable, range: ChunkRange, parts: number): Promise<readonly KeyValues[]> {
    const { oids } = await this.#session.shape(table, []);
    const [size] = await this.#session.rows(
      `SELECT coalesce(sum(pg_catalog.pg_relation_size(oid)), 0) / pg_catalog.current_setting('block_size')::int AS pages
       FROM (SELECT DISTINCT unnest($1::oid[]) AS oid) AS tables`,
      [oids],
    );
    const percent = Math.min(100, (100 * SAMPLED_PAGES) / Math.max(1, Number(size?.pages)));
    const { text, values } = selectBoundaries(table, range, percent, parts);
    const { rows } = await this.#session.readOnly(() => this.#session.query({ text, values }));
    const keys = rows.map((row) => table.key.map((column) => row[column] ?? ''));
    return keys.filter((key, index) => JSON.stringify(key) !== JSON.stringify(keys[index - 1]));
  }
}

function namesOf({ columns }: TableShape): string[] {
  return columns.map(({ name }) => name);
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
