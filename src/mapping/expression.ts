// CEL expressions over a source row: https://github.com/google/cel-spec
// Guarantees: exact values (int2 to int8 are CEL's 64-bit int, numeric is an exact `decimal`, dates and all other types are
// PostgreSQL's own text); types are checked before any row; an expression that fails on a row fails that row only.
// An expression that does not speak of `null` gives NULL as soon as a column it reads is NULL, as SQL's operators do.
import { type ASTNode, Environment, type TypeCheckResult } from '@marcbachmann/cel-js';
import Big from 'big.js';
import type { PgType } from '../canonical/pg-text.ts';
import type { FieldType } from '../canonical/schema.ts';
import type { SourceRow } from '../change/source-change.ts';
import { rejections, Unmappable } from './unmappable.ts';

export interface ExpressionProblem {
  /** Characters from the expression's start. */
  readonly offset: number;
  readonly problem: string;
  /** The name that is not known, where that is what is wrong. */
  readonly unknownName: string | null;
}

/** An expression that parses; its columns' types are not known yet. */
export interface ParsedExpression {
  readonly text: string;
  /** The names that are not its own: columns of the source. */
  readonly columns: readonly string[];
  /** It compares with null or gives null, so it gets NULLs as they are. */
  readonly speaksOfNull: boolean;
}

export type CelType = 'int' | 'double' | 'string' | 'bool' | 'bytes' | 'decimal' | 'null' | 'dyn';

export interface TypedExpression {
  readonly result: CelType;
  /** PostgreSQL's text of the result. All columns must be there. */
  readonly evaluate: (row: SourceRow) => string | null | Unmappable;
}

/** Fields that take an expression's result of each type. */
const takers: Readonly<Record<CelType, readonly FieldType['kind'][] | 'all'>> = {
  int: ['int', 'long', 'decimal', 'double'],
  double: ['double'],
  string: ['string', 'enum', 'uuid', 'date', 'time-micros', 'timestamp-micros', 'local-timestamp-micros'],
  bool: ['boolean'],
  bytes: ['bytes'],
  decimal: ['decimal'],
  null: 'all',
  dyn: 'all',
};

export function fieldTakes(type: FieldType, result: CelType): boolean {
  const kinds = takers[result];
  return kinds === 'all' || kinds.includes(type.kind);
}

const limits = { maxAstNodes: 2000, maxDepth: 60 };
const base = new Environment({ limits, homogeneousAggregateLiterals: false })
  .registerType('decimal', { ctor: Big, fields: {} })
  .registerFunction('decimal(string): decimal', (text: string) => new Big(text))
  .registerFunction('decimal(int): decimal', (int: bigint) => new Big(String(int)))
  .registerFunction('string(decimal): string', (value: Big) => value.toFixed())
  .registerFunction('double(decimal): double', (value: Big) => Number(value.toFixed()))
  .registerOperator('decimal + decimal', (a: Big, b: Big) => a.plus(b))
  .registerOperator('decimal - decimal', (a: Big, b: Big) => a.minus(b))
  .registerOperator('decimal * decimal', (a: Big, b: Big) => a.times(b))
  .registerOperator('decimal == decimal', (a: Big, b: Big) => a.eq(b))
  .registerOperator('decimal < decimal', (a: Big, b: Big) => a.lt(b))
  .registerOperator('decimal <= decimal', (a: Big, b: Big) => a.lte(b))
  .registerOperator('decimal > decimal', (a: Big, b: Big) => a.gt(b))
  .registerOperator('decimal >= decimal', (a: Big, b: Big) => a.gte(b));

/** Parses an expression and finds the columns it reads. */
export function parseExpression(text: string): ParsedExpression | ExpressionProblem {
  try {
    const free = new Set<string>();
    const found = { free, speaksOfNull: false };
    walk(base.parse(text).ast, new Set(), found);
    // Whatever the columns' types: unknown functions, and operands that never go together.
    const anything = base.clone();
    for (const name of free) anything.registerVariable(name, 'dyn');
    const checked: TypeCheckResult = anything.parse(text).check();
    if (!checked.valid) return problemOf(checked.error);
    return { text, columns: [...free], speaksOfNull: found.speaksOfNull };
  } catch (error) {
    return problemOf(error);
  }
}

