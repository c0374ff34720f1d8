// Columns that refer to text keys: generated so that the warehouse can join the two, and still holds what the source does.
import { describe, expect, it } from 'vitest';
import { parseSchemaFile } from '../../src/canonical/schema-parse.ts';
import type { ForeignKey, TableDescription } from '../../src/change/table-description.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import { formatSqlType } from '../../src/mapping/default-type.ts';
import { generateMapping } from '../../src/mapping/generate.ts';
import { keyReferences } from '../../src/mapping/key-reference.ts';
import { table } from './mapping-tables.ts';

function refer(
  columns: readonly string[],
  target: string,
  targetColumns: readonly string[] = ['id'],
  more: Partial<ForeignKey> = {},
): ForeignKey {
  return {
    name: `${columns.join('_')}_fkey`,
    columns,
    target: { schema: 'public', table: target },
    targetColumns,
    deferrable: false,
    validated: true,
    matchFull: false,
    folding: false,
    ...more,
  };
}

function generated(source: TableDescription, referred: readonly TableDescription[]) {
  const { schemaPath, schemaText, mappingPath, mappingText } = generateMapping(source, { referred });
  const schema = parseSchemaFile({ path: schemaPath, text: schemaText }, []);
  const files = [{ path: mappingPath, text: mappingText }];
  const { mappings, findings } = parseMappings(files, schema === null ? [] : [schema]);
  expect(findings).toEqual([]);
  const mapping = mappings[0];
  if (mapping === undefined) throw new Error(mappingText);
  return { mapping, text: mappingText };
}

/** Type and collation of the given column, as T-SQL declares it. */
function declared(source: TableDescription, referred: readonly TableDescription[], name = 'a'): string {
  const column = generated(source, referred).mapping.target.columns.find(({ field }) => field === name);
  if (column === undefined) throw new Error(name);
  return `${formatSqlType(column.type)}${column.collation == null ? '' : ` COLLATE ${column.collation}`}`;
}

const BIN = 'COLLATE Latin1_General_BIN2';
const accounts = table('accounts', { id: 'text!', name: 'text' });

