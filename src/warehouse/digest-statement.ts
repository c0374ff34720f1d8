// The T-SQL that adds up and lists the digests of a target table's rows.
// Guarantees: plain SELECTs of SQL Server 2016 and Azure SQL; nothing is created; the digest is row-digest.ts' own.
// https://learn.microsoft.com/sql/t-sql/functions/hashbytes-transact-sql (no limit of 8,000 bytes since SQL Server 2016)
import {
  DIGEST_BYTES,
  HASHES,
  type HashInterval,
  type HashSlots,
  isMeasured,
  type KeyRange,
  LENGTH_END,
  VALUE_END,
} from '../change/row-digest.ts';
import type { DigestColumn, DigestTable } from './digest-column.ts';
import { quoteTable } from './identifier.ts';
import { paddedList } from './padded-list.ts';
import type { SqlParameters, Statement } from './session.ts';

const BIN = 'COLLATE Latin1_General_BIN2';
/** Matches texts with a character that is not ASCII. By code points, as a binary collation compares. */
const BEYOND_ASCII = `N'%[^\u0001-\u007f]%'`;
/** Every row: with TOP each text and digest is computed once, however often it is used outside, and by one processor. */
const ALL = 'TOP (CONVERT(bigint, 9223372036854775807))';
/** CONCAT takes 254 values. */
const MOST_VALUES = 250;

/** `rows`, `a`, `b`, `c`, `d`: of each slot that has a row, as `slot`; of the whole range where there is one slot. */
export function summarise(
  table: DigestTable,
  key: readonly DigestColumn[],
  range: KeyRange,
  { first, width, slots }: HashSlots,
): Statement {
  const parameters: Parameters = {};
  const isWhole = slots === 1 && width === HASHES;
  const rows = digests(table, isWhole ? [] : key, rangeConditions(key, range, parameters));
  const sums = ['a', 'b', 'c', 'd'].map(
    (name, part) =>
      `CONVERT(varchar(20), SUM(CONVERT(bigint, SUBSTRING(d.h, ${part * 4 + 1}, 4)))) AS ${name}`,
  );
  const count = 'CONVERT(varchar(20), COUNT_BIG(*)) AS n';
  if (isWhole)
    return { sql: `SELECT 0 AS slot, ${[count, ...sums].join(', ')} FROM (${rows}) AS d`, parameters };
  const hash = 'CONVERT(bigint, SUBSTRING(d.kh, 1, 4))';
  const start = whole(parameters, 'first', first);
  const slot = `CONVERT(int, (e.k - ${start}) / ${whole(parameters, 'width', width)})`;
  return {
    sql: `SELECT f.slot, ${[count, ...sums].join(', ').replaceAll('d.h', 'f.h')} FROM (SELECT ${slot} AS slot, e.h FROM (SELECT ${hash} AS k, d.h FROM (${rows}) AS d) AS e WHERE e.k >= ${start} AND e.k < ${whole(parameters, 'end', first + width * slots)}) AS f GROUP BY f.slot`,
    parameters,
  };
}

/** Of the range, and of the hashes where there are any: the key's canonical texts `k0`, `k1`, … and the digest `h`, DIGEST_BYTES bytes. */
export function listDigests(
  table: DigestTable,
  key: readonly DigestColumn[],
  range: KeyRange,
  hashes: readonly HashInterval[],
): Statement {
  const parameters: Parameters = {};
  const conditions = rangeConditions(key, range, parameters);
  const columns = table.columns.map(({ name }) => `t.${name}`).join(', ');
  // The keys of all rows are hashed, and the rows of those only that are asked for.
  const keyed = `SELECT ${ALL} ${columns}, ${rowTextOf(key, 't')} AS ${KEY} FROM ${quoteTable(table.target)} AS t${whereOf(conditions)}`;
  const hashed = `SELECT ${ALL} ${columns}, CONVERT(bigint, SUBSTRING(${digestOf(`t.${KEY}`)}, 1, 4)) AS ${HASH} FROM (${keyed}) AS t`;
  const isAmong = paddedList(hashes, NO_HASHES)
    .map(
      ({ first, end }, index) =>
        `(t.${HASH} >= ${whole(parameters, `first${index}`, first)} AND t.${HASH} < ${whole(parameters, `end${index}`, end)})`,
    )
    .join(' OR ');
  const texts = key.map((column, index) => `${column.text(`t.${column.name}`)} AS k${index}`).join(', ');
  return {
    sql: `SELECT ${texts}, SUBSTRING(${digestOf('x.rt')}, 1, ${DIGEST_BYTES}) AS h FROM (${hashed}) AS t CROSS APPLY (SELECT ${rowTextOf(table.columns, 't')} AS rt) AS x${isAmong === '' ? '' : ` WHERE ${isAmong}`}`,
    parameters,
  };
}

