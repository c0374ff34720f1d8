// Verifications of tables that were there before: columns of other types than walbridge would have made, and columns of no mapping.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { caughtUp } from './backfill-rig.ts';
import { Bridge } from './types-bridge.ts';
import { digestsOf, openWays, verify } from './verify-rig.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });

/** Source type, target type in mapping and table, values; those that the table cannot hold last. */
const twins = {
  m: ['numeric(18,4)', 'money', ['0', '-0.0001', '12345678901234.5678', "'NaN'"]],
  t: ['int2', 'tinyint', ['0', '255', '-1']],
  di: ['int4', 'decimal(14,2)', ['-2147483648', '7']],
  w: ['numeric(10,2)', 'decimal(20,6)', ['-99999999.99', '0.5']],
  v: ['text', 'varchar(40)', ["''", "' Ab '", "'a:b;'", "'é'"]],
  ch: ['uuid', 'char(36)', ["'0b4c1f3e-7d1a-4a30-9d5e-1f2a3b4c5d6e'"]],
  tz: ['timestamptz', 'datetime2(7)', ["'2026-01-01 00:30:00.000001+05:30'"]],
  bin: ['bytea', 'varbinary(8)', ["''", "'\\x00ff'", "'\\x000102030405060708'"]],
} as const;
/** With an existing column of another type than the mapping's. */
const others = {
  d: ['date', 'date', 'datetime2(3)', ["'0001-01-01'", "'2024-02-29'"]],
  f: ['int4', 'int', 'float', ['-2147483648', '3']],
  b: ['boolean', 'bit', 'int', ['true', 'false']],
  db: ['numeric(18,0)', 'bigint', 'bigint', ['-999999999999999999', '0']],
  wide: ['int2', 'smallint', 'decimal(9,3)', ['-32768', '1']],
  n: ['varchar(5)', 'nvarchar(5)', 'nvarchar(max)', ["'ab  '", "'\u{1F600}'"]],
} as const;

let bridge: Bridge;

beforeAll(async () => {
  const columns = (of: Readonly<Record<string, readonly unknown[]>>, at: number) =>
    Object.entries(of)
      .map(([name, spec]) => `${name} ${spec[at]}`)
      .join(', ');
  const typed = (mapping: string, of: Readonly<Record<string, readonly unknown[]>>) =>
    Object.entries(of).reduce(
      (text, [name, spec]) =>
        text.replace(new RegExp(`^  ${name}: .*$`, 'm'), `  ${name}: {target: "${spec[1]}"}`),
      mapping,
    );
  bridge = await Bridge.open({
    ddl: `CREATE TABLE twins (id int PRIMARY KEY, ${columns(twins, 0)}); CREATE TABLE others (id int PRIMARY KEY, ${columns(others, 0)});`,
    tables: ['twins', 'others'].map((table) => ({ schema: 'public', table })),
    legacy: [
      'CREATE SCHEMA crm',
      `CREATE TABLE crm.twins (id int NOT NULL PRIMARY KEY, remark nvarchar(20) NOT NULL DEFAULT N'old', ${columns(twins, 1)})`,
      `CREATE TABLE crm.others (id int NOT NULL PRIMARY KEY, ${columns(others, 2)}, changed_by varchar(10) NULL)`,
    ],
    edit: (table, mapping) =>
      typed(mapping, table === 'twins' ? twins : others).replace(
        /^target: (\S+)$/m,
        'target: {table: $1, mode: adopt}',
      ),
  });
  await bridge.start();
  for (const [table, of] of Object.entries({ twins, others })) {
    let id = 0;
    for (const [name, spec] of Object.entries(of)) {
      for (const value of spec.at(-1) as readonly string[]) {
        id += 1;
        await bridge.source.query(`INSERT INTO ${table} (id, ${name}) VALUES (${id}, ${value})`);
      }
    }
  }
  await caughtUp(bridge);
});

afterAll(() => bridge?.close());

it.each(['twins', 'others'])('digests the columns of %s alike, read or by SQL', async (entity) => {
  const ways = await openWays(bridge, entity);
  const [mapped, byServer, read] = [
    await digestsOf(ways.bySourceRows),
    await digestsOf(ways.byTargetSql),
    await digestsOf(ways.byTargetRows),
  ];
  const own = ways.table.byRows === null ? await digestsOf(ways.bySourceSql) : mapped;
  expect(byServer.size).toBe(mapped.size - (entity === 'twins' ? 4 : 0));
  expect(byServer.size).toBeGreaterThan(10);
  for (const [key, digest] of byServer)
    expect([key, mapped.get(key), own.get(key), read.get(key)]).toEqual([key, digest, digest, digest]);
  expect(new Set(byServer.values()).size).toBe(byServer.size);
  await ways.close();
});

it('leaves the columns of no mapping alone, and finds what differs beside them', async () => {
  await bridge.rows(`UPDATE crm.twins SET remark = N'changed'; UPDATE crm.others SET changed_by = 'me'`);
  const { reports } = await verify(bridge);
  expect(reports.map(({ entity, state, way, counts }) => [entity, state, way, counts.quarantined])).toEqual([
    ['others', 'equal', 'rows', 0],
    ['twins', 'equal', 'sql', 4],
  ]);
  await bridge.rows(`UPDATE crm.twins SET m = m + 0.0001 WHERE m = 0; UPDATE crm.twins SET v = v + ' ' WHERE v = ' Ab ';
    UPDATE crm.others SET d = DATEADD(millisecond, 1, d) WHERE d = '2024-02-29'; UPDATE crm.others SET b = 2 WHERE b = 1;
    UPDATE crm.others SET f = 0.1 WHERE f = 3`);
  const { reports: after } = await verify(bridge, { options: { showValues: true } });
  const found = after.flatMap(({ findings }) => findings).filter(({ kind }) => kind !== 'quarantined');
  expect(found.map(({ entity, columns }) => `${entity} ${columns}`).sort()).toEqual([
    'others b',
    'others d',
    'others f',
    'twins m',
    'twins v',
  ]);
  const shown = Object.assign({}, ...found.map(({ values }) => values)) as Record<string, object>;
  expect(shown.f).toEqual({ source: '3', warehouse: '0.1' });
  expect(shown.v).toEqual({ source: ' Ab ', warehouse: ' Ab  ' });
  expect(shown.m).toEqual({ source: '0.0000', warehouse: '0.0001' });
});

it('says what to run where the control tables are older than it', async () => {
  await bridge.rows('DROP TABLE walbridge.verification');
  await expect(verify(bridge)).rejects.toThrow('WB7105');
});
