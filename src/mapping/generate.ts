// A schema and a mapping from a live table, as a person would begin them: `walbridge generate`.
// Guarantees: for a table with a key, what is written passes walbridge's own checks; where a person must decide, a comment
// says what and why.

import { fieldTypeFor } from '../canonical/avro-type-for.ts';
import { fieldTypeJson, MAX_PRECISION } from '../canonical/field-type.ts';
import type { FieldType } from '../canonical/schema.ts';
import type { ColumnDescription, TableDescription } from '../change/table-description.ts';
import { formatTableName } from '../change/table-name.ts';
import { formatSqlType } from './default-type.ts';
import { type GeneratedKey, keyOf, keyType } from './generated-key.ts';
import { avroName, columnName, fileStem } from './generated-names.ts';
import { referenceOf } from './generated-reference.ts';
import type { GivenNames } from './generated-table-names.ts';
import { ownType } from './generated-type.ts';
import type { SqlServerType } from './target.ts';

export interface GeneratedMapping {
  /** Below the folder of the schemas. */
  readonly schemaPath: string;
  readonly schemaText: string;
  /** Below the folder of the mappings. */
  readonly mappingPath: string;
  readonly mappingText: string;
}

export interface GenerateOptions {
  /** Avro namespace of the record; crm by default. */
  readonly namespace?: string;
  /** Schema of the target table in the warehouse; crm by default. */
  readonly targetSchema?: string;
  /** By default all after the source table. */
  readonly names?: GivenNames;
  /** Tables that the table's foreign keys refer to. Columns that refer to others get the types of any text. */
  readonly referred?: readonly TableDescription[];
  /** Of the record's schema; 1.0.0 by default. */
  readonly version?: string;
}

interface GeneratedField {
  readonly name: string;
  readonly column: string;
  readonly targetColumn: string;
  readonly avro: unknown;
  readonly nullable: boolean;
  /** Null where the Avro type's default does. */
  readonly target: SqlServerType | null;
  /** Null where the warehouse's own will do. */
  readonly collation: string | null;
  readonly comments: readonly string[];
  readonly doc: string | null;
}

/** Names that the fields of one record share among them, or must not have. */
interface TakenNames {
  readonly fields: Set<string>;
  readonly types: Set<string>;
  readonly columns: Set<string>;
}

export function generateMapping(table: TableDescription, options: GenerateOptions = {}): GeneratedMapping {
  const namespace = options.namespace ?? 'crm';
  const version = options.version ?? '1.0.0';
  const record = options.names?.record ?? avroName(table.table, new Set());
  const entity = options.names?.entity ?? table.table;
  const target = { schema: options.targetSchema ?? 'crm', table: options.names?.table ?? table.table };
  const key = keyOf(table);
  const taken: TakenNames = { fields: new Set(), types: new Set([record]), columns: new Set() };
  const published = table.columns.filter((column) => column.generated === 'no');
  const fields = published.map((column) =>
    generateField(table, column, key?.columns ?? [], options.referred ?? [], taken),
  );
  return {
    schemaPath: `${namespace}/${record}/${version}.avsc`,
    schemaText: schemaText(table, namespace, record, fields),
    mappingPath: `${fileStem(entity)}.yaml`,
    mappingText: [
      ...headLines(table, fields.length),
      `entity: ${yamlText(entity)}`,
      ...sourceLines(table, key),
      `record: ${namespace}.${record}@${version}`,
      `target: ${yamlText(formatTableName(target))}`,
      `metadata: {commitLsn: ${metadataColumn('_commit_lsn', taken)}, commitTime: ${metadataColumn('_commit_time', taken)}}`,
      'fields:',
      ...fields.flatMap(fieldLines),
      ...leftOut(table),
      '',
    ].join('\n'),
  };
}

function metadataColumn(name: string, taken: TakenNames): string {
  return columnName(name, name, taken.columns);
}

function generateField(
  table: TableDescription,
  column: ColumnDescription,
  key: readonly string[],
  referred: readonly TableDescription[],
  taken: TakenNames,
): GeneratedField {
  const inKey = key.includes(column.name);
  const name = avroName(column.name, taken.fields);
  const type = fieldTypeFor(column.baseType, name, taken.types);
  const own = ownType(column);
  const limited = inKey ? keyType(table, column, key, own) : null;
  // A key column is limited and has the collation already.
  const reference = inKey ? null : referenceOf(table, column.name, referred);
  const reason = limited ?? reference;
  const comments = commentsOn(column, type);
  return {
    name,
    column: column.name,
    targetColumn: columnName(column.name, name, taken.columns),
    avro: fieldTypeJson(type),
    nullable: column.nullable && !inKey,
    target: reason === null ? own : (reason.target ?? own),
    collation: reference?.collation ?? null,
    comments: reason === null ? comments : [...comments, reason.comment],
    doc: column.comment,
  };
}

