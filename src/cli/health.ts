// `walbridge health`: whether the walbridge that runs on this machine does its work, for the health check of a container.
import type { Command } from 'commander';
import { exitCodes, type GlobalOptions, quietLog, runCommand, settingsOf } from './context.ts';
import { isHealthy } from './status.ts';

export function addHealth(program: Command): void {
  program
    .command('health')
    .description(
      'whether the daemon on this machine works, asked at http.listen; without that, whether the bridge does (as status)',
    )
    .action((_options: unknown, command: Command) =>
      runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const { listen } = settings.http;
        if (listen === undefined) {
          const { readStatus } = await import('../daemon/status.ts');
          const status = await readStatus(settings, quietLog(settings, 'health'));
          const isWell = isHealthy(status);
          process.stdout.write(`${isWell ? 'healthy' : 'not healthy: see walbridge status'}\n`);
          return isWell ? exitCodes.done : exitCodes.failed;
        }
        const { askHealth } = await import('../daemon/ask-health.ts');
        const { isReady, text } = await askHealth(listen);
        process.stdout.write(`${text}\n`);
        return isReady ? exitCodes.done : exitCodes.failed;
      }),
    );
}
