// One field's way from a source row into a record, bound to the columns of a RELATION message: plain closures.
// Guarantees: an unchanged TOAST value makes its field absent, never null; what cannot be mapped is handed back, not thrown.
import type { CanonicalRecord, CanonicalValue } from '../canonical/event.ts';
import { Misfit, misfits } from '../canonical/misfit.ts';
import { type PgTextDecoder, type PgType, pgTextDecoder } from '../canonical/pg-text.ts';
import { describeType } from '../canonical/schema.ts';
import type { SourceRow } from '../change/source-change.ts';
import { formatSqlType } from './default-type.ts';
import { fieldTakes, typeExpression } from './expression.ts';
import type { FieldPlan } from './field-plan.ts';
import { naturalPgType } from './pg-type.ts';
import { compileTransform, type Lookups, type StepType, toBoolean } from './transform.ts';
import { rejections, Unmappable } from './unmappable.ts';

/** Sets the field in `record`, or names it in `absent`, or hands back why it can do neither. */
export type FieldFiller = (
  row: SourceRow,
  record: CanonicalRecord,
  absent: string[],
) => Unmappable | undefined;

export interface BoundField {
  readonly fill: FieldFiller;
  /** What is wrong with the relation for this field, else null. */
  readonly notice: Unmappable | null;
}

type Columns = ReadonlyMap<string, PgType>;
/** Sets a value, null or its replacement. */
type Settle = (
  value: CanonicalValue | Misfit | Unmappable,
  record: CanonicalRecord,
) => Unmappable | undefined;

/** Binds a field to a relation's columns. */
export function bindField(plan: FieldPlan, columns: Columns, lookups: Lookups): BoundField {
  const missing = plan.inputs.find((input) => !columns.has(input));
  if (missing !== undefined) return withoutColumn(plan, missing);
  const settle = settler(plan);
  if (plan.expression !== null) return bindExpression(plan, columns, settle);
  const types = plan.inputs.map((input) => columns.get(input) as PgType);
  const transform = compileTransform(plan.mapping, types, lookups);
  const decode = 'steps' in transform ? decoderOf(transform.result, plan) : null;
  if (!('steps' in transform) || decode === null) return changedType(plan, types);
  const { join, steps } = transform;
  const [column] = plan.inputs;
  if (column === undefined) return { fill: fillConstant(steps, decode, settle), notice: null };
  if (join !== null) return { fill: fillJoined(plan, join, steps, decode, settle), notice: null };
  if (steps.length === 0) return { fill: fillPlain(plan, column, decode, settle), notice: null };
  return { fill: fillTransformed(plan, column, steps, decode, settle), notice: null };
}

/** Null where no text of the type can become the field's. */
export function decoderOf(
  type: StepType,
  plan: Pick<FieldPlan, 'field'>,
): ((text: string) => ReturnType<PgTextDecoder> | Unmappable) | null {
  const field = plan.field.type;
  if (type !== 'any') return pgTextDecoder(type, field);
  const decode = pgTextDecoder(naturalPgType(field), field);
  if (decode === null || field.kind !== 'boolean') return decode;
  return (text) => {
    const plain = toBoolean(text);
    return typeof plain === 'string' ? decode(plain) : plain;
  };
}

function settler(plan: FieldPlan): Settle {
  const { name } = plan.field;
  const { fits, replacement } = plan;
  const { flag } = plan.mapping;
  const takesNull = plan.nullable && plan.column.nullable;
  const target = `field "${name}": the value does not fit ${formatSqlType(plan.column.type)}`;
  const replace = (record: CanonicalRecord, code: Unmappable['code'], reason: string) => {
    if (replacement === undefined) return new Unmappable(code, reason);
    record[name] = replacement;
    if (flag !== null) record[flag] = true;
    return undefined;
  };
  return (value, record) => {
    if (value === null) {
      if (!takesNull)
        return replace(record, misfits.unexpectedNull, `field "${name}": null, which it does not take`);
    } else if (typeof value === 'object' && (value instanceof Misfit || value instanceof Unmappable)) {
      return replace(record, value.code, `field "${name}": ${value.reason}`);
    } else if (typeof value === 'string' && !value.isWellFormed()) {
      // JSON may spell it, and the bytes of a database without an encoding come so: no UTF-8 holds it.
      return replace(
        record,
        misfits.malformed,
        `field "${name}": text with half a surrogate pair, or of bytes that are no UTF-8`,
      );
    } else if (fits !== null && !fits(value)) {
      return replace(record, rejections.targetRange, target);
    }
    record[name] = value;
    if (flag !== null) record[flag] = false;
    return undefined;
  };
}

type Decode = (text: string) => CanonicalValue | Misfit | Unmappable;
type Steps = readonly ((text: string | null) => string | null | Unmappable)[];

