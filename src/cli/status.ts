// `walbridge status`: a line a lane, once or again and again.
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Status } from '../daemon/status.ts';
import { exitCodes, type GlobalOptions, quietLog, runCommand, settingsOf } from './context.ts';
import { formatTable } from './table.ts';

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

/** Everything could be asked, somebody reads the slot, no lane is halted, no change is missing. */
export function isHealthy(status: Status): boolean {
  return (
    status.problems.length === 0 &&
    status.gap === null &&
    status.slot?.isActive === true &&
    status.lanes.every(({ trouble }) => trouble?.state !== 'halted')
  );
}

/** What needs somebody stands before what is only told. */
export function formatStatus(status: Status): string {
  const lanes = status.lanes.map((lane) => [
    lane.lane,
    lane.watermark ?? '-',
    lane.committedAt ?? '-',
    lane.lagBytes ?? '?',
    lane.lagSeconds === null ? '?' : lane.lagSeconds.toFixed(1),
    lane.queued ?? '?',
    lane.trouble === null ? '' : `${lane.trouble.state} ${lane.trouble.code}`,
  ]);
  const head = ['lane', 'watermark', 'committed at', 'lag bytes', 'lag s', 'queued', 'trouble'];
  return [
    formatTable(head, lanes),
    formatSlot(status.slot),
    ...status.lanes.flatMap(formatTrouble),
    ...status.problems,
    ...(status.gap === null ? [] : [formatGap(status.gap)]),
    ...(status.quarantine.length === 0 ? [] : [formatQuarantine(status.quarantine)]),
    ...formatVerifications(status.verifications),
  ].join('\n');
}

function formatSlot(slot: Status['slot']): string {
  if (slot === null) return 'slot: unknown';
  const reader = slot.isActive ? 'read' : 'not read by anybody';
  return `slot: ${reader}, holds ${slot.retainedBytes} bytes of WAL, ${slot.walStatus ?? 'nothing reserved'}`;
}

function formatTrouble({ lane, trouble }: Status['lanes'][number]): string[] {
  if (trouble === null) return [];
  const next =
    trouble.state === 'halted'
      ? '\n  Mend the cause (walbridge check names it), then send SIGHUP to the daemon, or start it again.'
      : '';
  return [`lane ${lane} ${trouble.state} since ${trouble.at}: ${trouble.code} ${trouble.what}${next}`];
}

function formatGap({ code, reason, entities }: NonNullable<Status['gap']>): string {
  const of = entities === null ? '--all' : entities.join(' ');
  return `changes are missing since ${code}: ${reason.trimEnd()}\n  walbridge backfill ${of} --prune --detach lets the daemon go on, once the cause is mended.`;
}

function formatQuarantine(open: Status['quarantine']): string {
  const rows = open.reduce((sum, each) => sum + each.rows, 0);
  const parts = open.map((each) => `${each.entity} ${each.code} ${each.rows} (last ${each.lastAt})`);
  return `quarantine: ${rows} open ${rows === 1 ? 'row' : 'rows'}: ${parts.join(', ')}`;
}

/** One line for all that are equal without a remark. */
function formatVerifications(all: Status['verifications']): string[] {
  const remarkable = all.filter((last) => !isPlainlyEqual(last));
  const equal = all.filter(isPlainlyEqual);
  const lines = remarkable.map(formatVerification);
  const oldest = equal.map(({ finishedAt }) => finishedAt).sort()[0];
  if (oldest !== undefined)
    lines.push(
      `verified ${equal.length} ${equal.length === 1 ? 'entity' : 'entities'}: equal, the oldest ${oldest}`,
    );
  return lines;
}

function isPlainlyEqual(last: Status['verifications'][number]): boolean {
  return last.state === 'equal' && last.quarantined === 0 && last.share === 1 && last.errorCode === null;
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
