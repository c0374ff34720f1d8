// What the warehouse must hold, told a second time: for each entity a plain SELECT on either side, written by hand from
// mappings/*.yaml and sharing no code with src/. Both give the same columns as text, so that nothing is lost on the way to JavaScript
// (a Date has no microseconds, a number no 38 digits).

export interface Entity {
  readonly name: string;
  /** Columns that identify a row, the first of `columns`. */
  readonly keyColumns: number;
  readonly columns: readonly Column[];
}

interface Column {
  readonly name: string;
  /** PostgreSQL's expression of the value that is expected, as text. */
  readonly source: string;
  /** SQL Server's expression of the value that is there, as text; a `real` or `float` as it is, for those are exact in JavaScript. */
  readonly warehouse: string;
}

type Kind = readonly [source: (sql: string) => string, warehouse: (column: string) => string];

// CONVERT's styles: https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql
const asText = (style: number) => (column: string) => `CONVERT(nvarchar(max), ${column}, ${style})`;
const plain: Kind = [(sql) => `(${sql})::text`, asText(0)];
const date: Kind = [(sql) => `to_char(${sql}, 'YYYY-MM-DD')`, asText(23)];
const time: Kind = [(sql) => `to_char(${sql}, 'HH24:MI:SS.US')`, asText(121)];
const localTime: Kind = [(sql) => `to_char(${sql}, 'YYYY-MM-DD HH24:MI:SS.US')`, asText(121)];
const instant: Kind = [
  (sql) => `to_char(${sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || ' +00:00'`,
  (column) => asText(121)(`SWITCHOFFSET(${column}, '+00:00')`),
];
const uuid: Kind = [(sql) => `(${sql})::text`, (column) => `LOWER(${asText(0)(column)})`];
const truth: Kind = [(sql) => `(${sql})::int::text`, asText(0)];
const bytes: Kind = [(sql) => `upper(encode(${sql}, 'hex'))`, asText(2)];
/** The number's bits in hexadecimal: compare.ts makes them of the numbers that the warehouse sends. */
const float: Kind = [(sql) => `upper(encode(float8send((${sql})::float8), 'hex'))`, (column) => column];

/** `source` is by default the column of the same name. */
function column(name: string, kind: Kind = plain, source = name): Column {
  return { name, source: kind[0](source), warehouse: kind[1](`[${name}]`) };
}

const trimmed = (name: string) => column(name, plain, `btrim(${name})`);
const address = column('email', plain, 'lower(btrim(email))');

/** Parents before their children. */
export const entities: readonly Entity[] = [
  {
    name: 'accounts',
    keyColumns: 1,
    columns: [
      column('id'),
      column('parent_id'),
      column('external_id', uuid),
      trimmed('name'),
      column('industry', plain, "coalesce(btrim(industry), 'unknown')"),
      column('annual_revenue'),
      column('contact_count'),
      column('open_amount'),
      column('tier', plain, "attributes ->> 'tier'"),
      column('city', plain, "btrim(attributes #>> '{address,city}')"),
      column('attributes'),
      column('created_at', instant),
      column('updated_at', instant),
    ],
  },
  {
    name: 'contacts',
    keyColumns: 1,
    columns: [
      column('id'),
      column('account_id'),
      address,
      column('email_domain', plain, "split_part(lower(btrim(email)), '@', 2)"),
      trimmed('first_name'),
      trimmed('last_name'),
      trimmed('phone'),
      column('birth_date', date),
      column('is_opted_in', truth),
      column('tags', plain, 'to_json(tags)'),
      column('photo', bytes),
      column('notes'),
      column('created_at', instant),
      column('updated_at', instant),
    ],
  },
  {
    name: 'leads',
    keyColumns: 1,
    columns: [
      column('id', uuid),
      trimmed('company'),
      address,
      column('status'),
      column('score', float, "nullif(score, 'NaN')"),
      column('score_is_invalid', truth, "coalesce(score = 'NaN', false)"),
      column('priority'),
      column(
        'is_hot',
        truth,
        "CASE WHEN priority IS NOT NULL THEN status = 'qualified' AND priority > 0 END",
      ),
      column('form', plain, "payload ->> 'form'"),
      column('payload'),
      column('notes'),
      column('contact_id'),
      column('received_at', localTime),
      column('updated_at', instant),
    ],
  },
  {
    name: 'opportunities',
    keyColumns: 1,
    columns: [
      column('id'),
      column('account_id'),
      trimmed('name'),
      column('stage'),
      column('amount'),
      column('open_amount', plain, "CASE WHEN stage IN ('won', 'lost') THEN 0.0000 ELSE amount END"),
      column('probability', float),
      column('close_date', date),
      column('created_at', instant),
      column('updated_at', instant),
    ],
  },
  {
    name: 'opportunity_contacts',
    keyColumns: 2,
    columns: [
      column('opportunity_id'),
      column('contact_id'),
      column('role', plain, 'lower(btrim(role))'),
      column('weight'),
    ],
  },
  {
    name: 'activities',
    keyColumns: 1,
    columns: [
      column('id'),
      column('contact_id'),
      column('opportunity_id'),
      column('kind'),
      column(
        'kind_label',
        plain,
        `CASE lower(btrim(kind)) WHEN 'call' THEN 'Phone call' WHEN 'mail' THEN 'E-mail'
           WHEN 'meeting' THEN 'Meeting' WHEN 'note' THEN 'Note' ELSE 'Other' END`,
      ),
      trimmed('subject'),
      column('body'),
      column('attachment', bytes),
      column('is_done', truth),
      column('starts_at', time),
      column('occurred_at', instant),
    ],
  },
];

/** As JSON lists of texts and NULLs, one a row. */
export function sourceSql({ name, columns }: Entity): string {
  return `SELECT json_build_array(${columns.map(({ source }) => source).join(', ')})::text AS row FROM ${name}`;
}

export function warehouseSql({ name, columns }: Entity): string {
  return `SELECT ${columns.map((one) => `${one.warehouse} AS [${one.name}]`).join(', ')} FROM crm.${name}`;
}
