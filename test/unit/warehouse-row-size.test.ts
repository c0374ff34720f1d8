// Bytes of a row, against the figures of Microsoft's pages.
import { expect, it } from 'vitest';
import type { SqlServerType } from '../../src/mapping/target.ts';
import { rowSize } from '../../src/warehouse/row-size.ts';
import { planTargets } from '../../src/warehouse/target-plan.ts';

const times = (count: number, type: SqlServerType): SqlServerType[] =>
  Array.from({ length: count }, () => type);

it('counts fixed types whole, bits by eight, and long values as what they leave on the page', () => {
  expect(rowSize([])).toEqual({ least: 6, filled: 6 });
  expect(rowSize([{ name: 'int' }, { name: 'bigint' }])).toEqual({ least: 4 + 12 + 3, filled: 19 });
  expect(rowSize(times(9, { name: 'bit' })).least).toBe(4 + 2 + 4);
  expect(rowSize([{ name: 'nvarchar', length: 'max' }]).filled).toBe(4 + 3 + 2 + 26);
  expect(rowSize([{ name: 'varchar', length: 10 }]).filled).toBe(4 + 3 + 2 + 12);
});

function findings(types: readonly SqlServerType[]) {
  const columns = [
    { name: 'id', type: { name: 'int' } as const, nullable: false, field: 'id' },
    ...types.map((type, at) => ({ name: `c${at}`, type, nullable: true, field: `c${at}` })),
  ];
  const target = { entity: 'e', lane: 'main', schema: 'crm', table: 't', key: ['id'], columns, metadata: {} };
  const catalog = { tables: new Map(), foreignKeys: [], schemas: new Set<string>(), unread: [] };
  return planTargets(catalog, [target]).findings.map(({ code, severity }) => `${code} ${severity}`);
}

it('refuses what SQL Server would (1701), and tells of rows that it might refuse (511)', () => {
  expect(findings(times(700, { name: 'datetimeoffset', scale: 6 }))).toEqual([]);
  expect(findings(times(900, { name: 'datetimeoffset', scale: 6 }))).toContain('WB6118 error');
  expect(findings(times(300, { name: 'nvarchar', length: 'max' }))).toEqual([]);
  expect(findings(times(400, { name: 'nvarchar', length: 'max' }))).toEqual(['WB6118 advice']);
});
