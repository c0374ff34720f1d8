// `walbridge backfill`: asks for backfills, follows and steers them. The daemon that reads the slot does the work.

import { userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { BackfillControl, BackfillRequest, BackfillStatus } from '../daemon/backfill-control.ts';
import { BackfillProgress, isOver, stepLine, withoutRanges } from './backfill-progress.ts';
import { exitCodes, type GlobalOptions, runCommand, settingsOf, warn } from './context.ts';
import { formatTable } from './table.ts';

const FOLLOW_MS = 500;
const MOST_CHUNK_ROWS = 100_000;
const MOST_PARALLEL = 32;

interface StartOptions {
  readonly all: boolean;
  readonly where?: string;
  readonly since?: string;
  readonly sinceColumn?: string;
  readonly fromKey?: string;
  readonly toKey?: string;
  readonly chunkRows: number;
  readonly parallel?: number;
  readonly prune: boolean;
  readonly truncateFirst: boolean;
  readonly detach: boolean;
  readonly json: boolean;
}

export function addBackfill(program: Command): void {
  const backfill = program
    .command('backfill')
    .description('write rows of the source into the warehouse while everything runs')
    .argument('[entities...]', 'entities, as the mappings name them')
    .option('--all', 'every entity', false)
    .option('--where <sql>', "only rows for which a condition on the source's columns holds")
    .option('--since <time>', "only rows changed since, a time or an interval such as '3 days'")
    .option('--since-column <column>', 'tells when a row was changed; by default updated_at or alike')
    .option('--from-key <key>', 'from this key on; a JSON array where the key has several columns')
    .option('--to-key <key>', 'up to this key, exclusive')
    .option('--chunk-rows <rows>', 'rows that are read at once', chunkRows, 10_000)
    .option('--parallel <n>', 'key ranges and tables that are worked on at once in a lane', parallel)
    .option('--prune', 'also delete what the source has no more', false)
    .option('--truncate-first', 'empty the target table before', false)
    .option('--detach', 'do not wait for its end', false)
    .option('--json', 'print JSON lines, also of list, show, pause, resume and cancel', false)
    .action((entities: string[], options: StartOptions, command: Command) =>
      withControl(command, async (control) => {
        const id = await control.request({ ...requestOf(options), entities });
        const line =
          id === null
            ? 'no mapping has them any more: nothing to load; the daemon may go on'
            : `backfill ${id}`;
        process.stdout.write(`${options.json ? JSON.stringify({ id }) : line}\n`);
        return id === null || options.detach ? exitCodes.done : follow(control, id, options.json);
      }),
    );
  backfill
    .command('list')
    .description('all backfills, step by step')
    .action((_options: object, command: Command) =>
      withControl(command, async (control) => print(await control.list(), isJson(command))),
    );
  backfill
    .command('show')
    .description('one backfill; an id may be shortened')
    .argument('<id>')
    .option('--follow', 'wait for its end', false)
    .action((id: string, { follow: waits }: { follow: boolean }, command: Command) =>
      withControl(command, async (control) => {
        const steps = await control.show(id);
        return waits ? follow(control, steps[0]?.id ?? id, isJson(command)) : print(steps, isJson(command));
      }),
    );
  for (const [action, description] of [
    ['pause', 'stop behind the chunk in hand, to be resumed'],
    ['resume', 'go on with what was paused or has failed'],
    ['cancel', 'stop for good; what was written stays'],
  ] as const) {
    backfill
      .command(action)
      .description(description)
      .argument('<id>')
      .action((id: string, _options: object, command: Command) =>
        withControl(command, async (control) => print(await control.steer(id, action), isJson(command))),
      );
  }
}

/** An option of `backfill` itself, which takes it wherever it stands. */
function isJson(command: Command): boolean {
  return command.optsWithGlobals<{ json: boolean }>().json;
}

function withControl(command: Command, work: (control: BackfillControl) => Promise<number>): Promise<void> {
  return runCommand(async () => {
    const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
    const { BackfillControl } = await import('../daemon/backfill-control.ts');
    const control = await BackfillControl.open(settings, userInfo().username, warn);
    try {
      return await work(control);
    } finally {
      await control.close();
    }
  });
}

function chunkRows(text: string): number {
  const rows = Number(text);
  if (Number.isInteger(rows) && rows >= 1 && rows <= MOST_CHUNK_ROWS) return rows;
  throw new InvalidArgumentError(`Expected a whole number from 1 to ${MOST_CHUNK_ROWS}.`);
}

function parallel(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_PARALLEL) return count;
  throw new InvalidArgumentError(`Expected a whole number from 1 to ${MOST_PARALLEL}.`);
}

function requestOf(options: StartOptions): Omit<BackfillRequest, 'entities'> {
  const { all, where, fromKey, toKey, prune, truncateFirst } = options;
  return {
    all,
    where: where ?? null,
    since: options.since ?? null,
    sinceColumn: options.sinceColumn ?? null,
    fromKey: fromKey ?? null,
    toKey: toKey ?? null,
    chunkRows: options.chunkRows,
    parallel: options.parallel ?? null,
    prune,
    truncateFirst,
  };
}

/** Until the end of every step, or until Ctrl-C, which ends the looking only. */
async function follow(control: BackfillControl, id: string, json: boolean): Promise<number> {
  const asLines = json || !process.stdout.isTTY;
  const progress = new BackfillProgress(process.stdout, asLines);
  for (;;) {
    const steps = await control.show(id);
    progress.show(steps, Date.now());
    if (isOver(steps)) {
      progress.end();
      if (!asLines) print(steps, false);
      const isDone = steps.every(({ state }) => state === 'done');
      return isDone ? exitCodes.done : exitCodes.failed;
    }
    await pause(FOLLOW_MS);
  }
}

function print(steps: readonly BackfillStatus[], json: boolean): number {
  if (json) {
    for (const step of steps) process.stdout.write(`${stepLine(step)}\n`);
    return exitCodes.done;
  }
  const head = [
    'id',
    'entity',
    'step',
    'state',
    'read',
    'of about',
    'written',
    'yielded',
    'pruned',
    'updated',
  ];
  const whole = withoutRanges(steps);
  const rows = whole.map((step) => [
    step.id.slice(0, 8),
    step.entity,
    step.kind,
    step.state,
    step.rowsRead,
    step.rowsEstimated ?? '-',
    step.rowsWritten,
    step.rowsYielded,
    step.rowsPruned,
    step.updatedAt,
    step.errorCode ?? '',
  ]);
  process.stdout.write(`${formatTable([...head, 'error'], rows)}\n`);
  for (const { id, entity, kind, errorCode, error } of whole)
    if (error !== null) process.stdout.write(`${id.slice(0, 8)} ${entity} ${kind}: ${errorCode} ${error}\n`);
  return exitCodes.done;
}
