// A compiled mapping held against its source table.
// Guarantees: what binding a RELATION of this table would reject row by row is found here, with its place in the file.

import type { PgType } from '../canonical/pg-text.ts';
import { describeType } from '../canonical/schema.ts';
import { fullIdentityStatement, identityStatement } from '../change/replica-identity.ts';
import type { ColumnDescription, TableDescription } from '../change/table-description.ts';
import type { YamlPath } from '../text/yaml-text.ts';
import type { CompiledMapping } from './compiled-mapping.ts';
import { formatSqlType } from './default-type.ts';
import { fieldTakes, type ParsedExpression, typeExpression } from './expression.ts';
import { decoderOf } from './field-filler.ts';
import type { FieldPlan } from './field-plan.ts';
import { codes, FindingList, type MappingFinding } from './finding.ts';
import { mayBeToasted } from './pg-type.ts';
import { compileTransform } from './transform.ts';

interface Check {
  readonly mapping: CompiledMapping;
  readonly table: TableDescription;
  readonly columns: ReadonlyMap<string, ColumnDescription>;
  readonly findings: FindingList;
}

/** All findings of the mapping over the table that it names. */
export function checkSource(mapping: CompiledMapping, table: TableDescription): readonly MappingFinding[] {
  const findings = new FindingList(mapping.document.file);
  const columns = new Map(table.columns.map((column) => [column.name, column]));
  const check: Check = { mapping, table, columns, findings };
  for (const field of mapping.plan.fields) checkField(check, field);
  checkFilter(check);
  checkKey(check);
  return findings.found;
}

function checkField(check: Check, field: FieldPlan): void {
  const { mapping, columns, findings } = check;
  const { yaml } = mapping.document;
  if (field.expression !== null) {
    checkExpression(check, field.expression, [...field.mapping.path, 'expr'], (result) =>
      fieldTakes(field.field.type, result) ? null : describeType(field.field.type),
    );
  } else {
    const missing = field.inputs.filter((input) => !columns.has(input));
    const place = placeOfInputs(check, field);
    for (const name of missing) {
      findings.unknown(codes.unknownColumn, place, 'column', name, [...columns.keys()]);
    }
    if (missing.length > 0) return;
    checkTypes(check, field);
  }
  checkPartialInputs(check, field.inputs, yaml.keyAt(field.mapping.path), `field "${field.field.name}"`);
  checkWidth(check, field);
}

function placeOfInputs(check: Check, field: FieldPlan) {
  const { yaml } = check.mapping.document;
  const from: YamlPath = [...field.mapping.path, 'from'];
  return yaml.has(from) ? yaml.valueAt(from) : yaml.valueAt(field.mapping.path);
}

function checkTypes(check: Check, field: FieldPlan): void {
  const { mapping, columns, findings } = check;
  const { yaml } = mapping.document;
  const types = field.inputs.map((input) => columns.get(input)?.baseType as PgType);
  const transform = compileTransform(field.mapping, types, mapping.lookups);
  if (!('steps' in transform)) {
    for (const { path, found, expected } of transform) {
      findings.error(codes.transform, yaml.valueAt(path), found, expected);
    }
    return;
  }
  const { result } = transform;
  const place = placeOfInputs(check, field);
  if (decoderOf(result, field) === null) {
    const found = `${result === 'any' ? 'a text' : result.name} for "${field.field.name}"`;
    findings.error(codes.unassignable, place, found, `${describeType(field.field.type)}, or a cast to it`);
  } else if (result !== 'any' && result.name === 'int8' && field.field.type.kind === 'int') {
    findings.error(
      codes.unassignable,
      place,
      `int8 for "${field.field.name}"`,
      'long: an int is too small for it',
    );
  }
  const [column] = field.inputs;
  const source = field.mapping.steps.length === 0 && column !== undefined ? columns.get(column) : undefined;
  if (source?.nullable && !field.nullable) {
    const found = `column "${column}", which may be NULL, for "${field.field.name}", which may not`;
    findings.warning(
      codes.unassignable,
      place,
      found,
      'a nullable field, or a default; NULLs go to quarantine',
    );
  }
}

/** varchar(n) into a narrower column, or a numeric into a field of fewer digits. */
function checkWidth(check: Check, field: FieldPlan): void {
  const [column] = field.inputs;
  const source = column === undefined ? undefined : check.columns.get(column)?.baseType;
  if (
    source === undefined ||
    field.inputs.length > 1 ||
    field.mapping.steps.some(({ step }) => !keepsWidth(step.kind))
  ) {
    return;
  }
  const { length } = field.column.type;
  const place = check.mapping.document.yaml.valueAt(field.mapping.target.typePath);
  if (source.length !== null && typeof length === 'number' && length < source.length) {
    const found = `${formatSqlType(field.column.type)} for ${source.name}(${source.length})`;
    check.findings.warning(
      codes.lossyTarget,
      place,
      found,
      `${source.length} at least; longer values go to quarantine`,
    );
  }
  const { type } = field.field;
  if (source.numeric !== null && type.kind === 'decimal') {
    const { precision, scale } = source.numeric;
    if (type.scale < scale || type.precision - type.scale < precision - scale) {
      const found = `decimal(${type.precision},${type.scale}) for numeric(${precision},${scale})`;
      check.findings.warning(
        codes.lossyTarget,
        place,
        found,
        'as many digits; other values go to quarantine',
      );
    }
  }
}

