// SQL Server's data types: names, precedence, and the PostgreSQL type that holds each.
// (Data types: https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql)
import type { SqlType } from '../session.ts';
import { sqlError, unsupported } from './errors.ts';

export type TypeName = SqlType['name'];
export type Category = 'number' | 'string' | 'binary' | 'guid' | 'date';

/**
 * In the order of precedence, highest first: name, category, the PostgreSQL type that holds its values, the digits of the decimal
 * that holds them, and the bytes of a value where each takes as many. # is the scale; + stands for the bytes of a time of it.
 */
const TABLE = `
xml string bpchar - -
datetimeoffset date _sandbox.dto - +5
datetime2 date timestamp(#) - +3
datetime date timestamp(3) - 8
smalldatetime date timestamp(0) - 4
date date date - 3
time date time(#) - +0
float number float8 38,10 8
real number real 38,10 4
decimal number numeric - -
numeric number numeric - -
money number numeric(19,4) 19,4 8
bigint number bigint 19,0 8
int number int 10,0 4
smallint number smallint 5,0 2
tinyint number smallint 3,0 1
bit number boolean 1,0 1
uniqueidentifier guid uuid - 16
sysname string bpchar - -
nvarchar string bpchar - -
nchar string bpchar - -
varchar string bpchar - -
char string bpchar - -
varbinary binary bytea - -
binary binary bytea - -`;

const TYPES = new Map(
  TABLE.trim()
    .split('\n')
    .map((line) => {
      const [name, kind, pg, digits, bytes] = line.split(' ') as [TypeName, Category, string, string, string];
      return [name, { kind, pg, digits, bytes }];
    }),
);
const PRECEDENCE = [...TYPES.keys()];

export const category = (type: SqlType): Category => TYPES.get(type.name)!.kind;

export const isUnicode = (type: SqlType): boolean => /^(n(var)?char|sysname|xml)$/.test(type.name);
export const isFixed = (type: SqlType): boolean => /^(n?char|binary)$/.test(type.name);
export const isDecimal = (type: SqlType): boolean => /^(decimal|numeric)$/.test(type.name);
export const isFloat = (type: SqlType): boolean => /^(float|real)$/.test(type.name);
export const isInteger = (type: SqlType): boolean => /^(tiny|small|big)?int$/.test(type.name);

export const INT: SqlType = { name: 'int' };
export const BIGINT: SqlType = { name: 'bigint' };
export const FLOAT: SqlType = { name: 'float' };
export const SYSNAME: SqlType = { name: 'sysname', length: 128 };
export const nvarchar = (length: number | 'max'): SqlType => ({ name: 'nvarchar', length });
export const varchar = (length: number | 'max'): SqlType => ({ name: 'varchar', length });
export const decimal = (precision: number, scale: number): SqlType => ({ name: 'decimal', precision, scale });

const SYNONYMS: Readonly<Record<string, TypeName>> = {
  integer: 'int',
  dec: 'decimal',
  'double precision': 'float',
  character: 'char',
  'national character': 'nchar',
  'char varying': 'varchar',
};

const UNSUPPORTED =
  /^(rowversion|timestamp|n?text|image|sql_variant|smallmoney|geography|geometry|hierarchyid)$/;

/** A type as written: `size` holds the numbers in parentheses. `cast` lengths default to 30, declared ones to 1. */
export function declared(written: string, size: readonly (number | 'max')[], cast: boolean): SqlType {
  const lower = written.toLowerCase();
  const name = SYNONYMS[lower] ?? (lower as TypeName);
  if (!TYPES.has(name))
    throw UNSUPPORTED.test(lower) ? unsupported(`data type ${lower}`) : sqlError(2715, written);
  const [first, second] = size;
  const number = typeof first === 'number' ? first : undefined;
  if (name === 'xml') return nvarchar('max');
  if (name === 'sysname') return SYSNAME;
  if (isDecimal({ name })) {
    const precision = number ?? 18;
    const scale = typeof second === 'number' ? second : 0;
    if (precision < 1 || precision > 38 || scale > precision) throw sqlError(2750, precision);
    return { name, precision, scale };
  }
  if (name === 'float' && number !== undefined && number <= 24) return { name: 'real' };
  if (name === 'time' || name === 'datetime2' || name === 'datetimeoffset')
    return { name, scale: number ?? 7 };
  if (/string|binary/.test(category({ name }))) {
    const limit = name.startsWith('n') ? 4000 : 8000;
    if (number !== undefined && (number < 1 || number > limit)) throw sqlError(131, number, name);
    return { name, length: first ?? (cast ? 30 : 1) };
  }
  return { name };
}

