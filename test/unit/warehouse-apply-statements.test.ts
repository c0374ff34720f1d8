// The statements that apply sends, to the letter: awkward names, several key columns, every type's way there and back.
import { describe, expect, it } from 'vitest';
import type { FieldType, RecordSchema } from '../../src/canonical/schema.ts';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import type { TargetTable } from '../../src/mapping/target.ts';
import { TableDml } from '../../src/warehouse/apply-dml.ts';
import type { Catalog, ColumnFacts } from '../../src/warehouse/catalog.ts';
import { tableKey } from '../../src/warehouse/catalog.ts';
import type { CompactedRow } from '../../src/warehouse/compaction.ts';
import { emptyTable, planStaging, type Staging, stage } from '../../src/warehouse/staging.ts';
import { stagingColumn } from '../../src/warehouse/staging-column.ts';

function has(name: string, text: string, collation: string | null = null): ColumnFacts {
  const type = parseSqlType(text);
  if ('problem' in type) throw new Error(type.problem);
  return {
    name,
    type,
    typeText: text,
    nullable: true,
    identity: false,
    computed: false,
    generated: false,
    hasDefault: false,
    collation,
  };
}

const CI = 'SQL_Latin1_General_CP1_CI_AS';
const facts = {
  name: { schema: 'we]ird', table: "O'Brien" },
  columns: [
    has('Order', 'int'),
    has('co]de', 'nvarchar(10)', CI),
    has("größe 'x'", 'nvarchar(max)', CI),
    has('r', 'nvarchar(5)', CI),
    has('l0', 'int'),
  ],
  uniqueKeys: [],
  triggers: [],
  temporal: false,
  empty: false,
};
const catalog: Catalog = {
  tables: new Map([[tableKey(facts.name), facts]]),
  foreignKeys: [],
  schemas: new Set(),
  unread: [],
};
const column = (name: string, text: string, field: string) => ({
  ...has(name, text),
  name,
  type: has(name, text).type ?? { name: 'int' as const },
  field,
});
// Cased otherwise than in the warehouse, where a database may tell case.
const target: TargetTable = {
  entity: 'odd',
  lane: 'crm',
  schema: 'WE]IRD',
  table: "o'brien",
  key: ['order', 'CO]DE'],
  columns: [
    column('order', 'int', 'a'),
    column('CO]DE', 'nvarchar(10)', 'b'),
    column("Größe 'x'", 'nvarchar(max)', 'c'),
  ],
  metadata: {},
};
const text: FieldType = { kind: 'string' };
const schema = {
  fields: [
    { name: 'a', type: { kind: 'int' } },
    { name: 'b', type: text },
    { name: 'c', type: text },
  ],
} as unknown as RecordSchema;

const row = (op: 'upsert' | 'delete', absent: string[] = []): CompactedRow => {
  const record = { a: 1, b: 'x', c: 'y' };
  const at = { lsn: 1n, ordinal: 1 };
  return op === 'delete'
    ? { op, record, at, commitTimeMicros: 0n }
    : {
        op,
        record,
        inserted: false,
        absent,
        origin: absent.length > 0 ? record : null,
        at,
        commitTimeMicros: 0n,
      };
};
const staged = (rows: CompactedRow[]): Staging => stage(planStaging(target, schema, catalog), null, rows);
const KEY =
  't.[Order] = s.c0 AND t.[co]]de] = s.c1 AND t.[co]]de] COLLATE Latin1_General_BIN2 = s.c1 COLLATE Latin1_General_BIN2 AND DATALENGTH(t.[co]]de]) = DATALENGTH(s.c1)';
const TABLE = "[we]]ird].[O'Brien]";