/** Comments where the type is a guess or closes a list. */
function commentsOn({ baseType }: ColumnDescription, type: FieldType): readonly string[] {
  if (baseType.kind === 'enum') {
    return type.kind === 'enum'
      ? [
          `Enum ${baseType.name}: rows with a label added later go to quarantine until the schema has it.`,
          'Decide: make it a string in the schema if labels are added often.',
        ]
      : [];
  }
  if (type.kind !== 'decimal' || baseType.name !== 'numeric') return [];
  const shape = `decimal(${type.precision},${type.scale})`;
  if (baseType.numeric === null) {
    return [
      `numeric without precision: ${shape} is a guess; values beyond it go to quarantine.`,
      'Decide: state the precision and scale that the data needs, in the schema.',
    ];
  }
  const { precision, scale } = baseType.numeric;
  if (precision - Math.min(scale, 0) <= MAX_PRECISION) return [];
  return [
    `numeric(${precision},${scale}) is wider than SQL Server's 38 digits; values beyond ${shape} go to quarantine.`,
    'Decide: another scale in the schema, or a string.',
  ];
}

function schemaText(
  table: TableDescription,
  namespace: string,
  record: string,
  fields: readonly GeneratedField[],
): string {
  const schema = {
    type: 'record',
    name: record,
    namespace,
    doc: table.comment ?? `Rows of ${table.schema}.${table.table}.`,
    fields: fields.map(({ name, doc, avro, nullable }) => ({
      name,
      ...(doc !== null && { doc }),
      type: nullable ? ['null', avro] : avro,
      ...(nullable && { default: null }),
    })),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Columns that SQL Server gives a table, less what walbridge's staging table needs beside a key of one column. */
const MANY_COLUMNS = 1018;

function headLines(table: TableDescription, fields: number): string[] {
  const comment = (table.comment ?? '').split(lineBreaks).filter((line) => line.trim() !== '');
  return [
    '# yaml-language-server: $schema=./mapping.schema.json',
    ...comment.map((line) => `# ${oneLine(line).trim()}`),
    ...(fields <= MANY_COLUMNS
      ? []
      : [
          `# ${fields} columns, and SQL Server takes about ${MANY_COLUMNS} of them.`,
          '# Decide: take fields out that nobody reports on, here and in the schema.',
        ]),
  ];
}

function sourceLines(table: TableDescription, key: GeneratedKey | null): string[] {
  const lines = ['source:', `  table: ${yamlText(formatTableName(table))}`];
  if (key === null) {
    return [
      ...lines,
      '  # No primary key and no unique index over NOT NULL columns: walbridge cannot tell rows apart.',
      '  # Decide: give the table a primary key, and name its columns here.',
      '  # key: [id]',
    ];
  }
  if (key.comment !== null) lines.push(`  # ${oneLine(key.comment)}`);
  return [...lines, `  key: ${yamlList(key.columns)}`];
}

function leftOut(table: TableDescription): string[] {
  return table.columns
    .filter((column) => column.generated !== 'no')
    .flatMap((column) => [
      `  # ${oneLine(column.name)} is generated (${column.generated}) and left out: the server sends it only from version 18 on,`,
      '  # and only with publish_generated_columns = stored.',
    ]);
}

function fieldLines(field: GeneratedField): string[] {
  const comments = field.comments.map((comment) => `  # ${oneLine(comment)}`);
  const name = yamlText(field.name);
  const type = field.target === null ? null : yamlText(formatSqlType(field.target));
  const renamed = field.targetColumn !== field.name;
  const { collation } = field;
  if (type === null && !renamed && collation === null)
    return [...comments, `  ${name}: ${yamlText(field.column)}`];
  const from = field.name === field.column ? '' : `from: ${yamlText(field.column)}, `;
  const parts = [
    ...(renamed ? [`column: ${yamlText(field.targetColumn)}`] : []),
    ...(type === null ? [] : [`type: ${type}`]),
    ...(collation === null ? [] : [`collation: ${yamlText(collation)}`]),
  ];
  const target = type !== null && parts.length === 1 ? type : `{${parts.join(', ')}}`;
  return [...comments, `  ${name}: {${from}target: ${target}}`];
}

const lineBreaks = /[\r\n\u0085\u2028\u2029]+/;

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ');
}

function yamlList(names: readonly string[]): string {
  return `[${names.map(yamlText).join(', ')}]`;
}

const keywords = /^(?:y|n|yes|no|on|off|true|false|null|~)$/i;

/** A plain scalar where YAML reads it as this very string, else a quoted one. */
function yamlText(text: string): string {
  const isPlain = /^[A-Za-z_][\w.()-]*(?:,\d+\))?$/.test(text) && !keywords.test(text) && !text.includes(',');
  return isPlain ? text : JSON.stringify(text);
}
