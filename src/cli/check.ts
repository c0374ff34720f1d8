// `walbridge check`: holds configuration, mappings, source and warehouse against each other.
import type { Command } from 'commander';
import { exitCodes, type GlobalOptions, quietLog, runCommand, settingsOf } from './context.ts';
import { countFindings, formatFindings, hasErrors } from './findings.ts';

export function addCheck(program: Command): void {
  program
    .command('check')
    .description('validate configuration, schemas and mappings against source, warehouse and queue')
    .option('--json', 'print findings as JSON', false)
    .action(({ json }: { json: boolean }, command: Command) =>
      runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const { checkAll } = await import('../daemon/check.ts');
        const findings = await checkAll(settings, quietLog(settings, 'check'));
        if (json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
        else {
          process.stdout.write(formatFindings(findings));
          process.stdout.write(`${countFindings(findings)}.\n`);
        }
        return hasErrors(findings) ? exitCodes.findings : exitCodes.done;
      }),
    );
}
