// Rounds of random traffic with faults at random moments, and the verdict after each. The seed decides the traffic, the faults
// and their moments; how far the processes have come by then is the machine's.
import { setTimeout as pause } from 'node:timers/promises';
import { withClient } from '../../sandbox/crm/crm.ts';
import { createRandom, type Random } from '../../sandbox/crm/random.ts';
import { seedCrm } from '../../sandbox/crm/seed.ts';
import { startTraffic } from '../../sandbox/crm/traffic.ts';
import type { Bridge } from './bridge.ts';
import type { Daemon } from './daemon.ts';
import { type InvariantWatch, watchInvariant } from './invariant-watch.ts';
import { writeReadings } from './readings.ts';
import { until } from './until.ts';
import { judge, type Verdict } from './verdict.ts';

export type Fault =
  /** SIGKILL. */
  | 'kill capture'
  | 'kill apply'
  | 'kill both'
  /** The queue loses everything under both roles. */
  | 'empty queue'
  /** A batch vanishes between two others. */
  | 'lose a batch'
  /** The queue loses everything while batches wait, and both roles die with it: only the slot still has them. */
  | 'empty queue and kill both'
  /** The warehouse's connections are cut, again and again, with moments of refusal. */
  | 'cut warehouse'
  /** The source's walsender is terminated. */
  | 'end walsender'
  /** PostgreSQL crashes and comes back, if the test has one of its own. */
  | 'crash source';

export interface RoundResult extends Verdict {
  readonly round: number;
  readonly fault: Fault;
  readonly changes: number;
  readonly reads: number;
  readonly catchUpMs: number;
}

interface RoundsOptions {
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** Milliseconds of traffic in a round. */
  readonly trafficMs?: number;
  readonly crashSource?: () => Promise<void>;
  readonly onRound?: (result: RoundResult) => void;
  /** Holds the caught-up bridge against what it must be; `judge` of verdict.ts by default. */
  readonly verdict?: (bridge: Bridge) => Promise<Verdict>;
}

const TRAFFIC = { ratePerSecond: 400, truncate: true, largeTransactionRows: 200, reconnect: true } as const;

/** Stops after the first round with a fault: what comes behind it would only repeat it. */
export async function runRounds(bridge: Bridge, options: RoundsOptions): Promise<RoundResult[]> {
  const results: RoundResult[] = [];
  const watch = await watchInvariant(bridge.warehouse);
  const roles = { capture: bridge.run('capture'), apply: bridge.run('apply') };
  try {
    await withClient(bridge.crm, (client) =>
      seedCrm(client, {
        seed: options.seed,
        accounts: 60,
        contacts: 300,
        leads: 100,
        opportunities: 200,
        activities: 300,
      }),
    );
    await bridge.caughtUp();
    for (const [index, fault] of options.faults.entries()) {
      const result = await playRound(bridge, roles, watch, index + 1, fault, options);
      results.push(result);
      options.onRound?.(result);
      if (result.faults.length > 0) break;
    }
  } finally {
    await watch.stop();
    await Promise.all([roles.capture.kill(), roles.apply.kill()]);
  }
  return results;
}

async function playRound(
  bridge: Bridge,
  roles: { capture: Daemon; apply: Daemon },
  watch: InvariantWatch,
  round: number,
  fault: Fault,
  { seed, trafficMs = 2_000, crashSource, verdict: judgeRound = judge }: RoundsOptions,
): Promise<RoundResult> {
  const random = createRandom(seed * 1_000 + round);
  const before = { reads: watch.reads, violations: watch.violations };
  const traffic = await startTraffic(bridge.crm, { ...TRAFFIC, seed: seed * 1_000 + round });
  const writing = new AbortController();
  const readings = writeReadings(bridge.crm, createRandom(random.below(1e9)), round * 10_000, writing.signal);
  readings.catch(() => undefined);
  await pause(random.below(trafficMs));
  await strike(bridge, roles, fault, random, crashSource);
  await pause(trafficMs / 2 + random.below(trafficMs / 2));
  const { changes } = await traffic.stop();
  writing.abort();
  await readings;
  const stoppedAt = performance.now();
  await bridge.caughtUp();
  const catchUpMs = Math.round(performance.now() - stoppedAt);
  const verdict = await judgeRound(bridge);
  const violations = watch.violations - before.violations;
  return {
    ...verdict,
    faults: [...verdict.faults, ...(violations > 0 ? [`${violations} reads saw half a transaction`] : [])],
    round,
    fault,
    changes,
    reads: watch.reads - before.reads,
    catchUpMs,
  };
}

async function strike(
  bridge: Bridge,
  roles: { capture: Daemon; apply: Daemon },
  fault: Fault,
  random: Random,
  crashSource: RoundsOptions['crashSource'],
): Promise<void> {
  const kill = async (...names: (keyof typeof roles)[]) => {
    await Promise.all(names.map((name) => roles[name].kill()));
    await pause(random.below(300));
    for (const name of names) roles[name] = bridge.run(name);
  };
  switch (fault) {
    case 'kill capture':
      return kill('capture');
    case 'kill apply':
      return kill('apply');
    case 'kill both':
      return kill('capture', 'apply');
    case 'empty queue':
      for (let times = 4; times > 0; times -= 1) {
        await bridge.queue.empty();
        await pause(random.below(400));
      }
      return;
    case 'lose a batch':
      roles.apply.signal('SIGSTOP');
      try {
        await until('batches wait behind each other', () => bridge.queue.loseNext());
      } finally {
        roles.apply.signal('SIGCONT');
      }
      return;
    case 'empty queue and kill both':
      roles.apply.signal('SIGSTOP');
      // Long enough for a status message: were anything acknowledged that waits here, it would be lost below.
      await pause(2_200 + random.below(500));
      await roles.capture.kill();
      await bridge.queue.empty();
      await roles.apply.kill();
      roles.capture = bridge.run('capture');
      roles.apply = bridge.run('apply');
      return;
    case 'cut warehouse':
      for (let times = 3; times > 0; times -= 1) {
        bridge.network.cut();
        if (random.chance(0.5)) {
          bridge.network.refuse(true);
          await pause(random.below(400));
          bridge.network.refuse(false);
        }
        await pause(random.below(300));
      }
      return;
    case 'end walsender':
      await withClient(bridge.crm, (client) =>
        client.query(
          'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1',
          [bridge.name],
        ),
      );
      return;
    case 'crash source':
      if (crashSource === undefined) throw new Error('this test has no PostgreSQL of its own to crash');
      return crashSource();
  }
}
