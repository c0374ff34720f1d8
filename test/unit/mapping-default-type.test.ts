// SQL Server type names as text, both ways.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSqlType, parseSqlType } from '../../src/mapping/default-type.ts';
import type { SqlServerType } from '../../src/mapping/target.ts';

const types: fc.Arbitrary<SqlServerType> = fc.oneof(
  fc
    .constantFrom(
      ...(['bit', 'tinyint', 'smallint', 'int', 'bigint', 'real', 'float', 'money'] as const),
      ...(['uniqueidentifier', 'date', 'datetime', 'smalldatetime'] as const),
    )
    .map((name) => ({ name })),
  fc.tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38)).map(([precision, scale]) => ({
    name: 'decimal' as const,
    precision,
    scale: Math.min(precision, scale),
  })),
  fc.record({ name: fc.constantFrom('time', 'datetime2', 'datetimeoffset'), scale: fc.nat(7) }),
  fc.record({
    name: fc.constantFrom('varchar', 'nvarchar', 'varbinary'),
    length: fc.oneof(fc.integer({ min: 1, max: 4000 }), fc.constant('max' as const)),
  }),
  fc.record({ name: fc.constantFrom('char', 'nchar', 'binary'), length: fc.integer({ min: 1, max: 4000 }) }),
);

describe('SQL Server types', () => {
  it('come back from their own text', () => {
    fc.assert(
      fc.property(types, (type) => {
        expect(parseSqlType(formatSqlType(type))).toEqual(type);
      }),
    );
  });

  it('are read as T-SQL writes them', () => {
    expect(parseSqlType(' NUMERIC ( 10 , 2 ) ')).toEqual({ name: 'decimal', precision: 10, scale: 2 });
    expect(parseSqlType('integer')).toEqual({ name: 'int' });
    expect(parseSqlType('decimal')).toEqual({ name: 'decimal', precision: 18, scale: 0 });
    expect(parseSqlType('datetime2')).toEqual({ name: 'datetime2', scale: 7 });
    expect(parseSqlType('NVARCHAR(MAX)')).toEqual({ name: 'nvarchar', length: 'max' });
  });

  it.each([
    ['nvarchar', 'nvarchar(1) to nvarchar(4000) or nvarchar(max)'],
    ['nvarchar(4001)', 'nvarchar(4000)'],
    ['nchar(max)', 'nchar(1) to nchar(4000)'],
    ['decimal(39,0)', 'p <= 38'],
    ['decimal(5,6)', 's <= p'],
    ['time(8)', 'time(0) to time(7)'],
    ['int(4)', 'nothing in brackets'],
    ['varchar(1,2)', 'one number in brackets'],
    ['datetime3', 'nearest: datetime'],
    ['int; DROP TABLE x', 'expected a SQL Server type'],
  ])('%s is refused', (text, problem) => {
    expect(parseSqlType(text)).toEqual({ problem: expect.stringContaining(problem) });
  });
});