describe('statements', () => {
  const dml = new TableDml(staged([row('upsert', ['c']), row('delete')]), 0, [], ' OPTION (KEEP PLAN)');
  const { name, declarations } = dml.staging.plan;

  it('stage text in the column’s own collation, never the one of tempdb', () => {
    expect(emptyTable('#s', declarations)).toBe(
      `IF OBJECT_ID(N'tempdb..#s') IS NULL CREATE TABLE #s (r int NOT NULL, o tinyint NOT NULL, c0 int NULL, c1 nvarchar(10) COLLATE ${CI} NULL, c2 nvarchar(max) COLLATE ${CI} NULL, m varchar(3) COLLATE Latin1_General_BIN2 NULL, k0 int NULL, k1 nvarchar(10) COLLATE ${CI} NULL) ELSE TRUNCATE TABLE #s;`,
    );
  });

  it('name tables and columns as the catalog spells them', () => {
    expect(dml.update()[0]).toBe(
      `UPDATE t SET [größe 'x'] = s.c2 FROM ${TABLE} AS t JOIN ${name} AS s ON ${KEY} WHERE s.o > 0 OPTION (KEEP PLAN);`,
    );
    expect(dml.delete()[0]).toBe(
      `DELETE t FROM ${TABLE} AS t JOIN ${name} AS s ON ${KEY} WHERE s.o = 0 OPTION (KEEP PLAN);`,
    );
    expect(dml.insert()[0]).toBe(
      `INSERT INTO ${TABLE} ([Order], [co]]de], [größe 'x']) SELECT s.c0, s.c1, s.c2 FROM ${name} AS s WHERE s.o > 0 AND NOT EXISTS (SELECT 1 FROM ${TABLE} AS t WITH (UPDLOCK, HOLDLOCK) WHERE ${KEY}) OPTION (KEEP PLAN);`,
    );
  });

  it('fill from the row that had the key before', () => {
    expect(dml.fill()).toEqual([
      `UPDATE s SET c2 = CASE WHEN SUBSTRING(s.m, 1, 1) = '1' THEN t.[größe 'x'] ELSE s.c2 END FROM ${name} AS s JOIN ${TABLE} AS t WITH (UPDLOCK) ON ${KEY.replaceAll('s.c', 's.k')} WHERE s.m IS NOT NULL OPTION (KEEP PLAN);`,
    ]);
  });

  it('keep legacy columns of any name when rows are taken out and put back', () => {
    expect(dml.takeOut([])[0]).toBe(
      `SELECT s.r, t.[r] AS l0, t.[l0] AS l1 INTO ${name}_out FROM ${TABLE} AS t WITH (UPDLOCK, HOLDLOCK) JOIN ${name} AS s ON ${KEY} WHERE s.o > 0 OPTION (KEEP PLAN);`,
    );
    expect(dml.restore()[0]).toBe(
      `UPDATE t SET [r] = k.l0, [l0] = k.l1 FROM ${TABLE} AS t JOIN ${name} AS s ON ${KEY} JOIN ${name}_out AS k ON k.r = s.r;`,
    );
  });
});

describe('values that travel as text', () => {
  it.each([
    ['decimal(38,10)', 'CONVERT(decimal(38,10), x)', 'CONVERT(varchar(48), x)'],
    ['money', 'CONVERT(money, x)', 'CONVERT(varchar(48), x, 2)'],
    ['date', 'CONVERT(date, x)', 'CONVERT(varchar(40), x, 23)'],
    ['time(6)', 'CONVERT(time(6), x)', 'CONVERT(varchar(40), x, 121)'],
    ['datetime2(6)', 'CONVERT(datetime2(6), x)', 'CONVERT(varchar(40), x, 121)'],
    ['datetimeoffset(6)', 'CONVERT(datetimeoffset(6), x)', 'CONVERT(varchar(40), x, 121)'],
    ['datetime', 'CONVERT(datetime, x)', 'CONVERT(varchar(40), x, 126)'],
    ['smalldatetime', 'CONVERT(smalldatetime, x)', 'CONVERT(varchar(40), x, 126)'],
    ['varchar(30)', 'CONVERT(varchar(30), x)', 'CONVERT(nvarchar(30), x)'],
  ])('%s', (type, there, back) => {
    const parsed = has('x', type).type;
    if (parsed === null) throw new Error(type);
    const made = stagingColumn(parsed, text, null);
    expect([made.toTarget('x'), made.toStaging('x')]).toEqual([there, back]);
  });
});
