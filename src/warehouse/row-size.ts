// How many bytes a row takes on its page, which ends it at 8,060; longer values move off the page and leave 24 bytes.
// https://learn.microsoft.com/sql/relational-databases/pages-and-extents-architecture-guide#large-row-support
// https://learn.microsoft.com/sql/relational-databases/databases/estimate-the-size-of-a-clustered-index
import type { SqlServerType } from '../mapping/target.ts';
import { keyBytes } from './key-width.ts';

export const MAX_ROW_BYTES = 8060;
/** What a value that was moved off the page leaves there. */
const POINTER_BYTES = 24;

export interface RowSize {
  /** Of a row of NULLs: a table of more is refused (error 1701). */
  readonly least: number;
  /** Of a row with long values in every column: above the limit, such a row is refused (error 511). */
  readonly filled: number;
}

export function rowSize(types: readonly SqlServerType[]): RowSize {
  const variable = types.filter(isVariable);
  const bits = types.filter(({ name }) => name === 'bit').length;
  const fixed = types
    .filter((type) => !isVariable(type) && type.name !== 'bit')
    .reduce((sum, type) => sum + keyBytes(type), 0);
  const nullBitmap = 2 + Math.ceil(types.length / 8);
  const least = 4 + fixed + Math.ceil(bits / 8) + nullBitmap;
  const moved = variable.reduce((sum, type) => sum + 2 + Math.min(keyBytes(type), POINTER_BYTES), 0);
  return { least, filled: least + (variable.length === 0 ? 0 : 2 + moved) };
}

function isVariable({ name }: SqlServerType): boolean {
  return name === 'varchar' || name === 'nvarchar' || name === 'varbinary';
}
