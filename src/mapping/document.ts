// A mapping file read: short forms written out, names split, defaults filled in.
// Guarantees: plain data; what is wrong with the file is a finding with its place, never an exception.
import { parseVersion, type SchemaVersion } from '../canonical/schema.ts';
import type { TableName } from '../change/table-description.ts';
import { parseTableName } from '../change/table-name.ts';
import { type Place, type YamlPath, YamlText } from '../text/yaml-text.ts';
import {
  type castTypes,
  type DocumentAsWritten,
  documentSchema,
  type ScalarAsWritten,
  type StepAsWritten,
} from './document-schema.ts';
import { codes, FindingList, type MappingFinding, yamlFindings } from './finding.ts';
import { reportIssue } from './shape-findings.ts';
import type { MetadataColumns } from './target.ts';

export type CastType = (typeof castTypes)[number];

export type TransformStep =
  | { readonly kind: 'trim' | 'lower' | 'upper' }
  | { readonly kind: 'constant' | 'default' | 'concat' | 'jsonPath'; readonly text: string }
  | { readonly kind: 'cast'; readonly type: CastType }
  | {
      readonly kind: 'lookup';
      readonly source: { readonly table: LookupTable } | { readonly file: string };
      /** Undefined where a value without an entry does not fit. */
      readonly otherwise: string | null | undefined;
    };

export type LookupTable = ReadonlyMap<string, string>;

/** What becomes of a value that its field or column cannot hold. */
export type MisfitPolicy =
  | { readonly kind: 'quarantine' }
  | { readonly kind: 'null' }
  | { readonly kind: 'value'; readonly text: string };

export interface FieldMapping {
  readonly field: string;
  readonly path: YamlPath;
  /** Source columns; those of an expression are found in its text. */
  readonly from: readonly string[];
  readonly steps: readonly { readonly step: TransformStep; readonly path: YamlPath }[];
  readonly expr: string | null;
  readonly target: {
    readonly column: string;
    readonly type: string | null;
    readonly typePath: YamlPath;
    readonly nullable: boolean | null;
    readonly collation: string | null;
  };
  readonly misfit: MisfitPolicy;
  readonly flag: string | null;
}

export interface MappingDocument {
  readonly file: string;
  readonly entity: string;
  readonly source: TableName;
  /** Null where the target's key alone says what identifies a row. */
  readonly sourceKey: readonly string[] | null;
  readonly record: { readonly fullName: string; readonly version: SchemaVersion };
  readonly lane: string;
  readonly filter: string | null;
  readonly fields: readonly FieldMapping[];
  readonly target: TableName;
  readonly targetKey: readonly string[] | null;
  readonly mode: 'create' | 'adopt';
  readonly metadata: MetadataColumns;
  /** Places of the file's values, for later findings. */
  readonly yaml: YamlText;
}

export interface ParsedMapping {
  /** Null where there are errors. */
  readonly document: MappingDocument | null;
  readonly findings: readonly MappingFinding[];
}

/** Reads one mapping file. `file` is the path that findings name. */
export function parseMapping(file: string, text: string): ParsedMapping {
  const findings = new FindingList(file);
  const yaml = YamlText.parse(text, yamlFindings(findings));
  if (yaml === null) return { document: null, findings: findings.found };
  const parsed = documentSchema.safeParse(yaml.toJS());
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reportIssue(issue, [], yaml, findings);
    return { document: null, findings: findings.found };
  }
  const document = normalise(file, parsed.data, yaml, findings);
  return { document: findings.hasErrors() ? null : document, findings: findings.found };
}

/** Reads a lookup file: a YAML map of scalars. Null where it is none. */
export function parseLookup(file: string, text: string, findings: MappingFinding[]): LookupTable | null {
  const list = new FindingList(file);
  const yaml = YamlText.parse(text, yamlFindings(list));
  const table = yaml === null ? null : documentScalars(yaml.toJS());
  if (yaml !== null && table === null) {
    list.error(
      codes.shape,
      yaml.valueAt([]),
      'something else',
      'a map of plain values, such as "DE: Germany"',
    );
  }
  findings.push(...list.found);
  return list.hasErrors() ? null : table;
}

function documentScalars(value: unknown): LookupTable | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const table = new Map<string, string>();
  for (const [key, entry] of Object.entries(value)) {
    if (!['string', 'number', 'bigint', 'boolean'].includes(typeof entry)) return null;
    table.set(key, String(entry));
  }
  return table;
}

