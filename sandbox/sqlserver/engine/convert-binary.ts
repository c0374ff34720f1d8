// Conversions between binary types and numbers and identifiers: padded and cut on the left, where numbers are.
// Decimals are left out: their binary form depends on the version, as Microsoft says.
import type { SqlType } from '../session.ts';
import type { Bound } from './scope.ts';
import { category, fixedBytes, isDecimal, isFloat, isInteger, pgType } from './types.ts';

/** As SQL Server stores it, high byte first; undefined for decimals, whose form depends on the version. */
function numberAsBytes({ sql, type }: Bound): { sql: string; length: number } | undefined {
  if (isDecimal(type)) return undefined;
  const length = fixedBytes(type)!;
  if (isFloat(type)) return { sql: `float${length}send(${sql})`, length };
  const whole = type.name === 'bit' ? `(${sql})::int` : type.name === 'money' ? `(${sql})*10000` : sql;
  return { sql: `_sandbox.right_bytes(int8send((${whole})::bigint),${length})`, length };
}

function ofLength(sql: string, length: number, to: SqlType): string {
  const room = to.length === 'max' ? length : (to.length ?? length);
  const wanted = to.name === 'binary' ? room : Math.min(length, room);
  return wanted === length ? sql : `_sandbox.right_bytes(${sql},${wanted})`;
}

/** Cut and padded on the right, as texts are. */
export function limited(sql: string, to: SqlType): string {
  if (to.name === 'binary') return `_sandbox.pad_binary(${sql},${to.length})`;
  return to.length === 'max' ? sql : `substr(${sql},1,${to.length})`;
}

/** A number or an identifier as bytes; undefined where that is not done here. */
export function toBinary(e: Bound, to: SqlType): string | undefined {
  if (category(e.type) === 'guid') return limited(`_sandbox.swap_guid(uuid_send(${e.sql}))`, to);
  const bytes = category(e.type) === 'number' ? numberAsBytes(e) : undefined;
  return bytes && ofLength(bytes.sql, bytes.length, to);
}

export function fromBinary({ sql }: Bound, to: SqlType): string | undefined {
  if (to.name === 'uniqueidentifier') return `_sandbox.bytes_guid(${sql})`;
  if (to.name === 'tinyint') return `(_sandbox.bytes_integer(${sql},1)&255)::smallint`;
  return isInteger(to) ? `_sandbox.bytes_integer(${sql},${fixedBytes(to)})::${pgType(to)}` : undefined;
}
