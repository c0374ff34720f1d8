// The servers of a bench run in a process of their own: PostgreSQL, Redis and, unless a SQL Server is named, the stand-in.
// What they burn is then neither in the client's figures nor on its event loop. Run by `startServerProcess`; ends with its parent.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SandboxAddress } from '../sandbox/address.ts';
import { startServers } from '../sandbox/stack.ts';

export interface ServerProcess {
  readonly address: SandboxAddress;
  stop(): Promise<void>;
}

/** `sqlServer`: a connection string without a database, or undefined for the stand-in. */
export async function startServerProcess(sqlServer: string | undefined): Promise<ServerProcess> {
  const child = fork(fileURLToPath(import.meta.url), sqlServer === undefined ? [] : [sqlServer], {
    execArgv: ['--import', 'tsx'],
  });
  const exited = once(child, 'exit');
  const [address] = (await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error('the servers did not start'))),
  ])) as [SandboxAddress];
  return {
    address,
    stop: async () => {
      child.disconnect();
      await exited;
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  const sqlServer = process.argv[2];
  const servers = await startServers({ redis: true, ...(sqlServer !== undefined && { sqlServer }) });
  // On any way out of the parent.
  process.once('disconnect', () => void servers.stop().then(() => process.exit()));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  process.send(servers.address);
}
