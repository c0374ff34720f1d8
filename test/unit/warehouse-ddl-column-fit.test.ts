import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CanonicalValue } from '../../src/canonical/event.ts';
import type { FieldType, PlainKind } from '../../src/canonical/schema.ts';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import { columnFit } from '../../src/warehouse/column-fit.ts';

const CI = 'SQL_Latin1_General_CP1_CI_AS';

function check(
  field: FieldType | PlainKind,
  text: string,
  more: { nullable?: boolean; collation?: string } = {},
) {
  const type = parseSqlType(text);
  return columnFit(typeof field === 'string' ? { kind: field } : field, {
    name: 'c',
    type: 'problem' in type ? null : type,
    typeText: text,
    nullable: more.nullable ?? true,
    collation: more.collation ?? (text.includes('char') ? CI : null),
  });
}

function fits(
  field: FieldType | PlainKind,
  text: string,
  value: CanonicalValue,
  collation?: string,
): boolean {
  const test = check(field, text, collation === undefined ? {} : { collation });
  return test === null || test(value) === undefined;
}

const decimal = (precision: number, scale: number): FieldType => ({ kind: 'decimal', precision, scale });

describe('columns that need no check', () => {
  it.each([
    ['boolean', 'bit'],
    ['int', 'int'],
    ['int', 'decimal(10,0)'],
    ['int', 'money'],
    ['int', 'float'],
    ['long', 'bigint'],
    ['long', 'decimal(19,0)'],
    ['string', 'nvarchar(max)'],
    ['bytes', 'varbinary(max)'],
    ['uuid', 'uniqueidentifier'],
    ['time-micros', 'time(6)'],
  ] as const)('%s in %s', (kind, text) => {
    expect(check(kind, text)).toBeNull();
  });

  it('but for null where the column takes none', () => {
    const test = check('int', 'int', { nullable: false });
    expect(test?.(null)).toMatchObject({ code: 'WB6041' });
    expect(test?.(1)).toBeUndefined();
  });
});

describe('values at the edge', () => {
  const day = 86_400_000_000n;
  it.each([
    ['int', 'tinyint', 255, 256],
    ['int', 'smallint', -32_768, -32_769],
    ['long', 'int', 2_147_483_647, 2_147_483_648],
    ['int', 'bit', 1, 2],
    ['int', 'decimal(4,2)', 99, 100],
    ['long', 'decimal(18,0)', 999_999_999_999_999_999n, 1_000_000_000_000_000_000n],
    ['long', 'money', 922_337_203_685_477, 922_337_203_685_478],
    ['long', 'float', 2 ** 53 - 1, 2n ** 53n + 1n],
    ['int', 'real', 16_777_216, 16_777_217],
    ['double', 'float', 1.7976931348623157e308, Number.POSITIVE_INFINITY],
    ['double', 'float', -0, Number.NaN],
    ['double', 'float', 2.2250738585072014e-308, 5e-324],
    ['double', 'real', 0.5, 0.1],
    ['string', 'nvarchar(2)', '😀', '😀a'],
    ['string', 'varchar(3)', '€uß', 'ł'],
    ['string', 'nchar(2)', 'ab', 'a'],
    ['uuid', 'char(36)', '0e37df36-f698-11e6-8dd4-cb9ced3df976', 'x'],
    [
      'string',
      'uniqueidentifier',
      '0e37df36-f698-11e6-8dd4-cb9ced3df976',
      '0E37DF36-F698-11E6-8DD4-CB9CED3DF976',
    ],
    ['bytes', 'varbinary(2)', Buffer.alloc(2), Buffer.alloc(3)],
    ['bytes', 'binary(2)', Buffer.alloc(2), Buffer.alloc(1)],
    ['date', 'date', -719_162, -719_163],
    ['date', 'date', 2_932_896, 2_932_897],
    ['date', 'datetime', Date.UTC(1753, 0, 1) / 86_400_000, Date.UTC(1752, 11, 31) / 86_400_000],
    ['date', 'smalldatetime', Date.UTC(2079, 5, 6) / 86_400_000, Date.UTC(2079, 5, 7) / 86_400_000],
    ['date', 'smalldatetime', Date.UTC(1900, 0, 1) / 86_400_000, Date.UTC(1899, 11, 31) / 86_400_000],
    ['time-micros', 'time(3)', 86_399_999_000, 86_399_999_999],
    ['local-timestamp-micros', 'datetime2(0)', 1_000_000, 999_999],
    ['local-timestamp-micros', 'datetime', 10_000, 1_000],
    ['local-timestamp-micros', 'smalldatetime', 60_000_000, 61_000_000],
    ['timestamp-micros', 'datetimeoffset(6)', -719_162n * day, -719_162n * day - 1n],
    ['timestamp-micros', 'datetimeoffset(7)', 2_932_897n * day - 1n, 2_932_897n * day],
    ['timestamp-micros', 'datetime2(3)', -719_162n * day, -719_162n * day + 1n],
  ] as const)('%s in %s', (kind, text, good, bad) => {
    expect(fits(kind, text, good)).toBe(true);
    expect(fits(kind, text, bad)).toBe(false);
  });

  it.each([
    [decimal(38, 10), 'decimal(10,2)', '12345678.1200000000', '12345678.1210000000'],
    [decimal(38, 10), 'decimal(10,2)', '-99999999.0000000000', '100000000.0000000000'],
    [decimal(38, 10), 'decimal(2,2)', '0.9900000000', '1.0000000000'],
    [decimal(38, 0), 'bigint', '9223372036854775807', '9223372036854775808'],
    [decimal(38, 2), 'int', '5.00', '5.01'],
    [decimal(38, 5), 'money', '-922337203685477.58080', '922337203685477.58080'],
    [decimal(38, 5), 'money', '0.00010', '0.00001'],
  ] as const)('%o in %s', (field, text, good, bad) => {
    expect(fits(field, text, good)).toBe(true);
    expect(fits(field, text, bad)).toBe(false);
  });

  it('counts bytes in a UTF-8 column, and takes no half surrogate pairs there', () => {
    const utf8 = 'Latin1_General_100_BIN2_UTF8';
    expect(fits('string', 'varchar(4)', '😀', utf8)).toBe(true);
    expect(fits('string', 'varchar(4)', '😀a', utf8)).toBe(false);
    expect(fits('string', 'varchar(4)', '\ud83d', utf8)).toBe(false);
  });

  it('takes ASCII only where it doesn’t know the code page', () => {
    expect(fits('string', 'varchar(9)', 'ß', 'Polish_CI_AS')).toBe(false);
    expect(fits('string', 'varchar(9)', 'ss', 'Polish_CI_AS')).toBe(true);
  });

  it.each([
    ['string', 'int'],
    ['int', 'nvarchar(20)'],
    ['bytes', 'nvarchar(20)'],
    ['timestamp-micros', 'date'],
    ['local-timestamp-micros', 'datetimeoffset(6)'],
    ['double', 'decimal(38,10)'],
    ['boolean', 'nvarchar(5)'],
    ['string', 'xml'],
  ] as const)('never passes %s in %s', (kind, text) => {
    expect(check(kind, text)?.(1)).toMatchObject({ code: 'WB6040' });
  });

  it('names the column and the bound, not the value', () => {
    expect(check('string', 'nvarchar(3)')?.('secret')).toEqual({
      code: 'WB6040',
      reason: "Texts of more than 3 UTF-16 code units don't fit the column c (nvarchar(3)).",
    });
  });
});