function keepsWidth(kind: string): boolean {
  return kind === 'trim' || kind === 'lower' || kind === 'upper';
}

function checkExpression(
  check: Check,
  expression: ParsedExpression,
  path: YamlPath,
  wants: (result: Parameters<typeof fieldTakes>[1]) => string | null,
): void {
  const { mapping, columns, findings } = check;
  const { yaml } = mapping.document;
  const unknown = expression.columns.filter((name) => !columns.has(name));
  for (const name of unknown) {
    const at = expression.text.search(new RegExp(`\\b${name}\\b`));
    findings.unknown(codes.unknownColumn, yaml.inString(path, Math.max(at, 0)), 'column', name, [
      ...columns.keys(),
    ]);
  }
  if (unknown.length > 0) return;
  const types = new Map([...columns].map(([name, column]) => [name, column.baseType]));
  const typed = typeExpression(expression, types);
  if ('problem' in typed) {
    findings.error(
      codes.expression,
      yaml.inString(path, typed.offset),
      typed.problem,
      'operands of these types',
    );
    return;
  }
  const wanted = wants(typed.result);
  if (wanted !== null)
    findings.error(codes.expression, yaml.valueAt(path), `a result of type ${typed.result}`, wanted);
}

function checkPartialInputs(
  check: Check,
  inputs: readonly string[],
  place: { line: number; column: number },
  what: string,
): void {
  const { table, columns, findings } = check;
  if (inputs.length < 2 || table.replicaIdentity === 'full') return;
  const toasted = inputs.filter((input) => {
    const column = columns.get(input);
    return column !== undefined && mayBeToasted(column, table);
  });
  if (toasted.length === 0) return;
  const found = `${what} over ${inputs.join(', ')}, of which an UPDATE may leave out ${toasted.join(', ')} (unchanged TOAST)`;
  findings.error(codes.partialInputs, place, found, `one column, or ${fullIdentityStatement(table)}`);
}

function checkFilter(check: Check): void {
  const { mapping, table, columns, findings } = check;
  const { filter } = mapping;
  if (filter === null) return;
  checkExpression(check, filter, ['filter'], (result) =>
    result === 'bool' || result === 'dyn' ? null : 'bool',
  );
  if (table.replicaIdentity === 'full') return;
  const read = [...filter.columns, ...mapping.plan.fields.flatMap((field) => field.inputs)];
  const toasted = [...new Set(read)].filter((name) => {
    const column = columns.get(name);
    return column !== undefined && mayBeToasted(column, table);
  });
  if (toasted.length === 0) return;
  const found = `a filter, while an UPDATE may leave out ${toasted.join(', ')} (unchanged TOAST): a row that begins to match would be incomplete`;
  findings.error(
    codes.partialInputs,
    mapping.document.yaml.valueAt(['filter']),
    found,
    fullIdentityStatement(table),
  );
}

function checkKey(check: Check): void {
  const { mapping, table, findings } = check;
  const { document, plan } = mapping;
  const { yaml } = document;
  const inputs = [...new Set(plan.key.flatMap((field) => field.inputs))];
  const path: YamlPath = document.targetKey !== null ? ['target', 'key'] : ['source', 'key'];
  const identity = table.replicaIdentityColumns;
  if (identity === null) {
    const expected =
      table.primaryKey === null ? noKeyAdvice(table) : identityStatement(table, table.primaryKey);
    findings.error(codes.key, yaml.valueAt(['source']), 'a table without a replica identity', expected);
    return;
  }
  const outside = inputs.filter((input) => !identity.includes(input));
  if (outside.length > 0) {
    const found = `a key made of ${outside.join(', ')}, which a DELETE does not carry`;
    findings.error(
      codes.key,
      yaml.valueAt(path),
      found,
      `columns of the replica identity: ${identity.join(', ')}`,
    );
    return;
  }
  const unique = [
    table.primaryKey ?? [],
    ...table.uniqueKeys.filter((key) => key.notNull).map((key) => key.columns),
  ];
  if (!unique.some((key) => key.length > 0 && key.every((column) => inputs.includes(column)))) {
    const keys = unique.filter((key) => key.length > 0).map((key) => `(${key.join(', ')})`);
    const expected = keys.length === 0 ? noKeyAdvice(table) : `all columns of ${keys.join(' or ')}`;
    findings.error(
      codes.key,
      yaml.valueAt(path),
      `key (${inputs.join(', ')}), which may not be unique`,
      expected,
    );
  }
  for (const field of plan.key) {
    if (field.mapping.steps.length === 0 && field.expression === null) continue;
    const found = `a transform on key field "${field.field.name}"`;
    const expected = 'the key as it is; rows whose keys become equal would overwrite each other';
    findings.warning(codes.key, yaml.keyAt(field.mapping.path), found, expected);
  }
}

function noKeyAdvice(table: TableDescription): string {
  const unique = table.uniqueKeys.find((key) => key.notNull && !key.deferrable);
  return unique === undefined
    ? 'a primary key, or a unique index over NOT NULL columns that is the replica identity'
    : `a primary key, or ${identityStatement(table, unique.columns)}`;
}
