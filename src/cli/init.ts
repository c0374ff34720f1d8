// `walbridge init`: prepares warehouse, queue and source.
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { Settings } from '../config/settings.ts';
import { exitCodes, type GlobalOptions, quietLog, runCommand, settingsOf, warn } from './context.ts';
import { countFindings, formatFindings, hasErrors } from './findings.ts';
import { formatStatements } from './statement-list.ts';

export function addInit(program: Command): void {
  program
    .command('init')
    .description('create control tables, target tables, publication and slot; run again, it changes nothing')
    .option('--dry-run', 'print every statement and run none', false)
    .option(
      '--load',
      'also ask for the rows that are there already, unless a backfill was ever asked for',
      false,
    )
    .action(({ dryRun, load }: { dryRun: boolean; load: boolean }, command: Command) =>
      runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const { initialise } = await import('../daemon/init.ts');
        const result = await initialise(settings, dryRun, userInfo().username, quietLog(settings, 'init'));
        process.stdout.write(formatStatements(result.statements));
        process.stdout.write(formatFindings(result.findings));
        if (hasErrors(result.findings)) {
          process.stdout.write(`Nothing was run: ${countFindings(result.findings)}.\n`);
          return exitCodes.findings;
        }
        const did = result.applied ? 'ran' : 'would run';
        process.stdout.write(
          `init ${did} ${result.statements.length} statements; ${countFindings(result.findings)}.\n`,
        );
        if (load && result.applied) process.stdout.write(`${await askForRows(settings)}\n`);
        else if (load) process.stdout.write('init would ask for a backfill of every entity.\n');
        return exitCodes.done;
      }),
    );
}

async function askForRows(settings: Settings): Promise<string> {
  const { BackfillControl } = await import('../daemon/backfill-control.ts');
  const control = await BackfillControl.open(settings, userInfo().username, warn);
  try {
    const id = await control.requestFirst();
    return id === null
      ? 'Nothing was asked for: backfills stand in the control table already, see `walbridge backfill list`.'
      : `backfill ${id} of every entity: the daemon loads them before it streams.`;
  } finally {
    await control.close();
  }
}