const NO_HASHES: HashInterval = { first: 0, end: 0 };

/** Beside the table's own columns, whatever they are called. */
const KEY = '[walbridge key]';
const HASH = '[walbridge hash]';

function whereOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

/** A parameter of its own: a literal would give each range a text, and a plan, of its own. */
function whole(parameters: Parameters, name: string, value: number): string {
  parameters[name] = { type: 'bigint', value };
  return `@${name}`;
}

type Parameters = Record<string, SqlParameters[string]>;

/** `h`, the row's digest; `kh`, the key's, where there is one to be hashed. */
function digests(
  { target, columns }: DigestTable,
  hashed: readonly DigestColumn[],
  conditions: readonly string[],
): string {
  const keyText = hashed.length === 0 ? '' : `, ${rowTextOf(hashed, 't')} AS kt`;
  const keyHash = hashed.length === 0 ? '' : `, ${digestOf('r.kt')} AS kh`;
  return `SELECT ${ALL} ${digestOf('r.rt')} AS h${keyHash} FROM (SELECT ${ALL} ${rowTextOf(columns, 't')} AS rt${keyText} FROM ${quoteTable(target)} AS t${whereOf(conditions)}) AS r`;
}

/** All 32 bytes of SHA-256, of which the first 16 count. */
export function digestOf(text: string): string {
  return `HASHBYTES('SHA2_256', CASE WHEN ${text} LIKE ${BEYOND_ASCII} THEN CONVERT(varbinary(max), ${text}) ELSE CONVERT(varbinary(max), CONVERT(varchar(max), ${text})) END)`;
}

export function rowTextOf(columns: readonly DigestColumn[], alias: string): string {
  const values = columns.flatMap((column) => {
    const text = column.text(`${alias}.${column.name}`);
    // CONCAT takes NULL for an empty text, so that the mark behind it stands alone.
    return isMeasured(column.form)
      ? [`LEN(${text})`, `N'${LENGTH_END}'`, text]
      : [`${text}`, `N'${VALUE_END}'`];
  });
  const groups: string[] = [];
  for (let start = 0; start < values.length; start += MOST_VALUES) {
    const part = values.slice(start, start + MOST_VALUES);
    // The first value makes the result nvarchar(max): nothing is cut off.
    groups.push(`CONCAT(CONVERT(nvarchar(max), N'') ${BIN}, ${part.join(', ')})`);
  }
  return groups.length === 1 ? (groups[0] ?? '') : `(${groups.join(' + ')})`;
}

/** The leading columns that the range names, compared one by one: T-SQL has no comparison of rows. */
export function rangeConditions(
  key: readonly DigestColumn[],
  { after, to }: KeyRange,
  parameters: Parameters,
  prefix = '',
): string[] {
  const bound = (values: readonly string[], name: string, last: '<=' | '>') => {
    const places = values.map((value, index) => {
      const parameter = `${prefix}${name}${index}`;
      parameters[parameter] = { type: 'nvarchar', value };
      const column = key[index];
      if (column === undefined || column.ofText === null)
        throw new RangeError('a range of a key that has no order');
      return { column: `t.${column.name}`, value: column.ofText(`@${parameter}`, 'CONVERT') };
    });
    const strict = last === '>' ? '>' : '<';
    const each = places.map(({ column, value }, index) => {
      const equal = places.slice(0, index).map((place) => `${place.column} = ${place.value}`);
      const operator = index === places.length - 1 ? last : strict;
      return `(${[...equal, `${column} ${operator} ${value}`].join(' AND ')})`;
    });
    const [first] = places;
    // Said twice, so that the index of the key is used.
    const lead =
      first === undefined || places.length === 1 ? [] : [`${first.column} ${strict}= ${first.value}`];
    return [...lead, `(${each.join(' OR ')})`];
  };
  return [
    ...(after === null ? [] : bound(after, 'after', '>')),
    ...(to === null ? [] : bound(to, 'to', '<=')),
  ];
}
