// Keys that a backfill asks the warehouse for: those it has, page by page or cut into ranges, and those whose row it could not
// complete.
// Guarantees: exact text; pages in the order of the key's own index, each key in one page, and in one of the ranges that meet.
import type { SqlServerType, TargetTable } from '../mapping/target.ts';
import { rejections as unmappable } from '../mapping/unmappable.ts';
import { rejections } from './apply-fault.ts';
import { controlTable } from './control-tables.ts';
import { quoteName, quoteTable, quoteText, quoteTexts } from './identifier.ts';
import type { SqlParameters, SqlSession } from './session.ts';

/** How a key column's value becomes text that PostgreSQL reads as the same value, and back; null: not at all. */
interface KeyText {
  readonly toText: (column: string) => string;
  readonly fromText: (parameter: string) => string;
  /** Of a type that both sides put in the same order: texts that can be compared with the column, and how; else null. */
  readonly ordered: { readonly text: RegExp; readonly fromText: (parameter: string) => string } | null;
}

/** A range of keys: inclusive, exclusive; null: open. */
export interface KeyBounds {
  readonly from: readonly string[] | null;
  readonly to: readonly string[] | null;
}

/** Which of the target's keys are meant. */
export interface TargetKeyRange {
  /** In the source's order, as its text: a hint. Of keys that the source may put in another order it is not looked at. */
  readonly source: KeyBounds;
  /** In the target's own order, of keys as it gave them. */
  readonly target: KeyBounds;
}

function keyText({ name, precision, scale, length }: SqlServerType): KeyText | null {
  const through = (type: string, text: string, ordered: KeyText['ordered'], style = ''): KeyText => ({
    toText: (column) => `CONVERT(${text}, ${column}${style})`,
    fromText: (parameter) => `CONVERT(${type}, ${parameter})`,
    ordered,
  });
  const as = (type: string, text: RegExp) => ({
    text,
    fromText: (parameter: string) => `CONVERT(${type}, ${parameter})`,
  });
  switch (name) {
    case 'tinyint':
    case 'smallint':
    case 'int':
    case 'bigint':
      // A bound may lie beyond the column's own type.
      return through(name, 'varchar(20)', as('bigint', /^-?\d{1,18}$/));
    case 'decimal':
      return through(`decimal(${precision ?? 18}, ${scale ?? 0})`, 'varchar(48)', null);
    case 'uniqueidentifier':
      return through(name, 'varchar(36)', null);
    case 'date':
      return through(name, 'varchar(10)', as('date', /^\d{4}-\d\d-\d\d$/), ', 23');
    case 'varchar':
      // An nvarchar parameter would be compared in another order than the column's own index has.
      return {
        toText: (column) => column,
        fromText: (parameter) => `CONVERT(varchar(${length ?? 1}), ${parameter})`,
        ordered: null,
      };
    case 'nvarchar':
      return { toText: (column) => column, fromText: (parameter) => parameter, ordered: null };
    default:
      return null;
  }
}

/** The first key column whose values cannot be asked of the source; null where all can. */
export function unreadableKeyColumn(target: TargetTable): string | null {
  return target.key.find((name) => columnText(target, name) === null) ?? null;
}

function columnText(target: TargetTable, name: string): KeyText | null {
  const column = target.columns.find((candidate) => candidate.name === name);
  return column === undefined ? null : keyText(column.type);
}

/** Whether the source puts such keys in the order that the warehouse does: numbers and dates, as their usual text. */
function isOrderedAlike(target: TargetTable, key: readonly string[]): boolean {
  return key.every((value, index) => {
    const name = target.key[index];
    return name !== undefined && columnText(target, name)?.ordered?.text.test(value) === true;
  });
}

/**
 * The next keys behind `after`, in the target's order. Throws a RangeError where `unreadableKeyColumn` names one, and a
 * WarehouseError.
 */
export async function readTargetKeys(
  session: SqlSession,
  target: TargetTable,
  after: readonly string[] | null,
  limit: number,
  range: TargetKeyRange,
): Promise<string[][]> {
  const key = new KeyStatement(target);
  const conditions = key.conditions(after, range);
  const { rows } = await session.query<Record<string, string>>(
    `SELECT TOP (${limit}) ${key.texts((name) => name)} FROM ${quoteTable(target)}${where(conditions)} ORDER BY ${key.names.join(', ')}`,
    key.parameters,
  );
  return rows.map((row) => key.valuesOf(row));
}

/** Keys of a range that would fill fewer are not worth one. */
const LEAST_ROWS = 25;

/**
 * Keys that cut the range into at most `parts` equal ones, in the target's order; none where it is small. It reads the key's
 * index twice, to count and to find the places. Throws as `readTargetKeys` does.
 */
