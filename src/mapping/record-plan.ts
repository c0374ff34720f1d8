// A mapping held against its record's schema as a whole: fields, flags, defaults and the key.
// Guarantees: everything that needs no source table is decided here, once; what is wrong is a finding.
import type { CanonicalValue } from '../canonical/event.ts';
import { describeType, nameOf, type RecordSchema, type SchemaField } from '../canonical/schema.ts';
import { isBinaryCollation, KEY_COLLATION } from './collation.ts';
import { formatSqlType } from './default-type.ts';
import type { MappingDocument } from './document.ts';
import { type FieldPlan, planField } from './field-plan.ts';
import { codes, type FindingList } from './finding.ts';
import type { TargetColumn } from './target.ts';
import type { Lookups } from './transform.ts';

export interface RecordPlan {
  readonly fields: readonly FieldPlan[];
  /** Boolean fields that say whether a misfit was replaced, with their columns. */
  readonly flags: readonly TargetColumn[];
  /** Fields that no mapping names: their schema's default. */
  readonly constants: readonly (readonly [string, CanonicalValue])[];
  readonly key: readonly FieldPlan[];
}

/** Plans the record's fields. With errors in `findings` the plan is not to be used. */
export function planRecord(
  document: MappingDocument,
  schema: RecordSchema,
  lookups: Lookups,
  findings: FindingList,
): RecordPlan {
  const byName = new Map(schema.fields.map((field) => [field.name, field]));
  const flagNames = new Set(document.fields.flatMap((field) => field.flag ?? []));
  const fields: FieldPlan[] = [];
  for (const mapping of document.fields) {
    const field = byName.get(mapping.field);
    if (field === undefined) {
      const place = document.yaml.keyAt(mapping.path);
      findings.unknown(codes.unknownField, place, `field`, mapping.field, [...byName.keys()]);
    } else if (!flagNames.has(mapping.field)) {
      fields.push(planField(document, mapping, field, lookups, findings));
    }
  }
  const plan: RecordPlan = {
    fields,
    flags: planFlags(document, byName, flagNames, findings),
    constants: planConstants(document, schema, flagNames, findings),
    key: planKey(document, fields, findings),
  };
  checkColumns(document, plan, findings);
  return plan;
}

function planFlags(
  document: MappingDocument,
  byName: ReadonlyMap<string, SchemaField>,
  flagNames: ReadonlySet<string>,
  findings: FindingList,
): TargetColumn[] {
  const flags: TargetColumn[] = [];
  for (const mapping of document.fields) {
    if (mapping.flag === null) continue;
    const place = document.yaml.valueAt([...mapping.path, 'flag']);
    const field = byName.get(mapping.flag);
    if (field === undefined) {
      findings.unknown(codes.unknownField, place, 'field', mapping.flag, [...byName.keys()]);
    } else if (field.type.kind !== 'boolean') {
      findings.error(codes.unassignable, place, describeType(field.type), 'a boolean field');
    } else if (mapping.misfit.kind === 'quarantine') {
      findings.error(codes.shape, place, 'flag without misfit', 'misfit: null or {value: …} beside it');
    }
    if (flags.some((flag) => flag.field === mapping.flag)) {
      findings.error(codes.duplicate, place, `flag "${mapping.flag}" twice`, 'a flag field for each field');
    }
    const own = document.fields.find((candidate) => candidate.field === mapping.flag);
    flags.push({
      name: own?.target.column ?? mapping.flag,
      type: { name: 'bit' },
      nullable: false,
      field: mapping.flag,
    });
  }
  for (const { field, path, from, expr } of document.fields) {
    if (flagNames.has(field) && (expr !== null || from.length !== 1 || from[0] !== field)) {
      findings.error(
        codes.shape,
        document.yaml.keyAt(path),
        `a source for the flag "${field}"`,
        'target only',
      );
    }
  }
  return flags;
}

function planConstants(
  document: MappingDocument,
  schema: RecordSchema,
  flagNames: ReadonlySet<string>,
  findings: FindingList,
): (readonly [string, CanonicalValue])[] {
  const mapped = new Set(document.fields.map(({ field }) => field));
  const constants: (readonly [string, CanonicalValue])[] = [];
  for (const field of schema.fields) {
    if (mapped.has(field.name) || flagNames.has(field.name)) continue;
    if (field.fallback !== undefined) {
      constants.push([field.name, field.fallback]);
      continue;
    }
    const found = `no entry for "${field.name}" of ${nameOf(schema)}`;
    findings.error(
      codes.unfilledField,
      document.yaml.keyAt(['fields']),
      found,
      'every field without a default filled',
    );
  }
  return constants;
}

