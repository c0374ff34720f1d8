// A whole bridge in one process for tests: a source database with any tables, the mappings that `generate` writes for them, a
// queue on PostgreSQL, a warehouse; both roles run as the daemon runs them.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { inject } from 'vitest';
import { createQueue, createWarehouse } from '../../sandbox/address.ts';
import type { PostgresAddress } from '../../sandbox/postgres.ts';
import { describeTables } from '../../src/capture/describe-tables.ts';
import { withSource } from '../../src/capture/source-client.ts';
import type { TableName } from '../../src/change/table-description.ts';
import { type Settings, settingsSchema } from '../../src/config/settings.ts';
import { runApply } from '../../src/daemon/apply-role.ts';
import { runCapture } from '../../src/daemon/capture-role.ts';
import { openQueueBackend, sourceOf } from '../../src/daemon/connections.ts';
import { generateFiles, writeFiles } from '../../src/daemon/generate.ts';
import { initialise } from '../../src/daemon/init.ts';
import { loadMappings } from '../../src/daemon/load-mappings.ts';
import { FaultLog, type Logger } from '../../src/daemon/log.ts';
import { type LaneQueueStatus, readLaneQueue } from '../../src/lanes/lane-queue.ts';
import { generateMapping } from '../../src/mapping/generate.ts';
import { openWarehouse } from '../../src/warehouse/connection.ts';
import type { Warehouse } from '../../src/warehouse/session.ts';
import { until } from './capture-recorder.ts';

const silent = pino({ level: 'silent' });

export interface BridgeOptions {
  readonly ddl: string;
  readonly tables?: readonly TableName[];
  /** URL of a database of the test's own, in place of a new one. */
  readonly source?: string;
  /** A PostgreSQL server of the test's own as the source's, in place of the shared one. */
  readonly sourceServer?: PostgresAddress;
  /** Tables as `walbridge generate --table` takes them, instead. */
  readonly patterns?: readonly string[];
  /** The generated mapping's text, changed as a person would. */
  readonly edit?: (table: string, mapping: string) => string;
  readonly editSchema?: (table: string, schema: string) => string;
  readonly lane?: Readonly<Record<string, number>>;
  readonly verify?: Readonly<Record<string, unknown>>;
  /** Takes what both roles log; `warned` stays empty then. */
  readonly log?: Logger;
  /** T-SQL that the warehouse has seen before `init`, a batch each. */
  readonly legacy?: readonly string[];
}

export class Bridge {
  source: pg.Client;
  readonly warehouse: Warehouse;
  readonly settings: Settings;
  readonly #folder: string;
  #stop = new AbortController();
  #roles: Promise<unknown>[] = [];
  fault: unknown = null;
  /** Codes of what the daemon has warned of. */
  readonly warned: string[] = [];
  readonly #log: Logger;

  private constructor(
    source: pg.Client,
    warehouse: Warehouse,
    settings: Settings,
    folder: string,
    log?: Logger,
  ) {
    this.source = source;
    this.warehouse = warehouse;
    this.settings = settings;
    this.#folder = folder;
    const level = process.env.WALBRIDGE_TEST_LOG;
    this.#log =
      log ??
      (level === undefined
        ? pino({ level: 'warn' }, { write: (line) => this.warned.push(JSON.parse(line).code) })
        : pino({ level }));
  }

