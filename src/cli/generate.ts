// `walbridge generate`: writes schema and mapping of live tables, as a person would begin them.
import type { Command } from 'commander';
import { exitCodes, type GlobalOptions, runCommand, settingsOf } from './context.ts';

interface GenerateOptions {
  readonly table: readonly string[];
  readonly namespace: string;
  readonly targetSchema: string;
  readonly force: boolean;
  readonly print: boolean;
}

export function addGenerate(program: Command): void {
  program
    .command('generate')
    .description('write schema and mapping from live tables')
    .requiredOption('--table <schema.table...>', "tables of the source; 'schema.*' for all of a schema")
    .option('--namespace <name>', 'Avro namespace of the records', 'crm')
    .option('--target-schema <name>', 'schema of the target tables in the warehouse', 'crm')
    .option('--force', 'overwrite existing mappings; a schema that changed gets its next version', false)
    .option('--print', 'print instead of writing', false)
    .action((options: GenerateOptions, command: Command) =>
      runCommand(() => generate(options, command.optsWithGlobals<GlobalOptions>())),
    );
}

async function generate(options: GenerateOptions, global: GlobalOptions): Promise<number> {
  const settings = settingsOf(global);
  const { generateFiles, writeFiles } = await import('../daemon/generate.ts');
  const { files, leftOut, notes } = await generateFiles(settings, { ...options, tables: options.table });
  if (leftOut.length > 0) process.stderr.write(`left out: ${leftOut.join(', ')}\n`);
  for (const note of notes) process.stderr.write(`${note}\n`);
  if (options.print) {
    for (const { path, text } of files) process.stdout.write(`# ${path}\n${text}\n`);
    return exitCodes.done;
  }
  const written = await writeFiles(files, options.force);
  for (const path of written) process.stdout.write(`wrote ${path}\n`);
  if (written.length === 0) process.stdout.write('nothing has changed\n');
  return exitCodes.done;
}
