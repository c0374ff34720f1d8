// Translations remembered by the syntax tree that they were made of, with all that they depended on: tables, variables,
// IDENTITY_INSERT, and what bulk loads saw of a text column. One is used again only where each answer is still the same.
import type { SqlType } from '../session.ts';
import type { Name } from './ast.ts';
import type { Binder, ParameterSource, Surroundings, Write } from './expression.ts';
import { newBinder } from './query.ts';
import type { TableMeta } from './scope.ts';
import { typeKey } from './types.ts';

export interface Translation<T> {
  readonly made: T;
  readonly parameters: readonly ParameterSource[];
  readonly writes: readonly Write[];
}

type Check = (around: Surroundings) => boolean;

interface Remembered extends Translation<unknown> {
  readonly checks: readonly Check[];
}

/** Of one tree: other tables under the same names, other types of the same variables. */
const VARIANTS = 4;

const remembered = new WeakMap<object, Map<string, Remembered[]>>();

/** `tree` is what `make` translates, `as` what else its outcome hangs on. */
export function translate<T>(
  around: Surroundings,
  tree: object | null,
  as: string,
  make: (binder: Binder) => T,
): Translation<T> {
  if (!tree) {
    const binder = newBinder(around);
    return { made: make(binder), parameters: binder.parameters, writes: binder.writes };
  }
  const kinds = remembered.get(tree) ?? new Map<string, Remembered[]>();
  const variants = kinds.get(as) ?? [];
  const known = variants.find(({ checks }) => checks.every((check) => check(around)));
  if (known) return known as Translation<T>;
  const checks: Check[] = [];
  const binder = newBinder(watched(around, checks));
  const made = make(binder);
  const fresh = { made, parameters: binder.parameters, writes: binder.writes, checks };
  variants.push(fresh);
  if (variants.length > VARIANTS) variants.shift();
  kinds.set(as, variants);
  remembered.set(tree, kinds);
  return fresh;
}

/** Notes each answer as a check of whether it would be the same. */
function watched(around: Surroundings, checks: Check[]): Surroundings {
  const note = <A>(ask: (of: Surroundings) => A, isSame: (a: A, b: A) => boolean = Object.is): A => {
    const answer = ask(around);
    checks.push((now) => isSame(ask(now), answer));
    return answer;
  };
  return {
    table: (name: Name): TableMeta => note((of) => of.table(name)),
    variable: (name) => note((of) => of.variable(name), isSameType),
    identityInsert: (table) => note((of) => of.identityInsert(table)),
    suits: (table, column, to) => note((of) => of.suits(table, column, to)),
  };
}

function isSameType(a: SqlType | undefined, b: SqlType | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && typeKey(a) === typeKey(b));
}
