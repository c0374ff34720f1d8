// Calls of T-SQL's built-in functions by name: of the table (call-table), with rules of their own (call-special), aggregates,
// and what the session answers itself.
import type { Expr } from './ast.ts';
import { AGGREGATES, bindAggregate } from './call-aggregate.ts';
import { datePart } from './call-argument.ts';
import { dateAdd, SPECIAL } from './call-special.ts';
import { TABLED } from './call-table.ts';
import { sqlError, unsupported } from './errors.ts';
import type { Binder } from './expression.ts';
import type { Bound, Scope } from './scope.ts';
import { ANSWERS } from './session-value.ts';

export type Call = Extract<Expr, { k: 'call' }>;
export type Bind = (binder: Binder, call: Call, scope: Scope) => Bound;

export function bindCall(binder: Binder, call: Call, scope: Scope): Bound {
  const { name, args } = call;
  if (AGGREGATES.has(name)) return bindAggregate(binder, call, scope);
  if (call.over || call.within.length > 0) throw unsupported(`OVER or WITHIN GROUP on ${name}`);
  if (name === 'IIF') {
    const [when, result, otherwise] = args;
    if (!when || !result || !otherwise) throw sqlError(174, 'iif', 3);
    return binder.scalar({ k: 'case', base: null, whens: [{ when, result }], otherwise }, scope);
  }
  if (name === 'DATEADD') {
    const unit = datePart(call);
    if (args.length !== 3) throw sqlError(174, 'dateadd', 3);
    return dateAdd(unit, binder.scalar(args[1]!, scope), binder.scalar(args[2]!, scope));
  }
  const answer = ANSWERS[name];
  if (answer && (args.length === 0 || name === 'SUSER_SNAME' || name === 'USER_NAME'))
    return binder.parameter({ session: name }, answer[0]);
  const tabled = TABLED.get(name);
  if (tabled) return tabled(binder, call, scope);
  const special = Object.hasOwn(SPECIAL, name) ? SPECIAL[name] : undefined;
  if (!special) throw unsupported(name.startsWith('@@') ? name : `function ${name}`);
  const { min, max, make } = special;
  if (args.length < min || args.length > max) throw sqlError(174, name.toLowerCase(), min);
  return make(...args.map((e) => binder.scalar(e, scope)));
}
