// PostgreSQL's expression for a column's canonical text.
// Guarantees: where there is one, it is for every value of the type what the mapping's own decoder and the warehouse's column come
// to, or a text that no value of the warehouse has (NaN, infinities, years beyond 1 to 9999); it never fails.
// https://www.postgresql.org/docs/current/functions-formatting.html
import { escapeIdentifier } from 'pg';
import type { CanonicalForm } from '../change/row-digest.ts';
import type { BaseType } from '../change/table-description.ts';

type PgType = Pick<BaseType, 'name' | 'kind'>;

export interface DigestExpression {
  readonly form: CanonicalForm;
  /** The canonical text of the column of `t`. */
  readonly text: string;
}

/** Null where only the mapping's own code can tell. */
export function digestExpression(type: PgType, form: CanonicalForm, column: string): DigestExpression | null {
  const text = expressionOf(type, form, `t.${escapeIdentifier(column)}`);
  return text === null ? null : { form, text };
}

const integers = ['int2', 'int4', 'int8', 'oid'];

function expressionOf(type: PgType, form: CanonicalForm, reference: string): string | null {
  const { name } = type;
  switch (form.kind) {
    case 'boolean':
      return name === 'bool' ? `${reference}::int4::text` : null;
    case 'integer':
      return integers.includes(name) ? `${reference}::int8::text` : null;
    case 'decimal':
      return [...integers, 'numeric'].includes(name) ? decimalText(name, form.scale, reference) : null;
    case 'float4':
      return name === 'float4' ? bitsText(`float4send(${reference})`, 32) : null;
    case 'float8':
      return name === 'float4' || name === 'float8' ? bitsText(`float8send(${reference}::float8)`, 64) : null;
    case 'date':
      return name === 'date' ? `${reference}::date::text` : null;
    case 'time':
      // 24:00:00 stays itself.
      return name === 'time' ? `to_char(${reference}::time, 'HH24:MI:SS.US') || '0'` : null;
    case 'timestamp':
      if (name === 'timestamp') return timestampText(`${reference}::timestamp`);
      return name === 'timestamptz'
        ? timestampText(`(${reference}::timestamptz AT TIME ZONE 'UTC')`, `${reference}::timestamptz::text`)
        : null;
    case 'uuid':
      return name === 'uuid' ? `upper(${reference}::uuid::text)` : null;
    case 'bytes':
      return name === 'bytea' ? `'0x' || upper(encode(${reference}, 'hex'))` : null;
    case 'text':
      return textOf(type, reference);
  }
}

/** 32 bits without a sign, 64 with one. */
function bitsText(bytes: string, bits: 32 | 64): string {
  return `('x' || encode(${bytes}, 'hex'))::bit(${bits})::int8::text`;
}

/** What rounding would change keeps its own digits: the warehouse has no such value. */
function decimalText(name: string, scale: number, reference: string): string {
  const number = name === 'numeric' ? reference : `${reference}::int8::numeric`;
  return `CASE WHEN round(${number}, ${scale}) = ${number} THEN round(${number}, ${scale})::text ELSE ${number}::text END`;
}

function timestampText(local: string, other = `${local}::text`): string {
  return `CASE WHEN ${local} >= '0001-01-01' AND ${local} < '10000-01-01' THEN to_char(${local}, 'YYYY-MM-DD HH24:MI:SS.US') || '0' ELSE ${other} END`;
}

/** What the stream sends as text and the mapping leaves as it is; a cast would cut char(n), and add to inet. */
function textOf({ name, kind }: PgType, reference: string): string | null {
  if (kind === 'array' || kind === 'composite' || name === 'hstore') return null;
  const text =
    name === 'text' || name === 'varchar' || name === 'citext'
      ? `${reference}::text`
      : `CASE WHEN ${reference} IS NOT NULL THEN format('%s', ${reference}) END`;
  // Regular expressions refuse collations that are not deterministic.
  return `(${text}) COLLATE pg_catalog."C"`;
}
