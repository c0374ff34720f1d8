// `walbridge init`: prepares warehouse, queue and source.
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { exitCodes, type GlobalOptions, quietLog, runCommand, settingsOf } from './context.ts';
import { countFindings, hasErrors, printFindings } from './findings.ts';

export function addInit(program: Command): void {
  program
    .command('init')
    .description('create control tables, target tables, publication and slot; run again, it changes nothing')
    .option('--dry-run', 'print every statement and run none', false)
    .action(({ dryRun }: { dryRun: boolean }, command: Command) =>
      runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const { initialise } = await import('../daemon/init.ts');
        const result = await initialise(settings, dryRun, userInfo().username, quietLog(settings, 'init'));
        for (const { on, sql } of result.statements) process.stdout.write(`-- ${on}\n${sql};\n`);
        printFindings(result.findings);
        if (hasErrors(result.findings)) {
          process.stdout.write(`Nothing was run: ${countFindings(result.findings)}.\n`);
          return exitCodes.findings;
        }
        const did = result.applied ? 'ran' : 'would run';
        process.stdout.write(
          `init ${did} ${result.statements.length} statements; ${countFindings(result.findings)}.\n`,
        );
        return exitCodes.done;
      }),
    );
}
