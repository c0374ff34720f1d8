// One bridge to break: its own CRM database, warehouse, queue, configuration and mappings, and a relay in front of the warehouse.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPostgresBackend, Queue as LaneJobs } from 'bullmq';
import { createCrm, createQueue, createWarehouse, type SandboxAddress } from '../../sandbox/address.ts';
import { crmTables, withClient } from '../../sandbox/crm/crm.ts';
import { type RedisServer, startRedis } from '../../sandbox/redis.ts';
import type { TablePair } from './compare.ts';
import { type Cuttable, relay } from './cuttable.ts';
import { Daemon, type Finished, type Role, runCommand } from './daemon.ts';
import { emptyPostgresQueue } from './empty-queue.ts';
import { createReadings, readingsMapping, readingsPair, readingsSchema } from './readings.ts';
import { until } from './until.ts';

interface BridgeOptions {
  /** Unique on the sandbox's servers: of databases and the slot. */
  readonly name: string;
  readonly backend: 'redis' | 'postgres';
  /** `identity`: as `walbridge generate` writes them, every column as it is; `shipped`: the project's own. */
  readonly mappings?: 'identity' | 'shipped';
  /** Another PostgreSQL than the sandbox's as the source. */
  readonly source?: SandboxAddress['postgres'];
  /** Settings beside those that name the servers. */
  readonly settings?: Readonly<Record<string, object>>;
  readonly init?: boolean;
}

export interface Bridge {
  readonly name: string;
  readonly config: string;
  readonly folder: string;
  readonly crm: string;
  /** Connection string that passes by the relay. */
  readonly warehouse: string;
  readonly network: Cuttable;
  readonly queue: Queue;
  /** What the warehouse must hold of each table. */
  readonly pairs: readonly TablePair[];
  run(role: Role): Daemon;
  command(...args: string[]): Promise<Finished>;
  /** Resolves when the source knows that all it has committed by now is in the warehouse. */
  caughtUp(withinMs?: number): Promise<void>;
  /** Kills what still runs and removes what the bridge had of its own. */
  remove(): Promise<void>;
}

interface Queue {
  /** Loses everything, as FLUSHALL does. */
  empty(): Promise<void>;
  /** Loses the batch that comes next, with others behind it; false where fewer than two wait. */
  loseNext(): Promise<boolean>;
  /** The server's own Redis; null on PostgreSQL. */
  readonly redis: RedisServer | null;
  stop(): Promise<void>;
}

const keys: Readonly<Record<string, readonly string[]>> = {
  opportunity_contacts: ['opportunity_id', 'contact_id'],
};
const root = fileURLToPath(new URL('../..', import.meta.url));

