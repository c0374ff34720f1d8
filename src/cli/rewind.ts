// `walbridge rewind`: sets a lane back, so that the daemon applies its changes again from there.
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatPosition, type Lsn, parseLsn } from '../change/position.ts';
import type { RewindTarget } from '../daemon/move-lane.ts';
import { exitCodes, type GlobalOptions, runCommand, settingsOf } from './context.ts';

interface RewindOptions {
  readonly lane: string;
  readonly to?: Lsn;
  readonly toTime?: bigint;
  readonly json: boolean;
}

export function addRewind(program: Command): void {
  const rewind = program
    .command('rewind')
    .description('apply the changes of a lane again, from a position that the slot still has')
    .requiredOption('--lane <lane>', 'as the mappings name it')
    .addOption(
      new Option('--to <lsn>', 'everything that commits after this position, such as 16/B374D848')
        .argParser(lsnOf)
        .conflicts('toTime'),
    )
    .addOption(
      new Option(
        '--to-time <time>',
        'everything that committed after this time, such as 2026-11-25T08:00:00Z',
      ).argParser(timeOf),
    )
    .option('--json', 'print JSON', false)
    .action(({ lane, to, toTime, json }: RewindOptions, command: Command) => {
      if (to === undefined && toTime === undefined)
        rewind.error("error: expected '--to <lsn>' or '--to-time <time>'", { exitCode: exitCodes.badInput });
      const target: RewindTarget = to === undefined ? { timeMicros: toTime ?? 0n } : { lsn: to };
      return runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const { rewind } = await import('../daemon/move-lane.ts');
        const done = await rewind(settings, lane, target, userInfo().username);
        const { batches, changes } = done;
        const [from, back] = [formatPosition(done.from), formatPosition(done.to)];
        process.stdout.write(
          json
            ? `${JSON.stringify({ lane, from, to: back, batches, changes })}\n`
            : `Lane ${lane} was set back from ${from} to ${back}: ${batches} batches with ${changes} changes are applied again.\n`,
        );
        return exitCodes.done;
      });
    });
}

function lsnOf(text: string): Lsn {
  try {
    return parseLsn(text);
  } catch {
    throw new InvalidArgumentError('Expected an LSN such as 16/B374D848.');
  }
}

/** Microseconds since 1970-01-01 UTC. Without a time zone it would be anybody's guess. */
function timeOf(text: string): bigint {
  const match =
    /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  const [, date, time, fraction = '', zone] = match;
  const milliseconds = Date.parse(`${date}T${time}${zone}`);
  if (Number.isNaN(milliseconds))
    throw new InvalidArgumentError('Expected a time with its zone, such as 2026-11-25T08:00:00Z.');
  return BigInt(milliseconds) * 1000n + BigInt(fraction.padEnd(6, '0'));
}
