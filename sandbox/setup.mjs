// What `npm run demo` and `npm test` need before they can begin, on a machine that has Node and npm only: the packages of
// package-lock.json, and the built command line. Plain JavaScript without packages, for there may be none yet.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(`${root}/${lockFile}`, 'utf8')).packages;
  } catch {
    return {};
  }
}

/** Optional packages are those of other platforms. */
function isInstalled() {
  const installed = packagesOf('node_modules/.package-lock.json');
  return Object.entries(packagesOf('package-lock.json')).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  );
}

function npm(...args) {
  const { status } = spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

const { engines } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));
const [major, minor] = process.versions.node.split('.').map(Number);
const [, oldestMajor, oldestMinor] = /(\d+)\.(\d+)/.exec(engines.node).map(Number);
if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
  console.error(`walbridge needs Node ${engines.node}; this is ${process.versions.node}.`);
  process.exit(1);
}
if (!isInstalled()) npm('ci', '--no-audit', '--no-fund');
npm('run', '--silent', 'build');