export async function createBridge(address: SandboxAddress, options: BridgeOptions): Promise<Bridge> {
  const { name, backend, mappings = 'identity', source = address.postgres, settings = {} } = options;
  const folder = mkdtempSync(join(tmpdir(), `walbridge-${name}-`));
  const [crm, warehouse, queue] = await Promise.all([
    createCrm({ ...address, postgres: source }, name),
    createWarehouse(address, name),
    backend === 'redis' ? redisQueue() : postgresQueue(address, `${name}_queue`),
  ]);
  await createReadings(crm);
  const host = /Server=(?:tcp:)?([^,;]+),(\d+)/i.exec(warehouse);
  if (host === null) throw new Error('expected Server=host,port in the connection string of the warehouse');
  const network = await relay(host[1]!, Number(host[2]));

  const config = join(folder, 'config', 'walbridge.yaml');
  mkdirSync(join(folder, 'config'));
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify({
      source: { url: crm, slot: name, publications: [name] },
      warehouse: { connectionString: warehouse.replace(host[0], `Server=127.0.0.1,${network.port}`) },
      queue: { backend, url: queue.url },
      schemas: '../schemas',
      mappings: '../mappings',
      retry: { initialMs: 50, maximumMs: 1000 },
      ...settings,
    }),
  );
  if (mappings === 'shipped') {
    for (const part of ['schemas', 'mappings'])
      cpSync(join(root, part), join(folder, part), { recursive: true });
  } else {
    for (const part of ['schemas', 'mappings']) mkdirSync(join(folder, part));
    succeeded(
      await runCommand(config, 'generate', '--table', ...crmTables.map((table) => `public.${table}`)),
    );
    mkdirSync(join(folder, 'schemas/crm/reading'));
    writeFileSync(join(folder, 'schemas/crm/reading/1.0.0.avsc'), readingsSchema);
    writeFileSync(join(folder, 'mappings/readings.yaml'), readingsMapping);
  }
  if (options.init !== false) succeeded(await runCommand(config, 'init'));

  const daemons: Daemon[] = [];
  return {
    name,
    config,
    folder,
    crm,
    warehouse,
    network,
    queue,
    pairs: [
      ...crmTables.map((table) => ({
        source: `public.${table}`,
        target: `crm.${table}`,
        key: keys[table] ?? ['id'],
      })),
      ...(mappings === 'identity' ? [readingsPair] : []),
    ],
    run: (role) => {
      const daemon = new Daemon(config, role);
      daemons.push(daemon);
      return daemon;
    },
    command: (...args) => runCommand(config, ...args),
    caughtUp: (withinMs = 180_000) =>
      caughtUp(crm, name, withinMs, () => daemons.filter((one) => one.isRunning)),
    remove: async () => {
      await Promise.all(daemons.filter((one) => one.isRunning).map((one) => one.kill()));
      await withClient(crm, async (client) => {
        await until('the slot is free', async () => {
          const { rows } = await client.query(
            'SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active',
            [name],
          );
          return rows.length === 0;
        });
        await client.query(
          'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
          [name],
        );
      }).catch(() => undefined);
      await Promise.all([network.stop(), queue.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function caughtUp(
  crm: string,
  slot: string,
  withinMs: number,
  daemons: () => readonly Daemon[],
): Promise<void> {
  await withClient(crm, async (client) => {
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
    const lsn = rows[0]!.lsn;
    await until(
      `the slot is confirmed up to ${lsn}`,
      async () => {
        const { rows: slots } = await client.query(
          'SELECT FROM pg_replication_slots WHERE slot_name = $1 AND confirmed_flush_lsn >= $2',
          [slot, lsn],
        );
        return slots.length === 1;
      },
      {
        withinMs,
        state: () =>
          daemons()
            .map((daemon) => daemon.tail())
            .join('\n'),
      },
    );
  });
}

function succeeded(finished: Finished): void {
  if (finished.code !== 0)
    throw new Error(`walbridge ended with ${finished.code}:\n${finished.stdout}${finished.stderr}`);
}

async function redisQueue(): Promise<Queue & { readonly url: string }> {
  const redis = await startRedis();
  if ('missing' in redis) throw new Error(redis.missing);
  const lane = new LaneJobs('walbridge-lane-main', {
    connection: { url: redis.url, maxRetriesPerRequest: null },
    prefix: 'walbridge',
  });
  lane.on('error', () => {});
  return {
    url: redis.url,
    redis,
    empty: redis.flushAll,
    loseNext: () => loseNext(lane),
    stop: async () => {
      await lane.close().catch(() => undefined);
      await redis.stop();
    },
  };
}

async function postgresQueue(
  address: SandboxAddress,
  name: string,
): Promise<Queue & { readonly url: string }> {
  const url = await createQueue(address, name);
  return {
    url,
    redis: null,
    empty: () => emptyPostgresQueue(url),
    loseNext: async () => {
      const lane = new LaneJobs(
        'walbridge-lane-main',
        { connection: { connectionString: url, schema: 'walbridge', migrate: false } },
        createPostgresBackend,
      );
      lane.on('error', () => {});
      try {
        return await loseNext(lane as unknown as LaneJobs);
      } finally {
        await lane.close();
      }
    },
    stop: async () => {},
  };
}

async function loseNext(lane: LaneJobs): Promise<boolean> {
  const [next, behind] = await lane.getJobs(['prioritized', 'waiting'], 0, 1, true);
  if (next === undefined || behind === undefined) return false;
  await next.remove();
  return true;
}