/** The PostgreSQL type that holds values of `type`. */
export function pgType(type: SqlType): string {
  if (isDecimal(type)) return `numeric(${type.precision ?? 18},${type.scale ?? 0})`;
  return TYPES.get(type.name)!.pg.replace('#', String(Math.min(type.scale ?? 7, 6)));
}

/** A number type as the decimal that holds all its values. */
export function asDecimal(type: SqlType): SqlType {
  if (isDecimal(type)) return type;
  const [precision, scale] = TYPES.get(type.name)!.digits.split(',').map(Number);
  return decimal(precision || 38, scale ?? 10);
}

/** Bytes of a value, for types that always take as many. */
export function fixedBytes(type: SqlType): number | undefined {
  const { bytes } = TYPES.get(type.name)!;
  const fraction = (type.scale ?? 7) <= 2 ? 3 : (type.scale ?? 7) <= 4 ? 4 : 5;
  if (bytes.startsWith('+')) return fraction + Number(bytes);
  return bytes === '-' ? undefined : Number(bytes);
}

export const typeKey = ({ name, length, precision, scale }: SqlType): string =>
  `${name} ${length} ${precision} ${scale}`;

const longer = (a: SqlType, b: SqlType): number | 'max' =>
  a.length === 'max' || b.length === 'max' ? 'max' : Math.max(a.length ?? 1, b.length ?? 1);

/** The type of CASE, COALESCE, UNION and comparison over both: the one of higher precedence, wide enough for both. */
export function common(a: SqlType, b: SqlType): SqlType {
  const [high, low] = PRECEDENCE.indexOf(a.name) <= PRECEDENCE.indexOf(b.name) ? [a, b] : [b, a];
  const kind = category(high);
  if (kind === 'string' && category(low) === 'string') {
    const isVarying = isUnicode(high) && !(high.name === 'nchar' && isFixed(low));
    const name = isVarying ? 'nvarchar' : high.name;
    return { name, length: longer(a, b) };
  }
  if (kind === 'binary' && category(low) === 'binary') return { name: high.name, length: longer(a, b) };
  if (isDecimal(high) && category(low) === 'number') {
    const [x, y] = [asDecimal(high), asDecimal(low)];
    const scale = Math.max(x.scale ?? 0, y.scale ?? 0);
    const whole = Math.max((x.precision ?? 0) - (x.scale ?? 0), (y.precision ?? 0) - (y.scale ?? 0));
    return {
      name: high.name,
      precision: Math.min(38, whole + scale),
      scale: Math.min(scale, Math.max(0, 38 - whole)),
    };
  }
  if (high.name === low.name && high.scale !== undefined) {
    return { ...high, scale: Math.max(high.scale, low.scale ?? 0) };
  }
  return high;
}

/** Result types of decimal arithmetic (Precision, scale, and length): reduced to 38 digits, at least six of them decimals. */
export function arithmetic(op: string, a: SqlType, b: SqlType): SqlType {
  const [p1, s1, p2, s2] = [a.precision ?? 18, a.scale ?? 0, b.precision ?? 18, b.scale ?? 0];
  const larger = Math.max(s1, s2);
  let scale = op === '*' ? s1 + s2 : op === '/' ? Math.max(6, s1 + p2 + 1) : larger;
  let precision = larger + Math.max(p1 - s1, p2 - s2) + 1;
  if (op === '*') precision = p1 + p2 + 1;
  else if (op === '/') precision = p1 - s1 + s2 + scale;
  else if (op === '%') precision = larger + Math.min(p1 - s1, p2 - s2);
  if (precision > 38) {
    const whole = precision - scale;
    scale =
      op === '+' || op === '-'
        ? Math.max(0, Math.min(scale, 38 - whole))
        : Math.max(Math.min(scale, 6), 38 - whole);
    precision = 38;
  }
  return decimal(precision, scale);
}
