// The statements that read chunks: keyset pagination in the order of the key's own index.
// Guarantees: every row of the range stands in exactly one chunk, whatever the key's types and collations: the order and the
// comparison are the server's, over the very same columns. Names are quoted; values travel as parameters.
import { escapeIdentifier } from 'pg';
import type { TableName } from '../change/table-description.ts';

/** A key's values in the key's order, as PostgreSQL's text. */
export type KeyValues = readonly string[];

export interface ChunkTable extends TableName {
  /** Partitions are read through their root, inheriting tables by themselves, as the stream names them. */
  readonly isPartitioned: boolean;
  /** Columns that identify a row, in order: unique, and best indexed so. */
  readonly key: readonly string[];
}

export interface ChunkRange {
  /** Inclusive. */
  readonly from: KeyValues | null;
  /** Exclusive. */
  readonly to: KeyValues | null;
  /** SQL condition on the source's columns. */
  readonly where: string | null;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly (string | readonly string[])[];
}

/** Rows behind the key `after`, in the key's order. `limit` null: for an estimate. */
export function selectChunk(
  table: ChunkTable,
  columns: readonly string[],
  range: ChunkRange,
  after: KeyValues | null,
  limit: number | null,
): Statement {
  const parameters = new Parameters();
  const key = table.key.map((column) => `t.${escapeIdentifier(column)}`);
  const conditions = [
    ...key.map((column) => `${column} IS NOT NULL`),
    ...rangeConditions(key, range, after, parameters),
    ...(range.where === null ? [] : [`(${range.where}\n)`]),
  ];
  const list = columns.map((column) => `t.${escapeIdentifier(column)}`).join(', ');
  const bound = limit === null ? '' : ` LIMIT ${limit}`;
  return {
    text: `SELECT ${list} FROM ${fromClause(table)} AS t WHERE ${conditions.join(' AND ')} ORDER BY ${key.join(', ')}${bound}`,
    values: parameters.values,
  };
}

/** Rows of the given keys: the key's columns arrive as one array each. `types` are the columns' types, schema-qualified. */
export function selectKeys(
  table: ChunkTable,
  types: readonly string[],
  columns: readonly string[],
  keys: readonly KeyValues[],
): Statement {
  const { source, values } = keyTable(table, types, keys);
  const list = columns.map((column) => `t.${escapeIdentifier(column)}`).join(', ');
  return {
    text: `SELECT ${list} FROM ${fromClause(table)} AS t JOIN ${source} AS w ON ${sameKey(table)}`,
    values,
  };
}

/** Of the given keys within the range those that no row of the source has. */
export function selectAbsent(
  table: ChunkTable,
  types: readonly string[],
  range: Pick<ChunkRange, 'from' | 'to'>,
  keys: readonly KeyValues[],
): Statement {
  const { source, values } = keyTable(table, types, keys);
  const parameters = new Parameters(values);
  const key = table.key.map((column) => `w.${escapeIdentifier(column)}`);
  const conditions = rangeConditions(key, range, null, parameters);
  conditions.push(`NOT EXISTS (SELECT FROM ${fromClause(table)} AS t WHERE ${sameKey(table)})`);
  return {
    text: `SELECT ${key.join(', ')} FROM ${source} AS w WHERE ${conditions.join(' AND ')}`,
    values: parameters.values,
  };
}

class Parameters {
  readonly values: (string | readonly string[])[];

  constructor(values: readonly (string | readonly string[])[] = []) {
    this.values = [...values];
  }

  row(key: KeyValues): string {
    return `ROW(${key.map((value) => `$${this.values.push(value)}`).join(', ')})`;
  }
}

/** Row comparison takes the operators of the columns' default B-tree classes, as ORDER BY does. */
function rangeConditions(
  key: readonly string[],
  { from, to }: Pick<ChunkRange, 'from' | 'to'>,
  after: KeyValues | null,
  parameters: Parameters,
): string[] {
  const row = `ROW(${key.join(', ')})`;
  return [
    ...(after !== null ? [`${row} > ${parameters.row(after)}`] : []),
    ...(after === null && from !== null ? [`${row} >= ${parameters.row(from)}`] : []),
    ...(to !== null ? [`${row} < ${parameters.row(to)}`] : []),
  ];
}

function keyTable(table: ChunkTable, types: readonly string[], keys: readonly KeyValues[]) {
  const columns = table.key.map(
    (column, index) => `a.k${index}::${types[index]} AS ${escapeIdentifier(column)}`,
  );
  const arrays = table.key.map((_column, index) => `$${index + 1}::text[]`).join(', ');
  const names = table.key.map((_column, index) => `k${index}`).join(', ');
  return {
    source: `(SELECT ${columns.join(', ')} FROM unnest(${arrays}) AS a(${names}))`,
    values: table.key.map((_column, index) => keys.map((key) => key[index] ?? '')),
  };
}

function sameKey(table: ChunkTable): string {
  return table.key
    .map((column) => `t.${escapeIdentifier(column)} = w.${escapeIdentifier(column)}`)
    .join(' AND ');
}

function fromClause(table: ChunkTable): string {
  return `${table.isPartitioned ? '' : 'ONLY '}${escapeIdentifier(table.schema)}.${escapeIdentifier(table.table)}`;
}
