// Single values and conditions: of DECLARE, SET, IF and the arguments of procedures. Known ones cost no round trip.
import type { SqlType, Value } from '../session.ts';
import type { Expr } from './ast.ts';
import { constant, type Known, outcome } from './constant.ts';
import { convert } from './convert.ts';
import { guarded, parametersOf, type Running, translated } from './run.ts';
import { Scope } from './scope.ts';
import { sessionValue } from './session-value.ts';
import { typeKey } from './types.ts';

/** The value of an expression in the given type, or in its own. */
export async function evaluate(run: Running, e: Expr, type: SqlType | null): Promise<Value> {
  const known = type ? constant(e, type, knownTo(run)) : undefined;
  if (known !== undefined) return known;
  return guarded(run, 'SELECT', async () => {
    const translation = await translated(run, e, type ? typeKey(type) : 'value', (b) => {
      const bound = b.scalar(e, new Scope(null));
      return type ? convert(bound, type) : bound;
    });
    const { made } = translation;
    const [row] = await run.state.connection.rows(`SELECT ${made.sql}`, parametersOf(run, translation));
    return row?.[0] ?? null;
  });
}

export function knownTo({ state, frame }: Running): Known {
  return {
    variable: (name) => frame.variables.get(name.toLowerCase()),
    session: (name) => sessionValue(state, frame, { session: name }),
  };
}

export async function test(run: Running, e: Expr): Promise<boolean> {
  const known = outcome(e, knownTo(run));
  if (known !== undefined) return known === true;
  return guarded(run, 'SELECT', async () => {
    const translation = await translated(run, e, 'test', (b) => b.predicate(e, new Scope(null)));
    const [row] = await run.state.connection.rows(
      `SELECT ${translation.made}`,
      parametersOf(run, translation),
    );
    return row?.[0] === 't';
  });
}
