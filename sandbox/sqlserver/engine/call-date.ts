// Date functions: the clock, parts, differences, sums and offsets.
// (https://learn.microsoft.com/sql/t-sql/functions/date-and-time-data-types-and-functions-transact-sql)
import type { SqlType } from '../session.ts';
import { argumentCount, type Bind, type Call } from './call.ts';
import { convert, dateAsMoment } from './convert.ts';
import { sqlError, unsupported } from './errors.ts';
import type { Binder } from './expression.ts';
import type { Bound, Scope } from './scope.ts';
import { BIGINT, category, INT, nvarchar, pgType } from './types.ts';

const DATETIME: SqlType = { name: 'datetime' };
const DATETIME2: SqlType = { name: 'datetime2', scale: 7 };
const OFFSET: SqlType = { name: 'datetimeoffset', scale: 7 };

/** Names of date parts, each before its abbreviations. */
const PARTS = new Map(
  `year yy yyyy, quarter qq q, month mm m, dayofyear dy y, day dd d, week wk ww, weekday dw, hour hh, minute mi n, second ss s,
  millisecond ms, microsecond mcs, nanosecond ns, tzoffset tz, iso_week isowk isoww`
    .split(',')
    .map((words) => words.trim().split(' '))
    .flatMap((words) => words.map((word) => [word, words[0]!.replace('_', '')] as const)),
);

function part(call: Call): string {
  const [first] = call.args;
  const word = first?.k === 'column' ? first.name.join('.') : '';
  const name = PARTS.get(word.toLowerCase());
  if (!name) throw sqlError(155, word, call.name.toLowerCase());
  return name;
}

function moment(binder: Binder, call: Call, index: number, scope: Scope): Bound {
  const arg = call.args[index];
  if (!arg) throw argumentCount(call.name, index + 1);
  const e = binder.scalar(arg, scope);
  if (category(e.type) === 'date') return e;
  return convert(e, category(e.type) === 'string' ? { name: 'datetimeoffset', scale: 7 } : DATETIME, {
    implicit: true,
  });
}

/** Local time of a value as a PostgreSQL timestamp. */
const local = (e: Bound): string => `_sandbox.local(${dateAsMoment(e)})`;
const utc = (e: Bound): string => (e.type.name === 'datetimeoffset' ? `(${e.sql}).instant` : local(e));
const clock =
  (sql: string, type: SqlType): Bind =>
  () => ({ sql, type, nullable: false, collation: null });
const whole = (sql: string, type: SqlType = INT): Bound => ({ sql, type, nullable: true, collation: null });

const named =
  (name: string): Bind =>
  (binder, call, scope) =>
    whole(`_sandbox.date_part('${name}',${local(moment(binder, call, 0, scope))},0)`);

const difference =
  (type: SqlType): Bind =>
  (binder, call, scope) => {
    const unit = part(call);
    const [from, to] = [moment(binder, call, 1, scope), moment(binder, call, 2, scope)];
    if (['weekday', 'tzoffset', 'isoweek'].includes(unit)) throw unsupported(`DATEDIFF(${unit})`);
    return whole(`_sandbox.date_diff('${unit}',${utc(from)},${utc(to)})::${pgType(type)}`, type);
  };

