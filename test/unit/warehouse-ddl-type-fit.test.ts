import { describe, expect, it } from 'vitest';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import type { SqlServerType } from '../../src/mapping/target.ts';
import { catalogColumnType } from '../../src/warehouse/catalog-type.ts';
import { keyBytes } from '../../src/warehouse/key-width.ts';
import { typeFit } from '../../src/warehouse/type-fit.ts';

function type(text: string): SqlServerType {
  const parsed = parseSqlType(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed;
}

describe('typeFit', () => {
  it.each([
    ['int', 'bigint', 'holds'],
    ['bit', 'tinyint', 'holds'],
    ['bigint', 'int', 'narrower'],
    ['int', 'bit', 'loses'],
    ['int', 'decimal(10,0)', 'holds'],
    ['int', 'decimal(9,0)', 'narrower'],
    ['bigint', 'float', 'loses'],
    ['int', 'float', 'holds'],
    ['int', 'real', 'loses'],
    ['int', 'nvarchar(20)', 'loses'],
    ['decimal(18,2)', 'decimal(20,4)', 'holds'],
    ['decimal(18,2)', 'decimal(18,4)', 'narrower'],
    ['decimal(18,4)', 'decimal(18,2)', 'narrower'],
    ['decimal(18,2)', 'float', 'loses'],
    ['decimal(18,4)', 'money', 'holds'],
    ['decimal(19,4)', 'money', 'narrower'],
    ['float', 'real', 'loses'],
    ['real', 'float', 'holds'],
    ['nvarchar(200)', 'nvarchar(max)', 'holds'],
    ['nvarchar(200)', 'nvarchar(50)', 'narrower'],
    ['nvarchar(max)', 'nvarchar(4000)', 'narrower'],
    ['nvarchar(20)', 'varchar(20)', 'loses'],
    ['nvarchar(20)', 'nchar(20)', 'loses'],
    ['varchar(20)', 'nvarchar(20)', 'holds'],
    ['varbinary(max)', 'varbinary(100)', 'narrower'],
    ['varbinary(16)', 'binary(16)', 'loses'],
    ['uniqueidentifier', 'uniqueidentifier', 'holds'],
    ['uniqueidentifier', 'nvarchar(36)', 'loses'],
    ['date', 'datetime2(0)', 'holds'],
    ['date', 'datetime', 'narrower'],
    ['time(6)', 'time(3)', 'loses'],
    ['time(6)', 'time(7)', 'holds'],
    ['datetime2(6)', 'datetime', 'loses'],
    ['datetime2(2)', 'datetime', 'narrower'],
    ['datetime2(6)', 'datetime2(7)', 'holds'],
    ['datetime2(6)', 'datetime2(3)', 'loses'],
    ['datetime2(6)', 'datetimeoffset(6)', 'loses'],
    ['datetimeoffset(6)', 'datetime2(6)', 'narrower'],
    ['datetimeoffset(6)', 'datetime2(3)', 'loses'],
    ['datetimeoffset(6)', 'datetimeoffset(7)', 'holds'],
  ] as const)('%s into %s: %s', (wanted, existing, verdict) => {
    expect(typeFit(type(wanted), type(existing), 'SQL_Latin1_General_CP1_CI_AS').verdict).toBe(verdict);
  });

  it('takes a UTF-8 varchar for Unicode, at three bytes a code unit', () => {
    const utf8 = 'Latin1_General_100_BIN2_UTF8';
    expect(typeFit(type('nvarchar(20)'), type('varchar(60)'), utf8).verdict).toBe('holds');
    expect(typeFit(type('nvarchar(20)'), type('varchar(59)'), utf8).verdict).toBe('narrower');
  });
});

describe('catalogColumnType', () => {
  it.each([
    ['nvarchar', 400, 0, 0, 'nvarchar(200)'],
    ['nvarchar', -1, 0, 0, 'nvarchar(max)'],
    ['varchar', 30, 0, 0, 'varchar(30)'],
    ['varbinary', -1, 0, 0, 'varbinary(max)'],
    ['numeric', 9, 18, 2, 'decimal(18,2)'],
    ['datetime2', 8, 26, 6, 'datetime2(6)'],
    ['datetime', 8, 23, 3, 'datetime'],
    ['int', 4, 10, 0, 'int'],
    ['float', 8, 53, 0, 'float'],
  ])('%s of %i bytes is %s', (name, bytes, precision, scale, text) => {
    expect(catalogColumnType(name, bytes, precision, scale)).toEqual({ type: type(text), typeText: text });
  });

  it.each(['xml', 'text', 'geography', 'timestamp', 'constructor'])(
    '%s is none that a mapping names',
    (name) => {
      expect(catalogColumnType(name, -1, 0, 0)).toEqual({ type: null, typeText: name });
    },
  );
});

describe('keyBytes', () => {
  it.each([
    ['nvarchar(450)', 900],
    ['varchar(900)', 900],
    ['uniqueidentifier', 16],
    ['decimal(18,0)', 9],
    ['decimal(38,0)', 17],
    ['datetime2(6)', 8],
    ['datetimeoffset(6)', 10],
    ['nvarchar(max)', Number.POSITIVE_INFINITY],
  ])('%s takes %i', (text, bytes) => {
    expect(keyBytes(type(text))).toBe(bytes);
  });
});