/** Checks the expression's types over columns of the given types (by name, all that it may read). */
export function typeExpression(
  parsed: ParsedExpression,
  columns: ReadonlyMap<string, PgType>,
): TypedExpression | ExpressionProblem {
  const environment = base.clone();
  const read: { name: string; convert: (text: string) => unknown }[] = [];
  try {
    for (const name of parsed.columns) {
      const type = columns.get(name);
      if (type === undefined) continue;
      const kind = celTypeOf(type);
      environment.registerVariable(name, parsed.speaksOfNull ? 'dyn' : kind);
      read.push({ name, convert: converters[kind] });
    }
    const program = environment.parse(parsed.text);
    const checked: TypeCheckResult = program.check();
    if (!checked.valid) return problemOf(checked.error);
    const result = resultType(checked.type);
    if (result === null) {
      const problem = `it gives ${checked.type}, which no field takes`;
      return { offset: 0, problem, unknownName: null };
    }
    return { result, evaluate: evaluator(parsed, read, program) };
  } catch (error) {
    return problemOf(error);
  }
}

function evaluator(
  parsed: ParsedExpression,
  read: readonly { name: string; convert: (text: string) => unknown }[],
  program: (context: Record<string, unknown>) => unknown,
): TypedExpression['evaluate'] {
  return (row) => {
    const context: Record<string, unknown> = {};
    try {
      for (const { name, convert } of read) {
        const text = row[name];
        if (text === null || text === undefined) {
          if (!parsed.speaksOfNull) return null;
          context[name] = null;
        } else {
          context[name] = convert(text);
        }
      }
      return resultText(program(context));
    } catch {
      return new Unmappable(rejections.expression, 'the expression failed on this row');
    }
  };
}

function resultText(value: unknown): string | null {
  if (value === null) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (value instanceof Big) return value.toFixed();
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  throw new TypeError('no field takes such a result');
}

type ColumnType = Exclude<CelType, 'null' | 'dyn'>;

const celTypes: Readonly<Record<string, ColumnType>> = {
  int2: 'int',
  int4: 'int',
  int8: 'int',
  float4: 'double',
  float8: 'double',
  numeric: 'decimal',
  bool: 'bool',
  bytea: 'bytes',
};

function celTypeOf(type: PgType): ColumnType {
  return (type.kind === 'base' ? celTypes[type.name] : undefined) ?? 'string';
}

const converters: Readonly<Record<ColumnType, (text: string) => unknown>> = {
  int: (text) => BigInt(text),
  double: (text) => Number(text),
  // Throws for NaN and Infinity, which no decimal is: the row is rejected.
  decimal: (text) => new Big(text),
  bool: (text) => text === 't',
  bytes: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')),
  string: (text) => text,
};

const results: Readonly<Record<string, CelType>> = {
  int: 'int',
  double: 'double',
  string: 'string',
  bool: 'bool',
  bytes: 'bytes',
  decimal: 'decimal',
  null: 'null',
  dyn: 'dyn',
};

function resultType(type: string | undefined): CelType | null {
  return results[String(type)] ?? null;
}

/** Macros whose first argument names a variable of their own. */
const binders = new Set(['map', 'filter', 'all', 'exists', 'exists_one', 'bind']);

interface Found {
  readonly free: Set<string>;
  speaksOfNull: boolean;
}

function walk(node: ASTNode, bound: ReadonlySet<string>, found: Found): void {
  if (node.op === 'id') {
    if (!bound.has(node.args) && !typeNames.has(node.args)) found.free.add(node.args);
    return;
  }
  if (node.op === 'value') {
    if (node.args === null) found.speaksOfNull = true;
    return;
  }
  let inner = bound;
  if (node.op === 'rcall' && binders.has(node.args[0])) {
    const variable = node.args[2][0];
    if (variable?.op === 'id') inner = new Set([...bound, variable.args]);
  }
  walkArguments(node.args, inner, found);
}

/** Arguments are nodes, names, or lists of both, as the node's kind has them. */
function walkArguments(part: unknown, bound: ReadonlySet<string>, found: Found): void {
  if (Array.isArray(part)) for (const one of part) walkArguments(one, bound, found);
  else if (typeof part === 'object' && part !== null && 'op' in part) walk(part as ASTNode, bound, found);
}

/** Names that CEL itself has for types and namespaces. */
const typeNames = new Set(
  'int uint double string bool bytes list map type null_type cel optional dyn'.split(' '),
);

function problemOf(error: unknown): ExpressionProblem {
  const { summary, message, code, range } = error as {
    summary?: string;
    message: string;
    code?: string;
    range?: { start: number };
  };
  const problem = summary ?? message.split('\n')[0] ?? 'it cannot be read';
  const unknownName = code === 'unknown_variable' ? (/: (\S+)$/.exec(problem)?.[1] ?? null) : null;
  return { offset: range?.start ?? 0, problem, unknownName };
}
