// An entity as a verification sees it: its key on both sides, what PostgreSQL can digest by itself, and how a source row comes to
// what the warehouse should hold.
// Guarantees: pure; a source row goes through the mapping's own code and apply's own checks, no copy of them.
import type { CanonicalEvent, CanonicalRecord } from '../canonical/event.ts';
import type { ChunkTable, KeyValues } from '../capture/chunk-statement.ts';
import { type DigestExpression, digestExpression } from '../capture/digest-column.ts';
import type { SourceDigest } from '../capture/digest-statement.ts';
import { type CanonicalForm, type CanonicalText, digestOf, rowText } from '../change/row-digest.ts';
import type { Relation, SourceRow, SourceTransaction } from '../change/source-change.ts';
import type { BaseType, TableDescription } from '../change/table-description.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { FieldPlan } from '../mapping/field-plan.ts';
import type { Catalog } from '../warehouse/catalog.ts';
import { keyJsonWriter } from '../warehouse/compaction-key.ts';
import { type DigestColumn, type DigestTable, planDigest } from '../warehouse/digest-column.ts';
import { chunkTableOf, readColumnsOf, sourceKeyOf } from './backfill-table.ts';

export interface VerifiedTable {
  readonly mapping: CompiledMapping;
  readonly source: ChunkTable;
  /** Of the source, in the key's order. */
  readonly sourceKey: readonly string[];
  /** Columns that the mapping reads. */
  readonly reads: readonly string[];
  readonly target: DigestTable;
  /** The target's columns that hold the source's key, in the order of the source's. */
  readonly key: readonly DigestColumn[];
  /** Key columns, from the first on, that both sides order alike: ranges of them are ranges on both sides. */
  readonly ordered: number;
  /** The source's own expressions; of the key alone where `byRows` says why. */
  readonly digest: SourceDigest;
  /** Why the source's rows have to go through the mapping one by one; null where PostgreSQL digests them. */
  readonly byRows: string | null;
  /** Rows as the warehouse should have them. */
  bind(relation: Relation): (row: SourceRow) => Expected;
}

/** What the warehouse should have of a source row. */
export type Expected =
  | {
      readonly kind: 'row';
      readonly key: KeyValues;
      readonly values: readonly CanonicalText[];
      readonly digest: string;
      readonly quarantineKeys: readonly string[];
    }
  /** The mapping's filter leaves it out. */
  | { readonly kind: 'out' }
  /** It goes to quarantine. */
  | {
      readonly kind: 'rejected';
      readonly key: KeyValues;
      readonly code: string;
      readonly quarantineKeys: readonly string[];
    };

/** Of every rejected row: the warehouse has none like it, so that the row is looked at. */
export const REJECTED_DIGEST = digestOf('rejected');

/** Or why the entity cannot be verified. Throws WB6507 and WB6508 where the warehouse lacks its table. */
export function verifiedTable(
  mapping: CompiledMapping,
  described: TableDescription | undefined,
  catalog: Catalog,
): VerifiedTable | { readonly problem: string } {
  if (described === undefined)
    return { problem: `the source has no table ${mapping.source.schema}.${mapping.source.table}` };
  const target = planDigest(mapping.target, mapping.schema, catalog);
  const sourceKey = sourceKeyOf(mapping);
  const fields = sourceKey.map((column) =>
    mapping.plan.key.find((field) => isPlain(field) && field.inputs[0] === column),
  );
  const missing = sourceKey.find((_column, index) => fields[index] === undefined);
  if (missing !== undefined) return { problem: `no key column of the target holds "${missing}" as it is` };
  if (mapping.plan.key.length !== sourceKey.length)
    return { problem: 'the target has more key columns than the source' };
  const key = fields.flatMap(
    (field) => target.columns.find(({ column }) => column === field?.column.name) ?? [],
  );
  const unreadable = key.find(
    ({ ofText, form }) => ofText === null || form.kind === 'float8' || form.kind === 'float4',
  );
  if (unreadable !== undefined) {
    return { problem: `the type of key column "${unreadable.column}" has no text that both sides share` };
  }
  const typeOf = (column: string) => described.columns.find(({ name }) => name === column)?.baseType;
  const source = chunkTableOf(mapping, described);
  const expressions = expressionsOf(mapping, target, typeOf);
  const keyExpressions = sourceKey.map((column, index) => keyExpression(typeOf(column), key[index], column));
  const isKeyDigestible = !keyExpressions.includes(null);
  const byRows =
    mapping.filter !== null ? 'it has a filter' : 'problem' in expressions ? expressions.problem : null;
  const ordered = keyExpressions.findIndex(
    (expression, index) =>
      expression === null ||
      key[index]?.isOrdered !== true ||
      !orderedTypes.has(typeOf(sourceKey[index] ?? '')?.name ?? ''),
  );
  return {
    mapping,
    source,
    sourceKey,
    reads: readColumnsOf(mapping),
    target,
    key,
    ordered: ordered < 0 ? key.length : ordered,
    digest: {
      table: source,
      columns: 'problem' in expressions ? [] : expressions,
      key: keyExpressions.filter((expression) => expression !== null),
    },
    byRows: byRows ?? (isKeyDigestible ? null : 'its key has no expression that both sides share'),
    bind: (relation) => binder(mapping, described, relation, target, key, sourceKey),
  };
}

/** Types whose order PostgreSQL and SQL Server agree on. */
const orderedTypes = new Set(['int2', 'int4', 'int8', 'oid', 'numeric', 'date', 'timestamp', 'timestamptz']);

type TypeOf = (column: string) => BaseType | undefined;

