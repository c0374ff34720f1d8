// A schema and a mapping from a live table, as a person would begin them: `walbridge generate`.
// Guarantees: for a table with a key, what is written passes walbridge's own checks; where a person must decide, a comment
// says what and why.

import { fieldTypeFor } from '../canonical/avro-type-for.ts';
import { fieldTypeJson, MAX_PRECISION } from '../canonical/field-type.ts';
import type { FieldType } from '../canonical/schema.ts';
import type { ColumnDescription, TableDescription } from '../change/table-description.ts';
import { formatSqlType } from './default-type.ts';
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
}

interface GeneratedField {
  readonly name: string;
  readonly column: string;
  readonly avro: unknown;
  readonly nullable: boolean;
  /** Null where the Avro type's default does. */
  readonly target: SqlServerType | null;
  readonly comments: readonly string[];
  readonly doc: string | null;
}

/** SQL Server's clustered index keys end at 900 bytes; a fixed type takes 17 at most. */
const MAX_KEY_BYTES = 900;
const FIXED_KEY_BYTES = 17;

export function generateMapping(table: TableDescription, options: GenerateOptions = {}): GeneratedMapping {
  const namespace = options.namespace ?? 'crm';
  const record = avroName(table.table, new Set());
  const key = keyOf(table);
  const taken = new Set<string>();
  const published = table.columns.filter((column) => column.generated === 'no');
  const fields = published.map((column) => generateField(table, column, key?.columns ?? [], taken));
  return {
    schemaPath: `${namespace}/${record}/1.0.0.avsc`,
    schemaText: schemaText(table, namespace, record, fields),
    mappingPath: `${table.table.replace(/[^\w-]/g, '_')}.yaml`,
    mappingText: mappingText(
      table,
      `${namespace}.${record}@1.0.0`,
      options.targetSchema ?? 'crm',
      key,
      fields,
    ),
  };
}

interface Key {
  readonly columns: readonly string[];
  readonly comment: string | null;
}

function keyOf(table: TableDescription): Key | null {
  if (table.primaryKey !== null) {
    const covered = table.primaryKey.every((column) => table.replicaIdentityColumns?.includes(column));
    const name = `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.table)}`;
    const comment = covered
      ? null
      : `The replica identity lacks the key: ALTER TABLE ${name} REPLICA IDENTITY DEFAULT;`;
    return { columns: table.primaryKey, comment };
  }
  const unique = table.uniqueKeys.find((candidate) => candidate.notNull && !candidate.deferrable);
  if (unique === undefined) return null;
  const name = `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.table)}`;
  const mend = `ALTER TABLE ${name} REPLICA IDENTITY USING INDEX ${quoteIdentifier(unique.name)};`;
  const covered = unique.columns.every((column) => table.replicaIdentityColumns?.includes(column));
  return {
    columns: unique.columns,
    comment: `No primary key; ${unique.name} serves as one.${covered ? '' : ` Run: ${mend}`}`,
  };
}

