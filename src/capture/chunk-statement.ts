// The statements that read chunks: keyset pagination in the order of the key's own index.
// Guarantees: every row of the range stands in exactly one chunk, whatever the key's types and collations: the order and the
// comparison are the server's, over the very same columns. Names are quoted; values travel as parameters.
import { escapeIdentifier, escapeLiteral } from 'pg';
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
  /** Only rows whose `column` is not before `from`, a timestamptz as PostgreSQL's text. */
  readonly since: { readonly column: string; readonly from: string } | null;
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
  return { text: chunkText(table, columns, range, after, limit, parameters), values: parameters.values };
}

/**
 * The same rows as COPY's text. COPY takes no parameters: keys stand in it as literals, which the server reads as values of the
 * columns' types, as it does parameters.
 */
export function copyChunk(
  table: ChunkTable,
  columns: readonly string[],
  range: Pick<ChunkRange, 'from' | 'to'>,
  after: KeyValues | null,
  limit: number,
): string {
  const whole = { ...range, where: null, since: null };
  return `COPY (${chunkText(table, columns, whole, after, limit, new Literals())}) TO STDOUT`;
}

function chunkText(
  table: ChunkTable,
  columns: readonly string[],
  range: ChunkRange,
  after: KeyValues | null,
  limit: number | null,
  parameters: Parameters,
): string {
  const key = table.key.map((column) => `t.${escapeIdentifier(column)}`);
  const conditions = rowConditions(key, range, after, parameters);
  const list = columns.map((column) => `t.${escapeIdentifier(column)}`).join(', ');
  const bound = limit === null ? '' : ` LIMIT ${limit}`;
  return `SELECT ${list} FROM ${fromClause(table)} AS t WHERE ${conditions.join(' AND ')} ORDER BY ${key.join(', ')}${bound}`;
}

/**
 * Keys that cut the range into about equal parts, in order: at most `parts - 1`, fewer where the table is small. From a sample of
 * the table's pages, ordered by the server: any key will do, and no statistics are needed.
 */
export function selectBoundaries(
  table: ChunkTable,
  range: ChunkRange,
  percent: number,
  parts: number,
): Statement {
  const parameters = new Parameters();
  const key = table.key.map((column) => `t.${escapeIdentifier(column)}`);
  const conditions = rowConditions(key, range, null, parameters);
  const columns = table.key.map(escapeIdentifier);
  // Integer division: the place at which the number of the part changes.
  const part = (place: string) => `(${place}) * least(${parts}, total / ${LEAST_SAMPLED}) / total`;
  return {
    text: `SELECT ${columns.join(', ')} FROM (
  SELECT ${key.join(', ')}, row_number() OVER (ORDER BY ${key.join(', ')}) - 1 AS place, count(*) OVER () AS total
  FROM ${fromClause(table)} AS t TABLESAMPLE SYSTEM (${percent}) WHERE ${conditions.join(' AND ')}) AS sample
WHERE place > 0 AND ${part('place')} > ${part('place - 1')} ORDER BY place`,
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

/** Rows of a sample that a part needs, for its end to be no accident. */
const LEAST_SAMPLED = 25;

class Parameters {
  readonly values: (string | readonly string[])[];

  constructor(values: readonly (string | readonly string[])[] = []) {
    this.values = [...values];
  }

  value(value: string): string {
    return `$${this.values.push(value)}`;
  }

  row(key: KeyValues): string {
    return `ROW(${key.map((value) => this.value(value)).join(', ')})`;
  }
}

class Literals extends Parameters {
  override value(value: string): string {
    return escapeLiteral(value);
  }
}

function rowConditions(
  key: readonly string[],
  range: ChunkRange,
  after: KeyValues | null,
  parameters: Parameters,
): string[] {
  const { where, since } = range;
  return [
    ...key.map((column) => `${column} IS NOT NULL`),
    ...rangeConditions(key, range, after, parameters),
    ...(since === null
      ? []
      : [`t.${escapeIdentifier(since.column)} >= ${parameters.value(since.from)}::timestamptz`]),
    ...(where === null ? [] : [`(${where}\n)`]),
  ];
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

/** The keys as a table, from one array a column; `more` columns may take `a.n`, the key's number from 1. */
export function keyTable(
  table: ChunkTable,
  types: readonly string[],
  keys: readonly KeyValues[],
  more = '',
): { readonly source: string; readonly values: string[][] } {
  const columns = table.key.map(
    (column, index) => `a.k${index}::${types[index]} AS ${escapeIdentifier(column)}`,
  );
  const arrays = table.key.map((_column, index) => `$${index + 1}::text[]`).join(', ');
  const names = table.key.map((_column, index) => `k${index}`).join(', ');
  return {
    source: `(SELECT ${columns.join(', ')}${more} FROM unnest(${arrays}) WITH ORDINALITY AS a(${names}, n))`,
    values: table.key.map((_column, index) => keys.map((key) => key[index] ?? '')),
  };
}

export function sameKey(table: ChunkTable): string {
  return table.key
    .map((column) => `t.${escapeIdentifier(column)} = w.${escapeIdentifier(column)}`)
    .join(' AND ');
}

export function fromClause(table: ChunkTable): string {
  return `${table.isPartitioned ? '' : 'ONLY '}${escapeIdentifier(table.schema)}.${escapeIdentifier(table.table)}`;
}
