// Compares tables of the CRM with their copies in the warehouse, row by row and column by column. Knows nothing of walbridge:
// both sides are asked for text in one spelling, and the texts are compared. Keys are shown hashed, values never.
// A table that is too large to be held goes slice by slice.
import { createHash } from 'node:crypto';
import sql from 'mssql';
import type pg from 'pg';
import { withClient } from '../../sandbox/crm/crm.ts';

export interface TablePair {
  /** `schema.table` on both sides. */
  readonly source: string;
  readonly target: string;
  readonly key: readonly string[];
  /** The columns to compare, of one name on both sides; absent: all of the source's. */
  readonly columns?: readonly string[];
  /** SQL condition on the source's rows that are expected in the warehouse; absent: all. */
  readonly expected?: string;
  /** Conditions that both sides understand, and of which each row meets one: the table is read in so many turns. Absent: at once. */
  readonly slices?: readonly string[];
}

interface Difference {
  readonly table: string;
  /** First 12 hex digits of the key's SHA-256. */
  readonly key: string;
  /** `missing` in the warehouse, `surplus` there, or the columns that differ. */
  readonly what: 'missing' | 'surplus' | readonly string[];
}

interface Comparison {
  /** By source table. */
  readonly rows: Readonly<Record<string, { readonly source: number; readonly warehouse: number }>>;
  readonly differences: readonly Difference[];
}

interface Column {
  readonly name: string;
  /** pg_type's name. */
  readonly type: string;
}

type Row = readonly (string | null)[];

/** Reads both sides whole, each in one statement a slice. Throws the drivers' errors. */
export async function compareTables(
  crm: string,
  warehouse: string,
  pairs: readonly TablePair[],
): Promise<Comparison> {
  const pool = await new sql.ConnectionPool(warehouse).connect();
  try {
    return await withClient(crm, async (client) => {
      await client.query(`SET TimeZone = 'UTC'`);
      const rows: Record<string, { source: number; warehouse: number }> = {};
      const differences: Difference[] = [];
      for (const pair of pairs) {
        const columns = await columnsOf(client, pair);
        const count = { source: 0, warehouse: 0 };
        for (const slice of pair.slices ?? ['1 = 1']) {
          const source = await readSource(client, pair, columns, slice);
          const target = await readTarget(pool, pair, columns, slice);
          count.source += source.size;
          count.warehouse += target.size;
          differences.push(...differencesOf(pair, columns, source, target));
        }
        rows[pair.source] = count;
      }
      return { rows, differences };
    });
  } finally {
    await pool.close();
  }
}

/** One line a difference, at most `most` of them. */
export function formatDifferences(differences: readonly Difference[], most = 20): string {
  const lines = differences
    .slice(0, most)
    .map(({ table, key, what }) => `${table} ${key}: ${typeof what === 'string' ? what : what.join(', ')}`);
  const left = differences.length - lines.length;
  return [...lines, ...(left > 0 ? [`and ${left} more`] : [])].join('\n');
}

function* differencesOf(
  pair: TablePair,
  columns: readonly Column[],
  source: ReadonlyMap<string, Row>,
  target: ReadonlyMap<string, Row>,
): Generator<Difference> {
  const named = (key: string, what: Difference['what']): Difference => ({
    table: pair.source,
    key: createHash('sha256').update(key).digest('hex').slice(0, 12),
    what,
  });
  for (const [key, row] of source) {
    const copy = target.get(key);
    if (copy === undefined) yield named(key, 'missing');
    else {
      const wrong = columns.flatMap(({ name }, index) => (row[index] === copy[index] ? [] : [name]));
      if (wrong.length > 0) yield named(key, wrong);
    }
  }
  for (const key of target.keys()) if (!source.has(key)) yield named(key, 'surplus');
}

async function columnsOf(client: pg.ClientBase, pair: TablePair): Promise<Column[]> {
  const { rows } = await client.query<Column>(
    `SELECT a.attname AS name, t.typname AS type FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [pair.source],
  );
  const wanted = pair.columns === undefined ? null : new Set([...pair.key, ...pair.columns]);
  return wanted === null ? rows : rows.filter(({ name }) => wanted.has(name));
}

async function readSource(
  client: pg.ClientBase,
  pair: TablePair,
  columns: readonly Column[],
  slice: string,
): Promise<Map<string, Row>> {
  const list = columns.map(({ name, type }) => sourceText(`"${name}"`, type)).join(', ');
  const { rows } = await client.query<(string | null)[]>({
    text: `SELECT ${list} FROM ${pair.source} WHERE (${pair.expected ?? 'true'}) AND (${slice})`,
    rowMode: 'array',
  });
  return byKey(pair, columns, rows);
}

async function readTarget(
  pool: sql.ConnectionPool,
  pair: TablePair,
  columns: readonly Column[],
  slice: string,
): Promise<Map<string, Row>> {
  const list = columns
    .map(({ name, type }, index) => `${targetText(`[${name}]`, type)} AS c${index}`)
    .join(', ');
  const { recordset } = await pool
    .request()
    .query<Record<string, unknown>>(`SELECT ${list} FROM ${pair.target} WHERE ${slice}`);
  const rows = recordset.map((record) =>
    columns.map((_column, index) => {
      const value = record[`c${index}`];
      return value === null || value === undefined ? null : String(value);
    }),
  );
  return byKey(pair, columns, rows);
}

function byKey(
  pair: TablePair,
  columns: readonly Column[],
  rows: readonly (readonly (string | null)[])[],
): Map<string, Row> {
  const places = pair.key.map((name) => columns.findIndex((column) => column.name === name));
  return new Map(
    rows.map((row) => {
      const spelt = row.map((value, index) =>
        value === null ? null : oneSpelling(value, columns[index]!.type),
      );
      return [JSON.stringify(places.map((place) => spelt[place])), spelt];
    }),
  );
}

/** PostgreSQL's text, in the spelling that SQL Server's CONVERT gives the same value. */
function sourceText(column: string, type: string): string {
  if (type === 'timestamptz' || type === 'timestamp') return `to_char(${column}, 'YYYY-MM-DD HH24:MI:SS.US')`;
  if (type === 'time') return `to_char(${column}, 'HH24:MI:SS.US')`;
  if (type === 'bool') return `${column}::int::text`;
  if (type === 'bytea') return `encode(${column}, 'hex')`;
  if (type.startsWith('_')) return `to_jsonb(${column})::text`;
  return `${column}::text`;
}

function targetText(column: string, type: string): string {
  if (type === 'timestamptz') return `CONVERT(varchar(26), SWITCHOFFSET(${column}, '+00:00'), 121)`;
  if (type === 'timestamp') return `CONVERT(varchar(26), ${column}, 121)`;
  if (type === 'time') return `CONVERT(varchar(15), ${column}, 114)`;
  if (type === 'date') return `CONVERT(varchar(10), ${column}, 23)`;
  if (type === 'bytea') return `CONVERT(varchar(max), ${column}, 2)`;
  // The driver gives these two exactly, as numbers.
  if (type === 'float4' || type === 'float8') return column;
  return `CONVERT(nvarchar(max), ${column})`;
}

/** What is one value though spelt in several ways. */
function oneSpelling(text: string, type: string): string {
  if (type === 'float4') return String(Math.fround(Number(text)));
  if (type === 'float8') return String(Number(text));
  if (type === 'uuid' || type === 'bytea') return text.toLowerCase();
  if (type === 'jsonb' || type.startsWith('_')) return JSON.stringify(JSON.parse(text));
  return text;
}
