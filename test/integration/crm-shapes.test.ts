// CRM-shaped tables through the whole bridge: generate at the first try, check, init, stream, compare every column.
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkAll } from '../../src/daemon/check.ts';
import { generateFiles, writeFiles } from '../../src/daemon/generate.ts';
import { loadMappings } from '../../src/daemon/load-mappings.ts';
import type { CompiledMapping } from '../../src/mapping/compiled-mapping.ts';
import { changes, ddl, wanted } from './crm-shapes.ts';
import { Bridge } from './types-bridge.ts';

const log = pino({ level: 'silent' });
let bridge: Bridge;

beforeAll(async () => {
  bridge = await Bridge.open({ ddl, patterns: wanted });
}, 60_000);

afterAll(() => bridge?.close());

/** How both sides spell the column `v`, by the target's type; null: JSON on both. */
function spelling(type: string, isJson: boolean): { source: string; target: string } {
  switch (type) {
    case 'bit':
      return { source: 'v::int::text', target: 'CONVERT(varchar(1), v)' };
    case 'decimal':
      return { source: 'v::text', target: 'CONVERT(varchar(60), v)' };
    case 'float':
      return { source: 'v::float8::text', target: 'CONVERT(varchar(30), v)' };
    case 'date':
      return { source: "to_char(v, 'YYYY-MM-DD')", target: 'CONVERT(varchar(10), v, 23)' };
    case 'datetime2':
      return { source: "to_char(v, 'YYYY-MM-DD HH24:MI:SS.US')", target: 'CONVERT(varchar(26), v, 121)' };
    case 'datetimeoffset':
      return {
        source: "to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || ' +00:00'",
        target: 'CONVERT(varchar(34), v, 121)',
      };
    case 'uniqueidentifier':
      return { source: 'v::text', target: 'LOWER(CONVERT(varchar(36), v))' };
    case 'varbinary':
      return { source: "encode(v, 'hex')", target: 'LOWER(CONVERT(varchar(100), v, 2))' };
    case 'nvarchar':
      return {
        source: isJson ? 'to_jsonb(v)::text' : "CASE WHEN v IS NOT NULL THEN format('%s', v) END",
        target: 'v',
      };
    default:
      return { source: 'v::text', target: 'CONVERT(varchar(20), v)' };
  }
}

async function bothSides(mapping: CompiledMapping): Promise<{ source: string[]; target: string[] }> {
  const { schema, table } = mapping.source;
  const name = `"${schema}"."${table.replaceAll('"', '""')}"`;
  const { rows: described } = await bridge.source.query<{ name: string; array: boolean }>(
    'SELECT attname AS name, atttypid IN (SELECT oid FROM pg_type WHERE typcategory = $2) AS array FROM pg_attribute WHERE attrelid = $1::regclass',
    [name, 'A'],
  );
  const columns = mapping.plan.fields.map((field) => {
    const isArray = described.some((one) => one.name === field.inputs[0] && one.array);
    const { source, target } = spelling(field.column.type.name, isArray);
    const quoted = `"${field.inputs[0]?.replaceAll('"', '""')}"`;
    const bracketed = `[${field.column.name.replaceAll(']', ']]')}]`;
    return {
      type: isArray ? 'json' : field.column.type.name,
      source: source.replaceAll(/\bv\b/g, quoted),
      target: target.replaceAll(/\bv\b/g, bracketed),
    };
  });
  const spelt = (values: readonly unknown[]) =>
    JSON.stringify(
      values.map((value, index) => {
        if (value === null) return null;
        const text = String(value);
        if (columns[index]?.type === 'json') return JSON.stringify(JSON.parse(text));
        if (columns[index]?.type === 'float') return Number(text);
        return columns[index]?.type === 'decimal'
          ? text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
          : text;
      }),
    );
  const sent = await bridge.source.query<unknown[]>({
    // A table has none of its heirs' rows, a partitioned one all of its partitions'.
    text: `SELECT ${columns.map(({ source }) => source).join(', ')} FROM ${table === 'document' ? 'ONLY ' : ''}${name}`,
    rowMode: 'array',
  });
  const target = `[${mapping.target.schema}].[${mapping.target.table}]`;
  const arrived = await bridge.rows<Record<string, unknown>>(
    `SELECT ${columns.map((column, index) => `${column.target} AS c${index}`).join(', ')} FROM ${target}`,
  );
  return {
    source: sent.rows.map(spelt).sort(),
    target: arrived.map((row) => spelt(columns.map((_, index) => row[`c${index}`]))).sort(),
  };
}

