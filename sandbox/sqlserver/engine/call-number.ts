// Functions of numbers, and those that choose one of their arguments.
// (https://learn.microsoft.com/sql/t-sql/functions/mathematical-functions-transact-sql)
import { type Functions, integer, made, type Plain, takes } from './call-plain.ts';
import { convert } from './convert.ts';
import { unsupported } from './errors.ts';
import { compare, unify } from './operators.ts';
import { category, decimal, FLOAT, isDecimal } from './types.ts';

const math =
  (name: string): Plain =>
  (e) => {
    const value = category(e.type) === 'string' ? convert(e, FLOAT) : e;
    const floating = value.type.name === 'float' || value.type.name === 'real';
    if (floating) return made(`${name}(${value.sql}::float8)`, FLOAT, e.nullable);
    if (!isDecimal(value.type))
      return made(name === 'abs' ? `abs(${value.sql})` : value.sql, value.type, e.nullable);
    const type = name === 'abs' ? value.type : decimal(value.type.precision ?? 38, 0);
    return made(`${name}(${value.sql})`, type, e.nullable);
  };

const floatMath =
  (name: string): Plain =>
  (e) =>
    made(`${name}(${convert(e, FLOAT).sql})`, FLOAT, e.nullable);

export const NUMBER_FUNCTIONS: Functions = {
  ISNULL: takes(2, 2, (a, b) => {
    const type = a!.untypedNull ? b!.type : a!.type;
    return {
      sql: `COALESCE(${convert(a!, type).sql},${convert(b!, type).sql})`,
      type,
      nullable: a!.nullable && b!.nullable,
      collation: a!.collation ?? b!.collation,
    };
  }),
  COALESCE: takes(2, 99, (...args) => {
    const { type, values, collation } = unify(args);
    return {
      sql: `COALESCE(${values.join(',')})`,
      type,
      nullable: args.every((a) => a.nullable),
      collation,
    };
  }),
  NULLIF: takes(2, 2, (a, b) => ({
    ...a!,
    sql: `(CASE WHEN ${compare('=', a!, b!)} THEN NULL ELSE ${a!.sql} END)`,
    nullable: true,
  })),
  CHOOSE: takes(2, 99, (index, ...args) => {
    const { type, values, collation } = unify(args);
    return {
      sql: `(CASE ${integer(index!)} ${values.map((v, i) => `WHEN ${i + 1} THEN ${v}`).join(' ')} END)`,
      type,
      nullable: true,
      collation,
    };
  }),
  NEWID: takes(0, 0, () => made('gen_random_uuid()', { name: 'uniqueidentifier' }, false)),
  ABS: takes(1, 1, math('abs')),
  FLOOR: takes(1, 1, math('floor')),
  CEILING: takes(1, 1, math('ceil')),
  SQRT: takes(1, 1, floatMath('sqrt')),
  SQUARE: takes(1, 1, (e) => made(`power(${convert(e!, FLOAT).sql},2)`, FLOAT, e!.nullable)),
  EXP: takes(1, 1, floatMath('exp')),
  LOG: takes(1, 1, floatMath('ln')),
  LOG10: takes(1, 1, floatMath('log10')),
  RAND: takes(0, 0, () => made('random()', FLOAT, false)),
  PI: takes(0, 0, () => made('pi()', FLOAT, false)),
  SIGN: takes(1, 1, (e) => made(`sign(${e!.sql})`, e!.type, e!.nullable)),
  POWER: takes(2, 2, (a, b) =>
    convert(made(`power(${convert(a!, FLOAT).sql},${convert(b!, FLOAT).sql})`, FLOAT), a!.type),
  ),
  ROUND: takes(2, 3, (e, places, cut) => {
    if (cut && cut.literal !== '0' && cut.literal !== '1')
      throw unsupported('ROUND with a function that is not 0 or 1');
    const value = category(e!.type) === 'string' ? convert(e!, FLOAT) : e!;
    return convert(
      made(
        `${cut?.literal === '1' ? 'trunc' : 'round'}((${value.sql})::numeric,${integer(places!)})`,
        decimal(38, value.type.scale ?? 10),
      ),
      value.type,
    );
  }),
};
