// PostgreSQL's text to canonical values: exact over the whole range, or a Misfit of its own code.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { avroTypeFor } from '../../src/canonical/avro-type-for.ts';
import { Misfit } from '../../src/canonical/misfit.ts';
import { pgTextDecoder } from '../../src/canonical/pg-text.ts';
import type { FieldType, PlainKind } from '../../src/canonical/schema.ts';
import type { BaseType } from '../../src/change/table-description.ts';

function decode(name: string, type: FieldType | PlainKind, text: string, more: Partial<BaseType> = {}) {
  const fieldType = typeof type === 'string' ? { kind: type } : type;
  const decoder = pgTextDecoder({ name, kind: 'base', elementTypeName: null, ...more }, fieldType);
  const value = decoder?.(text);
  return value instanceof Misfit ? value.code : value;
}

const money: FieldType = { kind: 'decimal', precision: 12, scale: 2 };
const wide: FieldType = { kind: 'decimal', precision: 38, scale: 10 };

describe('numbers', () => {
  it.each([
    ['int4', 'int', '-2147483648', -2147483648],
    ['int4', 'int', '2147483648', 'WB3102'],
    ['int8', 'long', '9007199254740991', Number.MAX_SAFE_INTEGER],
    ['int8', 'long', '-9007199254740992', -9007199254740992n],
    ['int8', 'long', '9223372036854775807', 9223372036854775807n],
    ['int8', 'long', '-9223372036854775808', -9223372036854775808n],
    ['int8', 'long', '9223372036854775808', 'WB3102'],
    ['int8', 'long', '1e3', 'WB3101'],
    ['float8', 'double', 'NaN', Number.NaN],
    ['float8', 'double', '-Infinity', Number.NEGATIVE_INFINITY],
    ['float8', 'double', '-0', -0],
    ['float8', 'double', '1.7976931348623157e+308', Number.MAX_VALUE],
    ['float8', 'double', '', 'WB3101'],
    ['float4', 'float', '0.1', Math.fround(0.1)],
    ['bool', 'boolean', 't', true],
    ['bool', 'boolean', 'true', 'WB3101'],
  ] as const)('%s as %s of %s', (name, type, text, expected) => {
    expect(decode(name, type, text)).toBe(expected);
  });

  it('of any int8 come back', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (value) => {
        const decoded = decode('int8', 'long', String(value));
        expect(String(decoded)).toBe(String(value));
        expect(typeof decoded === 'number').toBe(Number.isSafeInteger(Number(value)));
      }),
    );
  });

  it('of any float8 come back', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        expect(decode('float8', 'double', Object.is(value, -0) ? '-0' : String(value))).toBe(value);
      }),
    );
  });

  it('refuse pairs that could lose digits', () => {
    expect(
      pgTextDecoder({ name: 'int8', kind: 'base', elementTypeName: null }, { kind: 'double' }),
    ).toBeNull();
    expect(pgTextDecoder({ name: 'float8', kind: 'base', elementTypeName: null }, money)).toBeNull();
  });
});

