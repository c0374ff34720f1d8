// Reads a table's rows in key order as an exported snapshot shows them, piece by piece, by COPY.
// Guarantees: each piece is a short transaction of its own: nothing is locked beyond it, whoever waits for what; bytes of a piece
// are bounded; a table that was rewritten or truncated since, which a snapshot does not survive, is told and not read.
// https://www.postgresql.org/docs/current/mvcc-caveats.html
import { setTimeout as pause } from 'node:timers/promises';
import { type ClientConfig, escapeIdentifier, escapeLiteral } from 'pg';
import type { Relation, SourceRow } from '../change/source-change.ts';
import type { ChunkLimits } from './chunk-reader.ts';
import { type ChunkRange, type ChunkTable, copyChunk, type KeyValues } from './chunk-statement.ts';
import { copiedRows, copyOut } from './copy-out.ts';
import { fault } from './source-fault.ts';
import { TableSession } from './table-session.ts';

export interface WantedPiece {
  readonly table: ChunkTable;
  readonly columns: readonly string[];
  readonly range: Pick<ChunkRange, 'from' | 'to'>;
  /** The piece begins behind it. */
  readonly after: KeyValues | null;
  /** `tableFiles` from before the snapshot. */
  readonly files: string;
  readonly limits: ChunkLimits;
}

export interface SnapshotPiece {
  readonly relation: Relation;
  /** Spelt out one at a time from the bytes that came. */
  readonly rows: Iterable<SourceRow>;
  readonly count: number;
  /** Key of the last row; null of none. */
  readonly lastKey: KeyValues | null;
  /** Nothing of the range is behind it. */
  readonly isLast: boolean;
}

const SETTLE_POLL_MS = 20;
/** Rows of the first piece; what is wide shows there. */
const FIRST_ROWS = 1_000;

export class SnapshotReader {
  readonly #config: ClientConfig;
  readonly #snapshot: string;
  readonly #signal: AbortSignal;
  #session: TableSession | null = null;
  #seen: { readonly table: string; readonly width: number } | null = null;

  /** `snapshot`: the name of an ExportedSnapshot that lives. Connects with the first piece, and anew after a failure. */
  constructor(config: ClientConfig, snapshot: string, signal: AbortSignal) {
    this.#config = config;
    this.#snapshot = snapshot;
    this.#signal = signal;
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.close(this.#signal);
  }

  /**
   * As many rows as the limits let. Null: the table has other files now, and the snapshot shows nothing of it. Throws a
   * WalbridgeError (WB2001 to WB2004, WB2030), or the signal's reason.
   */
  async read(wanted: WantedPiece): Promise<SnapshotPiece | null> {
    this.#session ??= await TableSession.open(this.#config, this.#signal);
    try {
      return await this.#read(this.#session, wanted);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #read(session: TableSession, wanted: WantedPiece): Promise<SnapshotPiece | null> {
    const { table, range, after, files, limits } = wanted;
    const { columns } = await session.shape(table, wanted.columns);
    const names = columns.map(({ name }) => name);
    const limit = Math.min(limits.rows, this.#rowsWithin(table, limits.bytes));
    const statement = copyChunk(table, names, range, after, limit);
    const lock = `LOCK TABLE ${table.isPartitioned ? '' : 'ONLY '}${quoted(table)} IN ACCESS SHARE MODE`;
    const copied = await session.readOnly(async () => {
      await session.client.query(`SET TRANSACTION SNAPSHOT ${escapeLiteral(this.#snapshot)}`);
      await session.client.query(lock);
      if ((await filesOf(session, table)) !== files) return null;
      return copyOut(session.client, statement, limits.bytes);
    }, 'REPEATABLE READ');
    if (copied === null) return null;
    this.#seen = { table: quoted(table), width: copied.bytes.length / Math.max(1, copied.rows) };
    const last = lastRow(copied.bytes, names);
    return {
      relation: {
        oid: 0,
        schema: table.schema,
        table: table.table,
        replicaIdentity: 'default',
        columns: columns.map((column) => ({ ...column, identity: table.key.includes(column.name) })),
      },
      rows: copiedRows(copied.bytes, names),
      count: copied.rows,
      lastKey: last === null ? null : table.key.map((column) => last[column] ?? ''),
      isLast: !copied.isCut && copied.rows < limit,
    };
  }

  /** By the width of the last piece's rows: what is asked for in vain is read off the connection all the same. */
  #rowsWithin(table: ChunkTable, bytes: number): number {
    if (this.#seen?.table !== quoted(table)) return FIRST_ROWS;
    return Math.max(1, Math.floor(bytes / Math.max(1, this.#seen.width)));
  }
}

/**
 * Resolves when every transaction that the snapshot shows has ended for everybody. A commit stands in the WAL a moment before the
 * server notes it, and whoever met one of its rows in between would take it for rolled back. Throws WB2001 after `withinMs`.
 */
export async function snapshotSettled(
  config: ClientConfig,
  snapshot: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const session = await TableSession.open(config, signal);
  try {
    const [shown] = await session.readOnly(async () => {
      await session.client.query(`SET TRANSACTION SNAPSHOT ${escapeLiteral(snapshot)}`);
      return session.rows('SELECT pg_catalog.pg_current_snapshot()::text AS snapshot', []);
    }, 'REPEATABLE READ');
    for (const deadline = Date.now() + withinMs; ; await pause(SETTLE_POLL_MS, undefined, { signal })) {
      const [row] = await session.rows(
        `SELECT count(*) AS open FROM pg_catalog.pg_snapshot_xip(pg_catalog.pg_current_snapshot()) AS xid
         WHERE pg_catalog.pg_visible_in_snapshot(xid, $1::pg_snapshot)`,
        [shown?.snapshot ?? ''],
      );
      if (row?.open === '0') return;
      if (Date.now() > deadline) {
        throw fault('WB2001', 'transient', {
          what: 'A transaction of the source stands in its WAL as committed, and does not come to its end.',
          next: 'Look at pg_stat_activity; with synchronous replication, at the standby that it waits for.',
        });
      }
    }
  } finally {
    await session.close(signal);
  }
}

/** Which files hold the table: others after TRUNCATE, and after what writes it anew, such as a change of a column's type. */
export async function tableFiles(
  config: ClientConfig,
  tables: readonly ChunkTable[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const session = await TableSession.open(config, signal);
  try {
    const files: string[] = [];
    for (const table of tables) files.push(await filesOf(session, table));
    return files;
  } finally {
    await session.close(signal);
  }
}

/** The function looks at the catalogue of now, whatever the transaction's snapshot. */
async function filesOf(session: TableSession, table: ChunkTable): Promise<string> {
  const [row] = await session.rows(
    `SELECT pg_catalog.string_agg(oid::text || ':' || coalesce(pg_catalog.pg_relation_filenode(oid)::text, '-'), ' ' ORDER BY oid) AS files
     FROM (SELECT root.oid FROM (SELECT $1::regclass::oid AS oid) AS root
       UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree($1::regclass)) AS tables`,
    [quoted(table)],
  );
  return row?.files ?? '';
}

const quoted = ({ schema, table }: ChunkTable) => `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;

function lastRow(bytes: Buffer, columns: readonly string[]): SourceRow | null {
  if (bytes.length === 0) return null;
  const start = bytes.length < 2 ? 0 : bytes.lastIndexOf('\n', bytes.length - 2) + 1;
  const [row] = copiedRows(bytes.subarray(start), columns);
  return row ?? null;
}
