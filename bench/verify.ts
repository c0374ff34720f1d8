// `npm run bench:verify`: plants differences of every kind in a large table under traffic, and counts what `walbridge verify` finds,
// what it reads row by row, and how often it raises a false alarm. Exit code 1 when something was missed, or found that was not planted.
//   --rows 1000000  --planted 100  --runs 20  --rate 100 (statements a second)  --seed 1
import { parseArgs } from 'node:util';
import { createRandom } from '../sandbox/crm/random.ts';
import { startServers } from '../sandbox/stack.ts';
import { createBridge } from '../test/faults/bridge.ts';
import build from '../test/faults/build.ts';
import {
  changePeople,
  createPeople,
  type Found,
  linesOf,
  plant,
  plantedLines,
  verifyPeople,
} from '../test/faults/verify-show.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    planted: { type: 'string', default: '100' },
    runs: { type: 'string', default: '20' },
    rate: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
  },
});
const rows = Number(values.rows);
const runs = Number(values.runs);
const random = createRandom(Number(values.seed));

const began = performance.now();
const say = (text: string) =>
  console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(6)} s  ${text}`);

function describe({ code, entity }: Found): string {
  const { sourceRows, rowsListed, rowsRead, counts, milliseconds, way } = entity;
  const share = ((rowsListed + rowsRead) / 2 / sourceRows) * 100;
  const found = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`);
  return `exit code ${code}, by ${way}, ${sourceRows} rows in ${(milliseconds / 1000).toFixed(0)} s; ${found.join(', ') || 'equal'}; row by row: ${rowsListed} listed and ${rowsRead} read of both sides, ${share.toFixed(3)} % of the rows`;
}

await build();
const servers = await startServers();
let wrong = 0;
try {
  const bridge = await createBridge(servers.address, {
    name: 'verify_show',
    backend: 'postgres',
    init: false,
  });
  const ending = new AbortController();
  let traffic: Promise<number> | null = null;
  try {
    await createPeople(bridge, rows);
    say(`${rows} rows in the source`);
    const daemon = bridge.run('all');
    const backfill = await bridge.command('backfill', 'people');
    if (backfill.code !== 0) throw new Error(`${backfill.stdout}${backfill.stderr}${daemon.tail()}`);
    say('backfilled');
    traffic = changePeople(bridge, rows, Number(values.rate), random, ending.signal);
    const planted = await plant(bridge, rows, Number(values.planted), random);
    say(`${planted.length} differences planted; traffic runs`);
    const found = await verifyPeople(bridge, '--repair');
    say(describe(found));
    const [expected, lines] = [plantedLines(planted), linesOf(found)];
    const missed = expected.filter((line) => !lines.includes(line));
    const false_ = lines.filter((line) => !expected.includes(line));
    say(
      `found ${expected.length - missed.length} of ${expected.length}; ${false_.length} that were not planted`,
    );
    for (const line of [...missed, ...false_]) say(`  ${line}`);
    wrong += missed.length + false_.length;
    const repair = await bridge.command('backfill', 'show', found.repairId ?? '', '--follow', '--json');
    say(`repaired: exit code ${repair.code}`);
    for (let run = 1; run <= runs; run += 1) {
      const again = await verifyPeople(bridge);
      say(`run ${run}: ${describe(again)}`);
      for (const line of linesOf(again)) say(`  ${line}`);
      wrong += again.findings.length;
    }
    say(wrong === 0 ? 'nothing was missed, no false alarm' : `${wrong} wrong`);
  } finally {
    ending.abort();
    if (traffic !== null) say(`${await traffic.catch(() => 0)} statements of traffic`);
    await bridge.remove();
  }
} finally {
  await servers.stop();
}
process.exitCode = wrong === 0 ? 0 : 1;