describe('numeric', () => {
  it.each([
    ['12345.67', '12345.67'],
    ['-0.05', '-0.05'],
    ['5', '5.00'],
    ['5.1', '5.10'],
    ['5.100', '5.10'],
    ['0', '0.00'],
    ['0.000', '0.00'],
    ['1e3', '1000.00'],
    ['1.5E-1', '0.15'],
    ['9999999999.99', '9999999999.99'],
    ['10000000000', 'WB3103'],
    ['1e10', 'WB3103'],
    ['0.001', 'WB3104'],
    ['NaN', 'WB3105'],
    ['-Infinity', 'WB3106'],
    ['', 'WB3101'],
    ['1.2.3', 'WB3101'],
    ['.', 'WB3101'],
    ['1_000', 'WB3101'],
  ])('%s as decimal(12,2)', (text, expected) => {
    expect(decode('numeric', money, text)).toBe(expected);
  });

  it('keeps 38 digits', () => {
    const text = `-${'9'.repeat(28)}.${'9'.repeat(10)}`;
    expect(decode('numeric', wide, text)).toBe(text);
    expect(decode('numeric', wide, `1${text.slice(1)}`)).toBe('WB3103');
    expect(decode('numeric', { kind: 'decimal', precision: 2, scale: 2 }, '0.5')).toBe('0.50');
    expect(decode('numeric', { kind: 'decimal', precision: 2, scale: 2 }, '1.5')).toBe('WB3103');
  });

  it('is the same number, or says why not', () => {
    const exponent = fc.option(fc.integer({ min: -12, max: 12 }), { nil: null });
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 14n), 10n ** 14n), fc.nat(6), exponent, (unscaled, point, power) => {
        const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(point + 1, '0');
        const plain = point === 0 ? digits : `${digits.slice(0, -point)}.${digits.slice(-point)}`;
        const text = `${unscaled < 0n ? '-' : ''}${plain}${power === null ? '' : `e${power}`}`;
        // Everything as an integer of 10^-18.
        const exact = unscaled * 10n ** BigInt(18 - point + (power ?? 0));
        const unit = 10n ** 16n;
        const bound = 10n ** 28n;
        const tooWide = exact >= bound || exact <= -bound;
        const expected = tooWide ? 'WB3103' : exact % unit !== 0n ? 'WB3104' : exact / unit;
        const decoded = decode('numeric', money, text);
        const got = String(decoded).startsWith('WB') ? decoded : BigInt(String(decoded).replace('.', ''));
        expect(got).toBe(expected);
        if (typeof got === 'bigint') expect(decoded).toMatch(/^-?(0|[1-9]\d*)\.\d\d$/);
      }),
    );
  });
});

describe('dates and times', () => {
  const first = BigInt(Date.UTC(2000, 0, 1)) * 1000n - 63_082_281_600_000_000n;

  it.each([
    ['date', 'date', '1970-01-01', 0],
    ['date', 'date', '0001-01-01', -719162],
    ['date', 'date', '9999-12-31', 2932896],
    ['date', 'date', '2023-02-29', 'WB3101'],
    ['date', 'date', '1900-02-29', 'WB3101'],
    ['date', 'date', '10000-01-01', 'WB3108'],
    ['date', 'date', '0044-03-15 BC', 'WB3108'],
    ['date', 'date', 'infinity', 'WB3107'],
    ['date', 'date', '01/02/2024', 'WB3101'],
    ['time', 'time-micros', '23:59:59.999999', 86399999999],
    ['time', 'time-micros', '00:00:00', 0],
    ['time', 'time-micros', '24:00:00', 'WB3109'],
    ['time', 'time-micros', '12:60:00', 'WB3101'],
    ['timestamp', 'local-timestamp-micros', '1970-01-01 00:00:00.000001', 1],
    ['timestamp', 'local-timestamp-micros', '0001-01-01 00:00:00', first],
    ['timestamp', 'local-timestamp-micros', '9999-12-31 23:59:59.999999', 253402300799999999n],
    ['timestamp', 'local-timestamp-micros', '294276-12-31 23:59:59.999999', 'WB3108'],
    ['timestamp', 'local-timestamp-micros', '4713-01-01 00:00:00.5 BC', 'WB3108'],
    ['timestamp', 'local-timestamp-micros', '-infinity', 'WB3107'],
    ['timestamp', 'local-timestamp-micros', '2024-01-01T00:00:00', 'WB3101'],
    ['timestamptz', 'timestamp-micros', '1970-01-01 00:00:00.1+00', 100000],
    ['timestamptz', 'timestamp-micros', '1970-01-01 05:30:00+05:30', 0],
    ['timestamptz', 'timestamp-micros', '1969-12-31 19:00:00-05', 0],
    ['timestamptz', 'timestamp-micros', '1890-01-01 00:00:00+00:19:32', -2524522772000000],
    ['timestamptz', 'timestamp-micros', '9999-12-31 23:59:59-01', 'WB3108'],
    ['timestamptz', 'timestamp-micros', '10000-01-01 00:00:00+00', 'WB3108'],
    ['timestamptz', 'timestamp-micros', '0044-03-15 00:00:00+00 BC', 'WB3108'],
    ['timestamptz', 'timestamp-micros', 'infinity', 'WB3107'],
    ['timestamptz', 'timestamp-micros', '2024-01-01 00:00:00', 'WB3101'],
  ] as const)('%s as %s of %s', (name, type, text, expected) => {
    expect(decode(name, type, text)).toBe(expected);
  });

  it('of any timestamp agree with the calendar of JavaScript', () => {
    const day = {
      min: new Date('0001-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(day), fc.nat(999), (date, micros) => {
        const [days, time] = date.toISOString().replace('Z', '').split('T');
        const text = `${days} ${time}${String(micros).padStart(3, '0')}`;
        const expected = BigInt(date.getTime()) * 1000n + BigInt(micros);
        for (const [name, kind, suffix] of [
          ['timestamp', 'local-timestamp-micros', ''],
          ['timestamptz', 'timestamp-micros', '+00'],
        ] as const) {
          expect(String(decode(name, kind, text + suffix))).toBe(String(expected));
        }
        expect(decode('date', 'date', String(days))).toBe(Math.floor(date.getTime() / 86_400_000));
      }),
    );
  });
});

