// `walbridge status`: a line a lane, once or again and again.
import { setTimeout as pause } from 'node:timers/promises';
import Table from 'cli-table3';
import type { Command } from 'commander';
import type { Status } from '../daemon/status.ts';
import { exitCodes, type GlobalOptions, quietLog, runCommand, settingsOf } from './context.ts';

const WATCH_MS = 2000;

export function addStatus(program: Command): void {
  program
    .command('status')
    .description('where each lane stands: watermark, lag, queue, last error')
    .option('--json', 'print JSON, one line a reading', false)
    .option('--watch', `print again every ${WATCH_MS / 1000} seconds until Ctrl-C`, false)
    .action(({ json, watch }: { json: boolean; watch: boolean }, command: Command) =>
      runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const log = quietLog(settings, 'status');
        const { readStatus } = await import('../daemon/status.ts');
        for (;;) {
          const status = await readStatus(settings, log);
          process.stdout.write(
            json ? `${JSON.stringify(status)}\n` : `${watch ? '\x1b[2J\x1b[H' : ''}${formatStatus(status)}\n`,
          );
          if (!watch) return isHealthy(status) ? exitCodes.done : exitCodes.failed;
          await pause(WATCH_MS);
        }
      }),
    );
}

/** Everything could be asked, somebody reads the slot, no lane is halted. */
export function isHealthy(status: Status): boolean {
  return (
    status.problems.length === 0 &&
    status.slot?.isActive === true &&
    status.lanes.every(({ trouble }) => trouble?.state !== 'halted')
  );
}

function formatStatus(status: Status): string {
  const table = new Table({
    head: ['lane', 'watermark', 'committed at', 'lag bytes', 'lag s', 'queued', 'trouble'],
    style: { head: [], border: [] },
    wordWrap: true,
  });
  for (const lane of status.lanes) {
    const trouble =
      lane.trouble === null
        ? ''
        : `${lane.trouble.state} ${lane.trouble.code} since ${lane.trouble.at}: ${lane.trouble.what}`;
    table.push([
      lane.lane,
      lane.watermark ?? '-',
      lane.committedAt ?? '-',
      lane.lagBytes ?? '?',
      lane.lagSeconds === null ? '?' : lane.lagSeconds.toFixed(1),
      lane.queued ?? '?',
      trouble,
    ]);
  }
  const { slot } = status;
  const held =
    slot === null
      ? 'slot: unknown'
      : `slot: ${slot.isActive ? 'read' : 'not read by anybody'}, holds ${slot.retainedBytes} bytes of WAL, ${slot.walStatus ?? 'nothing reserved'}`;
  const verified = status.verifications.map(formatVerification);
  return [table.toString(), held, ...verified, ...status.problems].join('\n');
}

function formatVerification(last: Status['verifications'][number]): string {
  const { missing, extra, different, quarantined, unsettled } = last;
  const counts = Object.entries({ missing, extra, different, quarantined, unsettled })
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`);
  const share = last.share < 1 ? ` (${(last.share * 100).toPrecision(2)} % of the rows)` : '';
  const trouble = last.errorCode === null ? '' : `; ${last.errorCode} ${last.error}`;
  return `verified ${last.entity} ${last.finishedAt}: ${[last.state, ...counts].join(', ')}${share}${trouble}`;
}
