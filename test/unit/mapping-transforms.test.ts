// Every transform and expression, from source text to canonical value.
import { describe, expect, it } from 'vitest';
import type { CanonicalEvent } from '../../src/canonical/event.ts';
import type { SourceValue } from '../../src/change/source-change.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import { insert, mappingText, relationOf, schemaOf, table, transaction } from './mapping-tables.ts';

interface Case {
  /** The source column's type. */
  readonly type?: string;
  /** The field's Avro type. */
  readonly avro?: unknown;
  /** The field `out`, over the column `c`. */
  readonly field: string;
  readonly value: SourceValue;
}

const decimal = (precision: number, scale: number) => ({
  type: 'bytes',
  logicalType: 'decimal',
  precision,
  scale,
});

function mapped({ type = 'text', avro = ['null', 'string'], field, value }: Case): CanonicalEvent | null {
  const source = table('things', { id: 'int8!', c: type });
  const relation = relationOf(source);
  const { mappings, findings } = parseMappings(
    [
      { path: 'things.yaml', text: mappingText(['id: id', `out: ${field}`]) },
      { path: 'lookups/countries.yaml', text: 'DE: Germany\n49: Germany\n' },
    ],
    [schemaOf({ id: 'long', out: avro })],
  );
  expect(findings).toEqual([]);
  return mappings[0]!.bind(relation, source).map(insert(relation, { id: '1', c: value }), transaction);
}

function out(of: Case): unknown {
  const event = mapped(of);
  if (event?.op !== 'upsert')
    throw new Error(JSON.stringify(event, (_key, v) => (typeof v === 'bigint' ? String(v) : v)));
  return event.record.out;
}

function code(of: Case): string {
  const event = mapped(of);
  return event?.op === 'reject' ? event.code : `no reject: ${event?.op}`;
}

