// Rows through a bound mapping: keys, absent values, filters, changed relations; and, for any row, no exception.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Misfit } from '../../src/canonical/misfit.ts';
import { pgTextDecoder } from '../../src/canonical/pg-text.ts';
import { buildRegistry } from '../../src/canonical/registry.ts';
import type { SourceRow, SourceValue } from '../../src/change/source-change.ts';
import type { TableDescription } from '../../src/change/table-description.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import type { CompiledMapping } from '../../src/mapping/compiled-mapping.ts';
import { generateMapping } from '../../src/mapping/generate.ts';
import {
  column,
  insert,
  mappingText,
  relationOf,
  remove,
  schemaOf,
  table,
  transaction,
  update,
} from './mapping-tables.ts';

const things = table('things', { id: 'int8!', name: 'text', first: 'text', last: 'text', seats: 'int4' });
const schema = schemaOf(
  { id: 'long', name: ['null', 'string'], full: ['null', 'string'], seats: 'int', origin: 'string' },
  { seats: 3, origin: 'crm' },
);

function compiled(fields: readonly string[], more: readonly string[] = []): CompiledMapping {
  const { mappings, findings } = parseMappings(
    [{ path: 'things.yaml', text: mappingText(fields, more) }],
    [schema],
  );
  expect(findings).toEqual([]);
  return mappings[0]!;
}

const fields = [
  'id: id',
  'name: name',
  'full: {from: [first, last], transform: {concat: " "}}',
  'seats: seats',
];
const row = { id: '1', name: 'n', first: 'a', last: 'b', seats: '5' };

function bound(
  fieldLines: readonly string[] = fields,
  more: readonly string[] = [],
  source: TableDescription = things,
) {
  const relation = relationOf(source);
  return { relation, mapper: compiled(fieldLines, more).bind(relation, source) };
}

describe('changes', () => {
  it('an insert gives the whole record, with defaults for fields that nothing fills', () => {
    const { relation, mapper } = bound();
    expect(mapper.map(insert(relation, row), transaction)).toEqual({
      op: 'upsert',
      entity: 'things',
      at: { lsn: 500n, ordinal: 1 },
      commitTimeMicros: transaction.commitTimeMicros,
      inserted: true,
      record: { id: 1, name: 'n', full: 'a b', seats: 5, origin: 'crm' },
      absent: [],
      previousKey: null,
    });
    expect(mapper.notices).toEqual([]);
  });

  it('an unchanged TOAST value makes its field absent, not null', () => {
    const { relation, mapper } = bound();
    const event = mapper.map(
      update(relation, { ...row, name: undefined, first: undefined, last: undefined }),
      transaction,
    );
    expect(event).toMatchObject({ op: 'upsert', inserted: false, absent: ['name', 'full'] });
    expect(event?.op === 'upsert' && Object.keys(event.record)).toEqual(['id', 'seats', 'origin']);
  });

  it('a field of which some inputs did not come is rejected, with the row as it came', () => {
    const { relation, mapper } = bound();
    expect(mapper.map(update(relation, { ...row, last: undefined }), transaction)).toMatchObject({
      op: 'reject',
      code: 'WB4101',
      change: 'update',
      key: { id: 1 },
      previousKey: null,
      keyJson: '{"id":"1"}',
      rowJson: '{"id":"1","name":"n","first":"a","seats":"5"}',
    });
  });

  it('a rejected row names the key that it left', () => {
    const { relation, mapper } = bound();
    const moved = update(relation, { ...row, id: '2', last: undefined }, { id: '1' });
    expect(mapper.map(moved, transaction)).toMatchObject({
      op: 'reject',
      key: { id: 2 },
      previousKey: { id: 1 },
    });
  });

  it('a moved key names the one before; the same key names none', () => {
    const { relation, mapper } = bound();
    expect(mapper.map(update(relation, { ...row, id: '2' }, { id: '1' }), transaction)).toMatchObject({
      previousKey: { id: 1 },
      record: { id: 2 },
    });
    expect(mapper.map(update(relation, row, { ...row, name: 'before' }), transaction)).toMatchObject({
      previousKey: null,
    });
  });

  it('a delete needs the key alone; without it the row is rejected', () => {
    const { relation, mapper } = bound();
    expect(mapper.map(remove(relation, { id: '1' }), transaction)).toMatchObject({
      op: 'delete',
      key: { id: 1 },
    });
    expect(mapper.map(remove(relation, {}), transaction)).toMatchObject({
      op: 'reject',
      code: 'WB4108',
      change: 'delete',
    });
  });

  it('under the full identity a reject still names the key alone', () => {
    const all = things.columns.map(({ name }) => name);
    const full = { ...things, replicaIdentity: 'full' as const, replicaIdentityColumns: all };
    const { relation, mapper } = bound(fields, [], full);
    const event = mapper.map(update(relation, { ...row, seats: null }, row), transaction);
    expect(event).toMatchObject({ op: 'reject', code: 'WB3111', keyJson: '{"id":"1"}' });
  });

  it('a truncate is a truncate', () => {
    const { relation, mapper } = bound();
    expect(mapper.map({ op: 'truncate', relation, ordinal: 9 }, transaction)).toEqual({
      op: 'truncate',
      entity: 'things',
      at: { lsn: 500n, ordinal: 9 },
      commitTimeMicros: transaction.commitTimeMicros,
    });
  });
});

