// `walbridge generate`: which tables are meant, what their schemas and mappings are called, and that nothing is overwritten.
// Guarantees: all that is wrong with the request is said at once, before anything is written.
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { describeTables, listRelations, type Relation } from '../capture/describe-tables.ts';
import { withSource } from '../capture/source-client.ts';
import type { TableDescription, TableName } from '../change/table-description.ts';
import { formatTableName, isSameTable, parseTableName } from '../change/table-name.ts';
import type { Settings } from '../config/settings.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { parseMapping } from '../mapping/document.ts';
import { generateMapping } from '../mapping/generate.ts';
import { type KnownMapping, nameTables } from '../mapping/generated-table-names.ts';
import { nearestName } from '../text/nearest-name.ts';
import { sourceOf } from './connections.ts';
import { giveVersion, knownSchemas } from './generate-version.ts';

export interface GenerateRequest {
  /** `schema.table`, `table` of the schema public, or `schema.*`. */
  readonly tables: readonly string[];
  readonly namespace: string;
  readonly targetSchema: string;
  /** Mappings are to be overwritten; schemas that changed get their next version. */
  readonly force: boolean;
}

export interface GeneratedFiles {
  /** Paths relative to the working directory. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** What `schema.*` does not stand for, each with the reason. */
  readonly leftOut: readonly string[];
  /** What the next versions of schemas are to those that are there. */
  readonly notes: readonly string[];
}

/**
 * Throws WB8001 for names that are no tables, WB8003 for tables without a column, WB8004 for schemas that cannot follow those that are
 * there, and what reading the source throws.
 */
export async function generateFiles(settings: Settings, request: GenerateRequest): Promise<GeneratedFiles> {
  const { described, referred, leftOut } = await withSource(sourceOf(settings), async (client) => {
    const relations = await listRelations(client);
    const selection = select(request.tables, relations);
    const found = await describeTables(client, selection.tables);
    const targets = found.flatMap(({ foreignKeys }) => foreignKeys.map(({ target }) => target));
    const referred = await describeTables(client, unique(targets));
    return { ...selection, described: inOrder(selection.tables, found, relations), referred };
  });
  const empty = described.filter(({ columns }) => columns.every(({ generated }) => generated !== 'no'));
  const named = request.tables.flatMap((text) => parseTableName(qualified(text)) ?? []);
  const isNamed = (table: TableName) => named.some((name) => isSameTable(name, table));
  const refused = empty.filter(isNamed);
  if (refused.length > 0) throw columnless(refused);
  const kept = described.filter((table) => !empty.includes(table));
  const names = nameTables(kept, await knownMappings(settings.mappings), request);
  const schemas = request.force ? await knownSchemas(settings.schemas) : [];
  const notes: string[] = [];
  const files = kept.flatMap((table, index) => {
    const given = names[index];
    const options = { ...request, referred, ...(given !== undefined && { names: given }) };
    const first = generateMapping(table, options);
    const { version, isNew, note } = giveVersion(schemas, {
      path: first.schemaPath,
      text: first.schemaText,
    });
    const generated = generateMapping(table, { ...options, version });
    if (note !== null) notes.push(note);
    const schema = { path: join(settings.schemas, generated.schemaPath), text: generated.schemaText };
    const mapping = { path: join(settings.mappings, generated.mappingPath), text: generated.mappingText };
    return isNew ? [schema, mapping] : [mapping];
  });
  return {
    files: files.map(({ path, text }) => ({ path: relative(process.cwd(), path), text })),
    leftOut: [...leftOut, ...empty.map((table) => `${formatTableName(table)} (no column to send)`)],
    notes,
  };
}

/**
 * Writes all files or, where one is there already, none; with `force` those that are not there as they are to be. Returns the paths of
 * what was written. Throws WB8002.
 */
export async function writeFiles(files: GeneratedFiles['files'], force: boolean): Promise<string[]> {
  if (!force) {
    const existing: string[] = [];
    for (const { path } of files) {
      const exists = await access(path).then(
        () => true,
        () => false,
      );
      if (exists) existing.push(path);
    }
    if (existing.length > 0) throw alreadyThere(existing);
  }
  const written: string[] = [];
  for (const { path, text } of files) {
    if ((await readFile(path, 'utf8').catch(() => null)) === text) continue;
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      written.push(path);
    } catch (error) {
      throw unwritable(path, error as NodeJS.ErrnoException);
    }
  }
  return written;
}