function fillPlain(plan: FieldPlan, column: string, decode: Decode, settle: Settle): FieldFiller {
  const leaveOut = leaver(plan);
  return (row, record, absent) => {
    const text = row[column];
    if (text === undefined) return leaveOut(absent);
    return settle(text === null ? null : decode(text), record);
  };
}

function fillTransformed(
  plan: FieldPlan,
  column: string,
  steps: Steps,
  decode: Decode,
  settle: Settle,
): FieldFiller {
  const leaveOut = leaver(plan);
  return (row, record, absent) => {
    const text = row[column];
    return text === undefined ? leaveOut(absent) : settle(runSteps(text, steps, decode), record);
  };
}

function fillConstant(steps: Steps, decode: Decode, settle: Settle): FieldFiller {
  // The same text each time: decoded once.
  const value = runSteps(null, steps, decode);
  return (_row, record) => settle(value, record);
}

function fillJoined(
  plan: FieldPlan,
  join: (texts: readonly (string | null)[]) => string | null,
  steps: Steps,
  decode: Decode,
  settle: Settle,
): FieldFiller {
  const { inputs } = plan;
  const leaveOut = leaver(plan);
  return (row, record, absent) => {
    const sent = sentInputs(row, inputs);
    if (sent === 'none') return leaveOut(absent);
    if (sent === 'some') return partial(plan);
    const joined = join(inputs.map((input) => row[input] as string | null));
    return settle(runSteps(joined, steps, decode), record);
  };
}

function bindExpression(plan: FieldPlan, columns: Columns, settle: Settle): BoundField {
  const { expression, inputs } = plan;
  const typed = expression === null ? null : typeExpression(expression, columns);
  const decode = decoderOf('any', plan);
  if (typed === null || 'problem' in typed || decode === null || !fieldTakes(plan.field.type, typed.result)) {
    const problem = typed !== null && 'problem' in typed ? typed.problem : 'its result has another type';
    return failing(
      plan,
      new Unmappable(rejections.changedType, `field "${plan.field.name}": expr: ${problem}`),
    );
  }
  const leaveOut = leaver(plan);
  const fill: FieldFiller = (row, record, absent) => {
    const sent = sentInputs(row, inputs);
    if (sent === 'none') return leaveOut(absent);
    if (sent === 'some') return partial(plan);
    const text = typed.evaluate(row);
    return settle(typeof text === 'string' ? decode(text) : text, record);
  };
  return { fill, notice: null };
}

function runSteps(text: string | null, steps: Steps, decode: Decode): CanonicalValue | Misfit | Unmappable {
  let current: string | null = text;
  for (const step of steps) {
    const next = step(current);
    if (next instanceof Unmappable) return next;
    current = next;
  }
  return current === null ? null : decode(current);
}

/** Which of the inputs the server sent. A field without inputs has them all. */
export function sentInputs(row: SourceRow, inputs: readonly string[]): 'all' | 'some' | 'none' {
  let unsent = 0;
  for (const input of inputs) if (row[input] === undefined) unsent += 1;
  if (unsent === 0) return 'all';
  return unsent === inputs.length ? 'none' : 'some';
}

function leaver(plan: FieldPlan) {
  const { name } = plan.field;
  const { flag } = plan.mapping;
  return (absent: string[]): undefined => {
    absent.push(name);
    if (flag !== null) absent.push(flag);
  };
}

function partial(plan: FieldPlan): Unmappable {
  const reason = `field "${plan.field.name}": of its columns ${plan.inputs.join(', ')} the server left out unchanged ones`;
  return new Unmappable(rejections.partialInputs, reason);
}

function withoutColumn(plan: FieldPlan, column: string): BoundField {
  const { name, fallback } = plan.field;
  const notice = new Unmappable(
    rejections.vanishedColumn,
    `field "${name}": the source table has no column "${column}" any more`,
  );
  const value = fallback !== undefined ? fallback : plan.nullable && plan.column.nullable ? null : undefined;
  // Not left alone as an unchanged value is: the warehouse's would go stale unseen.
  if (value === undefined) return { fill: () => notice, notice };
  const settle = settler(plan);
  return { fill: (_row, record) => settle(value, record), notice };
}

function changedType(plan: FieldPlan, types: readonly PgType[]): BoundField {
  const columns = plan.inputs.map((input, at) => `"${input}" (${types[at]?.name})`).join(', ');
  const reason = `field "${plan.field.name}": column ${columns} cannot become ${describeType(plan.field.type)}`;
  return failing(plan, new Unmappable(rejections.changedType, reason));
}

/** Every row is rejected; only a value that isn't sent stays absent. */
function failing(plan: FieldPlan, why: Unmappable): BoundField {
  const leaveOut = leaver(plan);
  const fill: FieldFiller = (row, _record, absent) =>
    plan.inputs.length > 0 && sentInputs(row, plan.inputs) === 'none' ? leaveOut(absent) : why;
  return { fill, notice: why };
}