describe('transforms', () => {
  it('trim, lower and upper change text and leave NULL', () => {
    expect(out({ field: '{from: c, transform: [trim, lower]}', value: ' ÄB \n' })).toBe('äb');
    expect(out({ field: '{from: c, transform: upper}', value: 'straße' })).toBe('STRASSE');
    expect(out({ field: '{from: c, transform: [trim, upper, lower]}', value: null })).toBe(null);
  });

  it('constant needs no column', () => {
    expect(out({ field: '{transform: {constant: web}}', value: null })).toBe('web');
    expect(out({ avro: 'boolean', field: '{transform: {constant: true}}', value: null })).toBe(true);
    expect(out({ avro: 'long', field: '{transform: {constant: 9223372036854775807}}', value: null })).toBe(
      2n ** 63n - 1n,
    );
    expect(out({ avro: decimal(6, 2), field: '{transform: {constant: 1.5}}', value: null })).toBe('1.50');
  });

  it('default replaces NULL only', () => {
    expect(out({ field: '{from: c, transform: {default: none}}', value: null })).toBe('none');
    expect(out({ field: '{from: c, transform: {default: none}}', value: '' })).toBe('');
    expect(out({ type: 'int4', avro: 'int', field: '{from: c, transform: {default: 7}}', value: null })).toBe(
      7,
    );
  });

  it('concat joins what is not NULL', () => {
    expect(out({ field: '{from: [id, c], transform: [{concat: "-"}, upper]}', value: 'x' })).toBe('1-X');
    expect(out({ field: '{from: [id, c], transform: {concat: "-"}}', value: null })).toBe('1');
  });

  it('lookup takes a table or a file, and rejects what neither has', () => {
    const inline = '{from: c, transform: {lookup: {table: {a: first, 2: second}}}}';
    expect(out({ field: inline, value: 'a' })).toBe('first');
    expect(out({ field: inline, value: '2' })).toBe('second');
    expect(out({ field: inline, value: null })).toBe(null);
    expect(code({ field: inline, value: 'toString' })).toBe('WB4106');
    const file = '{from: c, transform: {lookup: {file: lookups/countries.yaml, otherwise: null}}}';
    expect(out({ field: file, value: '49' })).toBe('Germany');
    expect(out({ field: file, value: 'FR' })).toBe(null);
  });

  it('jsonPath picks values without losing a digit', () => {
    const pick = (path: string, value: string, avro: unknown = ['null', 'string']) =>
      out({ type: 'jsonb', avro, field: `{from: c, transform: {jsonPath: ${JSON.stringify(path)}}}`, value });
    expect(pick('$.a.b', '{"a": {"b": "x"}}')).toBe('x');
    expect(pick('$.a', '{"b": 1}')).toBe(null);
    expect(pick('$.a', '{"a": null}')).toBe(null);
    expect(pick('$.a', '{"a": true}')).toBe('true');
    expect(pick('$.a', '{"a": true}', 'boolean')).toBe(true);
    expect(pick('$.a', '{"a": 9007199254740993}', 'long')).toBe(9007199254740993n);
    expect(pick('$.a', '{"a": 0.10000000000000000001}', decimal(30, 20))).toBe('0.10000000000000000001');
    expect(pick('$.a', '{"a": 1.50}')).toBe('1.50');
    expect(pick('$.a', '{"a": {"n": 12345678901234567890, "m": [1.0]}}')).toBe(
      '{"n":12345678901234567890,"m":[1.0]}',
    );
    expect(pick('$.a[*].n', '{"a": [{"n": 1}, {"n": "x"}]}')).toBe('[1,"x"]');
    expect(pick('$.a[*]', '{"a": []}')).toBe('[]');
    expect(code({ field: '{from: c, transform: {jsonPath: $.a}}', value: 'no json' })).toBe('WB4107');
  });

  it('cast reads text as another type, exactly or not at all', () => {
    const cast = (to: string, value: string, avro: unknown, type = 'text'): Case => ({
      type,
      avro,
      field: `{from: c, transform: {cast: ${to}}}`,
      value,
    });
    expect(out(cast('int4', ' 42 ', 'int'))).toBe(42);
    expect(code(cast('int4', '42.0', 'int'))).toBe('WB3101');
    expect(code(cast('int4', '4294967296', 'int'))).toBe('WB3102');
    expect(out(cast('boolean', 'Yes', 'boolean'))).toBe(true);
    expect(code(cast('boolean', 'maybe', 'boolean'))).toBe('WB4109');
    expect(out(cast('numeric', '12.30', decimal(5, 2)))).toBe('12.30');
    expect(out(cast('date', '2024-02-29', { type: 'int', logicalType: 'date' }))).toBe(19782);
    expect(out(cast('text', '7', 'string', 'int4'))).toBe('7');
    const instant = { type: 'long', logicalType: 'timestamp-micros' };
    expect(out(cast('timestamptz', '2024-01-01 00:00:00.000001', instant, 'timestamp'))).toBe(
      1_704_067_200_000_001,
    );
    const local = { type: 'long', logicalType: 'local-timestamp-micros' };
    expect(out(cast('timestamp', '2024-01-01 00:00:00.000001+00', local, 'timestamptz'))).toBe(
      1_704_067_200_000_001,
    );
  });
});

describe('expressions', () => {
  const expr = (text: string, value: SourceValue, type: string, avro: unknown): Case => ({
    type,
    avro,
    field: `{expr: ${JSON.stringify(text)}}`,
    value,
  });

  it('keep 64-bit integers and decimals exact', () => {
    expect(out(expr('c + 1', '9223372036854775806', 'int8', 'long'))).toBe(2n ** 63n - 1n);
    expect(code(expr('c + 1', '9223372036854775807', 'int8', 'long'))).toBe('WB4105');
    const wide = '12345678901234567890123456789012.123456';
    expect(out(expr('c + decimal("0.000001")', wide, 'numeric(38,6)', decimal(38, 6)))).toBe(
      '12345678901234567890123456789012.123457',
    );
    expect(out(expr('c * decimal(2) > decimal("3")', '1.6', 'numeric', 'boolean'))).toBe(true);
    expect(code(expr('c', 'NaN', 'numeric', decimal(38, 6)))).toBe('WB4105');
  });

  it('see dates and times as PostgreSQL writes them', () => {
    const micros = { type: 'long', logicalType: 'timestamp-micros' };
    expect(out(expr('c', '2024-01-01 00:00:00.000001+00', 'timestamptz', micros))).toBe(
      1_704_067_200_000_001,
    );
    expect(out(expr('c.startsWith("2024-")', '2024-01-01', 'date', 'boolean'))).toBe(true);
  });

  it('give NULL for NULL, unless they speak of null', () => {
    expect(out(expr('c + "!"', null, 'text', ['null', 'string']))).toBe(null);
    expect(out(expr('c == null ? "none" : c', null, 'text', 'string'))).toBe('none');
    expect(out(expr('c == "" ? null : c', '', 'text', ['null', 'string']))).toBe(null);
    expect(code(expr('c != null && c > 1 ? "many" : c + "x"', null, 'int4', 'string'))).toBe('WB4105');
  });

  it('take booleans and bytes', () => {
    expect(out(expr('!c', 't', 'bool', 'boolean'))).toBe(false);
    expect(out(expr('c', '\\x00ff', 'bytea', 'bytes'))).toEqual(Buffer.from([0, 255]));
    expect(out(expr('c.hex()', '\\x00ff', 'bytea', 'string'))).toBe('00ff');
    expect(out(expr('c / 2.0', '3', 'float8', 'double'))).toBe(1.5);
  });
});

