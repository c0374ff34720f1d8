// Keys that a backfill asks the warehouse for: those it has, page by page, and those whose row it could not complete.
// Guarantees: exact text; pages in the order of the key's own index, each key in one page.
import type { SqlServerType, TargetTable } from '../mapping/target.ts';
import { rejections as unmappable } from '../mapping/unmappable.ts';
import { rejections } from './apply-fault.ts';
import { controlTable } from './control-tables.ts';
import { quoteName, quoteTable, quoteText } from './identifier.ts';
import type { SqlParameters, SqlSession } from './session.ts';

/** How a key column's value becomes text that PostgreSQL reads as the same value, and back; null: not at all. */
interface KeyText {
  readonly toText: (column: string) => string;
  readonly fromText: (parameter: string) => string;
  /** Of a type that both sides put in the same order: texts that can be compared with the column, and how; else null. */
  readonly ordered: { readonly text: RegExp; readonly fromText: (parameter: string) => string } | null;
}

/** A range of keys in the source's order: inclusive, exclusive; null: open. */
export interface KeyBounds {
  readonly from: readonly string[] | null;
  readonly to: readonly string[] | null;
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
 * The next keys behind `after`, in the target's order. Bounds are the caller's hint: of keys that the source may put in another
 * order they are not looked at. Throws a RangeError where `unreadableKeyColumn` names one.
 */
export async function readTargetKeys(
  session: SqlSession,
  target: TargetTable,
  after: readonly string[] | null,
  limit: number,
  bounds: KeyBounds = { from: null, to: null },
): Promise<string[][]> {
  const texts = target.key.map((name) => {
    const text = columnText(target, name);
    if (text === null) throw new RangeError(`${target.entity}: key column ${name} cannot be read as text`);
    return text;
  });
  const names = target.key.map(quoteName);
  const parameters: Record<string, SqlParameters[string]> = {};
  /** Row comparison, which T-SQL does not have. */
  const compare = (
    prefix: 'k' | 'f' | 't',
    key: readonly string[],
    operator: '>' | '<',
    isInclusive: boolean,
  ) => {
    key.forEach((value, index) => {
      parameters[`${prefix}${index}`] = { type: 'nvarchar', value };
    });
    const value = (index: number) => {
      const text = texts[index];
      return (prefix === 'k' ? text : text?.ordered)?.fromText(`@${prefix}${index}`) ?? '';
    };
    const equal = (upTo: number) => names.slice(0, upTo).map((name, index) => `${name} = ${value(index)}`);
    const parts = names.map((name, index) => {
      const last = isInclusive && index === names.length - 1 ? `${operator}=` : operator;
      return `(${[...equal(index), `${name} ${last} ${value(index)}`].join(' AND ')})`;
    });
    return `(${parts.join(' OR ')})`;
  };
  const isBound = (key: readonly string[] | null) => key !== null && isOrderedAlike(target, key);
  const conditions = [
    ...(after === null ? [] : [compare('k', after, '>', false)]),
    ...(after === null && isBound(bounds.from) ? [compare('f', bounds.from ?? [], '>', true)] : []),
    ...(isBound(bounds.to) ? [compare('t', bounds.to ?? [], '<', false)] : []),
  ];
  const list = names.map((name, index) => `${texts[index]?.toText(name)} AS k${index}`).join(', ');
  const { rows } = await session.query<Record<string, string>>(
    `SELECT TOP (${limit}) ${list} FROM ${quoteTable(target)}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`} ORDER BY ${names.join(', ')}`,
    parameters,
  );
  return rows.map((row) => names.map((_name, index) => String(row[`k${index}`])));
}

/** Keys (field to text) of open quarantine rows that a full image of the row would mend: the stream sent part of it only. */
export async function readIncompleteKeys(
  session: SqlSession,
  entity: string,
  limit: number,
): Promise<Record<string, string>[]> {
  const codes = [rejections.missingOrigin.code, rejections.quarantinedOrigin.code, unmappable.partialInputs];
  const { rows } = await session.batch<{ key_json: string }>(
    `SELECT DISTINCT TOP (${limit}) key_json FROM ${controlTable('quarantine')} WHERE entity = ${quoteText(entity)} AND resolved_at IS NULL AND code IN (${codes.map(quoteText).join(', ')})`,
  );
  return rows.map((row) => JSON.parse(row.key_json) as Record<string, string>);
}