function qualified(text: string): string {
  return /^[^."]+$/.test(text) ? `public.${text}` : text;
}

function select(
  texts: readonly string[],
  relations: readonly Relation[],
): { readonly tables: readonly TableName[]; readonly leftOut: readonly string[] } {
  const tables: TableName[] = [];
  const leftOut: string[] = [];
  const problems: string[] = [];
  for (const text of texts) {
    const pattern = text.endsWith('.*') ? parseTableName(`${text.slice(0, -1)}any`) : null;
    if (pattern !== null) {
      const members = relations.filter(
        ({ schema, kind }) => schema === pattern.schema && kind !== 'sequence',
      );
      if (members.length === 0)
        problems.push(`The source has no schema with tables called ${pattern.schema}.`);
      for (const member of members) {
        const reason = unfit(member);
        if (reason === null) tables.push(member);
        else leftOut.push(`${formatTableName(member)} (${reason})`);
      }
      continue;
    }
    const name = parseTableName(qualified(text));
    const found = name === null ? undefined : relations.find((relation) => isSameTable(name, relation));
    // A partition by its own name may be meant: `check` knows whether its changes come under that name.
    const reason = found === undefined || found.kind === 'partition' ? null : unfit(found);
    if (name !== null && found !== undefined && reason === null) tables.push(name);
    else
      problems.push(
        found === undefined ? unknown(text, name, relations) : notReplicable(found, reason ?? ''),
      );
  }
  if (problems.length > 0) throw refused(problems);
  return { tables: unique(tables), leftOut };
}

/** Why logical decoding never has a change of it; null where it has. */
function unfit({ kind, isPermanent }: Relation): string | null {
  if (kind === 'partition') return 'a partition: its changes come under the partitioned table';
  if (kind !== 'table') return `a ${kind}`;
  return isPermanent ? null : 'unlogged or temporary';
}

function notReplicable(relation: Relation, reason: string): string {
  const name = formatTableName(relation);
  if (relation.kind === 'table')
    return `${name} is ${reason}: its changes are not in the WAL. ALTER TABLE … SET LOGGED first.`;
  return `${name} is ${reason}, and PostgreSQL's WAL has no changes of one: name the tables that it reads.`;
}

function unknown(text: string, name: TableName | null, relations: readonly Relation[]): string {
  const fit = relations.filter(({ kind }) => kind === 'table').map(formatTableName);
  const wanted = name === null ? text : formatTableName(name);
  const nearest = nearestName(wanted, fit) ?? nearestName(wanted.toLowerCase(), fit);
  return `The source has no table ${wanted}${nearest === null ? '' : `; nearest: ${nearest}`}.`;
}

function unique(tables: readonly TableName[]): TableName[] {
  return [...new Map(tables.map((table) => [formatTableName(table), table])).values()];
}

/** In the order of the names; a table that was dropped meanwhile is unknown. */
function inOrder(
  tables: readonly TableName[],
  found: readonly TableDescription[],
  relations: readonly Relation[],
): TableDescription[] {
  return tables.map((table) => {
    const description = found.find((one) => isSameTable(one, table));
    if (description === undefined) throw refused([unknown(formatTableName(table), table, relations)]);
    return description;
  });
}

/** The mappings of the folder, readable or not: their names are taken. */
async function knownMappings(folder: string): Promise<KnownMapping[]> {
  const files = await readdir(folder).catch(() => []);
  return Promise.all(
    files
      .filter((file) => file.endsWith('.yaml'))
      .map(async (file) => {
        const { document } = parseMapping(file, await readFile(join(folder, file), 'utf8').catch(() => ''));
        const stem = file.slice(0, -'.yaml'.length);
        if (document === null) return { stem, document };
        const { source, entity, record, target } = document;
        return { stem, document: { source, entity, record: record.fullName, target } };
      }),
  );
}

const NOTHING_WRITTEN = 'Nothing was written.';

function refused(problems: readonly string[]): WalbridgeError {
  return new WalbridgeError({
    code: 'WB8001',
    kind: 'permanent',
    what: problems.join('\n'),
    safe: NOTHING_WRITTEN,
    next: 'Name existing tables as schema.table, or schema.* for all of a schema.',
  });
}

function columnless(tables: readonly TableName[]): WalbridgeError {
  return new WalbridgeError({
    code: 'WB8003',
    kind: 'permanent',
    what: `No column that the server sends: ${tables.map(formatTableName).join(', ')}.`,
    safe: NOTHING_WRITTEN,
    next: 'Leave the table out, or give it a column that is not generated.',
  });
}

function alreadyThere(paths: readonly string[]): WalbridgeError {
  return new WalbridgeError({
    code: 'WB8002',
    kind: 'permanent',
    what: `${paths.length === 1 ? 'A file exists' : `${paths.length} files exist`} already: ${paths.join(', ')}.`,
    safe: NOTHING_WRITTEN,
    next: 'Give --force to overwrite mappings (a schema that changed gets its next version), and --print to look first.',
  });
}

function unwritable(path: string, cause: NodeJS.ErrnoException): WalbridgeError {
  return new WalbridgeError(
    {
      code: 'WB8002',
      kind: 'permanent',
      what: `${path} cannot be written (${cause.code}).`,
      safe: 'The files before it were written; this one stays as it was.',
      next: 'Give walbridge the right to write there.',
    },
    { cause },
  );
}
