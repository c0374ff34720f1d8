// Functions of plain values, a line each: name, arguments, result, and the PostgreSQL expression that stands for a call.
// (https://learn.microsoft.com/sql/t-sql/functions/functions)
// Arguments: s text, t text with its trailing blanks, c such text under the default collation where no argument brings one,
// i integer, f float, m the local time of a date, u its time in UTC, o a date with its offset, p the name of a date part,
// d of one that differences are counted in; `i=1` may be left out, `s?` is NULL then.
// Result: a type; `same`, the first argument's; `most`, the largest of its kind; `count`, bigint where a text is of type max,
// else int. Behind it ! for never NULL, ~ for as the first argument; else it may be NULL.
import type { SqlType } from '../session.ts';
import type { Bind } from './call.ts';
import { asText, count, datePart, integer, local, moment, most, string, varying } from './call-argument.ts';
import { convert, dateAsMoment } from './convert.ts';
import { sqlError, unsupported } from './errors.ts';
import { type Bound, bound } from './scope.ts';
import { declared, FLOAT } from './types.ts';

const NOW = `clock_timestamp() AT TIME ZONE 'UTC'`;
const TABLE = `
SQRT f float~ sqrt($1)
SQUARE f float~ power($1,2)
EXP f float~ exp($1)
LOG f float~ ln($1)
LOG10 f float~ log10($1)
RAND - float! random()
PI - float! pi()
NEWID - uniqueidentifier! gen_random_uuid()
ASCII t int ascii($1)
UNICODE t int ascii($1)
CHAR i char(1) chr($1)::bpchar
NCHAR i nchar(1) chr($1)::bpchar
SPACE i varchar(8000) repeat(' ',$1)::bpchar
UPPER t same~ upper($1 COLLATE pg_c_utf8)::bpchar
LOWER t same~ lower($1 COLLATE pg_c_utf8)::bpchar
LTRIM t same~ ltrim($1,' ')::bpchar
RTRIM t same~ rtrim($1,' ')::bpchar
TRIM t same~ btrim($1,' ')::bpchar
REVERSE t same~ reverse($1)::bpchar
TRANSLATE t,t,t same translate($1,$2,$3)::bpchar
REPLACE c,t,t most replace($1,$2,$3)::bpchar
REPLICATE t,i most repeat($1,$2)::bpchar
STUFF t,i,i,t most _sandbox.stuff($1,$2,$3,$4)::bpchar
QUOTENAME t nvarchar(258) ('['||replace($1,']',']]')||']')::bpchar
LEN s count~ _sandbox.len($1)
CHARINDEX t,c,i=1 count _sandbox.charindex($1,$2,$3)
ISJSON t int ($1 IS JSON)::int
STRING_ESCAPE t,s nvarchar(max) trim(both '"' from to_json($1)::text)::bpchar
GETDATE - datetime! _sandbox.to_datetime(${NOW})
CURRENT_TIMESTAMP - datetime! _sandbox.to_datetime(${NOW})
GETUTCDATE - datetime! _sandbox.to_datetime(${NOW})
SYSDATETIME - datetime2(7)! (${NOW})
SYSUTCDATETIME - datetime2(7)! (${NOW})
SYSDATETIMEOFFSET - datetimeoffset(7)! _sandbox.moment(${NOW},0)
YEAR m int _sandbox.date_part('year',$1,0)
MONTH m int _sandbox.date_part('month',$1,0)
DAY m int _sandbox.date_part('day',$1,0)
DATEPART p,o int _sandbox.date_part($1,_sandbox.local($2),($2).minutes)
DATENAME p,o nvarchar(30) _sandbox.date_name($1,_sandbox.local($2),($2).minutes)
DATEDIFF d,u,u int _sandbox.date_diff($1,$2,$3)::int
DATEDIFF_BIG d,u,u bigint _sandbox.date_diff($1,$2,$3)
DATEFROMPARTS i,i,i date make_date($1,$2,$3)
EOMONTH m,i=0 date (date_trunc('month',$1)+make_interval(months=>1+$2)-interval '1 day')::date
ISDATE s int (CASE WHEN _sandbox.to_moment($1,'datetime',0,3,true) IS NULL THEN 0 ELSE 1 END)
OBJECT_ID s,s? int (SELECT _sandbox.object_id($1,$2))
OBJECT_NAME i sysname _sandbox.object_name($1)
OBJECT_SCHEMA_NAME i sysname _sandbox.object_schema($1)
COL_NAME i,i sysname _sandbox.col_name($1,$2)
COL_LENGTH s,s smallint _sandbox.col_length($1,$2)
COLUMNPROPERTY i,s,s int _sandbox.column_property($1,$2,$3)
SCHEMA_ID s='dbo' int (SELECT _sandbox.schema_id($1::bpchar))
SCHEMA_NAME i=_sandbox.schema_id('dbo') sysname _sandbox.schema_name($1)
TYPE_NAME i sysname _sandbox.type_name($1)
DB_ID s? smallint _sandbox.db_id($1)
SERVERPROPERTY s nvarchar(128) _sandbox.server_property($1)
DATABASEPROPERTYEX s,s nvarchar(128) _sandbox.database_property($2)
HAS_PERMS_BY_NAME s,s,s int! 1
IS_SRVROLEMEMBER s,s? int! 1
IS_MEMBER s int! 1`;

