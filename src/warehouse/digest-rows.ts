// Whole rows of a target table as canonical texts: of given keys, or page by page.
// Guarantees: what a digest says in SQL is said here by the driver's own values wherever it brings them without loss; keys are
// compared as the table does, and the caller sees whose row came.
import { type CanonicalText, DIGEST_BYTES, digestOf, type KeyRange, rowText } from '../change/row-digest.ts';
import type { DigestColumn, DigestTable } from './digest-column.ts';
import { digestOf as digestSql, rangeConditions, rowTextOf } from './digest-statement.ts';
import { quoteTable } from './identifier.ts';
import type { SqlParameters, SqlSession, Warehouse } from './session.ts';

export interface TargetRow {
  readonly key: readonly string[];
  /** By the table's columns. */
  readonly values: readonly CanonicalText[];
  readonly digest: string;
}

/** Characters of a key's text, which no index takes. */
const KEY_TEXT = 4000;

/** The rows of the given keys, one by one as the table finds them: of a collation that ignores case perhaps more than one a key. */
export function readRowsOf(
  warehouse: Warehouse,
  table: DigestTable,
  key: readonly DigestColumn[],
  keys: readonly (readonly string[])[],
): Promise<TargetRow[]> {
  const names = key.map((_column, index) => `k${index}`);
  const match = key.map((column, index) => {
    if (column.ofText === null) throw new RangeError(`column ${column.column} has no text to find it by`);
    // The source may have keys that the table's type has no value for.
    return `t.${column.name} = ${column.ofText(`s.k${index}`, 'TRY_CONVERT')}`;
  });
  return warehouse.transaction(async (session) => {
    await session.batch(
      `CREATE TABLE #verify (${names.map((name) => `${name} nvarchar(${KEY_TEXT}) COLLATE Latin1_General_BIN2 NOT NULL`).join(', ')});`,
    );
    await session.bulkLoad(
      '#verify',
      names.map((name) => ({ name, type: 'nvarchar', length: KEY_TEXT, nullable: false })),
      keys,
    );
    const { rows } = await session.batch<Record<string, unknown>>(
      `SELECT ${list(table)} FROM #verify AS s JOIN ${quoteTable(table.target)} AS t ON ${match.join(' AND ')};`,
    );
    await session.batch('DROP TABLE #verify;');
    return rows.map((row) => rowOf(table, key, row));
  });
}

/** The next rows behind `after` in the order of the table's own key. */
export async function readRowsBehind(
  session: SqlSession,
  table: DigestTable,
  key: readonly DigestColumn[],
  range: KeyRange,
  after: readonly string[] | null,
  limit: number,
): Promise<TargetRow[]> {
  const parameters: Record<string, SqlParameters[string]> = {};
  const conditions = rangeConditions(key, range, parameters, 'range');
  if (after !== null) conditions.push(...rangeConditions(key, { after, to: null }, parameters, 'page'));
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const order = key.map((column) => `t.${column.name}`).join(', ');
  const { rows } = await session.query<Record<string, unknown>>(
    `SELECT TOP (${limit}) ${list(table)} FROM ${quoteTable(table.target)} AS t${where} ORDER BY ${order}`,
    parameters,
  );
  return rows.map((row) => rowOf(table, key, row));
}

/** Whether the server's own digest of some rows is what their values come to. Throws where it refuses the statement. */
export async function isDigestProven(
  session: SqlSession,
  table: DigestTable,
  rows: number,
): Promise<boolean> {
  const found = await session.batch<Record<string, unknown>>(
    `SELECT TOP (${rows}) ${list(table)}, SUBSTRING(${digestSql('x.rt')}, 1, ${DIGEST_BYTES}) AS h FROM ${quoteTable(table.target)} AS t CROSS APPLY (SELECT ${rowTextOf(table.columns, 't')} AS rt) AS x`,
  );
  const forms = table.columns.map(({ form }) => form);
  return found.rows.every((row) => {
    return digestHex(row.h) === digestOf(rowText(forms, valuesOf(table, row)));
  });
}

/** Of what the driver brings of a varbinary. */
export function digestHex(digest: unknown): string {
  return Buffer.isBuffer(digest) ? digest.toString('hex') : '';
}

function list({ columns }: DigestTable): string {
  return columns.map((column, index) => `${column.read(`t.${column.name}`)} AS c${index}`).join(', ');
}

function valuesOf({ columns }: DigestTable, row: Record<string, unknown>): CanonicalText[] {
  return columns.map((column, index) => column.ofRead(row[`c${index}`]));
}

function rowOf(table: DigestTable, key: readonly DigestColumn[], row: Record<string, unknown>): TargetRow {
  const values = valuesOf(table, row);
  return {
    key: key.map((column) => values[table.columns.indexOf(column)] ?? ''),
    values,
    digest: digestOf(
      rowText(
        table.columns.map(({ form }) => form),
        values,
      ),
    ),
  };
}
