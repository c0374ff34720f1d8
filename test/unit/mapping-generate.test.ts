// Generated mappings: valid by the project's own checks, with a comment wherever a person must decide.
import { describe, expect, it } from 'vitest';
import { parseSchemaFile } from '../../src/canonical/schema-parse.ts';
import type { TableDescription } from '../../src/change/table-description.ts';
import { checkSource } from '../../src/mapping/check-source.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import { formatSqlType } from '../../src/mapping/default-type.ts';
import { formatMappingFinding } from '../../src/mapping/finding.ts';
import { generateMapping } from '../../src/mapping/generate.ts';
import { table } from './mapping-tables.ts';

function generated(source: TableDescription) {
  const { schemaPath, schemaText, mappingPath, mappingText } = generateMapping(source);
  const schema = parseSchemaFile({ path: schemaPath, text: schemaText }, []);
  const { mappings, findings } = parseMappings(
    [{ path: mappingPath, text: mappingText }],
    schema === null ? [] : [schema],
  );
  const all = [...findings, ...mappings.flatMap((mapping) => checkSource(mapping, source))];
  return {
    text: mappingText,
    schemaPath,
    mappingPath,
    mapping: mappings[0],
    findings: all.map(formatMappingFinding),
  };
}

/** The generated target type of each column. */
function types(source: TableDescription): Record<string, string> {
  const columns = generated(source).mapping?.target.columns ?? [];
  return Object.fromEntries(columns.map(({ field, type }) => [field, formatSqlType(type)]));
}

