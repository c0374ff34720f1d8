// A foreign client end to end: FreeTDS' tsql, bsqldb and freebcp (Debian's freetds-bin) log in, define, fill and read a table.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sql from 'mssql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshWarehouse, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let folder: string;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  folder = mkdtempSync(join(tmpdir(), 'walbridge-freetds-'));
  const { port } = sql.ConnectionPool.parseConnectionString(warehouse.connectionString) as sql.config;
  const lines = [
    '[sandbox]',
    'host = 127.0.0.1',
    `port = ${port}`,
    'tds version = 7.4',
    'client charset = UTF-8',
  ];
  writeFileSync(join(folder, 'freetds.conf'), `${lines.join('\n')}\n`);
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await warehouse.close();
});

/** What the client prints for what is typed. */
function typed(
  client: 'tsql' | 'bsqldb' | 'freebcp',
  input: string,
  args: readonly string[] = [],
): Promise<string> {
  const { user, password } = sql.ConnectionPool.parseConnectionString(
    warehouse.connectionString,
  ) as sql.config;
  const login = ['-S', 'sandbox', '-U', user!, '-P', password!, '-D', warehouse.database];
  const env = { ...process.env, FREETDSCONF: join(folder, 'freetds.conf'), LC_ALL: 'C.UTF-8' };
  return new Promise((resolve) => {
    const child = execFile(
      client,
      [...args, ...login],
      { env, timeout: 20_000 },
      (_error, stdout, stderr) => {
        resolve(stdout + stderr);
      },
    );
    child.stdin!.end(input);
  });
}

it('tsql defines, fills and reads a table, and is told of errors', async () => {
  const output = await typed(
    'tsql',
    `create table dbo.f (id int not null primary key, name nvarchar(20) null, amount decimal(38,10) null, at datetime2(6) null)
go
insert dbo.f values (1, N'Zoë 東京', 1234567890123456789012345678.0123456789, '2024-02-29 12:34:56.789012'), (2, null, null, null)
go
select id, name, amount, convert(varchar(30), at, 126) from dbo.f order by id
go
insert dbo.f (id) values (1)
go
`,
  );
  expect(output).toContain(
    '1\tZoë 東京\t1234567890123456789012345678.0123456789\t2024-02-29T12:34:56.789012',
  );
  expect(output).toContain('2\tNULL\tNULL\tNULL');
  expect(output).toMatch(/Msg 2627 \(severity 14, state 1\)/);
});

it('bsqldb prints the rows of a batch', async () => {
  const output = await typed(
    'bsqldb',
    "select name, n * 2 as twice from (values ('one', 1), ('two', 2)) as v (name, n) order by n\n",
  );
  expect(output).toMatch(/one\s+2\s+two\s+4/);
});

it('freebcp copies a table in, and out again', async () => {
  await typed(
    'tsql',
    'create table dbo.copied (id int not null, name nvarchar(20) null, amount decimal(10,2) null, at datetime2(6) null, d date null, f float null, b bit null, note varchar(max) null)\ngo\n',
  );
  const rows = '1|Zoë|-1.25|2024-02-29 12:34:56.500|2024-02-29|0.5|1|yes\n2|||||||\n';
  const [source, target] = [join(folder, 'in.txt'), join(folder, 'out.txt')];
  writeFileSync(source, rows);
  expect(await typed('freebcp', '', ['dbo.copied', 'in', source, '-c', '-t', '|'])).toContain(
    '2 rows copied',
  );
  expect(await typed('freebcp', '', ['dbo.copied', 'out', target, '-c', '-t', '|'])).toContain(
    '2 rows copied',
  );
  expect(readFileSync(target, 'utf8')).toBe(rows.replace('|2024-02-29|', '|2024-02-29 00:00:00.000|'));
});