describe('a column that refers to a text key', () => {
  it('has the type and the collation that the key gets', () => {
    const foreignKeys = [refer(['account_id'], 'accounts')];
    const contacts = table('contacts', { id: 'text!', account_id: 'text', note: 'text' }, { foreignKeys });
    expect(declared(contacts, [accounts], 'account_id')).toBe(`nvarchar(450) ${BIN}`);
    expect(declared(contacts, [accounts], 'note')).toBe('nvarchar(max)');
    expect(generated(contacts, [accounts]).text).toContain(
      [
        '  # Refers to public.accounts (id): its type and collation, so that SQL Server can join the two by an index; longer values go to quarantine, as those of the key do.',
        '  account_id: {target: {type: nvarchar(450), collation: Latin1_General_BIN2}}',
      ].join('\n'),
    );
  });

  it('may be of the same table, and be named otherwise in the warehouse', () => {
    const foreignKeys = [refer(['a: b'], 'tree')];
    const tree = table('tree', { id: 'text!', 'a: b': 'text' }, { foreignKeys });
    expect(generated(tree, []).text).toContain(
      '{from: "a: b", target: {type: nvarchar(450), collation: Latin1_General_BIN2}}',
    );
    const renamed = table('tree', { id: 'text!', 'a-b': 'text' }, { foreignKeys: [refer(['a-b'], 'tree')] });
    expect(generated(renamed, []).text).toContain(
      'a_b: {from: a-b, target: {column: a-b, type: nvarchar(450), collation: Latin1_General_BIN2}}',
    );
  });

  it('shares the bytes of a composite key', () => {
    const line = table(
      'line',
      { id: 'text!', a: 'text!', b: 'text!' },
      {
        foreignKeys: [refer(['a', 'b'], 'orders', ['region', 'number'])],
      },
    );
    const key = { primaryKey: ['region', 'number'] };
    const orders = table('orders', { region: 'text!', number: 'varchar(20)!' }, key);
    expect([declared(line, [orders]), declared(line, [orders], 'b')]).toEqual([
      `nvarchar(225) ${BIN}`,
      `nvarchar(20) ${BIN}`,
    ]);
  });

  it('may refer to a unique key that serves as one, not to another', () => {
    const uniqueKeys = [{ name: 'u', columns: ['code'], notNull: true, deferrable: false }];
    const child = table(
      'child',
      { id: 'int8!', a: 'text' },
      { foreignKeys: [refer(['a'], 'coded', ['code'])] },
    );
    const keyless = table('coded', { id: 'int8!', code: 'text!' }, { primaryKey: null, uniqueKeys });
    expect(declared(child, [keyless])).toBe(`nvarchar(450) ${BIN}`);
    expect(declared(child, [{ ...keyless, primaryKey: ['id'] }])).toBe('nvarchar(max)');
  });

  it.each([
    // [column, key, declared]
    ['varchar(36)', 'text!', `nvarchar(36) ${BIN}`],
    ['varchar(255)', 'varchar(36)!', `nvarchar(255) ${BIN}`],
    ['varchar(5000)', 'varchar(36)!', `nvarchar(36) ${BIN}`],
    ['text', 'varchar(36)!', `nvarchar(36) ${BIN}`],
    ['bpchar(18)', 'bpchar(18)!', `nvarchar(18) ${BIN}`],
    ['enum(a|b)', 'enum(a|b)!', `nvarchar(63) ${BIN}`],
    // Equal to PostgreSQL, and perhaps not to a binary collation.
    ['bpchar(20)', 'bpchar(18)!', 'nvarchar(20)'],
    ['citext', 'citext!', 'nvarchar(max)'],
    ['uuid', 'uuid!', 'uniqueidentifier'],
    ['int8', 'int8!', 'bigint'],
  ])('%s to %s', (column, key, expected) => {
    const child = table('child', { id: 'int8!', a: column }, { foreignKeys: [refer(['a'], 'parent')] });
    expect(declared(child, [table('parent', { id: key })])).toBe(expected);
  });

  it.each<[string, Partial<ForeignKey>, string]>([
    ['was never checked', { validated: false }, `nvarchar(max) ${BIN}`],
    ['compares by a collation that is not deterministic', { folding: true }, 'nvarchar(max)'],
  ])('keeps its type where the foreign key %s', (_, more, expected) => {
    const foreignKeys = [refer(['a'], 'accounts', ['id'], more)];
    expect(declared(table('child', { id: 'int8!', a: 'text' }, { foreignKeys }), [accounts])).toBe(expected);
  });

  it('keeps its type where a NULL beside it lets any value through', () => {
    const two = table('two', { x: 'text!', y: 'text!' }, { primaryKey: ['x', 'y'] });
    const child = (b: string, more: Partial<ForeignKey> = {}) => {
      const foreignKeys = [refer(['a', 'b'], 'two', ['x', 'y'], more)];
      return declared(table('child', { id: 'int8!', a: 'text!', b }, { foreignKeys }), [two]);
    };
    expect(child('text')).toBe(`nvarchar(max) ${BIN}`);
    expect(child('text', { matchFull: true })).toBe(`nvarchar(225) ${BIN}`);
    expect(child('text!')).toBe(`nvarchar(225) ${BIN}`);
  });

  it('is a key column first where it is one', () => {
    const link = table(
      'link',
      { a: 'text!', b: 'text!' },
      {
        primaryKey: ['a', 'b'],
        foreignKeys: [refer(['a'], 'accounts')],
      },
    );
    const { text, mapping } = generated(link, [accounts]);
    expect(mapping.target.columns.map(({ type }) => formatSqlType(type))).toEqual([
      'nvarchar(225)',
      'nvarchar(225)',
    ]);
    expect(text).not.toContain('collation:');
  });

  it('takes the surest of several foreign keys', () => {
    const foreignKeys = [refer(['a'], 'accounts', ['id'], { validated: false }), refer(['a'], 'accounts')];
    expect(declared(table('child', { id: 'int8!', a: 'text' }, { foreignKeys }), [accounts])).toBe(
      `nvarchar(450) ${BIN}`,
    );
  });
});

describe('which columns of the warehouse refer to each other', () => {
  it('is found by the mappings of both tables', () => {
    const foreignKeys = [refer(['a', 'b'], 'two', ['x', 'y']), refer(['a'], 'unmapped')];
    const child = table('child', { id: 'int8!', a: 'text!', b: 'text!' }, { foreignKeys });
    const two = table('two', { x: 'text!', y: 'text!' }, { primaryKey: ['x', 'y'] });
    const mappings = [generated(child, [two]).mapping, generated(two, []).mapping];
    expect(keyReferences(mappings, [child, two])).toEqual([
      { from: { entity: 'child', column: 'a' }, to: { entity: 'two', column: 'x' } },
      { from: { entity: 'child', column: 'b' }, to: { entity: 'two', column: 'y' } },
    ]);
    expect(keyReferences(mappings, [])).toEqual([]);
  });
});
