// `npm run bench:load`: an initial load of many contacts under traffic, killed three times, then rounds of backfills of one range
// while its keys are hot; on servers of its own. Exit code 1 when anything differs afterwards.
//   --contacts 2000000  --rate 500  --rounds 20  --range 50000  --backend redis|postgres
import { parseArgs } from 'node:util';
import { startServers } from '../../sandbox/stack.ts';
import { createBridge } from './bridge.ts';
import build from './build.ts';
import { backfillHotRange, differences, initialLoad, sliced } from './loads.ts';

const { values } = parseArgs({
  options: {
    contacts: { type: 'string', default: '2000000' },
    rate: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '20' },
    range: { type: 'string', default: '50000' },
    backend: { type: 'string', default: 'redis' },
  },
});
const contacts = Number(values.contacts);
const range = Number(values.range);
const WITHIN_MS = 4 * 3_600_000;

const mebibytes = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MiB`;
const verdict = (faults: readonly string[]) => (faults.length === 0 ? 'equal' : `\n  ${faults.join('\n  ')}`);

await build();
const servers = await startServers({ redis: 'install' });
let isRed = true;
try {
  const bridge = await createBridge(servers.address, {
    name: 'load',
    backend: values.backend === 'postgres' ? 'postgres' : 'redis',
  });
  try {
    const { roles, ...load } = await initialLoad(bridge, {
      seed: {
        accounts: Math.max(100, Math.round(contacts / 20)),
        contacts,
        leads: 1_000,
        opportunities: 2_000,
        activities: 2_000,
      },
      ratePerSecond: Number(values.rate),
      kills: [
        [0.2, 'apply'],
        [0.4, 'capture'],
        [0.7, 'both'],
      ],
      withinMs: WITHIN_MS,
      onProgress: (line) => console.log(`  ${line}`),
    });
    console.log(
      `initial load: ${load.rows} rows in ${load.seconds} s, ${Math.round(load.rows / load.seconds)} rows/s; ${load.changes} changes meanwhile, ${Math.round(load.changes / load.seconds)}/s;
  ${load.ranges.snapshot} ranges ended by the snapshot, ${load.ranges.chunks} in chunks; caught up after ${load.caughtUpSeconds} s;
  peak RSS capture ${mebibytes(load.peaks.capture)}, apply ${mebibytes(load.peaks.apply)}; afterwards ${verdict(load.faults)}`,
    );
    isRed = load.faults.length > 0;
    const from = Math.round(contacts / 3);
    for (let round = 0; round < Number(values.rounds) && !isRed; round += 1) {
      const hot = await backfillHotRange(bridge, {
        round,
        range: [from, from + range],
        withinMs: WITHIN_MS,
      });
      console.log(
        `range, round ${round + 1}: ${hot.seconds} s, ${hot.writes} transactions on its keys meanwhile, ${hot.yielded} rows yielded; ${verdict(hot.faults)}`,
      );
      isRed = hot.faults.length > 0;
    }
    await Promise.all([roles.capture.stop(), roles.apply.stop()]);
    const left = await differences(bridge, bridge.pairs.map(sliced(contacts)));
    console.log(`the whole, afterwards: ${verdict(left)}`);
    isRed ||= left.length > 0;
  } finally {
    await bridge.remove();
  }
} finally {
  await servers.stop();
}
process.exitCode = isRed ? 1 : 0;