describe('against a model of what SQL Server stores', () => {
  it('a decimal passes exactly where rounding to the column leaves it as it was', () => {
    const arbitrary = fc.record({
      unscaled: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      scale: fc.integer({ min: 0, max: 10 }),
      whole: fc.integer({ min: 1, max: 12 }),
      kept: fc.integer({ min: 0, max: 10 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ unscaled, scale, whole, kept }) => {
        const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
        const cut = digits.length - scale;
        const text = `${unscaled < 0n ? '-' : ''}${digits.slice(0, cut)}${scale === 0 ? '' : `.${digits.slice(cut)}`}`;
        const lost = 10n ** BigInt(Math.max(0, scale - kept));
        const exact = unscaled % lost === 0n && BigInt(digits.slice(0, cut)) < 10n ** BigInt(whole);
        expect(fits(decimal(38, scale), `decimal(${whole + kept},${kept})`, text)).toBe(exact);
      }),
    );
  });

  it('a timestamp passes exactly where cutting to the column’s digits leaves it as it was', () => {
    const arbitrary = fc.record({
      micros: fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }),
      zeros: fc.integer({ min: 0, max: 6 }),
      scale: fc.integer({ min: 0, max: 7 }),
    });
    fc.assert(
      fc.property(arbitrary, ({ micros, zeros, scale }) => {
        const rounded = micros - (micros % 10n ** BigInt(zeros));
        const safe = rounded >= -(2n ** 53n) && rounded <= 2n ** 53n;
        const step = 10n ** BigInt(Math.max(0, 6 - scale));
        const value = safe ? Number(rounded) : rounded;
        expect(fits('local-timestamp-micros', `datetime2(${scale})`, value)).toBe(rounded % step === 0n);
      }),
    );
  });

  it('a text passes nvarchar(n) exactly where its UTF-16 takes at most 2n bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 12 }), (text, length) => {
        expect(fits('string', `nvarchar(${length})`, text)).toBe(
          Buffer.from(text, 'utf16le').length <= 2 * length,
        );
      }),
    );
  });

  it('a text passes varchar exactly where Windows-1252 gives it back', () => {
    // https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT, its rows 0x80 to 0x9F.
    const high =
      '20AC 201A 0192 201E 2026 2020 2021 02C6 2030 0160 2039 0152 017D 2018 2019 201C 201D 2022 2013 2014 02DC 2122 0161 203A 0153 017E 0178';
    const low = Array.from({ length: 256 }, (_, code) => code).filter((code) => code < 0x80 || code > 0x9f);
    const held = new Set([...low, ...high.split(' ').map((hex) => Number.parseInt(hex, 16))]);
    for (let code = 0; code <= 0xffff; code += 1) {
      const character = String.fromCharCode(code);
      expect(fits('string', 'varchar(1)', character), code.toString(16)).toBe(held.has(code));
    }
  });
});