describe('a filter', () => {
  const full = {
    ...things,
    replicaIdentity: 'full' as const,
    replicaIdentityColumns: things.columns.map(({ name }) => name),
  };
  const { relation, mapper } = bound(fields, ['filter: seats > 3'], full);

  it('leaves out rows that never matched and deletes those that stop', () => {
    expect(mapper.map(insert(relation, row), transaction)).toMatchObject({ op: 'upsert' });
    expect(mapper.map(insert(relation, { ...row, seats: '3' }), transaction)).toBe(null);
    expect(mapper.map(insert(relation, { ...row, seats: null }), transaction)).toBe(null);
    const moved = mapper.map(update(relation, { ...row, id: '2', seats: '3' }, row), transaction);
    expect(moved).toMatchObject({ op: 'delete', key: { id: 1 } });
  });

  it('rejects a row whose condition cannot be decided', () => {
    expect(mapper.map(update(relation, { ...row, seats: undefined }), transaction)).toMatchObject({
      op: 'reject',
      code: 'WB4101',
    });
  });
});

describe('a relation that changed', () => {
  const without = (name: string): TableDescription => ({
    ...things,
    columns: things.columns.filter((each) => each.name !== name),
  });

  it('fills a vanished column by its default or null, and says so', () => {
    const { relation, mapper } = bound(fields, [], without('seats'));
    expect(mapper.map(insert(relation, row), transaction)).toMatchObject({ record: { seats: 3 } });
    expect(mapper.notices.map(({ code }) => code)).toEqual(['WB4103']);
    const named = bound(fields, [], without('name'));
    expect(named.mapper.map(insert(named.relation, row), transaction)).toMatchObject({
      record: { name: null },
    });
  });

  it('rejects rows for a vanished column without either, which no row has any more', () => {
    const strict = schemaOf({ id: 'long', seats: 'int' });
    const { mappings } = parseMappings(
      [{ path: 'things.yaml', text: mappingText(['id: id', 'seats: seats']) }],
      [strict],
    );
    const relation = relationOf(without('seats'));
    const mapper = mappings[0]!.bind(relation, without('seats'));
    const { seats: _gone, ...left } = row;
    const rejected = { op: 'reject', code: 'WB4103', key: { id: 1 } };
    expect(mapper.map(insert(relation, left), transaction)).toMatchObject(rejected);
    expect(mapper.map(update(relation, left), transaction)).toMatchObject(rejected);
    expect(mapper.map(remove(relation, left), transaction)).toMatchObject({ op: 'delete' });
  });

  it('rejects rows without the column of their key', () => {
    const { relation, mapper } = bound(fields, [], without('id'));
    const { id: _gone, ...left } = row;
    expect(mapper.map(insert(relation, left), transaction)).toMatchObject({ op: 'reject', code: 'WB4103' });
  });

  it('ignores new columns and names them', () => {
    const { relation, mapper } = bound(fields, [], {
      ...things,
      columns: [...things.columns, column('extra', 'text')],
    });
    expect(mapper.map(insert(relation, { ...row, extra: 'x' }), transaction)).toMatchObject({ op: 'upsert' });
    expect(mapper.unread).toEqual(['extra']);
  });

  it('reads a changed type where that loses nothing, else rejects', () => {
    const retyped = (type: string) => ({
      ...things,
      columns: things.columns.map((each) => (each.name === 'seats' ? column('seats', type) : each)),
    });
    const wider = bound(fields, [], retyped('int8'));
    expect(wider.mapper.map(insert(wider.relation, row), transaction)).toMatchObject({
      record: { seats: 5 },
    });
    const far = { ...row, seats: '99999999999' };
    expect(wider.mapper.map(insert(wider.relation, far), transaction)).toMatchObject({
      op: 'reject',
      code: 'WB3102',
    });
    const other = bound(fields, [], retyped('bool'));
    expect(other.mapper.notices.map(({ code }) => code)).toEqual(['WB4104']);
    expect(other.mapper.map(insert(other.relation, { ...row, seats: 't' }), transaction)).toMatchObject({
      op: 'reject',
      code: 'WB4104',
    });
  });
});

