// `npm run soak`: fifty rounds on servers of its own, and a table of what each did. Exit code 1 when anything was lost, doubled
// or seen half. WALBRIDGE_SEED (1), WALBRIDGE_ROUNDS (50) and WALBRIDGE_BACKEND (redis, or postgres) choose another run.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CRM_TEMPLATE } from '../../sandbox/address.ts';
import { createCrmDatabase } from '../../sandbox/crm/crm.ts';
import { createRandom } from '../../sandbox/crm/random.ts';
import { startPostgres } from '../../sandbox/postgres.ts';
import { startServers } from '../../sandbox/stack.ts';
import { createBridge } from './bridge.ts';
import build from './build.ts';
import { type Fault, type RoundResult, runRounds } from './rounds.ts';

const seed = Number(process.env.WALBRIDGE_SEED ?? 1);
const rounds = Number(process.env.WALBRIDGE_ROUNDS ?? 50);
const backend = process.env.WALBRIDGE_BACKEND === 'postgres' ? 'postgres' : 'redis';

/** Of fifty rounds: ten with an emptied queue, ten with a cut warehouse. */
const mix: readonly Fault[] = [
  'kill capture',
  'empty queue',
  'kill apply',
  'cut warehouse',
  'kill both',
  'empty queue and kill both',
  'lose a batch',
  'cut warehouse',
  'crash source',
  'end walsender',
];

function shuffled(count: number): Fault[] {
  const random = createRandom(seed);
  const faults = Array.from({ length: count }, (_, index) => mix[index % mix.length]!);
  for (let index = faults.length - 1; index > 0; index -= 1) {
    const other = random.below(index + 1);
    [faults[index], faults[other]] = [faults[other]!, faults[index]!];
  }
  return faults;
}

const widths = [5, 26, 8, 7, 11, 8, 7, 11, 0];
const line = (cells: readonly (string | number)[]) =>
  console.log(
    cells
      .map((cell, index) =>
        typeof cell === 'number' ? String(cell).padStart(widths[index]!) : cell.padEnd(widths[index]!),
      )
      .join('  '),
  );

function show({
  round,
  fault,
  changes,
  rows,
  quarantined,
  batches,
  reads,
  catchUpMs,
  faults,
}: RoundResult): void {
  line([
    round,
    fault,
    changes,
    rows,
    quarantined,
    batches,
    reads,
    catchUpMs,
    faults.length === 0 ? 'equal' : faults.join('\n      '),
  ]);
}

// The source crashes in some rounds: it is a server of its own, whose folder outlives it.
const sourceSettings = { fsync: 'off', full_page_writes: 'off' };
const dataFolder = mkdtempSync(join(tmpdir(), 'walbridge-soak-'));
await build();
const servers = await startServers({ redis: 'install' });
let source = await startPostgres({ dataFolder, settings: sourceSettings });
await createCrmDatabase(source, CRM_TEMPLATE);
const { host, port, user, password } = source;
const startedAt = performance.now();
let isRed = true;
try {
  const bridge = await createBridge(servers.address, {
    name: 'soak',
    backend,
    source: { host, port, user, password },
    settings: { lane: { maxBatchRows: 100 } },
  });
  try {
    console.log(`seed ${seed}, ${rounds} rounds, queue on ${backend}\n`);
    line(['round', 'fault', 'changes', 'rows', 'quarantined', 'batches', 'reads', 'caught up ms', 'verdict']);
    const results = await runRounds(bridge, {
      seed,
      faults: shuffled(rounds),
      onRound: show,
      crashSource: async () => {
        process.kill(source.pid, 'SIGQUIT');
        await source.stop();
        source = await startPostgres({ dataFolder, port, settings: sourceSettings });
      },
    });
    isRed = results.length < rounds || results.some(({ faults }) => faults.length > 0);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    const sum = (of: (result: RoundResult) => number) =>
      results.reduce((total, result) => total + of(result), 0);
    console.log(
      `\n${isRed ? 'RED' : 'GREEN'}: ${results.length} rounds in ${seconds} s, ${sum(({ changes }) => changes)} changes, ${sum(({ reads }) => reads)} reads of the invariant.`,
    );
  } finally {
    await bridge.remove();
  }
} finally {
  await Promise.all([source.stop(), servers.stop()]);
  rmSync(dataFolder, { recursive: true, force: true });
}
process.exitCode = isRed ? 1 : 0;
