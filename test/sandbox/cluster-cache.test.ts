// The packed data folders: they come back as they were, and a broken one is never used twice.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CachedCluster, packCluster, unpackCluster } from '../../sandbox/cluster-cache.ts';

const folder = mkdtempSync(join(tmpdir(), 'walbridge-test-'));
const source = join(folder, 'source');
const purpose = `test${process.pid}`;
const places = [
  fileURLToPath(new URL('../../.sandbox', import.meta.url)),
  join(tmpdir(), `walbridge-sandbox-${process.getuid?.() ?? 'user'}`),
];
const packed = () =>
  places.flatMap((place) => {
    const names = statSync(place, { throwIfNoEntry: false }) ? readdirSync(place) : [];
    return names.filter((name) => name.includes(purpose)).map((name) => join(place, name));
  });

beforeAll(() => {
  mkdirSync(join(source, 'global'), { recursive: true, mode: 0o700 });
  writeFileSync(join(source, 'global/pg_control'), 'x'.repeat(100_000), { mode: 0o600 });
});

afterAll(() => {
  for (const path of [folder, ...packed()]) rmSync(path, { recursive: true, force: true });
});

const unpackTo = (name: string, cluster: CachedCluster) =>
  unpackCluster(cluster, join(folder, name), undefined);

test('a packed folder comes back with its content and closed to others', async () => {
  const cluster = { purpose, hash: 'one' };
  expect(await unpackTo('missing', cluster)).toBe(false);
  await Promise.all([packCluster(cluster, source), packCluster(cluster, source)]);
  expect(await unpackTo('copy', cluster)).toBe(true);
  expect(readFileSync(join(folder, 'copy/global/pg_control'), 'utf8')).toHaveLength(100_000);
  expect(statSync(join(folder, 'copy')).mode & 0o777).toBe(0o700);
});

test('a newer one replaces the older', async () => {
  await packCluster({ purpose, hash: 'one' }, source);
  await packCluster({ purpose, hash: 'two' }, source);
  expect(packed()).toEqual([expect.stringContaining(`${purpose}-two`)]);
});

test.each([0, 60_000])('a file that ends after %i bytes is removed and leaves no folder', async (size) => {
  const cluster = { purpose, hash: `cut${size}` };
  await packCluster(cluster, source);
  truncateSync(packed()[0]!, size);
  expect(await unpackTo(`cut${size}`, cluster)).toBe(false);
  expect(packed()).toEqual([]);
  expect(readdirSync(folder)).not.toContain(`cut${size}`);
  await packCluster(cluster, source);
  expect(await unpackTo(`cut${size}`, cluster)).toBe(true);
});