/** What stands for an argument of each kind that has a value. */
const ARGUMENT: Readonly<Record<string, (e: Bound, all: readonly Bound[]) => string>> = {
  s: (e) => string(e).sql,
  t: asText,
  c: (e, all) => `${asText(e)}${all.some((a) => a.collation) ? '' : ' COLLATE _sandbox.ci'}`,
  i: integer,
  f: (e) => convert(e, FLOAT).sql,
  m: (e) => local(moment(e)),
  u: (e) => (moment(e).type.name === 'datetimeoffset' ? `(${moment(e).sql}).instant` : local(moment(e))),
  o: (e) => dateAsMoment(moment(e)),
};

function resultType(word: string, args: readonly Bound[]): SqlType {
  if (word === 'same') return varying(string(args[0]!));
  if (word === 'most') return most(string(args[0]!));
  if (word === 'count') return count(...args);
  const [, name, size] = /^(\w+)(?:\((\w+)\))?$/.exec(word)!;
  return declared(name!, size ? [size === 'max' ? size : Number(size)] : [], true);
}

function made(line: string): readonly [name: string, bind: Bind] {
  const [, name, list, word, nullable, sql] = /^(\S+) (\S+) ([^\s!~]+)([!~]?) (.*)$/.exec(line)!;
  const kinds = list === '-' ? [] : list!.split(',').map((kind) => /^(.)(?:=(.*)|(\?))?$/.exec(kind)!);
  const least = kinds.filter(([, , preset, isOptional]) => preset === undefined && !isOptional).length;
  const bind: Bind = (binder, call, scope) => {
    if (call.args.length < least || call.args.length > kinds.length)
      throw sqlError(174, name!.toLowerCase(), least);
    const parts = kinds.filter(([, kind]) => kind === 'p' || kind === 'd').length;
    const args = call.args.slice(parts).map((e) => binder.scalar(e, scope));
    const texts = kinds.map(([, kind, preset], i) => {
      if (i >= call.args.length) return preset ?? 'NULL::bpchar';
      if (i >= parts) return ARGUMENT[kind!]!(args[i - parts]!, args);
      const unit = datePart(call);
      if (kind === 'd' && ['weekday', 'tzoffset', 'isoweek'].includes(unit))
        throw unsupported(`${name}(${unit})`);
      return `'${unit}'`;
    });
    const isNullable = nullable === '~' ? args[0]!.nullable : nullable !== '!';
    const collation = /^(same|most)$/.test(word!) ? args[0]!.collation : null;
    const called = sql!.replace(/\$(\d)/g, (_, n) => texts[Number(n) - 1]!);
    return bound(called, resultType(word!, args), isNullable, collation);
  };
  return [name!, bind];
}

export const TABLED: ReadonlyMap<string, Bind> = new Map(TABLE.trim().split('\n').map(made));
