// vitest's global set-up of every project but `unit`: one sandbox for the whole run, started for the first project that has
// tests to run and stopped after the last. A test file finds it with `inject('sandbox')` and makes its own databases there.
import type {} from 'vitest';
import type { TestProject } from 'vitest/node';
import type { SandboxAddress } from './address.ts';
import { type SandboxServers, startServers } from './stack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    sandbox: SandboxAddress;
    /** Why there is no Redis, else null. */
    redisMissing: string | null;
  }
}

// Each project loads this module anew, all in one process: they meet on the global object.
const shared = globalThis as { walbridgeSandbox?: { users: number; servers: Promise<SandboxServers> } };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const sqlServer = process.env.WALBRIDGE_TEST_MSSQL;
  shared.walbridgeSandbox ??= {
    users: 0,
    servers: startServers({ redis: 'install', ...(sqlServer !== undefined && { sqlServer }) }),
  };
  const sandbox = shared.walbridgeSandbox;
  sandbox.users += 1;
  const { address, redis, stop } = await sandbox.servers;
  project.provide('sandbox', address);
  project.provide('redisMissing', 'missing' in redis ? redis.missing : null);
  return async () => {
    sandbox.users -= 1;
    if (sandbox.users > 0) return;
    delete shared.walbridgeSandbox;
    await stop();
  };
}
