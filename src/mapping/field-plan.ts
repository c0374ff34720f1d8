// One field of a mapping held against its record's schema: what its type, column and texts come to.
// Guarantees: everything that needs no source table is decided here, once; what is wrong is a finding.

import type { CanonicalValue } from '../canonical/event.ts';
import { Misfit } from '../canonical/misfit.ts';
import { pgTextDecoder } from '../canonical/pg-text.ts';
import { describeType, type SchemaField } from '../canonical/schema.ts';
import { isCollationName, KEY_COLLATION } from './collation.ts';
import { defaultSqlType, formatSqlType, hasCollation, parseSqlType } from './default-type.ts';
import type { FieldMapping, MappingDocument, MisfitPolicy } from './document.ts';
import { type ParsedExpression, parseExpression } from './expression.ts';
import { codes, type FindingList } from './finding.ts';
import { type Fits, fitOf } from './fit.ts';
import { naturalPgType } from './pg-type.ts';
import type { SqlServerType, TargetColumn } from './target.ts';
import { compileTransform, type Lookups, toBoolean } from './transform.ts';
import { rejections, Unmappable } from './unmappable.ts';

export interface FieldPlan {
  readonly mapping: FieldMapping;
  readonly field: SchemaField;
  readonly nullable: boolean;
  readonly column: TargetColumn;
  readonly fits: Fits | null;
  readonly expression: ParsedExpression | null;
  /** Source columns that the value is made of. */
  readonly inputs: readonly string[];
  /** What stands in for a misfit; undefined where the row goes to quarantine. */
  readonly replacement: CanonicalValue | undefined;
}

export function planField(
  document: MappingDocument,
  mapping: FieldMapping,
  field: SchemaField,
  lookups: Lookups,
  findings: FindingList,
): FieldPlan {
  const { yaml } = document;
  const nullable = field.nullBranch !== 'none';
  const expression = mapping.expr === null ? null : planExpression(document, mapping.expr, mapping, findings);
  // Without the table's types the steps are checked among themselves; checkSource knows the rest.
  if (mapping.from.length === 0) checkSteps(document, mapping, field, lookups, findings);
  const column = planColumn(document, mapping, field, findings);
  const fit = fitOf(field.type, column.type);
  if (!fit.holds) {
    const found = `${formatSqlType(column.type)} for a field of ${describeType(field.type)}`;
    findings.error(codes.lossyTarget, yaml.valueAt(mapping.target.typePath), found, fit.expected);
  }
  if (nullable && !column.nullable) {
    const found = `a column without NULL for "${mapping.field}", which may be null`;
    findings.warning(
      codes.lossyTarget,
      yaml.valueAt(mapping.path),
      found,
      'nullable: true; NULLs go to quarantine',
    );
  }
  const fits = fit.holds ? fit.fits : null;
  return {
    mapping,
    field,
    nullable,
    column,
    fits,
    expression,
    inputs: expression?.columns ?? mapping.from,
    replacement: planReplacement(document, mapping, field, fits, findings),
  };
}

function planExpression(
  document: MappingDocument,
  text: string,
  mapping: FieldMapping,
  findings: FindingList,
): ParsedExpression | null {
  const parsed = parseExpression(text);
  if (!('problem' in parsed)) return parsed;
  const place = document.yaml.inString([...mapping.path, 'expr'], parsed.offset);
  findings.error(codes.expression, place, parsed.problem, 'a CEL expression');
  return null;
}

function checkSteps(
  document: MappingDocument,
  mapping: FieldMapping,
  field: SchemaField,
  lookups: Lookups,
  findings: FindingList,
): void {
  const compiled = compileTransform(mapping, [], lookups);
  if ('steps' in compiled) {
    checkConstant(document, mapping, field, findings);
    return;
  }
  for (const { path, found, expected } of compiled) {
    findings.error(codes.transform, document.yaml.valueAt(path), found, expected);
  }
}

function checkConstant(
  document: MappingDocument,
  mapping: FieldMapping,
  field: SchemaField,
  findings: FindingList,
): void {
  const [first] = mapping.steps;
  if (mapping.steps.length !== 1 || first?.step.kind !== 'constant') return;
  const value = decodeLiteral(first.step.text, field);
  if (!(value instanceof Misfit || value instanceof Unmappable)) return;
  findings.error(
    codes.transform,
    document.yaml.valueAt(first.path),
    'a constant that does not fit',
    describeType(field.type),
  );
}

function planColumn(
  document: MappingDocument,
  mapping: FieldMapping,
  field: SchemaField,
  findings: FindingList,
): TargetColumn {
  const written = mapping.target.type === null ? null : parseSqlType(mapping.target.type);
  if (written !== null && 'problem' in written) {
    const place = document.yaml.valueAt(mapping.target.typePath);
    findings.error(codes.lossyTarget, place, `"${mapping.target.type}"`, written.problem);
  }
  const type = written === null || 'problem' in written ? defaultSqlType(field.type) : written;
  const { collation } = mapping.target;
  if (collation !== null) checkCollation(document, mapping, collation, type, findings);
  return {
    name: mapping.target.column,
    type,
    nullable: mapping.target.nullable ?? field.nullBranch !== 'none',
    ...(collation !== null && { collation }),
    field: field.name,
  };
}

function checkCollation(
  document: MappingDocument,
  mapping: FieldMapping,
  collation: string,
  type: SqlServerType,
  findings: FindingList,
): void {
  const place = document.yaml.valueAt([...mapping.path, 'target', 'collation']);
  if (!isCollationName(collation)) {
    const expected = `a collation of SQL Server, such as ${KEY_COLLATION} or Latin1_General_100_CI_AS`;
    findings.error(codes.shape, place, `collation "${collation}"`, expected);
  }
  if (!hasCollation(type)) {
    const found = `a collation for ${formatSqlType(type)}`;
    findings.error(codes.shape, place, found, 'one for char, varchar, nchar and nvarchar only');
  }
}

function planReplacement(
  document: MappingDocument,
  mapping: FieldMapping,
  field: SchemaField,
  fits: Fits | null,
  findings: FindingList,
): CanonicalValue | undefined {
  const policy: MisfitPolicy = mapping.misfit;
  if (policy.kind === 'quarantine') return undefined;
  const place = document.yaml.valueAt([...mapping.path, 'misfit']);
  if (policy.kind === 'null') {
    if (field.nullBranch === 'none') {
      findings.error(codes.shape, place, `misfit: null for "${field.name}"`, 'a field that may be null');
    }
    return null;
  }
  const value = decodeLiteral(policy.text, field);
  if (value instanceof Misfit || value instanceof Unmappable || (fits !== null && !fits(value))) {
    findings.error(codes.shape, place, 'a value that does not fit', `a value of ${describeType(field.type)}`);
    return undefined;
  }
  return value;
}

/** A text of the mapping itself (a constant, a misfit's value) as its field's value. */
function decodeLiteral(text: string, field: SchemaField): CanonicalValue | Misfit | Unmappable {
  const decode = pgTextDecoder(naturalPgType(field.type), field.type);
  const plain = field.type.kind === 'boolean' ? toBoolean(text) : text;
  if (typeof plain !== 'string') return plain;
  return decode === null ? new Unmappable(rejections.changedType, 'no decoder') : decode(plain);
}
