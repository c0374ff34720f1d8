// Whether one version's events can be read under another, and a record's versions held against a compatibility mode.
// Guarantees: stricter than Avro where Avro would lose: logical types count, and a promotion that can round is refused.
// https://avro.apache.org/docs/1.11.1/specification/#schema-resolution
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/schema-evolution.html
import { nearestName } from '../text/nearest-name.ts';
import { describeType, type FieldType, nameOf, type RecordSchema, type SchemaField } from './schema.ts';

export type CompatibilityMode =
  | 'NONE'
  | 'BACKWARD'
  | 'BACKWARD_TRANSITIVE'
  | 'FORWARD'
  | 'FORWARD_TRANSITIVE'
  | 'FULL'
  | 'FULL_TRANSITIVE';

/** Why a reader can't take what a writer writes. */
export interface Incompatibility {
  readonly path: string;
  readonly what: string;
  readonly why: string;
}

export interface VersionConflict extends Incompatibility {
  /** `crm.Contact 1.2.0` */
  readonly reader: string;
  readonly writer: string;
}

/** Conflicts of each version with its predecessor, or with all before it where the mode is transitive. Versions stand oldest first. */
export function checkCompatibility(
  mode: CompatibilityMode,
  versions: readonly RecordSchema[],
): VersionConflict[] {
  const backward = mode.startsWith('BACKWARD') || mode.startsWith('FULL');
  const forward = mode.startsWith('FORWARD') || mode.startsWith('FULL');
  const conflicts: VersionConflict[] = [];
  const compare = (reader: RecordSchema, writer: RecordSchema) => {
    for (const found of incompatibilities(reader, writer)) {
      conflicts.push({ reader: nameOf(reader), writer: nameOf(writer), ...found });
    }
  };
  for (const [index, newer] of versions.entries()) {
    const from = mode.endsWith('_TRANSITIVE') ? 0 : Math.max(0, index - 1);
    for (const older of versions.slice(from, index)) {
      if (backward) compare(newer, older);
      if (forward) compare(older, newer);
    }
  }
  return conflicts;
}

/** Empty where every event of `writer` can be read as one of `reader`. */
export function incompatibilities(reader: RecordSchema, writer: RecordSchema): Incompatibility[] {
  if (reader.fullName !== writer.fullName) {
    return [
      { path: 'name', what: `${reader.fullName} and ${writer.fullName}`, why: 'they are different records' },
    ];
  }
  return reader.fields.flatMap((field) => {
    const source = writerField(field, writer);
    return source === null ? missing(field, writer) : fieldProblems(field, source);
  });
}

/** The writer's field that a reader's field is read from: by name, then by the reader's aliases. */
export function writerField(field: SchemaField, writer: RecordSchema): SchemaField | null {
  const named = writer.fields.find((candidate) => candidate.name === field.name);
  return named ?? writer.fields.find((candidate) => field.aliases.includes(candidate.name)) ?? null;
}

function missing(field: SchemaField, writer: RecordSchema): Incompatibility[] {
  if (field.fallback !== undefined) return [];
  const nearest = nearestName(
    field.name,
    writer.fields.map((candidate) => candidate.name),
  );
  const hint = nearest === null ? '' : `; a renamed field needs the alias ${nearest}`;
  return [
    {
      path: `fields.${field.name}`,
      what: 'the reader knows the field and the writer does not',
      why: `it has no default to fill in${hint}`,
    },
  ];
}

function fieldProblems(reader: SchemaField, writer: SchemaField): Incompatibility[] {
  const path = `fields.${reader.name}.type`;
  const problems: Incompatibility[] = [];
  if (writer.nullBranch !== 'none' && reader.nullBranch === 'none') {
    problems.push({ path, what: 'the writer may write null', why: 'the reader has no null in its type' });
  }
  const why = typeProblem(reader.type, writer.type);
  if (why !== null) {
    problems.push({ path, what: `${describeType(writer.type)} read as ${describeType(reader.type)}`, why });
  }
  return problems;
}

/** Promotions that keep every value exactly; Avro's others (long to double, int to float, string and bytes) can't promise it. */
const promotions: Readonly<Record<string, readonly string[]>> = {
  int: ['long', 'double'],
  float: ['double'],
  uuid: ['string'],
};

function typeProblem(reader: FieldType, writer: FieldType): string | null {
  if (reader.kind === 'decimal' && writer.kind === 'decimal') return decimalProblem(reader, writer);
  if (reader.kind === 'enum' && writer.kind === 'enum') return enumProblem(reader, writer);
  if (reader.kind === writer.kind || promotions[writer.kind]?.includes(reader.kind)) return null;
  return 'the value would change or lose its meaning';
}

function decimalProblem(
  reader: Extract<FieldType, { kind: 'decimal' }>,
  writer: Extract<FieldType, { kind: 'decimal' }>,
): string | null {
  if (reader.scale !== writer.scale) return 'the scale differs: every value would be off by a power of ten';
  return reader.precision < writer.precision ? "the writer's values can have more digits" : null;
}

function enumProblem(
  reader: Extract<FieldType, { kind: 'enum' }>,
  writer: Extract<FieldType, { kind: 'enum' }>,
): string | null {
  if (reader.name.split('.').at(-1) !== writer.name.split('.').at(-1)) return 'they are different enums';
  const unknown = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
  if (unknown.length === 0 || reader.fallback !== null) return null;
  return `the reader lacks ${unknown.join(', ')} and has no default symbol`;
}
