// A session beside the WAL tail for reading tables: its settings, the shape of a table, errors told apart.
// Guarantees: values are spelt as the stream spells them; keys are walked by their index, also where statistics are missing; an
// abort ends the connection, and with it whatever it is waiting for.
import { Client, type ClientConfig } from 'pg';
import type { ChunkTable, Statement } from './chunk-statement.ts';
import { settingColumns, textSettings } from './replication-connection.ts';
import { fault, keyWithoutEncoding, sourceFault } from './source-fault.ts';
import { markReplaced } from './source-text.ts';

export interface TableShape {
  /** The key's columns, then those of the wanted that exist. */
  readonly columns: readonly ShapeColumn[];
  readonly keyTypes: readonly string[];
  /** Of the table and its partitions. */
  readonly oids: readonly string[];
}

export interface ShapeColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typeModifier: number;
}

const CONNECT_TIMEOUT_MS = 15_000;

const asItIs = (value: string | Buffer) => value;

export class TableSession {
  readonly client: Client;
  /** The server converts its text to UTF-8. */
  #isConverted = true;

  private constructor(client: Client) {
    this.client = client;
  }

  /** Throws a WalbridgeError (WB2001 to WB2004), or the signal's reason. */
  static async open(config: ClientConfig, signal: AbortSignal): Promise<TableSession> {
    signal.throwIfAborted();
    const client = new Client({ keepAlive: true, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, ...config });
    // What ends the connection rejects the query in hand as well.
    client.on('error', () => {});
    const session = new TableSession(client);
    signal.addEventListener('abort', session.destroy);
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
      const { rows } = await client.query<{ encoding: string }>(
        `SELECT pg_catalog.current_setting('server_encoding') AS encoding, ${settingColumns(settings)}`,
      );
      session.#isConverted = rows[0]?.encoding !== 'SQL_ASCII';
      return session;
    } catch (error) {
      await session.close(signal);
      signal.throwIfAborted();
      throw sourceFault(error);
    }
  }

  readonly destroy = (): void => {
    (
      this.client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }
    ).connection.stream.destroy();
  };

  async close(signal: AbortSignal): Promise<void> {
    signal.removeEventListener('abort', this.destroy);
    await this.client.end().catch(() => undefined);
  }

  /** The columns of those wanted that exist, the key's types, and the table with its partitions. WB2030 where there is no such table or key. */
  async shape(table: ChunkTable, wanted: readonly string[]): Promise<TableShape> {
    const rows = await this.rows(
      `SELECT a.attname AS name, a.atttypid::text AS type_oid, a.atttypmod::text AS modifier, pg_catalog.format_type(a.atttypid, NULL) AS type, bn.nspname AS type_schema,
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
      columns: [...new Set([...table.key, ...wanted])].flatMap((name) => {
        const column = known.get(name);
        if (column === undefined) return [];
        return [{ name, typeOid: Number(column.type_oid), typeModifier: Number(column.modifier) }];
      }),
      keyTypes: key.map((column) => column?.type ?? ''),
      oids: [rows[0]?.oid ?? '', ...(rows[0]?.partitions?.split(' ') ?? [])],
    };
  }

  /** Types of extensions, such as citext, compare by operators of their own schema: others would not agree with their index. */
  async #findOperators(schemas: readonly string[]): Promise<void> {
    const path = ['pg_catalog', ...schemas.filter((schema) => schema !== 'pg_catalog')];
    if (path.length === 1) return;
    await this.rows(`SELECT pg_catalog.set_config('search_path', $1, false)`, [
      path.map((schema) => `"${schema.replaceAll('"', '""')}"`).join(', '),
    ]);
  }

  /** Read only, so that no condition can write. */
  async readOnly<T>(
    work: () => Promise<T>,
    isolation: 'READ COMMITTED' | 'REPEATABLE READ' = 'READ COMMITTED',
  ): Promise<T> {
    try {
      await this.client.query(`BEGIN TRANSACTION ISOLATION LEVEL ${isolation} READ ONLY`);
      const result = await work();
      await this.client.query('COMMIT');
      return result;
    } catch (error) {
      await this.client.query('ROLLBACK').catch(() => undefined);
      throw sourceFault(error);
    }
  }

  async rows(text: string, values: Statement['values']): Promise<readonly Record<string, string | null>[]> {
    try {
      return (await this.query({ text, values })).rows;
    } catch (error) {
      throw sourceFault(error);
    }
  }

  /**
   * One statement, also where the text would have several: a condition cannot end it and begin another. Values as PostgreSQL's own text; bytes that are no UTF-8 spoil a value so that its row is refused. Throws WB2031 for a
   * parameter that was such a value: a key of it would be looked for in the wrong place.
   */
  async query({ text, values }: Statement) {
    if (![text, ...values.flat()].every((one) => one.isWellFormed())) throw keyWithoutEncoding();
    const parse = this.#isConverted ? asItIs : (value: string | Buffer) => markReplaced(String(value));
    const query = {
      text,
      values: [...values],
      types: { getTypeParser: () => parse },
      // Without values the driver would take the simple protocol, which runs as many statements as the text has.
      queryMode: 'extended',
    };
    return this.client.query<Record<string, string | null>>(query);
  }
}
