// Aggregates and window functions, with SQL Server's result types (an average of integers is an integer).
// (https://learn.microsoft.com/sql/t-sql/functions/aggregate-functions-transact-sql)
import type { SqlType } from '../session.ts';
import type { OrderItem, Over } from './ast.ts';
import type { Call } from './call.ts';
import { asText, most, string } from './call-argument.ts';
import { convert } from './convert.ts';
import { type SqlError, sqlError, unsupported } from './errors.ts';
import type { Binder } from './expression.ts';
import { ordered } from './operators.ts';
import { type Bound, bound, type Scope } from './scope.ts';
import { BIGINT, category, decimal, FLOAT, INT, isDecimal, isInteger, pgType } from './types.ts';

const RANKING = new Set(['ROW_NUMBER', 'RANK', 'DENSE_RANK', 'NTILE']);
const SHARES = new Set(['PERCENT_RANK', 'CUME_DIST']);
const OFFSETS = new Set(['LAG', 'LEAD', 'FIRST_VALUE', 'LAST_VALUE']);
const REFUSED = new Set(
  'CHECKSUM_AGG GROUPING GROUPING_ID PERCENTILE_CONT PERCENTILE_DISC APPROX_COUNT_DISTINCT'.split(' '),
);

export const AGGREGATES = new Set([
  ...'COUNT COUNT_BIG SUM AVG MIN MAX STRING_AGG STDEV STDEVP VAR VARP'.split(' '),
  ...[...RANKING, ...SHARES, ...OFFSETS, ...REFUSED],
]);

export function bindAggregate(binder: Binder, call: Call, scope: Scope): Bound {
  if (REFUSED.has(call.name)) throw unsupported(`function ${call.name}`);
  binder.aggregated = true;
  const over = call.over ? ` OVER (${window(binder, call.over, scope)})` : '';
  if (RANKING.has(call.name) || SHARES.has(call.name) || OFFSETS.has(call.name)) {
    if (!call.over) throw sqlError(10753, call.name);
    return ranked(binder, call, scope, over);
  }
  const distinct = call.distinct ? 'DISTINCT ' : '';
  if (call.name === 'COUNT' || call.name === 'COUNT_BIG') {
    const [arg] = call.args;
    const counted = !arg || arg.k === 'star' ? '*' : `${distinct}${ordered(binder.scalar(arg, scope))}`;
    const type = call.name === 'COUNT' ? INT : BIGINT;
    return bound(`(count(${counted})${over})::${type.name}`, type, false);
  }
  if (call.name === 'STRING_AGG') return stringAgg(binder, call, scope, over);
  const [arg] = call.args;
  if (!arg || call.args.length !== 1) throw sqlError(174, call.name, 1);
  const e = binder.scalar(arg, scope);
  if (call.name === 'MIN' || call.name === 'MAX') {
    if (e.type.name === 'bit') throw invalid(e, call.name);
    const schema = e.type.name === 'datetimeoffset' ? '_sandbox.' : '';
    const name = call.name.toLowerCase();
    if (e.type.name === 'uniqueidentifier') return bound(`(${name}((${e.sql})::text)${over})::uuid`, e.type);
    return bound(`(${schema}${name}(${ordered(e)})${over})`, e.type, true, e.collation);
  }
  if (category(e.type) !== 'number' || e.type.name === 'bit') throw invalid(e, call.name);
  const sum = summed(e.type);
  if (call.name === 'SUM') return bound(`(sum(${distinct}${e.sql})${over})::${pgType(sum)}`, sum);
  if (call.name === 'AVG') {
    const mean = `avg(${distinct}${e.sql})${over}`;
    if (isInteger(sum)) return bound(`trunc(${mean})::${pgType(sum)}`, sum);
    if (!isDecimal(sum)) return bound(`(${mean})::${pgType(sum)}`, sum);
    const type = decimal(38, Math.max(sum.scale ?? 0, 6));
    return bound(`trunc(${mean},${type.scale})::${pgType(type)}`, type);
  }
  const name = { STDEV: 'stddev_samp', STDEVP: 'stddev_pop', VAR: 'var_samp', VARP: 'var_pop' }[call.name];
  return bound(`(${name}(${distinct}${convert(e, FLOAT).sql})${over})`, FLOAT);
}

const invalid = (e: Bound, name: string): SqlError => sqlError(8117, e.type.name, name.toLowerCase());

function summed(type: SqlType): SqlType {
  if (type.name === 'tinyint' || type.name === 'smallint' || type.name === 'int') return INT;
  if (isDecimal(type)) return decimal(38, type.scale ?? 0);
  return type.name === 'real' ? FLOAT : type;
}

function stringAgg(binder: Binder, call: Call, scope: Scope, over: string): Bound {
  const [value, separator] = call.args;
  if (!value || !separator) throw sqlError(174, 'string_agg', 2);
  const e = string(binder.scalar(value, scope));
  const order = call.within.length > 0 ? ` ORDER BY ${orderBy(binder, call.within, scope)}` : '';
  const list = `${asText(e)},_sandbox.t(${binder.scalar(separator, scope).sql})${order}`;
  return bound(`(string_agg(${list})${over})::bpchar`, most(e), true, e.collation);
}

function ranked(binder: Binder, call: Call, scope: Scope, over: string): Bound {
  const args = call.args.map((a) => binder.scalar(a, scope));
  const name = call.name.toLowerCase();
  if (SHARES.has(call.name)) return bound(`(${name}()${over})`, FLOAT, false);
  if (RANKING.has(call.name))
    return bound(`(${name}(${args.map((a) => a.sql).join(',')})${over})::bigint`, BIGINT, false);
  const [e, offset, preset] = args;
  if (!e) throw sqlError(174, name, 1);
  const list = [
    e.sql,
    ...(offset ? [convert(offset, INT).sql] : []),
    ...(preset ? [convert(preset, e.type).sql] : []),
  ];
  return bound(`(${name}(${list.join(',')})${over})`, e.type, true, e.collation);
}

function window(binder: Binder, over: Over, scope: Scope): string {
  const partition =
    over.partition.length > 0
      ? `PARTITION BY ${over.partition.map((p) => ordered(binder.scalar(p, scope))).join(',')} `
      : '';
  const order = over.order.length > 0 ? `ORDER BY ${orderBy(binder, over.order, scope)} ` : '';
  return `${partition}${order}${over.frame}`;
}

/** ORDER BY over expressions. NULL is SQL Server's lowest value. */
export function orderBy(binder: Binder, items: readonly OrderItem[], scope: Scope): string {
  return items
    .map(({ e, desc }) => {
      const key = binder.scalar(e, scope);
      const nulls = key.nullable ? (desc ? ' NULLS LAST' : ' NULLS FIRST') : '';
      // A constant (`ORDER BY (SELECT NULL)`) orders nothing, and PostgreSQL would read a number as a position.
      return e.k === 'literal' ? '(SELECT NULL)' : `${ordered(key)}${desc ? ' DESC' : ''}${nulls}`;
    })
    .join(',');
}
