// A source whose states can be copied and brought back, for tests: each copy is a data folder, and one of them runs at a time, all on
// one port. Brought back as it is, it writes the same timeline anew; with recovery it begins another one, as a restore or a promotion.
import { execFile } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../sandbox/guarded.ts';
import { type PostgresServer, startPostgres } from '../../sandbox/postgres.ts';

const run = promisify(execFile);

/** `same`: as after a crash that lost WAL; `recovered`: on a new timeline; `standby`: until pg_promote(). */
export type Revival = 'same' | 'recovered' | 'standby';

export class SourceBranches {
  readonly #folders: string[] = [];
  readonly #port: number;
  #server: PostgresServer | null = null;

  private constructor(port: number) {
    this.#port = port;
  }

  static async start(): Promise<SourceBranches> {
    const branches = new SourceBranches(await freePort());
    await branches.run(branches.#folder(), 'same');
    return branches;
  }

  get server(): PostgresServer {
    if (this.#server === null) throw new Error('no server of this source runs');
    return this.#server;
  }

  /** Returns the folder that it ran in. */
  async stop(): Promise<string> {
    const { folder } = this.server;
    await this.server.stop();
    this.#server = null;
    return folder;
  }

  /** A copy of a stopped server's state. */
  async copyOf(folder: string): Promise<string> {
    const copy = this.#folder();
    await run('cp', ['-a', join(folder, 'data'), copy]);
    return copy;
  }

  async run(folder: string, how: Revival): Promise<void> {
    const data = join(folder, 'data');
    if (how !== 'same') {
      const signal = join(data, how === 'recovered' ? 'recovery.signal' : 'standby.signal');
      writeFileSync(signal, '');
      const { uid, gid } = statSync(data);
      chownSync(signal, uid, gid);
    }
    this.#server = await startPostgres({
      dataFolder: folder,
      port: this.#port,
      settings: {
        max_wal_size: '64MB',
        min_wal_size: '32MB',
        max_connections: 40,
        wal_sender_timeout: '2s',
        fsync: 'off',
        ...(how === 'recovered' && { restore_command: 'false' }),
      },
    });
  }

  async close(): Promise<void> {
    await this.#server?.stop();
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }

  #folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'walbridge-branch-'));
    this.#folders.push(folder);
    return folder;
  }
}
