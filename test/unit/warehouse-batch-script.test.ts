// The texts that apply sends for a batch: of one shape one text, whatever the rows, positions and counts are.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordSchema } from '../../src/canonical/schema.ts';
import type { LaneBatch } from '../../src/change/batch.ts';
import { formatLsn, type Position, WHOLE } from '../../src/change/position.ts';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import type { TargetTable } from '../../src/mapping/target.ts';
import { checkScript } from '../../src/warehouse/apply-check.ts';
import { openingScript } from '../../src/warehouse/apply-control.ts';
import { type ApplyPlan, planHint } from '../../src/warehouse/apply-script.ts';
import { batchScript } from '../../src/warehouse/batch-script.ts';
import type { Catalog, ColumnFacts } from '../../src/warehouse/catalog.ts';
import { tableKey } from '../../src/warehouse/catalog.ts';
import type { CompactedRow, RejectedRow } from '../../src/warehouse/compaction.ts';
import { quarantinedOrigins, stageMended, stageQuarantine } from '../../src/warehouse/quarantine.ts';
import { emptyTable, planStaging, stage } from '../../src/warehouse/staging.ts';

function has(name: string, text: string): ColumnFacts {
  const type = parseSqlType(text);
  if ('problem' in type) throw new Error(type.problem);
  const traits = { nullable: true, identity: false, computed: false, generated: false, hasDefault: false };
  const collation = text.includes('char') ? 'Latin1_General_CI_AS' : null;
  return { name, type, typeText: text, ...traits, collation };
}

const columns = [has('id', 'nvarchar(40)'), has('name', 'nvarchar(200)'), has('parent', 'nvarchar(40)')];
const tables = ['accounts', 'contacts'].map((table) => ({ schema: 'dbo', table }));
const [accounts, contacts] = tables as [(typeof tables)[0], (typeof tables)[0]];
const catalog: Catalog = {
  tables: new Map(
    tables.map((name) => [
      tableKey(name),
      { name, columns, uniqueKeys: [], triggers: [], temporal: false, empty: false },
    ]),
  ),
  foreignKeys: [
    {
      name: 'FK',
      from: contacts,
      columns: ['parent'],
      to: accounts,
      toColumns: ['id'],
      onDelete: 'no action',
      onUpdate: 'no action',
      disabled: false,
    },
  ],
  schemas: new Set(),
  unread: [],
};
const schema = {
  fields: ['id', 'name', 'parent'].map((name) => ({ name, type: { kind: 'string' } })),
} as unknown as RecordSchema;
const targets = tables.map(
  (name): TargetTable => ({
    ...name,
    entity: name.table,
    lane: 'crm',
    key: ['id'],
    columns: columns.map(({ name: column, type }) => ({
      name: column,
      field: column,
      type: type ?? { name: 'int' },
      nullable: true,
    })),
    metadata: { commitLsn: 'lsn', commitTime: 'at' },
  }),
);
const plans = targets.map((target) => planStaging(target, schema, catalog));

/** Nothing that a text could have by chance. */
const value = fc.stringMatching(/^[a-z]{6,12}$/).map((text) => `<'${text}'>`);
const position = fc.record({
  lsn: fc.bigInt(10n ** 12n, 2n ** 62n),
  ordinal: fc.oneof(fc.integer({ min: 1_000_000, max: 9_000_000 }), fc.constant(WHOLE)),
});
interface Row {
  readonly values: readonly [string, string, string];
  readonly at: Position;
  readonly micros: bigint;
}
const row: fc.Arbitrary<Row> = fc.record({
  values: fc.tuple(value, value, value),
  at: position,
  micros: fc.bigInt(10n ** 15n, 2n * 10n ** 15n),
});

/** What a shape is made of. */
const shapes = fc.record({
  plan: fc.constantFrom<ApplyPlan>('inPlace', 'reinsert'),
  kinds: fc.array(fc.constantFrom('full', 'partial', 'delete'), { minLength: 2, maxLength: 2 }),
  truncated: fc.boolean(),
  isRejecting: fc.boolean(),
  isMended: fc.boolean(),
  isFirst: fc.boolean(),
  isReplayed: fc.boolean(),
});
type Shape = typeof shapes extends fc.Arbitrary<infer S> ? S : never;

