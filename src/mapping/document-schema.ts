// The shape of a mapping file, once: for reading it (zod) and for editors (the JSON Schema generated from it).
// Guarantees: every key is described; an unknown key is an error.
import { z } from 'zod';

const text = z.string().min(1);
/** As long as the control tables have room for. */
const controlName = text.max(128);
const scalar = z.union([z.string(), z.number(), z.bigint(), z.boolean()]);
const names = z.union([text, z.array(text).min(1)]);

/** Types that `cast` may name: PostgreSQL's own names. */
export const castTypes = [
  'boolean',
  'int2',
  'int4',
  'int8',
  'float4',
  'float8',
  'numeric',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
  'text',
] as const;

const lookup = z
  .strictObject({
    table: z.record(z.string(), scalar).optional().describe('The values, by what is looked up.'),
    file: text.optional().describe('A YAML file of the same form, below the folder of the mappings.'),
    otherwise: z.union([scalar, z.null()]).optional().describe('For what the table does not have.'),
  })
  .refine((value) => (value.table === undefined) !== (value.file === undefined), {
    message: 'exactly one of table and file',
  });

const stepObject = z
  .strictObject({
    constant: scalar.optional().describe('This value, whatever the source holds.'),
    concat: z
      .string()
      .optional()
      .describe('Joins the columns with this text between them; NULLs are left out.'),
    lookup: lookup.optional().describe('Replaces the value by what a table holds for it.'),
    jsonPath: text.optional().describe('RFC 9535: picks a value out of a json, jsonb or text column.'),
    default: scalar.optional().describe('This value instead of NULL.'),
    cast: z.enum(castTypes).optional().describe("Reads the text as PostgreSQL's type of that name."),
  })
  .refine((value) => Object.keys(value).length === 1, { message: 'exactly one transform' });

const step = z.union([z.enum(['trim', 'lower', 'upper']), stepObject]);

const fieldTarget = z.union([
  text,
  z.strictObject({
    column: text.optional().describe("The warehouse column; the field's own name by default."),
    type: text
      .optional()
      .describe("The column's SQL Server type; by default the one of the field's Avro type."),
    nullable: z.boolean().optional().describe('Whether the column takes NULL; as the field does by default.'),
    collation: text
      .optional()
      .describe(
        "A text column's collation, such as Latin1_General_BIN2; the database's by default, a key's binary.",
      ),
  }),
]);

const field = z.union([
  text,
  z.strictObject({
    from: names.optional().describe("The source column or columns; the field's own name by default."),
    transform: z
      .union([step, z.array(step).min(1)])
      .optional()
      .describe('Steps, in order.'),
    expr: text
      .optional()
      .describe('A CEL expression over the source columns, instead of from and transform.'),
    target: fieldTarget.optional().describe('The SQL Server type, or column, type and nullable.'),
    misfit: z
      .union([z.enum(['quarantine', 'null']), z.null(), z.strictObject({ value: scalar })])
      .optional()
      .describe(
        'What becomes of a value that does not fit: the row to quarantine (default), null, or a value.',
      ),
    flag: text
      .optional()
      .describe('A boolean field of the record that is true where misfit replaced a value.'),
  }),
]);

export const documentSchema = z.strictObject({
  entity: controlName.describe('The name of the mapping, unique among all.'),
  source: z
    .union([
      text,
      z.strictObject({
        table: text.describe('schema.table'),
        key: names
          .optional()
          .describe('Columns that identify a row: the primary key or the replica identity.'),
      }),
    ])
    .describe('The table of the CRM: schema.table, or table and key.'),
  record: text.describe('The canonical record and its version: namespace.name@1.0.0'),
  lane: controlName
    .optional()
    .describe('Tables of one lane stay consistent with each other; main by default.'),
  filter: text.optional().describe('A CEL condition; rows that stop meeting it are deleted from the target.'),
  target: z
    .union([
      text,
      z.strictObject({
        table: text.describe('schema.table'),
        key: names.optional().describe('Key columns; by default those that the source key fills.'),
        mode: z
          .enum(['create', 'adopt'])
          .optional()
          .describe('create (default), or adopt a table that exists.'),
      }),
    ])
    .describe('The table of the warehouse: schema.table, or table, key and mode.'),
  metadata: z
    .strictObject({
      commitLsn: text.optional().describe("varchar(20): the commit's position in the source's WAL."),
      commitTime: text.optional().describe('datetimeoffset(6): when the source committed.'),
      operation: text.optional().describe('char(1): I or U.'),
      appliedAt: text.optional().describe("datetimeoffset(6): the warehouse's clock."),
    })
    .optional()
    .describe('Columns that walbridge fills of itself, by their names in the target.'),
  fields: z
    .record(text, field)
    .describe('By field of the record: a source column, or where its value comes from and goes to.'),
});

export type DocumentAsWritten = z.infer<typeof documentSchema>;
export type StepAsWritten = z.infer<typeof step>;
export type ScalarAsWritten = z.infer<typeof scalar>;

/** The JSON Schema that stands beside the mappings, as text. */
export function mappingJsonSchema(): string {
  const schema = z.toJSONSchema(documentSchema, {
    io: 'input',
    // YAML's integers, however long; JSON Schema has the one word for them.
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'bigint') jsonSchema.type = 'integer';
    },
  });
  return `${JSON.stringify({ title: 'walbridge mapping', ...schema }, null, 2)}\n`;
}