describe('any row', () => {
  const every = table('every', {
    id: 'int8!',
    i2: 'int2',
    i4: 'int4',
    f4: 'float4',
    f8: 'float8',
    n: 'numeric(20,4)',
    free: 'numeric',
    t: 'text',
    v: 'varchar(20)',
    b: 'bool',
    d: 'date',
    tz: 'timestamptz',
    u: 'uuid',
    j: 'jsonb',
    by: 'bytea',
    m: 'enum(sad|glad)',
    a: 'int4[]',
  });
  const generated = generateMapping(every);
  const { registry } = buildRegistry([{ path: generated.schemaPath, text: generated.schemaText }]);
  const { mappings } = parseMappings(
    [{ path: generated.mappingPath, text: generated.mappingText }],
    [registry.require('crm.every', '1.0.0')],
  );
  const mapping = mappings[0]!;
  const relation = relationOf(every);
  const mapper = mapping.bind(relation, every);

  const texts = fc.oneof(
    fc.string(),
    fc.integer().map(String),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
    fc.double().map(String),
    fc.uuid(),
    fc.constantFrom(
      't',
      'f',
      'NaN',
      'infinity',
      '-infinity',
      '0001-01-01 BC',
      '{1,NULL}',
      'sad',
      '\\xdead',
      '\\x0',
      '{"a":1}',
    ),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString().replace('T', ' ').replace('Z', '+00')),
  );
  const values = fc.record(
    Object.fromEntries(
      every.columns.map(({ name }) => [
        name,
        name === 'id' ? fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) : fc.option(texts),
      ]),
    ),
  );

  it('through a generated mapping equals direct decoding, or is rejected', () => {
    let upserts = 0;
    // Each row has one column of random text and NULL in all others, so that most rows fit.
    const single = fc.tuple(fc.constantFrom(...every.columns.map(({ name }) => name)), values);
    fc.assert(
      fc.property(single, ([chosen, all]) => {
        const source: Record<string, SourceValue> = Object.fromEntries(
          every.columns.map(({ name }) => [name, null]),
        );
        source.id = all.id as string;
        source[chosen] = all[chosen] as string | null;
        const event = mapper.map(insert(relation, source), transaction);
        let misfit = false;
        const expected: Record<string, unknown> = {};
        for (const plan of mapping.plan.fields) {
          const text = source[plan.field.name];
          const { baseType } = every.columns.find(({ name }) => name === plan.field.name)!;
          const value = text === null ? null : pgTextDecoder(baseType, plan.field.type)!(text as string);
          if (value instanceof Misfit || (typeof value === 'number' && !Number.isFinite(value)))
            misfit = true;
          if (typeof value === 'string' && plan.field.name === 'v' && value.length > 20) misfit = true;
          // Numbers below the smallest normal one, which SQL Server does not document.
          const smallest = plan.field.name === 'f4' ? 1.1754943508222875e-38 : 2.2250738585072014e-308;
          if (typeof value === 'number' && value !== 0 && Math.abs(value) < smallest) misfit = true;
          if (plan.field.name === 'i2' && Math.abs(Number(value) + 0.5) > 32_768) misfit = true;
          expected[plan.field.name] = value;
        }
        if (misfit) return event?.op === 'reject';
        upserts += 1;
        expect(event).toMatchObject({ op: 'upsert', record: expected, absent: [] });
        return true;
      }),
      { numRuns: 500 },
    );
    expect(upserts).toBeGreaterThan(50);
  });

  it('names exactly the columns that did not come', () => {
    const names = every.columns.map(({ name }) => name).filter((name) => name !== 'id');
    fc.assert(
      fc.property(fc.subarray(names), (left) => {
        const source: SourceRow = {
          ...Object.fromEntries(names.map((name) => [name, left.includes(name) ? undefined : null])),
          id: '1',
        };
        const event = mapper.map(update(relation, source), transaction);
        expect(event).toMatchObject({ op: 'upsert', absent: left });
        expect(event?.op === 'upsert' && Object.keys(event.record)).toHaveLength(
          names.length + 1 - left.length,
        );
      }),
    );
  });

  it('never makes map throw, whatever the change holds', () => {
    const junk = fc.dictionary(
      fc.constantFrom(...every.columns.map(({ name }) => name)),
      fc.option(texts, { nil: undefined }),
    );
    fc.assert(
      fc.property(junk, fc.option(junk), fc.constantFrom('insert', 'update', 'delete'), (some, old, op) => {
        const source = some as SourceRow;
        const change =
          op === 'insert'
            ? insert(relation, source)
            : op === 'update'
              ? update(relation, source, old as SourceRow | null)
              : remove(relation, source);
        const event = mapper.map(change, transaction);
        expect(['upsert', 'delete', 'reject']).toContain(event?.op);
        if (event?.op === 'reject') expect(event.code).not.toBe('WB4199');
      }),
      { numRuns: 500 },
    );
  });
});