function planKey(
  document: MappingDocument,
  fields: readonly FieldPlan[],
  findings: FindingList,
): FieldPlan[] {
  const { yaml, targetKey, sourceKey } = document;
  if (targetKey === null && sourceKey === null) {
    const expected = "source: {table: …, key: …} with the columns of the table's primary key";
    findings.error(codes.key, yaml.valueAt(['source']), 'no key', expected);
    return [];
  }
  const key: FieldPlan[] = [];
  for (const name of targetKey ?? sourceKey ?? []) {
    const plan =
      targetKey !== null
        ? fields.find((field) => field.column.name === name)
        : fields.find((field) => field.inputs.length === 1 && field.inputs[0] === name);
    const place = yaml.valueAt(targetKey !== null ? ['target', 'key'] : ['source', 'key']);
    if (plan === undefined) {
      const [what, valid] =
        targetKey !== null
          ? ['target column', fields.map((field) => field.column.name)]
          : ['key column, which no field takes alone:', fields.flatMap((field) => field.inputs)];
      findings.unknown(codes.key, place, what as string, name, valid as string[]);
      continue;
    }
    if (plan.nullable || plan.column.nullable) {
      findings.error(
        codes.key,
        yaml.keyAt(plan.mapping.path),
        `key field "${name}" that may be null`,
        'one that may not',
      );
    }
    if (plan.mapping.misfit.kind !== 'quarantine') {
      findings.error(
        codes.key,
        yaml.keyAt(plan.mapping.path),
        `misfit on key field "${name}"`,
        'no misfit: keys would collide',
      );
    }
    const { collation } = plan.column;
    if (collation != null && !isBinaryCollation(collation)) {
      const at = yaml.valueAt([...plan.mapping.path, 'target', 'collation']);
      const found = `collation ${collation} on key field "${name}"`;
      findings.error(codes.key, at, found, `a binary one such as ${KEY_COLLATION}: other keys would collide`);
    }
    if (plan.column.type.length === 'max') {
      const found = `${formatSqlType(plan.column.type)} for key column "${plan.column.name}"`;
      findings.error(
        codes.key,
        yaml.keyAt(plan.mapping.path),
        found,
        'a type that an index takes, such as nvarchar(450)',
      );
    }
    key.push(plan);
  }
  checkKeyBytes(document, key, findings);
  return key;
}

/** A clustered index key ends at 900 bytes. */
const MAX_KEY_BYTES = 900;

function checkKeyBytes(document: MappingDocument, key: readonly FieldPlan[], findings: FindingList): void {
  let bytes = 0;
  for (const { column } of key) {
    const { name, length } = column.type;
    // Types without a length take 17 bytes at most (decimal(38)).
    bytes += typeof length === 'number' ? length * (name.startsWith('n') ? 2 : 1) : 17;
  }
  if (bytes <= MAX_KEY_BYTES || key.every(({ column }) => column.type.length === undefined)) return;
  const place = document.yaml.valueAt(document.targetKey !== null ? ['target', 'key'] : ['source', 'key']);
  findings.error(
    codes.key,
    place,
    `a key of up to ${bytes} bytes`,
    `at most ${MAX_KEY_BYTES}, as SQL Server's indexes take`,
  );
}

function checkColumns(document: MappingDocument, plan: RecordPlan, findings: FindingList): void {
  const seen = new Set<string>();
  const claim = (column: string, place: { line: number; column: number }) => {
    // Column names are compared as the default collation does.
    const name = column.toLowerCase();
    if (seen.has(name))
      findings.error(codes.duplicate, place, `column "${column}" twice`, 'a column for each field');
    seen.add(name);
  };
  for (const { column, mapping } of plan.fields) claim(column.name, document.yaml.keyAt(mapping.path));
  for (const flag of plan.flags) claim(flag.name, document.yaml.keyAt(['fields', flag.field]));
  for (const [name, column] of Object.entries(document.metadata)) {
    claim(column as string, document.yaml.valueAt(['metadata', name]));
  }
}