const numbers = fc.record({
  rows: fc.array(fc.array(row, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 2 }),
  from: position,
  last: position,
  truncatedAt: position,
  changes: fc.integer({ min: 1_000_000, max: 9_000_000 }),
  milliseconds: fc.integer({ min: 1_000_000, max: 9_000_000 }),
});
type Numbers = typeof numbers extends fc.Arbitrary<infer N> ? N : never;

function compacted({ values: [id, name, parent], at, micros }: Row, kind: string | undefined): CompactedRow {
  const record = { id, name, parent };
  const of = { record, at, commitTimeMicros: micros };
  if (kind === 'delete') return { op: 'delete', ...of };
  return kind === 'full'
    ? { op: 'upsert', inserted: true, absent: [], origin: null, ...of }
    : { op: 'upsert', inserted: false, absent: ['name'], origin: record, ...of };
}

/** Every text that apply sends for such a batch but INSERT BULK, which names columns only. */
function texts(shape: Shape, made: Numbers): string[] {
  const stagings = plans.map((plan, number) =>
    stage(
      plan,
      number === 1 && shape.truncated ? made.truncatedAt : null,
      (made.rows[number] ?? []).map((one) => compacted(one, shape.kinds[number])),
    ),
  );
  const rejected = stagings.flatMap(({ plan, rows }): RejectedRow[] =>
    rows.map(({ record, at, commitTimeMicros }) => ({
      target: plan.target,
      change: 'update',
      rejection: { code: 'WB6511', reason: String(record.name) },
      source: { kind: 'canonical', record },
      at,
      commitTimeMicros,
    })),
  );
  const quarantine = shape.isRejecting ? stageQuarantine(rejected) : null;
  const mended = shape.isMended ? stageMended(stagings) : null;
  const batch = {
    lane: 'crm',
    previous: made.from,
    last: made.last,
    commitTimeMicros: made.rows[0]?.[0]?.micros ?? 0n,
    changes: made.changes,
  } as LaneBatch;
  const { sql } = batchScript(
    {
      batch,
      stagings,
      watermark: made.from,
      isFirst: shape.isFirst,
      replay: shape.isReplayed ? { lsn: made.last.lsn - 1n, ordinal: WHOLE } : null,
      changes: made.changes,
      quarantined: quarantine?.rows.length ?? 0,
      hasMended: mended !== null,
      settled: new Set(shape.isRejecting ? [0, 1] : []),
      milliseconds: made.milliseconds,
    },
    catalog.foreignKeys,
    shape.plan,
  );
  const temporary = [quarantine, mended].flatMap((table) => table?.empty ?? []);
  return [
    openingScript(
      'crm',
      30_000,
      targets.map(({ entity }) => entity),
      [...stagings.map(({ plan }) => emptyTable(plan.name, plan.declarations)), ...temporary],
    ),
    checkScript(stagings, mended === null ? [] : [quarantinedOrigins], planHint(stagings)) ?? '',
    sql,
  ];
}

describe('the texts of a batch', () => {
  it('are the same for two batches of one shape', () => {
    fc.assert(
      fc.property(shapes, numbers, numbers, (shape, one, other) => {
        expect(texts(shape, one)).toEqual(texts(shape, other));
      }),
    );
  });

  it('name nothing of a row, nor where it stands', () => {
    fc.assert(
      fc.property(shapes, numbers, (shape, made) => {
        const all = texts(shape, made).join('\n');
        const rows = made.rows.flat();
        const secrets = [
          ...rows.flatMap(({ values }) => values.map((text) => text.slice(2, -2))),
          ...[...rows.map(({ at }) => at), made.from, made.last, made.truncatedAt].flatMap(
            ({ lsn, ordinal }) => [String(lsn), formatLsn(lsn), String(ordinal)],
          ),
          String(made.changes),
          String(made.milliseconds),
        ];
        expect(secrets.filter((secret) => all.includes(secret))).toEqual([]);
      }),
    );
  });

  it('keep the plan that few rows were given, and have many rows given one of their own', () => {
    const many = (count: number) =>
      stage(
        plans[0] as (typeof plans)[0],
        null,
        Array.from({ length: count }, (_, index) =>
          compacted(
            { values: [`${index}`, '', ''], at: { lsn: 1n, ordinal: index }, micros: 0n },
            index % 2 === 0 ? 'full' : 'delete',
          ),
        ),
      );
    expect(planHint([many(1), many(500)])).toBe(' OPTION (KEEP PLAN)');
    expect(planHint([many(1), many(501)])).toBe(' OPTION (RECOMPILE)');
  });
});