describe('other types', () => {
  const array = (elementTypeName: string, text: string) =>
    decode(`_${elementTypeName}`, 'string', text, { kind: 'array', elementTypeName });

  it.each([
    ['uuid', 'uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['uuid', 'uuid', 'A0EEBC99', 'WB3101'],
    ['bpchar', 'string', 'ab   ', 'ab   '],
    ['jsonb', 'string', '{"a": 1.10}', '{"a": 1.10}'],
    ['timetz', 'string', '12:00:00+02', '12:00:00+02'],
    ['interval', 'string', '1 year -00:00:01', '1 year -00:00:01'],
    ['hstore', 'string', '"a"=>"1", "2"=>NULL, "q\\"k"=>"x, y"', '{"a":"1","2":null,"q\\"k":"x, y"}'],
    ['hstore', 'string', '"a"=>1', 'WB3101'],
    ['bytea', 'bytes', '\\x0', 'WB3101'],
    ['bytea', 'bytes', '\\000', 'WB3101'],
  ] as const)('%s as %s of %s', (name, type, text, expected) => {
    expect(decode(name, type, text)).toBe(expected);
  });

  it('decode bytea', () => {
    expect(decode('bytea', 'bytes', '\\x00ff10')).toEqual(Buffer.from([0, 255, 16]));
    expect(decode('bytea', 'bytes', '\\x')).toEqual(Buffer.alloc(0));
  });

  it('hold enums to their symbols', () => {
    const status: FieldType = { kind: 'enum', name: 'Status', symbols: ['open', 'won'], fallback: null };
    expect(decode('status', status, 'won', { kind: 'enum' })).toBe('won');
    expect(decode('status', status, 'lost', { kind: 'enum' })).toBe('WB3110');
  });

  it.each([
    ['int4', '{1,NULL,-3}', '[1,null,-3]'],
    ['int4', '{{1,2},{3,4}}', '[[1,2],[3,4]]'],
    ['int4', '{}', '[]'],
    ['int4', '[0:1]={1,2}', '{"bounds":"[0:1]","items":[1,2]}'],
    ['int8', '{9007199254740993}', '["9007199254740993"]'],
    ['numeric', '{1.5,1.50,NaN}', '[1.5,"1.50","NaN"]'],
    ['bool', '{t,f}', '[true,false]'],
    ['text', '{a,"b,c","d\\"e\\\\","NULL",NULL,""}', '["a","b,c","d\\"e\\\\","NULL",null,""]'],
    ['jsonb', '{"{\\"a\\": 1}"}', '[{"a": 1}]'],
    ['box', '{(1,1),(0,0);(2,2),(1,1)}', '["(1,1),(0,0)","(2,2),(1,1)"]'],
    ['text', '{a', 'WB3101'],
    ['text', '{a}}', 'WB3101'],
    ['text', '{,}', 'WB3101'],
  ])('write an array of %s, %s, as JSON', (element, text, expected) => {
    expect(array(element, text)).toBe(expected);
  });

  it('write any array of texts as JSON', () => {
    const items = fc.array(fc.option(fc.string({ unit: 'grapheme' }), { nil: null }), { minLength: 1 });
    fc.assert(
      fc.property(items, (values) => {
        const quoted = values.map((value) =>
          value === null ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`,
        );
        expect(JSON.parse(String(array('text', `{${quoted.join(',')}}`)))).toEqual(values);
      }),
    );
  });

  it('write any composite as JSON', () => {
    const items = fc.array(fc.option(fc.string({ unit: 'grapheme' }), { nil: null }), { minLength: 2 });
    fc.assert(
      fc.property(items, (values) => {
        const quoted = values.map((value) => (value === null ? '' : `"${value.replace(/["\\]/g, '$&$&')}"`));
        const text = `(${quoted.join(',')})`;
        expect(JSON.parse(String(decode('pair', 'string', text, { kind: 'composite' })))).toEqual(values);
      }),
    );
    expect(decode('pair', 'string', '(a,)b', { kind: 'composite' })).toBe('WB3101');
  });
});

