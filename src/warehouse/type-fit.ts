// Whether an existing column holds every value of the type that a mapping wants.
// Guarantees: no verdict but `loses` lets a value change silently; what `narrower` leaves out, column-fit.ts finds before
// it is sent, and the row goes to quarantine.
// https://learn.microsoft.com/sql/t-sql/data-types/data-type-conversion-database-engine
import { formatSqlType } from '../mapping/default-type.ts';
import type { SqlServerType } from '../mapping/target.ts';

export type TypeFit =
  | { readonly verdict: 'holds' }
  /** Some values don't fit; they are found and quarantined. */
  | { readonly verdict: 'narrower'; readonly why: string }
  /** Values would change silently, most rows would be quarantined, or it is another kind of value. */
  | { readonly verdict: 'loses'; readonly why: string };

type TypeName = SqlServerType['name'];

const HOLDS: TypeFit = { verdict: 'holds' };

const families: Readonly<
  Record<TypeName, 'exact' | 'float' | 'text' | 'binary' | 'guid' | 'date' | 'time' | 'instant'>
> = {
  bit: 'exact',
  tinyint: 'exact',
  smallint: 'exact',
  int: 'exact',
  bigint: 'exact',
  decimal: 'exact',
  money: 'exact',
  real: 'float',
  float: 'float',
  char: 'text',
  varchar: 'text',
  nchar: 'text',
  nvarchar: 'text',
  binary: 'binary',
  varbinary: 'binary',
  uniqueidentifier: 'guid',
  date: 'date',
  time: 'time',
  datetime: 'instant',
  smalldatetime: 'instant',
  datetime2: 'instant',
  datetimeoffset: 'instant',
};

/** `collation` is the existing column's: a _UTF8 one makes varchar hold every character. */
export function typeFit(wanted: SqlServerType, existing: SqlServerType, collation: string | null): TypeFit {
  const to = families[existing.name];
  switch (families[wanted.name]) {
    case 'exact':
      if (to === 'exact') return exactFit(wanted, existing);
      return to === 'float' ? intoFloat(wanted, existing) : otherKind(wanted, existing);
    case 'float':
      if (to !== 'float') return otherKind(wanted, existing);
      return wanted.name === 'float' && existing.name === 'real'
        ? loses('real keeps 24 bits of the 53 of float and rounds the rest silently')
        : HOLDS;
    case 'text':
      return to === 'text' ? textFit(wanted, existing, collation) : otherKind(wanted, existing);
    case 'binary':
      return to === 'binary' ? binaryFit(wanted, existing) : otherKind(wanted, existing);
    case 'guid':
      return to === 'guid' ? HOLDS : otherKind(wanted, existing);
    case 'date':
      return dateFit(wanted, existing);
    case 'time':
      return to === 'time' ? fractionFit(wanted, existing) : otherKind(wanted, existing);
    case 'instant':
      return to === 'instant' ? instantFit(wanted, existing) : otherKind(wanted, existing);
  }
}

/** Digits before and after the point that every value has at most. */
function digits(type: SqlServerType): { readonly whole: number; readonly scale: number } {
  switch (type.name) {
    case 'bit':
      return { whole: 1, scale: 0 };
    case 'tinyint':
      return { whole: 3, scale: 0 };
    case 'smallint':
      return { whole: 5, scale: 0 };
    case 'int':
      return { whole: 10, scale: 0 };
    case 'bigint':
      return { whole: 19, scale: 0 };
    case 'money':
      return { whole: 15, scale: 4 };
    default:
      return { whole: (type.precision ?? 18) - (type.scale ?? 0), scale: type.scale ?? 0 };
  }
}

/** Narrowest first; each holds what stands before it. */
const integers: readonly TypeName[] = ['bit', 'tinyint', 'smallint', 'int', 'bigint'];

function exactFit(wanted: SqlServerType, existing: SqlServerType): TypeFit {
  if (wanted.name === existing.name && wanted.name !== 'decimal') return HOLDS;
  if (existing.name === 'bit') return loses('bit makes every number but 0 a 1');
  const from = integers.indexOf(wanted.name);
  const to = integers.indexOf(existing.name);
  if (from >= 0 && to >= 0) return from <= to ? HOLDS : outOfRange(existing);
  const want = digits(wanted);
  const have = digits(existing);
  // An integer or money column isn't sure to hold the largest numbers with as many digits as its own largest has.
  const whole = existing.name === 'decimal' ? have.whole : have.whole - 1;
  if (want.whole <= whole && want.scale <= have.scale) return HOLDS;
  return outOfRange(existing);
}