it('streams every table, every column of it', async () => {
  const { mappings } = await loadMappings(bridge.settings);
  expect(mappings).toHaveLength(29);
  await bridge.start();
  await bridge.source.query(changes);
  await bridge.settled({ table: 'k_last', values: '(7, 7, 7)' });
  expect(
    await bridge.rows('SELECT entity, code, reason FROM walbridge.quarantine WHERE resolved_at IS NULL'),
  ).toEqual([]);
  for (const mapping of mappings) {
    const { source, target } = await bothSides(mapping);
    expect(source.length, mapping.entity).toBeGreaterThan(0);
    expect(target, mapping.entity).toEqual(source);
  }
}, 60_000);

it('finds nothing wrong with what it generated', async () => {
  const findings = await checkAll(bridge.settings, log);
  const told = findings.filter(({ severity }) => severity !== 'advice').map(({ text }) => text);
  // What SQL Server has no type for, and that the slot is being read; nothing else.
  expect(told.sort()).toEqual([
    expect.stringMatching(/^WB2143 /),
    expect.stringMatching(/^WB4007 usage.yaml:.* decimal\(38,15\) for numeric\(40,15\)/),
  ]);
});

it('names what schema.* leaves out, and refuses it by its own name', async () => {
  const request = { namespace: 'crm', targetSchema: 'crm', force: false };
  const all = await generateFiles(bridge.settings, { ...request, tables: ['public.*'] });
  expect(all.leftOut).toEqual([
    'public.partner_count (a materialized view)',
    'public.partner_names (a view)',
    'public.sessions (unlogged or temporary)',
    'public.touches_2024 (a partition: its changes come under the partitioned table)',
    'public.touches_rest (a partition: its changes come under the partitioned table)',
    'public.usage_rest (a partition: its changes come under the partitioned table)',
    'public.no_columns (no column to send)',
  ]);
  // The files are there: nothing is overwritten, nothing half written.
  await expect(writeFiles(all.files, false)).rejects.toMatchObject({ code: 'WB8002' });
  const refusal = (...tables: string[]) =>
    generateFiles(bridge.settings, { ...request, tables }).then(
      () => null,
      (error) => [error.code, error.what],
    );
  expect(await refusal('public.partner_names', 'Partner', 'nowhere.*', 'sessions')).toEqual([
    'WB8001',
    [
      "public.partner_names is a view, and PostgreSQL's WAL has no changes of one: name the tables that it reads.",
      'The source has no table public.Partner; nearest: public.partner.',
      'The source has no schema with tables called nowhere.',
      'public.sessions is unlogged or temporary: its changes are not in the WAL. ALTER TABLE … SET LOGGED first.',
    ].join('\n'),
  ]);
  expect(await refusal('public.no_columns')).toEqual([
    'WB8003',
    'No column that the server sends: public.no_columns.',
  ]);
});

it('generates again with --force: nothing where nothing changed, else the next version beside the one that is there', async () => {
  const request = { namespace: 'crm', targetSchema: 'crm', force: true, tables: wanted };
  const again = await generateFiles(bridge.settings, request);
  expect(again.files.filter(({ path }) => path.endsWith('.avsc'))).toEqual([]);
  expect(await writeFiles(again.files, true)).toEqual([]);

  const { schemas, mappings: folder } = bridge.settings;
  const before = await readFile(join(schemas, 'crm/k_last/1.0.0.avsc'), 'utf8');
  await bridge.source.query('ALTER TABLE k_last ADD COLUMN later text');
  const grown = await generateFiles(bridge.settings, request);
  expect(grown.notes).toEqual(['crm.k_last 1.1.0 is compatible with 1.0.0']);
  const written = await writeFiles(grown.files, true);
  expect(written.map((path) => resolve(path)).sort()).toEqual([
    join(folder, 'k_last.yaml'),
    join(schemas, 'crm/k_last/1.1.0.avsc'),
  ]);
  expect(await readFile(join(schemas, 'crm/k_last/1.0.0.avsc'), 'utf8')).toBe(before);
  const { mappings: loaded } = await loadMappings(bridge.settings);
  const fields = loaded.find(({ entity }) => entity === 'k_last')?.schema.fields ?? [];
  expect(fields.map(({ name }) => name)).toContain('later');
});
