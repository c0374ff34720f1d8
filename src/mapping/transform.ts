// A field's transforms as one function over texts, and the PostgreSQL type that its result is read as.
// Guarantees: steps are checked against the types they get before any row; NULL stays NULL unless a step says otherwise.
import type { PgType } from '../canonical/pg-text.ts';
import type { YamlPath } from '../text/yaml-text.ts';
import type { CastType, FieldMapping, LookupTable, TransformStep } from './document.ts';
import { compileJsonPath } from './json-path.ts';
import { isText, textType } from './pg-type.ts';
import { rejections, Unmappable } from './unmappable.ts';

/** The type of a text that may be read as whatever the field needs: constants, lookups, JSON values. */
export type StepType = PgType | 'any';

type TextStep = (text: string | null) => string | null | Unmappable;

export interface TransformProblem {
  readonly path: YamlPath;
  readonly found: string;
  readonly expected: string;
}

export interface CompiledTransform {
  /** Joins several columns' texts; null where there is one column, or none. */
  readonly join: ((texts: readonly (string | null)[]) => string | null) | null;
  readonly steps: readonly TextStep[];
  readonly result: StepType;
}

export type Lookups = ReadonlyMap<string, LookupTable>;

/** Compiles the steps for source columns of the given types. Every step that cannot work is a problem. */
export function compileTransform(
  field: FieldMapping,
  inputs: readonly PgType[],
  lookups: Lookups,
): CompiledTransform | readonly TransformProblem[] {
  const problems: TransformProblem[] = [];
  const first = field.steps[0];
  const joins = first?.step.kind === 'concat';
  if (inputs.length > 1 && !joins) {
    problems.push({
      path: first?.path ?? [...field.path, 'from'],
      found: `${inputs.length} columns`,
      expected: 'concat as the first transform, or an expr',
    });
  }
  let type: StepType = joins ? textType : (inputs[0] ?? 'any');
  const steps: TextStep[] = [];
  for (const { step, path } of joins ? field.steps.slice(1) : field.steps) {
    const compiled = compileStep(step, type, lookups);
    if ('expected' in compiled) {
      problems.push({ path, ...compiled });
      type = 'any';
    } else {
      steps.push(compiled.run);
      type = compiled.result;
    }
  }
  if (problems.length > 0) return problems;
  return { join: joins ? joinWith(first.step.text) : null, steps, result: type };
}

function joinWith(separator: string) {
  return (texts: readonly (string | null)[]) => {
    const present = texts.filter((text) => text !== null);
    return present.length === 0 ? null : present.join(separator);
  };
}

type StepResult =
  | { readonly run: TextStep; readonly result: StepType }
  | { readonly found: string; readonly expected: string };

function compileStep(step: TransformStep, type: StepType, lookups: Lookups): StepResult {
  switch (step.kind) {
    case 'trim':
      return onText(step.kind, type, (text) => text.trim());
    case 'lower':
      return onText(step.kind, type, (text) => text.toLowerCase());
    case 'upper':
      return onText(step.kind, type, (text) => text.toUpperCase());
    case 'constant':
      return { run: () => step.text, result: 'any' };
    case 'default':
      return { run: (text) => text ?? step.text, result: type };
    case 'concat':
      return { found: 'concat after other transforms', expected: 'concat first' };
    case 'jsonPath':
      return compileJsonStep(step.text, type);
    case 'lookup':
      return compileLookup(step, lookups);
    case 'cast':
      return compileCast(step.type, type);
  }
}

function onText(name: string, type: StepType, run: (text: string) => string): StepResult {
  if (type !== 'any' && !isText(type)) {
    return { found: `${name} of ${type.name}`, expected: `a text type, or cast: text before ${name}` };
  }
  return { run: (text) => (text === null ? null : run(text)), result: type === 'any' ? 'any' : textType };
}

function compileJsonStep(path: string, type: StepType): StepResult {
  if (type !== 'any' && type.name !== 'json' && type.name !== 'jsonb' && !isText(type)) {
    return { found: `jsonPath of ${type.name}`, expected: 'json, jsonb or text' };
  }
  try {
    const pick = compileJsonPath(path);
    return { run: (text) => (text === null ? null : pick(text)), result: 'any' };
  } catch (error) {
    return {
      found: `"${path}" (${(error as Error).message})`,
      expected: 'an RFC 9535 JSONPath, such as $.address.city',
    };
  }
}

function compileLookup(step: Extract<TransformStep, { kind: 'lookup' }>, lookups: Lookups): StepResult {
  const { source, otherwise } = step;
  const table = 'table' in source ? source.table : lookups.get(source.file);
  if (table === undefined) {
    const files = [...lookups.keys()].join(', ') || 'none here';
    return { found: `lookup file "${'file' in source ? source.file : ''}"`, expected: `one of ${files}` };
  }
  const missing = new Unmappable(rejections.lookup, 'the lookup table has no entry for the value');
  return {
    run: (text) =>
      text === null ? null : (table.get(text) ?? (otherwise === undefined ? missing : otherwise)),
    result: 'any',
  };
}

const castNames: Readonly<Partial<Record<CastType, string>>> = { boolean: 'bool' };
const trues = new Set(['t', 'true', 'y', 'yes', 'on', '1']);
const falses = new Set(['f', 'false', 'n', 'no', 'off', '0']);
const numbers = new Set(['int2', 'int4', 'int8', 'float4', 'float8', 'numeric']);

function compileCast(to: CastType, from: StepType): StepResult {
  const name = castNames[to] ?? to;
  const result: PgType = { name, kind: 'base', elementTypeName: null };
  const asItIs: StepResult = { run: (text) => text, result };
  if (to === 'text' || from === 'any' || from.name === name) {
    return to === 'boolean' && from === 'any' ? { run: toBoolean, result } : asItIs;
  }
  if (to === 'boolean' && (isText(from) || numbers.has(from.name))) return { run: toBoolean, result };
  // Source texts come under UTC: a zone is added or taken away, the moment stays.
  if (to === 'timestamptz' && from.name === 'timestamp') {
    return { run: (text) => (text === null || text.endsWith('infinity') ? text : addUtc(text)), result };
  }
  if (to === 'timestamp' && from.name === 'timestamptz') {
    return { run: (text) => (text === null ? null : text.replace('+00', '')), result };
  }
  if (isText(from)) return { run: (text) => text?.trim() ?? null, result };
  if (numbers.has(from.name) && numbers.has(to)) return asItIs;
  return {
    found: `cast of ${from.name} to ${to}`,
    expected: 'a cast from text, between numbers, or to text',
  };
}

/** PostgreSQL writes years before 1 with BC at the end, behind the zone. */
function addUtc(text: string): string {
  return text.endsWith(' BC') ? `${text.slice(0, -3)}+00 BC` : `${text}+00`;
}

/** The words that PostgreSQL reads as a boolean, as its own output. */
export function toBoolean(text: string | null): string | null | Unmappable {
  if (text === null) return null;
  const word = text.trim().toLowerCase();
  if (trues.has(word)) return 't';
  return falses.has(word) ? 'f' : new Unmappable(rejections.cast, 'the text is no boolean');
}