function intoFloat(wanted: SqlServerType, existing: SqlServerType): TypeFit {
  const exactDigits = existing.name === 'real' ? 7 : 15;
  const { whole, scale } = digits(wanted);
  if (scale === 0 && whole <= exactDigits && wanted.name !== 'decimal') return HOLDS;
  return loses(`${existing.name} rounds silently what ${formatSqlType(wanted)} holds exactly`);
}

function textFit(wanted: SqlServerType, existing: SqlServerType, collation: string | null): TypeFit {
  const unicode = existing.name === 'nchar' || existing.name === 'nvarchar';
  const utf8 = !unicode && collation !== null && /_UTF8$/i.test(collation);
  const wantedUnicode = wanted.name === 'nchar' || wanted.name === 'nvarchar';
  if (wantedUnicode && !unicode && !utf8) {
    return loses(`${existing.name} replaces characters outside its code page by question marks silently`);
  }
  const fixed = existing.name === 'char' || existing.name === 'nchar';
  const wantedFixed = wanted.name === 'char' || wanted.name === 'nchar';
  if (fixed && !wantedFixed) return loses(`${existing.name} pads values with blanks`);
  if (fixed && wanted.length !== existing.length) return loses(`${existing.name} pads to another length`);
  // Three bytes of UTF-8 a UTF-16 code unit, at worst.
  const needed = utf8 && wanted.length !== 'max' ? (wanted.length ?? 1) * 3 : wanted.length;
  return lengthFit(needed, existing);
}

function binaryFit(wanted: SqlServerType, existing: SqlServerType): TypeFit {
  if (existing.name === 'binary' && (wanted.name !== 'binary' || wanted.length !== existing.length)) {
    return loses('binary pads values with zero bytes');
  }
  return lengthFit(wanted.length, existing);
}

function lengthFit(needed: number | 'max' | undefined, existing: SqlServerType): TypeFit {
  const have = existing.length === 'max' ? Number.POSITIVE_INFINITY : (existing.length ?? 1);
  const want = needed === 'max' ? Number.POSITIVE_INFINITY : (needed ?? 1);
  return want <= have ? HOLDS : narrower(`values longer than ${have} go to quarantine`);
}

function dateFit(wanted: SqlServerType, existing: SqlServerType): TypeFit {
  switch (existing.name) {
    case 'date':
    case 'datetime2':
      return HOLDS;
    case 'datetime':
      return narrower('dates before 1753 go to quarantine');
    case 'smalldatetime':
      return narrower('dates before 1900 or after 2079-06-06 go to quarantine');
    default:
      return otherKind(wanted, existing);
  }
}

function instantFit(wanted: SqlServerType, existing: SqlServerType): TypeFit {
  if (wanted.name === existing.name) return fractionFit(wanted, existing);
  if (existing.name === 'smalldatetime') return loses('smalldatetime rounds to minutes silently');
  if (existing.name === 'datetime') {
    if (wanted.name === 'smalldatetime') return HOLDS;
    // Its steps are 1/300 s: hundredths are exact, thousandths are not.
    if ((wanted.scale ?? 7) > 2) return loses('datetime rounds to 1/300 s silently');
    return narrower('times before 1753 go to quarantine');
  }
  if (existing.name === 'datetimeoffset')
    return loses('datetimeoffset would add an offset that the value does not have');
  if (wanted.name === 'datetimeoffset') {
    const fraction = fractionFit(wanted, existing);
    return fraction.verdict === 'holds'
      ? narrower('it holds the UTC time, without saying that it is UTC')
      : fraction;
  }
  // datetime or smalldatetime into datetime2: thousandths at most.
  return (existing.scale ?? 7) >= 3 ? HOLDS : loses(`${formatSqlType(existing)} rounds silently`);
}

function fractionFit(wanted: SqlServerType, existing: SqlServerType): TypeFit {
  const have = existing.scale ?? 7;
  if ((wanted.scale ?? 7) <= have) return HOLDS;
  return loses(`${formatSqlType(existing)} rounds to ${have} digits of a second silently`);
}

function outOfRange(existing: SqlServerType): TypeFit {
  return narrower(`values outside ${formatSqlType(existing)} go to quarantine`);
}

function otherKind(wanted: SqlServerType, existing: SqlServerType): TypeFit {
  return loses(`${formatSqlType(existing)} is another kind of value than ${formatSqlType(wanted)}`);
}

function narrower(why: string): TypeFit {
  return { verdict: 'narrower', why };
}

function loses(why: string): TypeFit {
  return { verdict: 'loses', why };
}