export const DATE_FUNCTIONS: Readonly<Record<string, Bind>> = {
  GETDATE: clock(`_sandbox.to_datetime(clock_timestamp() AT TIME ZONE 'UTC')`, DATETIME),
  CURRENT_TIMESTAMP: clock(`_sandbox.to_datetime(clock_timestamp() AT TIME ZONE 'UTC')`, DATETIME),
  GETUTCDATE: clock(`_sandbox.to_datetime(clock_timestamp() AT TIME ZONE 'UTC')`, DATETIME),
  SYSDATETIME: clock(`(clock_timestamp() AT TIME ZONE 'UTC')`, DATETIME2),
  SYSUTCDATETIME: clock(`(clock_timestamp() AT TIME ZONE 'UTC')`, DATETIME2),
  SYSDATETIMEOFFSET: clock(`_sandbox.moment(clock_timestamp() AT TIME ZONE 'UTC',0)`, OFFSET),
  YEAR: named('year'),
  MONTH: named('month'),
  DAY: named('day'),
  DATEPART: (binder, call, scope) => {
    const unit = part(call);
    const e = moment(binder, call, 1, scope);
    return whole(`_sandbox.date_part('${unit}',${local(e)},(${dateAsMoment(e)}).minutes)`);
  },
  DATENAME: (binder, call, scope) => {
    const unit = part(call);
    const e = moment(binder, call, 1, scope);
    return whole(`_sandbox.date_name('${unit}',${local(e)},(${dateAsMoment(e)}).minutes)`, nvarchar(30));
  },
  DATEDIFF: difference(INT),
  DATEDIFF_BIG: difference(BIGINT),
  DATEADD: (binder, call, scope) => {
    const unit = part(call);
    if (!call.args[1]) throw argumentCount(call.name, 3);
    const n = convert(binder.scalar(call.args[1], scope), BIGINT).sql;
    const e = moment(binder, call, 2, scope);
    const isText = call.args[2]?.k === 'literal';
    const type = isText ? DATETIME : e.type;
    if (e.type.name === 'datetimeoffset' && !isText) {
      return {
        ...e,
        sql: `_sandbox.moment(_sandbox.date_add('${unit}',${n},${local(e)},'${e.type.name}'),(${e.sql}).minutes)`,
      };
    }
    const sum = `_sandbox.date_add('${unit}',${n},${local(e)},'${type.name}')`;
    return {
      ...e,
      type,
      sql: type.name === 'datetime' ? `_sandbox.to_datetime(${sum})` : `(${sum})::${pgType(type)}`,
    };
  },
  EOMONTH: (binder, call, scope) => {
    const months = call.args[1] ? convert(binder.scalar(call.args[1], scope), INT).sql : '0';
    const start = `date_trunc('month',${local(moment(binder, call, 0, scope))})`;
    return whole(`(${start}+make_interval(months=>1+${months})-interval '1 day')::date`, { name: 'date' });
  },
  DATEFROMPARTS: (binder, call, scope) => {
    if (call.args.length !== 3) throw argumentCount(call.name, 3);
    return whole(`make_date(${call.args.map((a) => convert(binder.scalar(a, scope), INT).sql).join(',')})`, {
      name: 'date',
    });
  },
  ISDATE: (binder, call, scope) => {
    if (!call.args[0]) throw argumentCount(call.name, 1);
    const e = convert(binder.scalar(call.args[0], scope), nvarchar(4000)).sql;
    return whole(`(CASE WHEN _sandbox.to_moment(${e},'datetime',0,3,true) IS NULL THEN 0 ELSE 1 END)`);
  },
  SWITCHOFFSET: (binder, call, scope) => {
    const e = convert(moment(binder, call, 0, scope), OFFSET);
    const type = moment(binder, call, 0, scope).type;
    return {
      ...e,
      sql: `_sandbox.switch_offset(${e.sql},${offset(binder, call, scope)})`,
      type: { name: 'datetimeoffset', scale: type.scale ?? 7 },
    };
  },
  TODATETIMEOFFSET: (binder, call, scope) => {
    const e = moment(binder, call, 0, scope);
    return {
      ...e,
      sql: `_sandbox.moment(${local(e)},${offset(binder, call, scope)})`,
      type: { name: 'datetimeoffset', scale: e.type.scale ?? 7 },
    };
  },
};

/** '+02:00' or a number of minutes. */
function offset(binder: Binder, call: Call, scope: Scope): string {
  if (!call.args[1]) throw argumentCount(call.name, 2);
  const e = binder.scalar(call.args[1], scope);
  return category(e.type) === 'string' ? `_sandbox.offset_minutes(${e.sql})` : convert(e, INT).sql;
}