function isPlain({ inputs, expression, mapping, replacement }: FieldPlan): boolean {
  return (
    inputs.length === 1 &&
    expression === null &&
    mapping.steps.length === 0 &&
    replacement === undefined &&
    mapping.flag === null
  );
}

function keyExpression(
  type: BaseType | undefined,
  column: DigestColumn | undefined,
  name: string,
): DigestExpression | null {
  return type === undefined || column === undefined ? null : digestExpression(type, column.form, name);
}

function expressionsOf(
  { plan }: CompiledMapping,
  { columns }: DigestTable,
  typeOf: TypeOf,
): readonly DigestExpression[] | { readonly problem: string } {
  const found: DigestExpression[] = [];
  for (const { column, field, form } of columns) {
    const planned = plan.fields.find((candidate) => candidate.field.name === field);
    if (planned === undefined || !isPlain(planned))
      return { problem: `column ${column} is not a source column as it is` };
    const [input = ''] = planned.inputs;
    const type = typeOf(input);
    const expression = type === undefined ? null : digestExpression(type, form, input);
    if (expression === null) return { problem: `column ${column} has a text that only the mapping makes` };
    found.push(expression);
  }
  return found;
}

/** Of no transaction: only rows are mapped, and nothing is sent. */
const nowhere: SourceTransaction = { xid: 0, commitLsn: 0n, commitTimeMicros: 0n };

function binder(
  mapping: CompiledMapping,
  described: TableDescription,
  relation: Relation,
  target: DigestTable,
  key: readonly DigestColumn[],
  sourceKey: readonly string[],
): (row: SourceRow) => Expected {
  const mapper = mapping.bind(relation, described);
  const forms = target.columns.map(({ form }) => form);
  const keyJson = keyJsonWriter(mapping.target);
  const keyOf = (record: CanonicalRecord) =>
    key.map((column) => column.ofCanonical(record[column.field] ?? null) ?? '');
  // By the mapping's columns where mapping refused the row, by the record's fields where apply did.
  const spellings = (record: CanonicalRecord, row: SourceRow) => [
    sourceKeyJson(sourceKey, row),
    keyJson(record),
  ];
  return (row) => {
    const event = mapper.map({ op: 'insert', relation, row, ordinal: 1 }, nowhere);
    if (event === null) return { kind: 'out' };
    if (event.op === 'reject') {
      return {
        kind: 'rejected',
        // A key that the warehouse has no value for is what the source calls it.
        key: event.key === null ? sourceKey.map((column) => row[column] ?? '') : keyOf(event.key),
        code: event.code,
        quarantineKeys: [event.keyJson],
      };
    }
    const record = recordOf(event);
    const misfit = target.columns
      .map(({ check, field }) => check?.(record[field] ?? null))
      .find((found) => found !== undefined);
    if (misfit !== undefined) {
      return {
        kind: 'rejected',
        key: keyOf(record),
        code: misfit.code,
        quarantineKeys: spellings(record, row),
      };
    }
    const values = target.columns.map(({ field, ofCanonical }) => ofCanonical(record[field] ?? null));
    return {
      kind: 'row',
      key: keyOf(record),
      values,
      digest: digestOf(rowText(forms, values)),
      quarantineKeys: spellings(record, row),
    };
  };
}

function recordOf(event: CanonicalEvent): CanonicalRecord {
  return event.op === 'upsert' ? event.record : {};
}

function sourceKeyJson(columns: readonly string[], row: SourceRow): string {
  return JSON.stringify(Object.fromEntries(columns.map((column) => [column, row[column] ?? null])));
}

/** A canonical key as PostgreSQL reads it. */
export function sourceKeyText(form: CanonicalForm | undefined, text: string): string {
  if (form?.kind === 'uuid') return text.toLowerCase();
  return form?.kind === 'bytes' ? `\\x${text.slice(2).toLowerCase()}` : text;
}

const DAY_MICROS = 86_400_000_000n;

/** How quarantine may spell the key of a row that the source has no more. */
export function quarantineKeysOf({ key, sourceKey, mapping }: VerifiedTable, texts: KeyValues): string[] {
  const bySource = sourceKey.map((column, index) => [
    column,
    sourceKeyText(key[index]?.form, texts[index] ?? ''),
  ]);
  const fields = mapping.target.key.map((name) => {
    const index = key.findIndex(({ column }) => column === name);
    return [key[index]?.field ?? '', quarantineText(key[index]?.form, texts[index] ?? '')];
  });
  return [JSON.stringify(Object.fromEntries(bySource)), JSON.stringify(Object.fromEntries(fields))];
}

/** A canonical text as compaction-key.ts spells the value: times as microseconds, dates as days. */
function quarantineText(form: CanonicalForm | undefined, text: string): string {
  switch (form?.kind) {
    case 'boolean':
      return text === '1' ? 'true' : 'false';
    case 'date':
      return String(Date.parse(`${text}T00:00:00Z`) / 86_400_000);
    case 'time':
      return String(microsOfDay(text));
    case 'timestamp': {
      const days = BigInt(Date.parse(`${text.slice(0, 10)}T00:00:00Z`) / 86_400_000);
      return String(days * DAY_MICROS + microsOfDay(text.slice(11)));
    }
    default:
      return sourceKeyText(form, text);
  }
}

/** Of `12:34:56.7890120`. */
function microsOfDay(text: string): bigint {
  const [hours = 0, minutes = 0, seconds = 0] = text.slice(0, 8).split(':').map(Number);
  return BigInt((hours * 60 + minutes) * 60 + seconds) * 1_000_000n + BigInt(text.slice(9, 15));
}
