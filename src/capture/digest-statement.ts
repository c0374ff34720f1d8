// The SQL that adds up and lists the digests of a source table's rows, and reads rows with what tells that they did not change.
// Guarantees: plain SELECTs of functions of pg_catalog, from PostgreSQL 14 on; nothing is created in the source; the digest is
// row-digest.ts' own. The database's encoding must be UTF8.
import { escapeIdentifier, escapeLiteral } from 'pg';
import {
  type CanonicalForm,
  DIGEST_HEX,
  HASHES,
  type HashInterval,
  type HashSlots,
  isMeasured,
  type KeyRange,
  LENGTH_END,
  VALUE_END,
} from '../change/row-digest.ts';
import {
  type ChunkTable,
  fromClause,
  type KeyValues,
  keyTable,
  type Statement,
  sameKey,
} from './chunk-statement.ts';
import type { DigestExpression } from './digest-column.ts';

export interface SourceDigest {
  readonly table: ChunkTable;
  /** By the target's columns. */
  readonly columns: readonly DigestExpression[];
  /** By the source's key. */
  readonly key: readonly DigestExpression[];
}

/** A function takes 100 values. */
const MOST_VALUES = 90;

/** `slot`, `n`, `a`, `b`, `c`, `d`: of each slot that has a row; of the whole range where there is one slot. */
export function summarise(
  digest: SourceDigest,
  range: KeyRange,
  { first, width, slots }: HashSlots,
): Statement {
  const sums = ['a', 'b', 'c', 'd']
    .map((name, part) => `sum(${word('d.h', part)})::text AS ${name}`)
    .join(', ');
  if (slots === 1 && width === HASHES) {
    return statement(`SELECT 0 AS slot, count(*)::text AS n, ${sums} FROM (${digests(digest, range)}) AS d`);
  }
  return statement(
    `SELECT (d.k - ${first}) / ${width} AS slot, count(*)::text AS n, ${sums} FROM (${digests(digest, range)}) AS d WHERE d.k >= ${first} AND d.k < ${first + width * slots} GROUP BY 1`,
  );
}

/** Of the range, and of the hashes where there are any: the key's canonical texts `k0`, `k1`, … and the digest `h` in hex. */
export function listDigests(
  digest: SourceDigest,
  range: KeyRange,
  hashes: readonly HashInterval[],
): Statement {
  const { table, columns, key } = digest;
  const texts = key.map(({ text }, index) => `${text} AS k${index}`).join(', ');
  const isAmong = hashes.map(({ first, end }) => `(d.k >= ${first} AND d.k < ${end})`).join(' OR ');
  const conditions = [...conditionsOf(table, range), ...(isAmong === '' ? [] : [`(${isAmong})`])];
  // The keys of all rows are hashed, and the rows of those only that are asked for.
  return statement(
    `SELECT ${texts}, substr(encode(${digestSql(columns)}, 'hex'), 1, ${DIGEST_HEX}) AS h FROM ${fromClause(table)} AS t CROSS JOIN LATERAL (SELECT ${word(digestSql(key), 0)} AS k OFFSET 0) AS d WHERE ${conditions.join(' AND ')}`,
  );
}

/** Some rows with their digest `h`: `columns` as the stream spells them. */
export function selectProbe(digest: SourceDigest, columns: readonly string[], rows: number): Statement {
  const list = columns.map((column) => `t.${escapeIdentifier(column)}`).join(', ');
  return statement(
    `SELECT ${list}, substr(encode(${digestSql(digest.columns)}, 'hex'), 1, ${DIGEST_HEX}) AS " digest" FROM ${fromClause(digest.table)} AS t LIMIT ${rows}`,
  );
}

/** The key `rows` further than `after`, by its leading columns, as canonical texts `k0`, …; none where there are not so many. */
export function selectBoundary(
  { table, key }: SourceDigest,
  leading: number,
  after: readonly string[] | null,
  rows: number,
): Statement {
  const names = table.key.map((column) => `t.${escapeIdentifier(column)}`);
  const texts = key.slice(0, leading).map(({ text }, index) => `${text} AS k${index}`);
  const conditions = conditionsOf(table, { after, to: null });
  return statement(
    `SELECT ${texts.join(', ')} FROM ${fromClause(table)} AS t WHERE ${conditions.join(' AND ')} ORDER BY ${names.join(', ')} OFFSET ${rows - 1} LIMIT 1`,
  );
}