  /** Runs `ddl`, generates the mappings, and `init`. */
  static async open(options: BridgeOptions): Promise<Bridge> {
    const name = `types_${randomBytes(5).toString('hex')}`;
    const sandbox = inject('sandbox');
    const [url, queueUrl, connectionString] = await Promise.all([
      options.source ?? createQueue({ ...sandbox, postgres: options.sourceServer ?? sandbox.postgres }, name),
      createQueue(sandbox, `${name}_queue`),
      createWarehouse(sandbox, name),
    ]);
    const source = await connect(url);
    await source.query(options.ddl);
    const folder = await mkdtemp(join(tmpdir(), 'walbridge-types-'));
    const settings = settingsSchema.parse({
      source: { url, slot: name, publications: [name] },
      warehouse: { connectionString },
      queue: { backend: 'postgres', url: queueUrl },
      schemas: join(folder, 'schemas'),
      mappings: join(folder, 'mappings'),
      lane: options.lane ?? {},
      verify: options.verify ?? {},
      retry: { initialMs: 50, maximumMs: 200 },
    });
    const described = await withSource(sourceOf(settings), (client) =>
      describeTables(client, options.tables ?? []),
    );
    if (options.patterns !== undefined) {
      const request = { tables: options.patterns, namespace: 'crm', targetSchema: 'crm', force: false };
      await writeFiles((await generateFiles(settings, request)).files, false);
    }
    for (const table of described) {
      const written = generateMapping(table, { referred: described });
      const mapping = options.edit?.(table.table, written.mappingText) ?? written.mappingText;
      const schema = options.editSchema?.(table.table, written.schemaText) ?? written.schemaText;
      await write(join(settings.schemas, written.schemaPath), schema);
      await write(join(settings.mappings, written.mappingPath), mapping);
    }
    if (options.legacy !== undefined) {
      const warehouse = await openWarehouse({ connectionString });
      for (const batch of options.legacy) await warehouse.batch(batch);
      await warehouse.close();
    }
    const { findings, applied } = await initialise(settings, false, 'test', silent);
    if (!applied) throw new Error(findings.map(({ text }) => text).join('\n'));
    return new Bridge(source, await openWarehouse({ connectionString }), settings, folder, options.log);
  }

  /** After the server of the source has ended, or is another one. */
  async reconnect(): Promise<void> {
    await this.source.end().catch(() => undefined);
    this.source = await connect(this.settings.source.url);
  }

  /** With the mappings as they are in the folder now. */
  async start(roles: readonly ('capture' | 'apply')[] = ['capture', 'apply']): Promise<void> {
    const loaded = await loadMappings(this.settings);
    const { signal } = this.#stop;
    for (const role of roles) {
      const run = role === 'capture' ? runCapture : runApply;
      const ended = run(this.settings, loaded, this.#log, signal).catch((error) => {
        if (!signal.aborted) this.fault ??= error;
      });
      this.#roles.push(ended);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#roles);
    this.#stop = new AbortController();
    this.#roles = [];
  }

  /** Resolves with the fault that ends a role, once everything has stopped. */
  async halted(): Promise<{ code: string; what: string; next: string }> {
    await until('a role to halt', () => this.fault !== null);
    const fault = this.fault as { code: string; what: string; next: string };
    await this.stop();
    this.fault = null;
    return fault;
  }

  queue(): Promise<LaneQueueStatus> {
    return readLaneQueue(openQueueBackend(this.settings, new FaultLog(silent)), 'main');
  }

  /** Resolves when the warehouse has all that the source has committed: a marker row sent behind it has arrived. */
  async settled(marker: { table: string; values: string }): Promise<void> {
    const { rows } = await this.source.query<{ lsn: string }>(
      `WITH marker AS (INSERT INTO ${marker.table} VALUES ${marker.values} RETURNING 1) SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS lsn FROM marker`,
    );
    const lsn = BigInt(rows[0]?.lsn ?? 0);
    await until('the warehouse to catch up', async () => {
      if (this.fault !== null) throw this.fault;
      const found = await this.warehouse.batch<{ lsn: string }>(
        'SELECT CONVERT(varchar(20), commit_lsn) AS lsn FROM walbridge.watermark',
      );
      return found.rows.length > 0 && found.rows.every((row) => BigInt(row.lsn) >= lsn);
    });
  }

  async rows<Row = Record<string, unknown>>(sql: string): Promise<readonly Row[]> {
    return (await this.warehouse.batch<Row>(sql)).rows;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.warehouse.close();
    await this.source.query(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT active',
    );
    await this.source.end();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function connect(url: string): Promise<pg.Client> {
  const source = new pg.Client({ connectionString: url });
  source.on('error', () => undefined);
  await source.connect();
  // As the tail's session has it: the texts to compare with.
  await source.query(`SET TimeZone = 'UTC'; SET lc_monetary = 'C'; SET extra_float_digits = 3`);
  return source;
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
