// Functions of plain values: what their tables share.
import type { SqlType } from '../session.ts';
import { convert } from './convert.ts';
import type { Bound } from './scope.ts';
import { category, INT, isUnicode, nvarchar } from './types.ts';

/** A function of plain values. */
export type Plain = (...args: Bound[]) => Bound;

export const string = (e: Bound): Bound =>
  category(e.type) === 'string' && !e.untypedNull ? e : convert(e, nvarchar(4000));
export const integer = (e: Bound): string => convert(e, INT, { implicit: true }).sql;
export const varying = (e: Bound, length = e.type.length): SqlType => ({
  name: isUnicode(e.type) ? 'nvarchar' : 'varchar',
  ...(length !== undefined && { length }),
});

export function like(e: Bound, sql: string, more: Partial<Bound> = {}): Bound {
  return { sql, type: varying(e), nullable: true, collation: e.collation, ...more };
}

export function made(sql: string, type: SqlType, nullable = true): Bound {
  return { sql, type, nullable, collation: null };
}

export interface PlainFunction {
  readonly min: number;
  readonly max: number;
  readonly make: Plain;
}
export type Functions = Readonly<Record<string, PlainFunction>>;

/** A function of `min` to `max` arguments. */
export const takes = (min: number, max: number, make: Plain): PlainFunction => ({ min, max, make });
