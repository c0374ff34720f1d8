// `walbridge skip`: gives up the batch that a lane is halted at, after it was exported and somebody has agreed.
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { formatPosition } from '../change/position.ts';
import type { HaltedBatch } from '../daemon/move-lane.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { exitCodes, type GlobalOptions, quietLog, runCommand, settingsOf } from './context.ts';

interface SkipOptions {
  readonly lane: string;
  readonly out?: string;
  readonly yes: boolean;
  readonly json: boolean;
}

export function addSkip(program: Command): void {
  program
    .command('skip')
    .description('move a halted lane past its batch, which is exported first and not applied')
    .requiredOption('--lane <lane>', 'as the mappings name it')
    .option('--out <file>', 'where the batch is exported to; must not exist')
    .option('--yes', 'do not ask', false)
    .option('--json', 'print JSON', false)
    .action(({ lane, out, yes, json }: SkipOptions, command: Command) =>
      runCommand(async () => {
        const settings = settingsOf(command.optsWithGlobals<GlobalOptions>());
        const { haltedBatch, skip } = await import('../daemon/move-lane.ts');
        const halted = await haltedBatch(settings, lane, quietLog(settings, 'skip'));
        const file = resolve(out ?? defaultName(halted));
        if (!yes) await agree(halted);
        await skip(settings, halted, file, userInfo().username);
        const { batch, trouble } = halted;
        const [previous, last] = [formatPosition(batch.previous), formatPosition(batch.last)];
        process.stdout.write(
          json
            ? `${JSON.stringify({ lane, previous, last, changes: batch.changes, code: trouble.code, file })}\n`
            : `Lane ${lane} was moved to ${last}: ${batch.changes} changes were not applied, and are in ${file}. \`walbridge backfill\` of the entities in it brings their rows.\n`,
        );
        return exitCodes.done;
      }),
    );
}

function defaultName({ batch }: HaltedBatch): string {
  return `walbridge-skipped-${batch.lane}-${formatPosition(batch.last)}.jsonl`.replace(/[^\w.+-]/g, '_');
}

/** Throws WB7214 for any other answer than yes, and where nobody can be asked. */
async function agree({ batch, trouble }: HaltedBatch): Promise<void> {
  const { stdin: input, stderr: output } = process;
  if (!input.isTTY) throw refused('Nobody can be asked whether to skip the batch.');
  const lines = createInterface({ input, output });
  try {
    const asked = lines.question(
      `Lane ${batch.lane} is halted since ${trouble.at}: ${trouble.code} ${trouble.what}\n` +
        `Its batch ${formatPosition(batch.previous)}..${formatPosition(batch.last)} has ${batch.changes} changes. ` +
        'Skipped, they are missing in the warehouse until a backfill.\nSkip it? Type yes: ',
    );
    const answer = await asked.catch((error: Error) => {
      // Ctrl-C or Ctrl-D.
      if (error.name === 'AbortError') throw refused('The question was not answered.');
      throw error;
    });
    if (answer.trim().toLowerCase() !== 'yes') throw refused('The answer was not yes.');
  } finally {
    lines.close();
  }
}

function refused(what: string): WalbridgeError {
  return new WalbridgeError({
    code: 'WB7214',
    kind: 'permanent',
    what,
    safe: 'Nothing was skipped.',
    next: 'Give --yes where it is meant.',
  });
}
