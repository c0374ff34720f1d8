// Names for mappings: unique wherever they have to be, and the tables' own wherever they can be.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTableName, parseTableName } from '../../src/change/table-name.ts';
import { fileStem, folded } from '../../src/mapping/generated-names.ts';
import { type KnownMapping, nameTables as nameAll } from '../../src/mapping/generated-table-names.ts';

const of = (...names: [string, string][]) => names.map(([schema, table]) => ({ schema, table }));

const places = { namespace: 'crm', targetSchema: 'crm' };
const nameTables = (tables: ReturnType<typeof of>, known: readonly KnownMapping[]) =>
  nameAll(tables, known, places).map(({ entity }) => entity);

describe('names of mappings', () => {
  it('are the tables’ own', () => {
    expect(nameTables(of(['public', 'Order Items'], ['w', 'person'], ['public', '名前']), [])).toEqual([
      'Order Items',
      'person',
      '名前',
    ]);
  });

  it('have the schema in front where another table has them', () => {
    const tables = of(
      ['public', 'person'],
      ['w', 'person'],
      ['w', 'PERSON'],
      ['public', 'a-b'],
      ['public', 'a_b'],
    );
    expect(nameTables(tables, [])).toEqual(['person', 'w_person', 'w_PERSON_2', 'a-b', 'a_b']);
    // A record is Avro's to name, a table SQL Server's.
    expect(nameAll(tables, [], places)[3]).toEqual({ entity: 'a-b', record: 'public_a_b', table: 'a-b' });
  });

  it('leave those of other tables’ mappings alone, and keep a table’s own', () => {
    const known = (schema: string, table: string, name: string) => ({
      stem: name,
      document: {
        source: { schema, table },
        entity: name,
        record: `crm.${name}`,
        target: { schema: 'crm', table: name },
      },
    });
    const there = [
      known('public', 'person', 'person'),
      known('w', 'deal', 'w_deal'),
      known('public', 'x', 'deal'),
    ];
    expect(nameTables(of(['w', 'person'], ['w', 'deal'], ['public', 'person']), there)).toEqual([
      'w_person',
      'w_deal',
      'person',
    ]);
    // One that cannot be read is not in the way: --force is asked for where it is overwritten.
    const unreadable = [{ stem: 'person', document: null }];
    expect(nameTables(of(['w', 'person'], ['v', 'person']), unreadable)).toEqual(['person', 'v_person']);
  });

  it('leave records and target tables alone where a namespace and a schema of their own are free', () => {
    const there: KnownMapping = {
      stem: 'person',
      document: {
        source: { schema: 'public', table: 'person' },
        entity: 'person',
        record: 'crm.person',
        target: { schema: 'crm', table: 'person' },
      },
    };
    const names = (namespace: string, targetSchema: string) =>
      nameAll(of(['w', 'person']), [there], { namespace, targetSchema });
    expect(names('crm', 'crm')).toEqual([{ entity: 'w_person', record: 'w_person', table: 'w_person' }]);
    expect(names('w', 'w')).toEqual([{ entity: 'w_person', record: 'person', table: 'person' }]);
  });

  it('never meet: as files, as records, as tables', () => {
    const name = fc.string({
      minLength: 1,
      maxLength: 4,
      unit: fc.constantFrom('a', 'A', '-', '_', ' ', 'é', '1', '.'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, name), { selector: ([a, b]) => `${a}\0${b}`, maxLength: 12 }),
        (pairs) => {
          const names = nameAll(of(...pairs), [], places);
          for (const place of [
            names.map(({ entity }) => folded(entity)),
            names.map(({ entity }) => folded(fileStem(entity))),
            names.map(({ record }) => folded(record)),
            names.map(({ table }) => folded(table)),
          ]) {
            expect(new Set(place).size).toBe(names.length);
          }
        },
      ),
    );
  });
});

describe('schema.table', () => {
  it('is read back as it was written', () => {
    const part = fc.string({
      minLength: 1,
      maxLength: 6,
      unit: fc.constantFrom('a', 'B', '.', '"', ' ', '*', '日'),
    });
    fc.assert(
      fc.property(part, part, (schema, table) => {
        expect(parseTableName(formatTableName({ schema, table }))).toEqual({ schema, table });
      }),
    );
  });

  it.each(['', 'a', 'a.', '.a', 'a.b.c', 'a."b', '"a".b"c"', 'a.b ".', 'a.""'])('is not %j', (text) => {
    expect(parseTableName(text)).toBeNull();
  });

  it('may be quoted', () => {
    expect(parseTableName('"public"."Order"')).toEqual({ schema: 'public', table: 'Order' });
    expect(parseTableName('public."a.""b"""')).toEqual({ schema: 'public', table: 'a."b"' });
  });
});
