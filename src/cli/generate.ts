// `walbridge generate`: writes schema and mapping of a live table, as a person would begin them.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { describeTables, listTables } from '../capture/describe-tables.ts';
import { withSource } from '../capture/source-client.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { generateMapping } from '../mapping/generate.ts';
import { nearestName } from '../text/nearest-name.ts';
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
    .requiredOption('--table <schema.table...>', 'tables of the source')
    .option('--namespace <name>', 'Avro namespace of the records', 'crm')
    .option('--target-schema <name>', 'schema of the target tables in the warehouse', 'crm')
    .option('--force', 'overwrite existing files', false)
    .option('--print', 'print instead of writing', false)
    .action((options: GenerateOptions, command: Command) =>
      runCommand(() => generate(options, command.optsWithGlobals<GlobalOptions>())),
    );
}

async function generate(options: GenerateOptions, global: GlobalOptions): Promise<number> {
  const settings = settingsOf(global);
  const { sourceOf } = await import('../daemon/connections.ts');
  const wanted = options.table.map(tableName);
  const { described, known } = await withSource(sourceOf(settings), async (client) => ({
    described: await describeTables(client, wanted),
    known: await listTables(client),
  }));
  const files: { path: string; text: string }[] = [];
  for (const { schema, table } of wanted) {
    const description = described.find((found) => found.schema === schema && found.table === table);
    if (description === undefined) throw unknownTable(`${schema}.${table}`, known);
    const generated = generateMapping(description, options);
    files.push(
      { path: join(settings.schemas, generated.schemaPath), text: generated.schemaText },
      { path: join(settings.mappings, generated.mappingPath), text: generated.mappingText },
    );
  }
  for (const { path, text } of files) {
    const shown = relative(process.cwd(), path);
    if (options.print) {
      process.stdout.write(`# ${shown}\n${text}\n`);
      continue;
    }
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: options.force ? 'w' : 'wx' }).catch((error) =>
      Promise.reject(unwritten(shown, error)),
    );
    process.stdout.write(`wrote ${shown}\n`);
  }
  return exitCodes.done;
}

function tableName(text: string): { schema: string; table: string } {
  const dot = text.indexOf('.');
  return dot < 0
    ? { schema: 'public', table: text }
    : { schema: text.slice(0, dot), table: text.slice(dot + 1) };
}

function unknownTable(name: string, known: readonly string[]): WalbridgeError {
  const nearest = nearestName(name, known);
  return new WalbridgeError({
    code: 'WB8001',
    kind: 'permanent',
    what: `The source has no table ${name}${nearest === null ? '' : `; nearest: ${nearest}`}.`,
    safe: 'Nothing was written.',
    next: 'Name an existing table as schema.table.',
  });
}

function unwritten(path: string, cause: NodeJS.ErrnoException): WalbridgeError {
  return new WalbridgeError(
    {
      code: 'WB8002',
      kind: 'permanent',
      what:
        cause.code === 'EEXIST' ? `${path} exists already.` : `${path} cannot be written (${cause.code}).`,
      safe: 'The file stays as it was.',
      next:
        cause.code === 'EEXIST'
          ? 'Give --force to overwrite it, or --print to look first.'
          : 'Give walbridge the right to write there.',
    },
    { cause },
  );
}