export async function readTargetBoundaries(
  session: SqlSession,
  target: TargetTable,
  parts: number,
  source: KeyBounds,
): Promise<string[][]> {
  const key = new KeyStatement(target);
  const within = where(key.conditions(null, { source, target: { from: null, to: null } }));
  const counted = await session.query<{ total: string }>(
    `SELECT COUNT_BIG(*) AS total FROM ${quoteTable(target)}${within}`,
    key.parameters,
  );
  const total = Number(counted.rows[0]?.total ?? 0);
  const ranges = Math.min(parts, Math.floor(total / LEAST_ROWS));
  if (ranges < 2) return [];
  const places = Array.from({ length: ranges - 1 }, (_, index) => Math.floor(((index + 1) * total) / ranges));
  const numbered = key.names.map((name, index) => `${name} AS c${index}`);
  const { rows } = await session.query<Record<string, string>>(
    `SELECT ${key.texts((_name, index) => `s.c${index}`)} FROM (SELECT ${numbered.join(', ')}, ROW_NUMBER() OVER (ORDER BY ${key.names.join(', ')}) AS n FROM ${quoteTable(target)}${within}) AS s WHERE s.n - 1 IN (${places.join(', ')}) ORDER BY s.n`,
    key.parameters,
  );
  return rows.map((row) => key.valuesOf(row));
}

/** What statements over a target's key are made of; each comparison adds its parameters. */
class KeyStatement {
  readonly names: readonly string[];
  readonly parameters: Record<string, SqlParameters[string]> = {};
  readonly #target: TargetTable;
  readonly #texts: readonly KeyText[];

  constructor(target: TargetTable) {
    this.#target = target;
    this.names = target.key.map(quoteName);
    this.#texts = target.key.map((name) => {
      const text = columnText(target, name);
      if (text === null) throw new RangeError(`${target.entity}: key column ${name} cannot be read as text`);
      return text;
    });
  }

  /** The key as a select list of texts `k0`, `k1`, ... */
  texts(column: (name: string, index: number) => string): string {
    return this.names
      .map((name, index) => `${this.#texts[index]?.toText(column(name, index))} AS k${index}`)
      .join(', ');
  }

  valuesOf(row: Readonly<Record<string, string>>): string[] {
    return this.names.map((_name, index) => String(row[`k${index}`]));
  }

  conditions(after: readonly string[] | null, { source, target }: TargetKeyRange): string[] {
    const isHint = (key: readonly string[] | null): key is readonly string[] =>
      key !== null && isOrderedAlike(this.#target, key);
    return [
      ...(after === null ? [] : [this.#compare('k', after, '>', false)]),
      ...(after === null && target.from !== null ? [this.#compare('l', target.from, '>', true)] : []),
      ...(target.to === null ? [] : [this.#compare('u', target.to, '<', false)]),
      ...(after === null && isHint(source.from) ? [this.#compare('f', source.from, '>', true)] : []),
      ...(isHint(source.to) ? [this.#compare('t', source.to, '<', false)] : []),
    ];
  }

  /** Row comparison, which T-SQL does not have. */
  #compare(
    prefix: 'k' | 'l' | 'u' | 'f' | 't',
    key: readonly string[],
    operator: '>' | '<',
    isInclusive: boolean,
  ): string {
    key.forEach((value, index) => {
      this.parameters[`${prefix}${index}`] = { type: 'nvarchar', value };
    });
    const isHint = prefix === 'f' || prefix === 't';
    const value = (index: number) => {
      const text = this.#texts[index];
      return (isHint ? text?.ordered : text)?.fromText(`@${prefix}${index}`) ?? '';
    };
    const equal = (upTo: number) =>
      this.names.slice(0, upTo).map((name, index) => `${name} = ${value(index)}`);
    const parts = this.names.map((name, index) => {
      const last = isInclusive && index === this.names.length - 1 ? `${operator}=` : operator;
      return `(${[...equal(index), `${name} ${last} ${value(index)}`].join(' AND ')})`;
    });
    return `(${parts.join(' OR ')})`;
  }
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

/**
 * Keys (field to text) of open quarantine rows that a full image of the row would mend: the stream sent part of it only, or,
 * with `orphans`, before the row of a foreign key.
 */
export async function readIncompleteKeys(
  session: SqlSession,
  entity: string,
  limit: number,
  orphans: boolean,
): Promise<Record<string, string>[]> {
  const codes = [
    rejections.missingOrigin.code,
    rejections.quarantinedOrigin.code,
    unmappable.partialInputs,
    ...(orphans ? [rejections.parentMissing.code] : []),
  ];
  const { rows } = await session.batch<{ key_json: string }>(
    `SELECT DISTINCT TOP (${limit}) key_json FROM ${controlTable('quarantine')} WHERE entity = ${quoteText(entity)} AND resolved_at IS NULL AND code IN (${quoteTexts(codes)})`,
  );
  return rows.map((row) => JSON.parse(row.key_json) as Record<string, string>);
}
