// The whole sandbox: PostgreSQL (CRM and queue), the stand-in for SQL Server on the same PostgreSQL, and Redis where there is one.
// Everything ends with the process that started it, however that ends.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CRM_TEMPLATE, createCrm, createQueue, createWarehouse, type SandboxAddress } from './address.ts';
import { createCrmDatabase, withClient } from './crm/crm.ts';
import type { SeedOptions } from './crm/seed.ts';
import { type ClusterContent, type PostgresServer, startPostgres } from './postgres.ts';
import { type RedisServer, startRedis } from './redis.ts';
import { prepareTemplate, TEMPLATE } from './sqlserver/engine/template.ts';

export interface ServerOptions {
  /** Start Redis too, where it is installed; 'install': also install it if that is possible. */
  readonly redis?: boolean | 'install';
  /** A real SQL Server's connection string, in place of the stand-in. */
  readonly sqlServer?: string;
}

export interface SandboxServers {
  readonly address: SandboxAddress;
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | { readonly missing: string };
  /** `createWarehouse` of address.ts, without a login at the stand-in. */
  createWarehouse(name: string): Promise<string>;
  stop(): Promise<void>;
}

export interface Sandbox extends SandboxServers {
  /** Connection strings: the seeded CRM, a database for the queue, the empty warehouse. */
  readonly crm: string;
  readonly queue: string;
  readonly warehouse: string;
}

/** What every sandbox database is copied from. */
const content: ClusterContent = {
  name: 'sandbox',
  version: createHash('sha256')
    .update(TEMPLATE)
    .update(readFileSync(new URL('./crm/schema.sql', import.meta.url)))
    .digest('hex'),
  fill: async (server) => {
    await Promise.all([prepareTemplate(server), createCrmDatabase(server, CRM_TEMPLATE)]);
  },
};

/** Servers without any database of ours: `createCrm`, `createQueue` and `createWarehouse` of address.ts make them. */
export async function startServers(options: ServerOptions = {}): Promise<SandboxServers> {
  // The stand-in's modules load while the servers start.
  const [postgres, redis, standInModule] = await Promise.all([
    startPostgres({ content }),
    options.redis
      ? startRedis({ install: options.redis === 'install' })
      : { missing: 'Redis was not asked for.' },
    options.sqlServer === undefined ? import('./sqlserver/server.ts') : undefined,
  ]);
  const standIn = await standInModule?.startSqlServer({ postgres });
  const address: SandboxAddress = {
    postgres: { host: postgres.host, port: postgres.port, user: postgres.user, password: postgres.password },
    sqlServer: standIn?.connectionString ?? options.sqlServer!,
    redis: 'url' in redis ? redis.url : null,
  };
  return {
    address,
    postgres,
    redis,
    createWarehouse: (name) => standIn?.createDatabase(name) ?? createWarehouse(address, name),
    stop: async () => {
      await standIn?.stop();
      await Promise.all([postgres.stop(), 'stop' in redis && redis.stop()]);
    },
  };
}

export async function startSandbox(
  options: ServerOptions & { readonly seed?: SeedOptions } = {},
): Promise<Sandbox> {
  const [servers, { seedCrm }] = await Promise.all([startServers(options), import('./crm/seed.ts')]);
  const [crm, queue, warehouse] = await Promise.all([
    createCrm(servers.address, 'crm').then(async (connectionString) => {
      await withClient(connectionString, (client) => seedCrm(client, options.seed));
      return connectionString;
    }),
    createQueue(servers.address, 'queue'),
    servers.createWarehouse('warehouse'),
  ]);
  return { ...servers, crm, queue, warehouse };
}