/** Rows of the given keys (PostgreSQL's text): ` n` is the key's number from 1, ` version` changes with every update of the row. */
export function selectVersions(
  table: ChunkTable,
  types: readonly string[],
  columns: readonly string[],
  keys: readonly KeyValues[],
): Statement {
  const { source, values } = keyTable(table, types, keys, ', a.n AS " n"');
  const list = columns.map((column) => `t.${escapeIdentifier(column)}`).join(', ');
  return {
    text: `SELECT ${list}, w." n", t.xmin::text AS " version" FROM ${fromClause(table)} AS t JOIN ${source} AS w ON ${sameKey(table)}`,
    values,
  };
}

/** As SQL that chunk-statement.ts takes as a condition: the row comparison of the leading columns. */
export function rangeConditions({ key }: Pick<ChunkTable, 'key'>, { after, to }: KeyRange): string[] {
  const compare = (operator: string, values: readonly string[]) => {
    const columns = key.slice(0, values.length).map((column) => `t.${escapeIdentifier(column)}`);
    return `ROW(${columns.join(', ')}) ${operator} ROW(${values.map((value) => escapeLiteral(value)).join(', ')})`;
  };
  return [...(after === null ? [] : [compare('>', after)]), ...(to === null ? [] : [compare('<=', to)])];
}

function statement(text: string): Statement {
  return { text, values: [] };
}

/** `h`, the row's digest; `k`, the key's hash. */
function digests({ table, columns, key }: SourceDigest, range: KeyRange): string {
  // OFFSET 0: each digest is computed once, however often it is used outside.
  return `SELECT ${digestSql(columns)} AS h, ${word(digestSql(key), 0)} AS k FROM ${fromClause(table)} AS t WHERE ${conditionsOf(table, range).join(' AND ')} OFFSET 0`;
}

function conditionsOf(table: ChunkTable, range: KeyRange): string[] {
  const present = table.key.map((column) => `t.${escapeIdentifier(column)} IS NOT NULL`);
  return [...present, ...rangeConditions(table, range)];
}

/** One of the eight 32-bit words of a digest, unsigned. */
function word(digest: string, part: number): string {
  return `('x' || substr(encode(${digest}, 'hex'), ${part * 8 + 1}, 8))::bit(32)::int8`;
}

/** SHA-256 over the row's text: its bytes where it is ASCII, else UTF-16LE, surrogate pairs and all. */
function digestSql(columns: readonly DigestExpression[]): string {
  const texts = columns.map(({ text }, index) => `${text} AS v${index}`).join(', ');
  const values = columns.map(({ form }, index) => ({ form, value: `v.v${index}` }));
  const narrow = rowText(values, (value) => `char_length(${measured(value)})`);
  const wide = rowText(values, unitsOf);
  const codes = `(SELECT ascii(u.c) AS c, u.n FROM unnest(string_to_array(${wide}, NULL)) WITH ORDINALITY AS u(c, n))`;
  const high = '(55296 + ((q.c - 65536) >> 10))';
  const low = '(56320 + ((q.c - 65536) & 1023))';
  const unit = (code: string) => `substr(int4send(((${code} & 255) << 8) | (${code} >> 8)), 3)`;
  const utf16 = `(SELECT string_agg(CASE WHEN q.c < 65536 THEN ${unit('q.c')} ELSE ${unit(high)} || ${unit(low)} END, '' ORDER BY q.n) FROM ${codes} AS q)`;
  return `(SELECT sha256(CASE WHEN octet_length(x.t) = char_length(x.t) THEN convert_to(x.t, 'UTF8') ELSE ${utf16} END) FROM (SELECT ${texts} OFFSET 0) AS v, LATERAL (SELECT ${narrow} AS t OFFSET 0) AS x)`;
}

/** Blanks at the end do not count: rowText of row-digest.ts. */
const measured = (value: string) => `rtrim(${value}, ' ')`;

/** UTF-16 code units: characters beyond the first plane are two. */
function unitsOf(whole: string): string {
  const value = measured(whole);
  return `(2 * char_length(${value}) - char_length(regexp_replace(${value}, '[\\U00010000-\\U0010FFFF]', '', 'g')))`;
}

function rowText(
  columns: readonly { readonly form: CanonicalForm; readonly value: string }[],
  length: (value: string) => string,
): string {
  const values = columns.flatMap(({ form, value }) =>
    isMeasured(form) ? [length(value), `'${LENGTH_END}'`, value] : [value, `'${VALUE_END}'`],
  );
  const groups: string[] = [];
  // concat takes NULL for an empty text, so that the mark behind it stands alone.
  for (let start = 0; start < values.length; start += MOST_VALUES) {
    groups.push(`concat(${values.slice(start, start + MOST_VALUES).join(', ')})`);
  }
  return groups.length === 1 ? (groups[0] ?? '') : `(${groups.join(' || ')})`;
}