describe("a column's canonical type", () => {
  const base: BaseType = {
    oid: 0,
    name: 'text',
    schema: 'pg_catalog',
    kind: 'base',
    numeric: null,
    length: null,
    secondDigits: null,
    enumLabels: [],
    elementTypeName: null,
  };
  const typeOf = (more: Partial<BaseType>) =>
    avroTypeFor({ name: 'status', nullable: false, baseType: { ...base, ...more } });
  const decimal = (precision: number, scale: number) => ({
    type: 'bytes',
    logicalType: 'decimal',
    precision,
    scale,
  });

  it.each([
    [{ name: 'int2' }, 'int'],
    [{ name: 'oid' }, 'long'],
    [{ name: 'numeric' }, decimal(38, 10)],
    [{ name: 'numeric', numeric: { precision: 12, scale: 2 } }, decimal(12, 2)],
    [{ name: 'numeric', numeric: { precision: 3, scale: 5 } }, decimal(5, 5)],
    [{ name: 'numeric', numeric: { precision: 3, scale: -2 } }, decimal(5, 0)],
    [{ name: 'numeric', numeric: { precision: 50, scale: 4 } }, decimal(38, 4)],
    [{ name: 'numeric', numeric: { precision: 50, scale: 28 } }, decimal(38, 28)],
    [{ name: 'numeric', numeric: { precision: 45, scale: 38 } }, decimal(38, 31)],
    [{ name: 'numeric', numeric: { precision: 1000, scale: 500 } }, decimal(38, 28)],
    [{ name: 'numeric', numeric: { precision: 40, scale: 60 } }, decimal(38, 38)],
    [{ name: 'timestamptz' }, { type: 'long', logicalType: 'timestamp-micros' }],
    [{ name: 'timetz' }, 'string'],
    [{ name: '_int4', kind: 'array' }, 'string'],
    [
      { name: 'e', kind: 'enum', enumLabels: ['a', 'b'] },
      { type: 'enum', name: 'status_enum', symbols: ['a', 'b'] },
    ],
    [{ name: 'e', kind: 'enum', enumLabels: ['in progress'] }, 'string'],
  ] as const)('of %j', (type, expected) => {
    expect(typeOf(type)).toEqual(expected);
  });

  it('has null first where the column may be null', () => {
    expect(avroTypeFor({ name: 'a', nullable: true, baseType: base })).toEqual(['null', 'string']);
  });
});
