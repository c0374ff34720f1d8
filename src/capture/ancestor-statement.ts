// The statement that reads the rows of a table that a chunk's rows refer to, and those that these refer to, up to the last.
// Guarantees: each ancestor once, none of the given rows; a circle ends.
import { escapeIdentifier } from 'pg';
import { type ChunkTable, fromClause, type KeyValues, keyTable, type Statement } from './chunk-statement.ts';

/** `columns` of a row hold what `referenced` holds in another of the same table. */
export interface SelfReference {
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
}

/** Keys of ancestors that need not be read: inclusive; null: from the first on. */
export interface KnownKeys {
  readonly from: KeyValues | null;
  readonly to: KeyValues;
}

/** `keys`: the given rows; `types`: the key columns' types, schema-qualified. */
export function selectAncestors(
  table: ChunkTable,
  types: readonly string[],
  columns: readonly string[],
  references: readonly SelfReference[],
  keys: readonly KeyValues[],
  known: KnownKeys | null,
  limit: number,
): Statement {
  const { source, values } = keyTable(table, types, keys);
  const parameters: (string | readonly string[])[] = [...values];
  const of = (row: string, names: readonly string[]) =>
    names.map((name) => `${row}.${escapeIdentifier(name)}`);
  const rowOf = (key: KeyValues) => `ROW(${key.map((value) => `$${parameters.push(value)}`).join(', ')})`;
  const key = `ROW(${of('t', table.key).join(', ')})`;
  const unknown =
    known === null
      ? ''
      : ` AND (${[...(known.from === null ? [] : [`${key} < ${rowOf(known.from)}`]), `${key} > ${rowOf(known.to)}`].join(' OR ')})`;
  const numbered = (prefix: string, names: readonly string[]) =>
    of('t', names).map((name, index) => `${name} AS ${prefix}${index}`);
  const list = [
    ...numbered('k', table.key),
    ...references.flatMap((reference, index) => numbered(`r${index}_`, reference.columns)),
  ].join(', ');
  const parents = references.map(({ referenced }, index) => {
    const same = of('t', referenced).map((name, column) => `${name} = up.r${index}_${column}`);
    return `SELECT ${list} FROM ${fromClause(table)} AS t WHERE ${same.join(' AND ')}${unknown}`;
  });
  const sameAs = (row: string, names: readonly string[]) =>
    of('t', table.key)
      .map((name, index) => `${name} = ${row}.${names[index]}`)
      .join(' AND ');
  const places = table.key.map((_name, index) => `k${index}`);
  const given = table.key.map((name) => escapeIdentifier(name));
  return {
    text: `WITH RECURSIVE given AS MATERIALIZED ${source}, up AS (
  SELECT ${list} FROM ${fromClause(table)} AS t JOIN given ON ${sameAs('given', given)}
  UNION SELECT parent.* FROM up, LATERAL (${parents.join(' UNION ALL ')}) AS parent)
SELECT ${of('t', columns).join(', ')} FROM (SELECT ${places.join(', ')} FROM up EXCEPT SELECT ${given.join(', ')} FROM given LIMIT ${limit}) AS ancestor
JOIN ${fromClause(table)} AS t ON ${sameAs('ancestor', places)}`,
    values: parameters,
  };
}
