// `walbridge run`: the daemon, in all its roles or one of them.
import type { Command } from 'commander';
import { Option } from 'commander';
import { createLog } from '../daemon/log.ts';
import { runDaemon } from '../daemon/run.ts';
import { exitCodeOf, exitCodes, type GlobalOptions, runCommand, settingsOf } from './context.ts';

const roles = { all: ['capture', 'apply'], capture: ['capture'], apply: ['apply'] } as const;

export function addRun(program: Command): void {
  program
    .command('run')
    .description('read the WAL and fill the warehouse until SIGTERM or SIGINT; SIGHUP takes new mappings')
    .addOption(
      new Option('--role <role>', 'what this process does').choices(Object.keys(roles)).default('all'),
    )
    .action(({ role }: { role: keyof typeof roles }, command: Command) =>
      runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const fault = await runDaemon(settings, roles[role], createLog(settings.log, 'daemon'));
        return fault === null ? exitCodes.done : exitCodeOf(fault);
      }),
    );
}