function normalise(
  file: string,
  written: DocumentAsWritten,
  yaml: YamlText,
  findings: FindingList,
): MappingDocument {
  const source = typeof written.source === 'string' ? { table: written.source } : written.source;
  const target = typeof written.target === 'string' ? { table: written.target } : written.target;
  const sourcePath = typeof written.source === 'string' ? ['source'] : ['source', 'table'];
  const targetPath = typeof written.target === 'string' ? ['target'] : ['target', 'table'];
  return {
    file,
    entity: written.entity,
    source: tableName(source.table, yaml.valueAt(sourcePath), 'public.contacts', findings),
    sourceKey: 'key' in source && source.key !== undefined ? asList(source.key) : null,
    record: recordName(written.record, yaml.valueAt(['record']), findings),
    lane: written.lane ?? 'main',
    filter: written.filter ?? null,
    fields: Object.entries(written.fields).map(([name, field]) =>
      normaliseField(name, field, yaml, findings),
    ),
    target: tableName(target.table, yaml.valueAt(targetPath), 'crm.contacts', findings),
    targetKey: 'key' in target && target.key !== undefined ? asList(target.key) : null,
    mode: ('mode' in target ? target.mode : undefined) ?? 'create',
    metadata: metadataOf(written.metadata ?? {}),
    yaml,
  };
}

function metadataOf(written: NonNullable<DocumentAsWritten['metadata']>): MetadataColumns {
  return {
    ...(written.commitLsn !== undefined && { commitLsn: written.commitLsn }),
    ...(written.commitTime !== undefined && { commitTime: written.commitTime }),
    ...(written.operation !== undefined && { operation: written.operation }),
    ...(written.appliedAt !== undefined && { appliedAt: written.appliedAt }),
  };
}

function normaliseField(
  name: string,
  written: DocumentAsWritten['fields'][string],
  yaml: YamlText,
  findings: FindingList,
): FieldMapping {
  const path = ['fields', name];
  const spec = typeof written === 'string' ? { from: written } : written;
  const many = Array.isArray(spec.transform);
  const steps = (
    many ? spec.transform : spec.transform === undefined ? [] : [spec.transform]
  ) as StepAsWritten[];
  const target = typeof spec.target === 'string' ? { type: spec.target } : (spec.target ?? {});
  if (spec.expr !== undefined && (spec.from !== undefined || spec.transform !== undefined)) {
    findings.error(
      codes.shape,
      yaml.keyAt([...path, 'expr']),
      'expr beside from or transform',
      'one of the two',
    );
  }
  const inputless = spec.expr !== undefined || startsConstant(steps);
  return {
    field: name,
    path,
    from: spec.from !== undefined ? asList(spec.from) : inputless ? [] : [name],
    steps: steps.map((step, at) => ({
      step: normaliseStep(step),
      path: many ? [...path, 'transform', at] : [...path, 'transform'],
    })),
    expr: spec.expr ?? null,
    target: {
      column: target.column ?? name,
      type: target.type ?? null,
      typePath: typeof spec.target === 'string' ? [...path, 'target'] : [...path, 'target', 'type'],
      nullable: target.nullable ?? null,
      collation: target.collation ?? null,
    },
    misfit: misfitPolicy(spec.misfit),
    flag: spec.flag ?? null,
  };
}

function startsConstant(steps: readonly StepAsWritten[]): boolean {
  const first = steps[0];
  return typeof first === 'object' && first.constant !== undefined;
}

function misfitPolicy(
  written: 'quarantine' | 'null' | null | { value: ScalarAsWritten } | undefined,
): MisfitPolicy {
  if (written === undefined || written === 'quarantine') return { kind: 'quarantine' };
  if (written === null || written === 'null') return { kind: 'null' };
  return { kind: 'value', text: scalarText(written.value) };
}

function normaliseStep(step: StepAsWritten): TransformStep {
  if (typeof step === 'string') return { kind: step };
  if (step.constant !== undefined) return { kind: 'constant', text: scalarText(step.constant) };
  if (step.default !== undefined) return { kind: 'default', text: scalarText(step.default) };
  if (step.jsonPath !== undefined) return { kind: 'jsonPath', text: step.jsonPath };
  if (step.cast !== undefined) return { kind: 'cast', type: step.cast };
  if (step.lookup !== undefined) {
    const { table, file, otherwise } = step.lookup;
    return {
      kind: 'lookup',
      source:
        table !== undefined
          ? { table: new Map(Object.entries(table).map(([key, value]) => [key, scalarText(value)])) }
          : { file: file ?? '' },
      otherwise: otherwise === undefined || otherwise === null ? otherwise : scalarText(otherwise),
    };
  }
  return { kind: 'concat', text: step.concat ?? '' };
}

function scalarText(value: ScalarAsWritten): string {
  return String(value);
}

function asList(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

function tableName(text: string, place: Place, example: string, findings: FindingList): TableName {
  const name = parseTableName(text);
  if (name !== null) return name;
  const quotes = text.split('.').length > 2 ? '; a name that holds a dot in double quotes' : '';
  findings.error(codes.shape, place, `"${text}"`, `schema.table, such as ${example}${quotes}`);
  return { schema: '', table: text };
}

function recordName(text: string, place: Place, findings: FindingList): MappingDocument['record'] {
  const match = /^([A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+)@(.+)$/.exec(text);
  const version = parseVersion(match?.[2] ?? '');
  if (match === null || version === null) {
    findings.error(codes.shape, place, `"${text}"`, 'namespace.name@1.0.0');
    return { fullName: text, version: { major: 0, minor: 0, patch: 0 } };
  }
  return { fullName: match[1] ?? '', version };
}
