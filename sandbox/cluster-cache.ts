// Initialised data folders, each packed into one file: unpacking takes a temporary PostgreSQL less time than initdb. The files lie
// in the checkout's .sandbox/, or under the temporary folder of a user who may not write there. A file appears whole or not at all;
// one that can't be unpacked is removed and made anew. So is every older file of the same purpose.
// All clusters from one file share PostgreSQL's system identifier; a kept data folder has its own.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface CachedCluster {
  readonly purpose: string;
  /** Tells everything that the content depends on. */
  readonly hash: string;
}

type User = { uid: number; gid: number };

const PREFIX = 'postgres-';
const checkout = fileURLToPath(new URL('../.sandbox', import.meta.url));

/**
 * Unpacks into the new folder `data`, to be owned by `user`.
 * @returns whether a whole cluster is there now
 */
export async function unpackCluster(
  cluster: CachedCluster,
  data: string,
  user: User | undefined,
): Promise<boolean> {
  for (const folder of folders()) {
    const file = join(folder, nameOf(cluster));
    if (!existsSync(file)) continue;
    mkdirSync(data, { mode: 0o700 });
    if (user) chownSync(data, user.uid, user.gid);
    if (await unpack(file, data, user)) return true;
    rmSync(data, { recursive: true, force: true });
    removeIfAllowed(file);
  }
  return false;
}

/** Packs the folder of a server that was shut down. A cache that can't be written is no error: the next start is slower. */
export async function packCluster(cluster: CachedCluster, data: string): Promise<void> {
  const folder = writableFolder();
  if (folder === undefined) return;
  const name = nameOf(cluster);
  const partial = join(folder, `.${randomBytes(6).toString('hex')}.partial`);
  try {
    await promisify(execFile)('tar', ['-cf', partial, '-C', data, '.']);
    renameSync(partial, join(folder, name));
    for (const other of readdirSync(folder)) {
      if (other.startsWith(`${PREFIX}${cluster.purpose}-`) && other !== name)
        removeIfAllowed(join(folder, other));
    }
  } catch {
    rmSync(partial, { force: true });
  }
}

function removeIfAllowed(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Another user's checkout.
  }
}

const nameOf = ({ purpose, hash }: CachedCluster): string => `${PREFIX}${purpose}-${hash}.tar`;

const uid = process.getuid?.();
const ofUser = join(tmpdir(), `walbridge-sandbox-${uid ?? 'user'}`);

/** Where to look, and to write the first time. Everybody may make folders under the temporary one: another user's is not trusted. */
function folders(): string[] {
  const found = lstatSync(ofUser, { throwIfNoEntry: false });
  const isOurs = found === undefined || (found.isDirectory() && (uid === undefined || found.uid === uid));
  return isOurs ? [checkout, ofUser] : [checkout];
}

function writableFolder(): string | undefined {
  return folders().find((folder) => {
    try {
      mkdirSync(folder, { recursive: true, ...(folder === ofUser && { mode: 0o700 }) });
      accessSync(folder, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** By the user who is to own the files, who may not be able to reach the packed one: that is opened here. */
async function unpack(file: string, data: string, user: User | undefined): Promise<boolean> {
  try {
    const packed = openSync(file, 'r');
    const tar = spawn('tar', ['-xpf', '-'], { cwd: data, stdio: [packed, 'ignore', 'ignore'], ...user });
    closeSync(packed);
    const [code] = await once(tar, 'exit');
    return code === 0 && existsSync(join(data, 'global/pg_control'));
  } catch {
    return false;
  }
}
