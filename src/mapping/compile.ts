// Mappings compiled: a folder's texts in, targets and row mappers out, with every finding at once.
// Guarantees: a mapping with errors is not compiled; the others are.
import { nameOf, type RecordSchema } from '../canonical/schema.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { checkTogether } from './check-together.ts';
import type { CompiledMapping } from './compiled-mapping.ts';
import { type LookupTable, type MappingDocument, parseLookup, parseMapping } from './document.ts';
import { type ParsedExpression, parseExpression } from './expression.ts';
import { codes, FindingList, formatMappingFinding, type MappingFinding } from './finding.ts';
import { planRecord } from './record-plan.ts';
import { bindRows } from './row-mapper.ts';
import type { TargetTable } from './target.ts';
import type { Lookups } from './transform.ts';

/** A file below the folder of the mappings: its path there, with forward slashes. */
export interface MappingFile {
  readonly path: string;
  readonly text: string;
}

export interface MappingSet {
  readonly mappings: readonly CompiledMapping[];
  readonly findings: readonly MappingFinding[];
}

/** Compiles all files: those in `lookups/` are lookup tables, all other .yaml and .yml files are mappings. */
export function parseMappings(files: readonly MappingFile[], schemas: readonly RecordSchema[]): MappingSet {
  const findings: MappingFinding[] = [];
  const yaml = files.filter(({ path }) => /\.ya?ml$/.test(path));
  const lookups = new Map<string, LookupTable>();
  for (const { path, text } of yaml) {
    if (!isLookup(path)) continue;
    const table = parseLookup(path, text, findings);
    if (table !== null) lookups.set(path, table);
  }
  const mappings: CompiledMapping[] = [];
  for (const { path, text } of yaml) {
    if (isLookup(path)) continue;
    const parsed = parseMapping(path, text);
    findings.push(...parsed.findings);
    if (parsed.document === null) continue;
    const compiled = compileAgainst(parsed.document, schemas, lookups, findings);
    if (compiled !== null) mappings.push(compiled);
  }
  findings.push(...checkTogether(mappings));
  return { mappings, findings };
}

function isLookup(path: string): boolean {
  return path.split('/').includes('lookups');
}

function compileAgainst(
  document: MappingDocument,
  schemas: readonly RecordSchema[],
  lookups: Lookups,
  findings: MappingFinding[],
): CompiledMapping | null {
  const { fullName, version } = document.record;
  const schema = schemas.find(
    (candidate) =>
      candidate.fullName === fullName &&
      candidate.version.major === version.major &&
      candidate.version.minor === version.minor &&
      candidate.version.patch === version.patch,
  );
  const list = new FindingList(document.file);
  if (schema === undefined) {
    const names = schemas.map((candidate) => nameOf(candidate).replace(' ', '@'));
    const place = document.yaml.valueAt(['record']);
    list.unknown(codes.unknownReference, place, 'record', document.yaml.textAt(['record']), names);
    findings.push(...list.found);
    return null;
  }
  const compiled = compile(document, schema, lookups, list);
  findings.push(...list.found);
  return compiled;
}

/** Compiles one mapping. Throws a permanent WB4000 that lists the findings where there are errors. */
export function compileMapping(
  document: MappingDocument,
  schema: RecordSchema,
  lookups: Lookups = new Map(),
): CompiledMapping {
  const findings = new FindingList(document.file);
  const compiled = compile(document, schema, lookups, findings);
  if (compiled !== null) return compiled;
  throw new WalbridgeError({
    code: 'WB4000',
    kind: 'permanent',
    what: `The mapping ${document.file} cannot be used: ${findings.found.map(formatMappingFinding).join('; ')}.`,
    safe: 'No row was mapped with it.',
    next: 'Mend the mapping; `walbridge check` lists every finding.',
  });
}

function compile(
  document: MappingDocument,
  schema: RecordSchema,
  lookups: Lookups,
  findings: FindingList,
): CompiledMapping | null {
  const plan = planRecord(document, schema, lookups, findings);
  const filter = compileFilter(document, findings);
  if (findings.hasErrors()) return null;
  const { entity, lane, metadata } = document;
  const target: TargetTable = {
    entity,
    lane,
    schema: document.target.schema,
    table: document.target.table,
    key: plan.key.map((field) => field.column.name),
    columns: [...plan.fields.map((field) => field.column), ...plan.flags],
    metadata,
  };
  const mapper = { entity, record: plan, sourceKey: document.sourceKey, filter, lookups };
  return {
    entity,
    lane,
    source: document.source,
    target: Object.freeze(target),
    mode: document.mode,
    schema,
    document,
    plan,
    filter,
    lookups,
    bind: (relation, described) => bindRows(mapper, relation, described),
  };
}

function compileFilter(document: MappingDocument, findings: FindingList): ParsedExpression | null {
  if (document.filter === null) return null;
  const parsed = parseExpression(document.filter);
  if (!('problem' in parsed)) return parsed;
  const place = document.yaml.inString(['filter'], parsed.offset);
  findings.error(codes.expression, place, parsed.problem, 'a CEL condition');
  return null;
}
