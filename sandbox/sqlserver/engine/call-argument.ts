// How functions take their arguments: as text, as a number, as a date; and what of them makes the result's type.
import type { SqlType } from '../session.ts';
import type { Call } from './call.ts';
import { convert, dateAsMoment } from './convert.ts';
import { sqlError } from './errors.ts';
import type { Bound } from './scope.ts';
import { BIGINT, category, INT, isUnicode, nvarchar } from './types.ts';

/** An expression as text: itself, if it is one. */
export const string = (e: Bound): Bound =>
  category(e.type) === 'string' && !e.untypedNull ? e : convert(e, nvarchar(4000));
/** Text for PostgreSQL's functions, which must not lose trailing blanks. */
export const asText = (e: Bound): string => `_sandbox.t(${string(e).sql})`;
export const integer = (e: Bound): string => convert(e, INT, { implicit: true }).sql;

export const varying = (e: Bound, length = e.type.length): SqlType => ({
  name: isUnicode(e.type) ? 'nvarchar' : 'varchar',
  ...(length !== undefined && { length }),
});
/** The varying type of its kind that holds most, short of max unless it is that. */
export const most = (e: Bound): SqlType =>
  varying(e, e.type.length === 'max' ? 'max' : isUnicode(e.type) ? 4000 : 8000);
/** Of lengths and positions. */
export const count = (...of: readonly Bound[]): SqlType =>
  of.some((e) => e.type.length === 'max') ? BIGINT : INT;

/** An argument that is to be a date or time. */
export function moment(e: Bound): Bound {
  if (category(e.type) === 'date') return e;
  const to: SqlType =
    category(e.type) === 'string' ? { name: 'datetimeoffset', scale: 7 } : { name: 'datetime' };
  return convert(e, to, { implicit: true });
}
/** Its local time, as a PostgreSQL timestamp. */
export const local = (e: Bound): string => `_sandbox.local(${dateAsMoment(e)})`;

/** Names of date parts, each before its abbreviations. */
const PARTS = new Map(
  `year yy yyyy, quarter qq q, month mm m, dayofyear dy y, day dd d, week wk ww, weekday dw, hour hh, minute mi n, second ss s,
  millisecond ms, microsecond mcs, nanosecond ns, tzoffset tz, iso_week isowk isoww`
    .split(',')
    .map((words) => words.trim().split(' '))
    .flatMap((words) => words.map((word) => [word, words[0]!.replace('_', '')] as const)),
);

/** The part that the first argument names. Throws 155. */
export function datePart(call: Call): string {
  const [first] = call.args;
  const word = first?.k === 'column' ? first.name.join('.') : '';
  const name = PARTS.get(word.toLowerCase());
  if (!name) throw sqlError(155, word, call.name.toLowerCase());
  return name;
}
