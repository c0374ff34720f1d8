// Every type with its extreme values through the whole bridge: what arrives is the source's value to the last character, or
// the row is in quarantine by name. No third outcome.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { done, request } from './backfill-rig.ts';
import { Bridge } from './types-bridge.ts';
import { afterwards, type Case, columns, preamble, spellings } from './types-columns.ts';

interface Row {
  readonly id: number;
  readonly column: string;
  readonly sql: string;
  readonly json: string | null;
  readonly code: string | null;
}

let id = 0;
const rows: readonly Row[] = Object.entries(columns).flatMap(([column, { cases }]) =>
  cases.map((one: Case) => {
    id += 1;
    const spelled = typeof one === 'string' ? { sql: one } : one;
    return { id, column, sql: spelled.sql, json: spelled.json ?? null, code: spelled.code ?? null };
  }),
);
/** A row of NULLs only. */
const EMPTY = 100_000;

let bridge: Bridge;

beforeAll(async () => {
  const declared = Object.entries(columns).map(([name, { type }]) => `${name} ${type}`);
  bridge = await Bridge.open({
    ddl: `${preamble}\nCREATE TABLE everything (id int PRIMARY KEY, ${declared.join(', ')});`,
    tables: [{ schema: 'public', table: 'everything' }],
  });
  await bridge.source.query(afterwards);
  await bridge.start();
  for (const row of rows) {
    await bridge.source.query(`INSERT INTO everything (id, ${row.column}) VALUES (${row.id}, ${row.sql})`);
  }
  await bridge.settled({ table: 'everything (id)', values: `(${EMPTY})` });
}, 90_000);

afterAll(() => bridge?.close());

describe.each(Object.keys(columns))('%s', (column) => {
  const { as } = columns[column]!;
  const of = rows.filter((row) => row.column === column);

  it.each(of)('$sql', async ({ id: rowId, json, code }) => {
    const quarantined = await bridge.rows<{ code: string; row_json: string }>(
      `SELECT code, row_json FROM walbridge.quarantine WHERE entity = 'everything' AND key_json = '{"id":"${rowId}"}'`,
    );
    const { source, target } = spellings[as];
    const arrived = await bridge.rows<{ v: unknown }>(
      `SELECT ${target.replaceAll(/\bv\b/g, column)} AS v FROM crm.everything WHERE id = ${rowId}`,
    );
    if (code !== null) {
      expect(arrived).toEqual([]);
      expect(quarantined.map((row) => row.code)).toEqual([code]);
      // Nothing is lost in quarantine either: the source's own text.
      const kept = await bridge.source.query(
        `SELECT ${column}::text AS v FROM everything WHERE id = ${rowId}`,
      );
      expect(JSON.parse(quarantined[0]!.row_json)[column]).toBe(kept.rows[0].v);
      return;
    }
    expect(quarantined).toEqual([]);
    expect(arrived).toHaveLength(1);
    const value = arrived[0]!.v;
    if (json !== null) {
      expect(value).toBe(json);
      return;
    }
    const sent = await bridge.source.query(
      `SELECT ${source.replaceAll(/\bv\b/g, column)} AS v FROM everything WHERE id = ${rowId}`,
    );
    const expected: string = sent.rows[0].v;
    if (as === 'float') expect(Object.is(value, Number(expected))).toBe(true);
    else if (as === 'bytes') expect((value as Buffer).equals(Buffer.from(expected, 'hex'))).toBe(true);
    else expect(value === expected ? 'the same' : value).toBe('the same');
  });
});

it('keeps NULL apart from empty values in every column', async () => {
  const [row] = await bridge.rows(`SELECT * FROM crm.everything WHERE id = ${EMPTY}`);
  const present = Object.entries(row ?? {}).filter(
    ([name, value]) => value !== null && name.startsWith('c_'),
  );
  expect(row).toBeDefined();
  expect(present).toEqual([]);
});

it('arrives the same by a backfill, domains among the columns', async () => {
  const rowsOf = () => bridge.rows('SELECT * FROM crm.everything ORDER BY id');
  const withoutMetadata = (found: Awaited<ReturnType<typeof rowsOf>>) =>
    found.map(({ _commit_lsn, _commit_time, ...row }) => row);
  const codes = () =>
    bridge.rows('SELECT DISTINCT key_json, code FROM walbridge.quarantine ORDER BY key_json, code');
  const [before, quarantined] = [await rowsOf(), await codes()];
  await done(bridge, await request(bridge, { entities: ['everything'], truncateFirst: true }));
  const after = await rowsOf();
  expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  for (const [index, row] of withoutMetadata(after).entries())
    expect(row).toEqual(withoutMetadata(before)[index]);
  expect(await codes()).toEqual(quarantined);
}, 60_000);

it('keeps the rest of the transaction of a quarantined row', async () => {
  await bridge.source.query(`BEGIN;
    INSERT INTO everything (id, c_int4) VALUES (200001, 1);
    INSERT INTO everything (id, c_date) VALUES (200002, 'infinity');
    INSERT INTO everything (id, c_int4) VALUES (200003, 3);
    COMMIT`);
  await bridge.settled({ table: 'everything (id)', values: '(200004)' });
  expect(
    await bridge.rows('SELECT id FROM crm.everything WHERE id BETWEEN 200001 AND 200003 ORDER BY id'),
  ).toEqual([{ id: 200001 }, { id: 200003 }]);
});