describe('misfits', () => {
  it('go to quarantine by the name of what does not fit', () => {
    expect(code({ type: 'float8', avro: 'double', field: 'c', value: 'NaN' })).toBe('WB4102');
    expect(code({ type: 'float8', avro: 'double', field: 'c', value: '-Infinity' })).toBe('WB4102');
    expect(code({ field: '{from: c, target: nvarchar(3)}', value: '👋👋' })).toBe('WB4102');
    expect(out({ field: '{from: c, target: nvarchar(4)}', value: '👋👋' })).toBe('👋👋');
    expect(code({ type: 'int4', avro: 'int', field: '{from: c, target: smallint}', value: '32768' })).toBe(
      'WB4102',
    );
    expect(
      code({
        type: 'numeric',
        avro: decimal(8, 2),
        field: '{from: c, target: "decimal(5,2)"}',
        value: '1000',
      }),
    ).toBe('WB4102');
    expect(
      out({
        type: 'numeric',
        avro: decimal(8, 2),
        field: '{from: c, target: "decimal(5,2)"}',
        value: '-999.99',
      }),
    ).toBe('-999.99');
    expect(
      code({
        type: 'timestamptz',
        avro: { type: 'long', logicalType: 'timestamp-micros' },
        field: 'c',
        value: 'infinity',
      }),
    ).toBe('WB3107');
    expect(code({ type: 'int4', avro: 'int', field: 'c', value: null })).toBe('WB3111');
  });

  it('are replaced where the mapping says so, and flagged', () => {
    const source = table('things', { id: 'int8!', c: 'float8' });
    const relation = relationOf(source);
    const schema = schemaOf({ id: 'long', c: ['null', 'double'], bad: 'boolean' });
    const text = mappingText(['id: id', 'c: {misfit: null, flag: bad}']);
    const { mappings, findings } = parseMappings([{ path: 'a.yaml', text }], [schema]);
    expect(findings).toEqual([]);
    const mapper = mappings[0]!.bind(relation, source);
    const record = (c: SourceValue) => mapper.map(insert(relation, { id: '1', c }), transaction);
    expect(record('NaN')).toMatchObject({ record: { id: 1, c: null, bad: true } });
    expect(record('1.5')).toMatchObject({ record: { id: 1, c: 1.5, bad: false } });
    expect(record(null)).toMatchObject({ record: { id: 1, c: null, bad: false } });
    expect(mappings[0]!.target.columns.at(-1)).toEqual({
      name: 'bad',
      type: { name: 'bit' },
      nullable: false,
      field: 'bad',
    });
    const value = { avro: 'double', type: 'float8', field: '{from: c, misfit: {value: -1}}' };
    expect(out({ ...value, value: 'NaN' })).toBe(-1);
  });

  it('never name the value', () => {
    const event = mapped({
      type: 'text',
      avro: 'int',
      field: '{from: c, transform: {cast: int4}}',
      value: 'secret',
    });
    expect(event).toMatchObject({ op: 'reject', rowJson: '{"id":"1","c":"secret"}' });
    expect(event?.op === 'reject' && event.reason).not.toContain('secret');
  });
});
