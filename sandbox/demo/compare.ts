// Holds every row of the source against the warehouse, value by value, through entities.ts.

import type { ConnectionPool } from 'mssql';
import type pg from 'pg';
import { type Entity, sourceSql, warehouseSql } from './entities.ts';

export interface Difference {
  readonly entity: string;
  /** The key's values. */
  readonly key: string;
  /** `missing`, `surplus`, or what differs where. */
  readonly what: string;
}

export interface Comparison {
  readonly entity: string;
  readonly sourceRows: number;
  readonly warehouseRows: number;
  readonly values: number;
  readonly differences: readonly Difference[];
}

type Values = readonly (string | null)[];

export async function compareEntity(
  source: pg.ClientBase,
  warehouse: ConnectionPool,
  entity: Entity,
): Promise<Comparison> {
  const expected = new Map<string, Values>();
  const keyOf = (values: Values) => values.slice(0, entity.keyColumns).join(' / ');
  for (const { row } of (await source.query<{ row: string }>(sourceSql(entity))).rows) {
    const values = JSON.parse(row) as Values;
    expected.set(keyOf(values), values);
  }
  const differences: Difference[] = [];
  const differ = (key: string, what: string) => differences.push({ entity: entity.name, key, what });
  const sourceRows = expected.size;
  const { recordset } = await warehouse
    .request()
    .query<Record<string, string | number | null>>(warehouseSql(entity));
  for (const row of recordset) {
    const found = entity.columns.map(({ name }) => asText(row[name] ?? null));
    const key = keyOf(found);
    const wanted = expected.get(key);
    // A key that comes a second time finds nothing any more: it is surplus.
    expected.delete(key);
    if (wanted === undefined) {
      differ(key, 'surplus in the warehouse');
      continue;
    }
    entity.columns.forEach(({ name }, index) => {
      const [one, other] = [wanted[index] ?? null, found[index]];
      if (one !== other) differ(key, `${name}: expected ${shown(one)}, found ${shown(other ?? null)}`);
    });
  }
  for (const key of expected.keys()) differ(key, 'missing in the warehouse');
  return {
    entity: entity.name,
    sourceRows,
    warehouseRows: recordset.length,
    values: recordset.length * entity.columns.length,
    differences,
  };
}

function asText(value: string | number | null): string | null {
  if (typeof value !== 'number') return value;
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return bits.toString('hex').toUpperCase();
}

/** The demo's rows are made up: their values may be shown. */
function shown(value: string | null): string {
  if (value === null) return 'NULL';
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}… (${value.length} characters)` : value);
}
