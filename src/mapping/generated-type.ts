// The type that `walbridge generate` gives a column of itself, apart from keys and what refers to them.
// Guarantees: it holds every value that the source's column can.
import type { ColumnDescription } from '../change/table-description.ts';
import type { SqlServerType } from './target.ts';

/** Where the source says more than the field's type does; null where the field's default type will do. */
export function ownType({ baseType }: ColumnDescription): SqlServerType | null {
  if (baseType.kind !== 'base') return null;
  if (baseType.name === 'int2') return { name: 'smallint' };
  const { length } = baseType;
  const isSized = baseType.name === 'varchar' || baseType.name === 'bpchar';
  return isSized && length !== null && length <= 4000 ? { name: 'nvarchar', length } : null;
}
