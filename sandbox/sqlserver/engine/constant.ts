// Values that need no database: literals, variables and sums of integers, so that DECLARE, SET and IF cost no round trip.
// Guarantees: undefined for all that SQL Server could refuse, round, cut or compare by a collation.
import type { SqlType, Value } from '../session.ts';
import type { Expr } from './ast.ts';

export interface Known {
  variable(name: string): { readonly type: SqlType; readonly value: Value } | undefined;
  session(name: string): Value;
}

const COUNTERS = new Set(['@@ROWCOUNT', '@@TRANCOUNT', '@@ERROR']);
/** Bits of the integer types. */
const BITS: Readonly<Record<string, number>> = { smallint: 16, int: 32, bigint: 64 };

type Constant = { readonly integer: bigint; readonly bits: number } | { readonly text: string } | null;

/** The value of `e` in the type `to`. */
export function constant(e: Expr, to: SqlType, known: Known): Value | undefined {
  const value = valueFrom(e, known);
  if (!value) return value;
  if ('integer' in value) {
    if (isText(to)) return roomy(to, 20) ? String(value.integer) : undefined;
    const bits = BITS[to.name];
    return bits !== undefined && fits(value.integer, bits) ? String(value.integer) : undefined;
  }
  if (!isText(to) || (to.name === 'varchar' && /[^ -~]/.test(value.text))) return undefined;
  return roomy(to, value.text.length) ? value.text : undefined;
}

const isText = (type: SqlType): boolean => type.name === 'nvarchar' || type.name === 'varchar';
const roomy = ({ length = 0 }: SqlType, needed: number): boolean => length === 'max' || needed <= length;

/** The outcome of a comparison of integers or a test for NULL; null for unknown. */
export function outcome(e: Expr, known: Known): boolean | null | undefined {
  if (e.k === 'isNull') {
    const value = valueFrom(e.e, known);
    return value === undefined ? undefined : (value === null) !== e.not;
  }
  if (e.k !== 'compare') return undefined;
  const [l, r] = [valueFrom(e.l, known), valueFrom(e.r, known)];
  if (l === undefined || r === undefined) return undefined;
  if (l === null || r === null) return null;
  if (!('integer' in l) || !('integer' in r)) return undefined;
  switch (e.op) {
    case '=':
      return l.integer === r.integer;
    case '<>':
      return l.integer !== r.integer;
    case '<':
      return l.integer < r.integer;
    case '<=':
      return l.integer <= r.integer;
    case '>':
      return l.integer > r.integer;
    case '>=':
      return l.integer >= r.integer;
    default:
      return undefined;
  }
}

function valueFrom(e: Expr, known: Known): Constant | undefined {
  switch (e.k) {
    case 'literal':
      if (e.type === 'null') return null;
      if (e.type === 'int') return integer(e.v, 32);
      return e.type === 'varchar' || e.type === 'nvarchar' ? { text: e.v } : undefined;
    case 'variable': {
      const name = e.name.toUpperCase();
      if (COUNTERS.has(name)) return integer(known.session(name), 32);
      const found = known.variable(e.name);
      if (!found) return undefined;
      if (found.value === null) return null;
      const bits = BITS[found.type.name];
      if (bits !== undefined) return integer(found.value, bits);
      return isText(found.type) ? { text: found.value } : undefined;
    }
    case 'unary': {
      const value = valueFrom(e.e, known);
      if (!value || e.op !== '-' || !('integer' in value)) return undefined;
      return integer(-value.integer, value.bits);
    }
    case 'binary': {
      if (e.op !== '+' && e.op !== '-') return undefined;
      const [l, r] = [valueFrom(e.l, known), valueFrom(e.r, known)];
      if (!l || !r || !('integer' in l) || !('integer' in r)) return undefined;
      return integer(e.op === '+' ? l.integer + r.integer : l.integer - r.integer, Math.max(l.bits, r.bits));
    }
    default:
      return undefined;
  }
}

function integer(value: Value | bigint, bits: number): Constant | undefined {
  if (value === null) return null;
  const number = BigInt(value);
  return fits(number, bits) ? { integer: number, bits } : undefined;
}

const fits = (value: bigint, bits: number): boolean => BigInt.asIntN(bits, value) === value;
