// `walbridge verify`: compares source and warehouse while both go on, and says where they differ.
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import type { Verification, VerifyRequest } from '../daemon/verify-control.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { exitCodes, type GlobalOptions, runCommand, settingsOf, warn } from './context.ts';
import { VerifyScreen } from './verify-screen.ts';

interface VerifyCommandOptions {
  readonly all: boolean;
  readonly sample: number;
  readonly repair: boolean;
  readonly deep: boolean;
  readonly showValues: boolean;
  readonly json: boolean;
}

/** `verify`'s own: 1 says that there are differences, so that nothing else may. */
const verifyCodes = { equal: 0, different: 1, untold: 2 } as const;
/** A server that is away so often in a row ends the command. */
const MOST_ATTEMPTS = 8;

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('compare source and warehouse while everything runs; exit code 0: equal, 1: differences')
    .argument('[entities...]', 'entities, as the mappings name them; none: all')
    .option('--all', 'every entity', false)
    .option(
      '--sample <percent>',
      'look at about this share of the rows, chosen at random, such as 1%',
      share,
      1,
    )
    .option('--repair', 'queue a backfill of exactly the keys that differ', false)
    .option('--deep', 'read every row of both sides instead of digests that the servers compute', false)
    .option('--show-values', 'print the values that differ', false)
    .option('--json', 'print JSON lines', false)
    .action((entities: string[], options: VerifyCommandOptions, command: Command) =>
      withVerifyCodes(() => verify(entities, options, command)),
    );
}

async function withVerifyCodes(work: () => Promise<number>): Promise<void> {
  let code: number | null = null;
  await runCommand(async () => {
    code = await work();
    return code;
  });
  if (code === null) process.exitCode = exitCodes.badInput;
}

async function verify(
  entities: readonly string[],
  { all, sample, repair, deep, showValues, json }: VerifyCommandOptions,
  command: Command,
): Promise<number> {
  if (all && entities.length > 0) throw bothGiven();
  const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
  const { verifyOnce } = await import('../daemon/verify-control.ts');
  const screen = new VerifyScreen(process.stdout, json);
  const request: VerifyRequest = { entities, repair, options: { share: sample, deep, showValues } };
  let verification: Verification;
  try {
    verification = await verifyOnce(
      settings,
      request,
      userInfo().username,
      {
        onProgress: (entity, rows, estimate) => screen.progress(entity, rows, estimate),
        onReport: (report) => screen.report(report),
        onRetry: (fault, attempt) => {
          if (attempt >= MOST_ATTEMPTS) throw fault;
        },
        onUnannounced: warn,
      },
      new AbortController().signal,
    );
  } finally {
    screen.end();
  }
  screen.summary(verification);
  const states = new Set(verification.reports.map(({ state }) => state));
  if (states.has('different')) return verifyCodes.different;
  return states.has('unsettled') || states.has('failed') ? verifyCodes.untold : verifyCodes.equal;
}

function share(text: string): number {
  const percent = Number(/^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1] ?? Number.NaN);
  if (percent > 0 && percent <= 100) return percent / 100;
  throw new InvalidArgumentError('Expected a percentage above 0 and up to 100, such as 1%.');
}

function bothGiven(): WalbridgeError {
  return new WalbridgeError({
    code: 'WB7104',
    kind: 'permanent',
    what: 'Entities and --all were given both.',
    safe: 'Nothing was compared.',
    next: 'Name entities, or give --all or nothing for every entity.',
  });
}