function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function generateField(
  table: TableDescription,
  column: ColumnDescription,
  key: readonly string[],
  taken: Set<string>,
): GeneratedField {
  const inKey = key.includes(column.name);
  const type = fieldTypeFor(column.baseType, avroName(column.name, new Set()));
  const target = targetOf(column);
  const comments = commentsOn(column, type);
  const limited = inKey ? keyType(table, column, key, target) : null;
  return {
    name: avroName(column.name, taken),
    column: column.name,
    avro: fieldTypeJson(type),
    nullable: column.nullable && !inKey,
    target: limited?.target ?? target,
    comments: limited === null ? comments : [...comments, limited.comment],
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

/** Where the source says more than the field's type does; null where the field's default type will do. */
function targetOf({ baseType }: ColumnDescription): SqlServerType | null {
  if (baseType.kind !== 'base') return null;
  if (baseType.name === 'int2') return { name: 'smallint' };
  const { length } = baseType;
  const isSized = baseType.name === 'varchar' || baseType.name === 'bpchar';
  return isSized && length !== null && length <= 4000 ? { name: 'nvarchar', length } : null;
}

/** A key column's limited type, where its own is too long for an index. */
function keyType(
  table: TableDescription,
  column: ColumnDescription,
  key: readonly string[],
  target: SqlServerType | null,
): { target: SqlServerType; comment: string } | null {
  const { kind } = fieldTypeFor(column.baseType, column.name);
  if (kind !== 'string' && kind !== 'bytes') return null;
  const variable = key.filter((name) => {
    const other = table.columns.find((candidate) => candidate.name === name);
    const type = other === undefined ? null : fieldTypeFor(other.baseType, name).kind;
    return type === 'string' || type === 'bytes' || type === 'enum';
  }).length;
  const bytes = Math.floor((MAX_KEY_BYTES - FIXED_KEY_BYTES * (key.length - variable)) / variable);
  if (kind === 'bytes') {
    const comment = `A key ends at ${MAX_KEY_BYTES} bytes in SQL Server: longer values go to quarantine.`;
    return { target: { name: 'varbinary', length: bytes }, comment };
  }
  const characters = Math.floor(bytes / 2);
  const binary = 'Created with a binary (BIN2) collation, so that keys differ as they do in PostgreSQL';
  if (target !== null && typeof target.length === 'number' && target.length <= characters) {
    return { target, comment: `${binary}.` };
  }
  const comment = `${binary}; a key ends at ${MAX_KEY_BYTES} bytes: longer values go to quarantine.`;
  return { target: { name: 'nvarchar', length: characters }, comment };
}

/** An Avro name near the given one, and new in `taken`. https://avro.apache.org/docs/1.11.1/specification/#names */
function avroName(name: string, taken: Set<string>): string {
  const word = name.replace(/\W/g, '_');
  // `constructor` and the like: every object has them, so that a field of that name could not be told from an absent one.
  const base = word in Object.prototype ? `${word}_column` : /^[A-Za-z_]/.test(word) ? word : `_${word}`;
  let unique = base;
  for (let count = 2; taken.has(unique); count += 1) unique = `${base}_${count}`;
  taken.add(unique);
  return unique;
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

function mappingText(
  table: TableDescription,
  record: string,
  targetSchema: string,
  key: Key | null,
  fields: readonly GeneratedField[],
): string {
  const lines = ['# yaml-language-server: $schema=./mapping.schema.json'];
  for (const line of table.comment?.split('\n') ?? []) lines.push(`# ${line}`);
  lines.push(
    `entity: ${yamlText(table.table)}`,
    'source:',
    `  table: ${yamlText(`${table.schema}.${table.table}`)}`,
  );
  if (key === null) {
    lines.push(
      '  # No primary key and no unique index over NOT NULL columns: walbridge cannot tell rows apart.',
      '  # Decide: give the table a primary key, and name its columns here.',
      '  # key: [id]',
    );
  } else {
    if (key.comment !== null) lines.push(`  # ${key.comment}`);
    lines.push(`  key: ${yamlList(key.columns)}`);
  }
  lines.push(
    `record: ${record}`,
    `target: ${yamlText(`${targetSchema}.${table.table}`)}`,
    'metadata: {commitLsn: _commit_lsn, commitTime: _commit_time}',
    'fields:',
  );
  for (const field of fields) lines.push(...fieldLines(field));
  for (const column of table.columns) {
    if (column.generated === 'no') continue;
    lines.push(
      `  # ${oneLine(column.name)} is generated (${column.generated}) and left out: the server sends it only from version 18 on,`,
      '  # and only with publish_generated_columns = stored.',
    );
  }
  return `${lines.join('\n')}\n`;
}

function fieldLines(field: GeneratedField): string[] {
  const comments = field.comments.map((comment) => `  # ${oneLine(comment)}`);
  const name = yamlText(field.name);
  if (field.target === null) return [...comments, `  ${name}: ${yamlText(field.column)}`];
  const from = field.name === field.column ? '' : `from: ${yamlText(field.column)}, `;
  return [...comments, `  ${name}: {${from}target: ${yamlText(formatSqlType(field.target))}}`];
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
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