describe('generate', () => {
  it('gives every PostgreSQL type its target type', () => {
    const source = table('every', {
      id: 'int8!',
      b: 'bool',
      i2: 'int2',
      i4: 'int4',
      f4: 'float4',
      f8: 'float8',
      n: 'numeric(18,2)',
      free: 'numeric',
      wide: 'numeric(60,20)',
      d: 'date',
      t: 'time',
      ts: 'timestamp',
      tz: 'timestamptz',
      x: 'text',
      v: 'varchar(40)',
      long: 'varchar(5000)',
      c: 'bpchar(3)',
      e: 'enum(sad|glad)',
      u: 'uuid',
      j: 'json',
      jb: 'jsonb',
      a: 'int4[]',
      by: 'bytea',
      iv: 'interval',
      ip: 'inet',
      r: 'int4range',
      ts_v: 'tsvector',
      xm: 'xml',
      p: 'point',
      m: 'money',
    });
    expect(generated(source).findings).toEqual([
      expect.stringMatching(/^WB4007 every.yaml:\d+:\d+: found decimal\(38,20\) for numeric\(60,20\)/),
    ]);
    expect(types(source)).toEqual({
      id: 'bigint',
      b: 'bit',
      i2: 'smallint',
      i4: 'int',
      f4: 'real',
      f8: 'float',
      n: 'decimal(18,2)',
      free: 'decimal(38,10)',
      wide: 'decimal(38,20)',
      d: 'date',
      t: 'time(6)',
      ts: 'datetime2(6)',
      tz: 'datetimeoffset(6)',
      x: 'nvarchar(max)',
      v: 'nvarchar(40)',
      long: 'nvarchar(max)',
      c: 'nvarchar(3)',
      e: 'nvarchar(63)',
      u: 'uniqueidentifier',
      j: 'nvarchar(max)',
      jb: 'nvarchar(max)',
      a: 'nvarchar(max)',
      by: 'varbinary(max)',
      iv: 'nvarchar(max)',
      ip: 'nvarchar(max)',
      r: 'nvarchar(max)',
      ts_v: 'nvarchar(max)',
      xm: 'nvarchar(max)',
      p: 'nvarchar(max)',
      m: 'nvarchar(max)',
    });
  });

  it('asks where a person must decide', () => {
    const { text } = generated(table('t', { id: 'int8!', free: 'numeric', mood: 'enum(sad|glad)' }));
    expect(text).toMatch(
      /# numeric without precision: decimal\(38,10\) is a guess.*\n {2}# Decide: .*\n {2}free: free/,
    );
    expect(text).toMatch(/# Enum mood: .*\n {2}# Decide: .*\n {2}mood: mood/);
  });

  it('limits text keys to the 900 bytes of an index', () => {
    const one = table('t', { id: 'text!' });
    expect(generated(one).findings).toEqual([]);
    expect(types(one)).toEqual({ id: 'nvarchar(450)' });
    expect(generated(one).text).toMatch(/BIN2.*\n {2}id: /);
    const three = table('t', { a: 'text!', b: 'varchar(20)!', c: 'int8!' }, { primaryKey: ['a', 'b', 'c'] });
    expect(generated(three).findings).toEqual([]);
    expect(types(three)).toEqual({ a: 'nvarchar(220)', b: 'nvarchar(20)', c: 'bigint' });
  });

  it('says what a table without a primary key lacks', () => {
    const none = table('t', { a: 'int4' }, { primaryKey: null });
    expect(generated(none).text).toContain('# Decide: give the table a primary key');
    expect(generated(none).findings).toEqual([expect.stringMatching(/^WB4008 /)]);
    const unique = table(
      't',
      { a: 'int4!' },
      { primaryKey: null, uniqueKeys: [{ name: 'T_a', columns: ['a'], notNull: true, deferrable: false }] },
    );
    expect(generated(unique).text).toContain('ALTER TABLE "public"."t" REPLICA IDENTITY USING INDEX "T_a";');
    const mended = { ...unique, replicaIdentity: 'index' as const, replicaIdentityColumns: ['a'] };
    expect(generated(mended).findings).toEqual([]);
  });

  it('makes names that Avro and YAML read as they are', () => {
    const source = table('Größe 1', {
      id: 'int8!',
      'order-no': 'text',
      order_no: 'text',
      '1st': 'text',
      no: 'text',
      'a: b': 'text',
    });
    const { findings, mapping, schemaPath, mappingPath } = generated(source);
    expect(findings).toEqual([]);
    expect(schemaPath).toBe('crm/Gr__e_1/1.0.0.avsc');
    expect(mappingPath).toBe('Größe_1.yaml');
    expect(mapping?.source.table).toBe('Größe 1');
    expect(mapping?.plan.fields.map(({ field, inputs }) => [field.name, inputs[0]])).toEqual([
      ['id', 'id'],
      ['order_no', 'order-no'],
      ['order_no_2', 'order_no'],
      ['_1st', '1st'],
      ['no', 'no'],
      ['a__b', 'a: b'],
    ]);
    // The warehouse's columns keep the source's names, but for signs that reports trip over.
    expect(mapping?.target.columns.map(({ name }) => name)).toEqual([
      'id',
      'order-no',
      'order_no',
      '1st',
      'no',
      'a__b',
    ]);
  });

  it('tells apart what SQL Server takes for one name, its own columns among them', () => {
    const source = table('t', {
      id: 'int8!',
      ownerId: 'text',
      ownerid: 'text',
      _commit_LSN: 'text',
      ｉｄ: 'text',
    });
    const { findings, mapping, text } = generated(source);
    expect(findings).toEqual([]);
    expect(mapping?.target.columns.map(({ name }) => name)).toEqual([
      'id',
      'ownerId',
      'ownerid_2',
      '_commit_LSN',
      'ｉｄ_2',
    ]);
    expect(text).toContain('{commitLsn: _commit_lsn_2, commitTime: _commit_time}');
  });

  it('gives each enum a type name of its own, and none the record’s', () => {
    const source = table('k_enum', { id: 'int8!', k: 'enum(a|b)', 'x y': 'enum(a)', 'x-y': 'enum(a)' });
    expect(generated(source).findings).toEqual([]);
  });

  it('keeps comments comments, whatever is in them', () => {
    const source = table(
      't',
      { id: 'int8!', n: 'numeric' },
      { comment: 'a\rentity: b\u2028c: d\r\n\n\u0085\u0000e' },
    );
    const { text, mapping, findings } = generated(source);
    expect(findings).toEqual([]);
    expect(mapping?.entity).toBe('t');
    expect(text).toContain('# a\n# entity: b\n# c: d\n# e\nentity: t\n');
  });

  it('quotes names of tables that hold a dot', () => {
    const { mapping, findings } = generated(table('sales."v2"', { id: 'int8!' }));
    expect(findings).toEqual([]);
    expect(mapping?.source).toEqual({ schema: 'public', table: 'sales."v2"' });
    expect(mapping?.target).toMatchObject({ schema: 'crm', table: 'sales."v2"' });
  });

  it('names the statement that makes a deferrable key a replica identity', () => {
    const deferrable = table('Orders', { id: 'int8!' }, { replicaIdentityColumns: null });
    expect(generated(deferrable).text).toContain('ALTER TABLE "public"."Orders" REPLICA IDENTITY FULL;');
    expect(generated(deferrable).findings).toEqual([
      expect.stringMatching(/^WB4008 .*ALTER TABLE "public"."Orders" REPLICA IDENTITY FULL;$/),
    ]);
  });

  it('takes no key that the server does not send', () => {
    const source = table('t', { id: 'int8!', sum: 'int4!' }, { primaryKey: ['sum'] });
    const columns = source.columns.map((each) =>
      each.name === 'sum' ? { ...each, generated: 'stored' as const } : each,
    );
    expect(generated({ ...source, columns }).text).toContain('# Decide: give the table a primary key');
    const uniqueKeys = [{ name: 't_id', columns: ['id'], notNull: true, deferrable: false }];
    expect(generated({ ...source, columns, uniqueKeys }).text).toContain(
      'The primary key is of generated columns; t_id serves as one. Run: ALTER TABLE "public"."t" REPLICA IDENTITY USING INDEX "t_id";',
    );
  });

  it('fits a key of many enums into an index', () => {
    const names = Array.from({ length: 9 }, (_, at) => `e${at}`);
    const columns = Object.fromEntries(names.map((name) => [name, 'enum(a|b)!']));
    const many = table('t', columns, { primaryKey: names });
    expect(generated(many).findings).toEqual([]);
    expect(new Set(Object.values(types(many)))).toEqual(new Set(['nvarchar(50)']));
    expect(types(table('t', { id: 'enum(a|b)!' }))).toEqual({ id: 'nvarchar(63)' });
  });

  it('says so of more columns than SQL Server takes', () => {
    const many = Object.fromEntries(Array.from({ length: 1100 }, (_, at) => [`c${at}`, 'int4']));
    expect(generated(table('wide', { id: 'int8!', ...many })).text).toContain('# 1101 columns, ');
  });

  it('leaves out generated columns, and says so', () => {
    const source = table('t', { id: 'int8!', sum: 'int4' });
    const columns = source.columns.map((each) =>
      each.name === 'sum' ? { ...each, generated: 'stored' as const } : each,
    );
    const { text, mapping, findings } = generated({ ...source, columns });
    expect(findings).toEqual([]);
    expect(mapping?.target.columns.map(({ name }) => name)).toEqual(['id']);
    expect(text).toContain('# sum is generated (stored)');
  });
});
