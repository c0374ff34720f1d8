// How many bytes a key takes in a clustered index, which ends at 900.
// https://learn.microsoft.com/sql/sql-server/maximum-capacity-specifications-for-sql-server
import type { SqlServerType } from '../mapping/target.ts';

export const MAX_KEY_BYTES = 900;
export const MAX_KEY_COLUMNS = 32;

const plain: Readonly<Partial<Record<SqlServerType['name'], number>>> = {
  bit: 1,
  tinyint: 1,
  smallint: 2,
  int: 4,
  bigint: 8,
  real: 4,
  float: 8,
  money: 8,
  uniqueidentifier: 16,
  date: 3,
  datetime: 8,
  smalldatetime: 4,
};

/** Bytes at most; Infinity for the (max) types, which no index takes as a key. */
export function keyBytes(type: SqlServerType): number {
  const fixed = plain[type.name];
  if (fixed !== undefined) return fixed;
  switch (type.name) {
    case 'decimal':
      return decimalBytes(type.precision ?? 18);
    case 'time':
      return fractionBytes(type.scale ?? 7);
    case 'datetime2':
      return fractionBytes(type.scale ?? 7) + 3;
    case 'datetimeoffset':
      return fractionBytes(type.scale ?? 7) + 5;
    default: {
      if (type.length === 'max') return Number.POSITIVE_INFINITY;
      const units = type.length ?? 1;
      return type.name === 'nchar' || type.name === 'nvarchar' ? units * 2 : units;
    }
  }
}

function decimalBytes(precision: number): number {
  if (precision <= 9) return 5;
  if (precision <= 19) return 9;
  return precision <= 28 ? 13 : 17;
}

function fractionBytes(scale: number): number {
  if (scale <= 2) return 3;
  return scale <= 4 ? 4 : 5;
}
