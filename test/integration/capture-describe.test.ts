// Table descriptions against a real catalogue.
import { Client } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createQueue } from '../../sandbox/address.ts';
import { describeTables } from '../../src/capture/describe-tables.ts';

let client: Client;

beforeAll(async () => {
  client = new Client({ connectionString: await createQueue(inject('sandbox'), 'capture_describe') });
  await client.connect();
  await client.query(`
    CREATE TYPE mood AS ENUM ('good', 'bad'); ALTER TYPE mood ADD VALUE 'fair' BEFORE 'bad';
    CREATE DOMAIN short AS varchar(7); CREATE DOMAIN shorter AS short NOT NULL;
    CREATE TABLE parent (a int, b int, PRIMARY KEY (b, a));
    CREATE TABLE "Odd table" (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone int,
      n numeric(12,3), negative numeric(3,-2), free numeric, v varchar(40), c char(3), d shorter, m mood,
      ts timestamptz(3), t time, i interval(2), tags text[], total numeric GENERATED ALWAYS AS (n * 2) STORED,
      shout text GENERATED ALWAYS AS (upper(v)) VIRTUAL,
      pa int, pb int, code text NOT NULL, bits bit(8),
      FOREIGN KEY (pb, pa) REFERENCES parent DEFERRABLE,
      UNIQUE (code) DEFERRABLE, UNIQUE (v, code));
    ALTER TABLE "Odd table" DROP gone;
    CREATE UNIQUE INDEX partial ON "Odd table" (code) WHERE n > 0;
    CREATE UNIQUE INDEX expression ON "Odd table" (lower(code));
    CREATE UNIQUE INDEX with_more ON "Odd table" (code) INCLUDE (n);
    ALTER TABLE "Odd table" REPLICA IDENTITY USING INDEX with_more;
    COMMENT ON TABLE "Odd table" IS 'a table'; COMMENT ON COLUMN "Odd table".v IS 'a column';
    CREATE TABLE keyless (x int);
    CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE coded (code text COLLATE any_case PRIMARY KEY, a text, b text, UNIQUE (a, b));
    CREATE TABLE refers (code text COLLATE any_case REFERENCES coded, a text, b text,
      CONSTRAINT whole FOREIGN KEY (a, b) REFERENCES coded (a, b) MATCH FULL,
      CONSTRAINT unchecked FOREIGN KEY (a, b) REFERENCES coded (a, b) NOT ENFORCED);
    ALTER TABLE refers ADD CONSTRAINT later FOREIGN KEY (a, b) REFERENCES coded (a, b) NOT VALID`);
});

afterAll(() => client.end());

test('columns with their types below domains, keys, foreign keys, replica identity and comments', async () => {
  const [odd, ...rest] = await describeTables(client, [
    { schema: 'public', table: 'Odd table' },
    { schema: 'public', table: 'missing' },
  ]);
  expect(rest).toEqual([]);
  const column = (name: string) => odd!.columns.find((one) => one.name === name)!;
  expect(odd!.columns.map(({ name }) => name).slice(0, 3)).toEqual(['id', 'n', 'negative']);
  expect(column('id')).toMatchObject({
    typeOid: 23,
    typeText: 'integer',
    nullable: false,
    identity: 'always',
    generated: 'no',
  });
  expect(column('n').baseType.numeric).toEqual({ precision: 12, scale: 3 });
  expect(column('negative').baseType.numeric).toEqual({ precision: 3, scale: -2 });
  expect(column('free').baseType.numeric).toBe(null);
  expect(column('v')).toMatchObject({
    comment: 'a column',
    nullable: true,
    baseType: { name: 'varchar', length: 40 },
  });
  expect(column('c').baseType).toMatchObject({ name: 'bpchar', length: 3 });
  expect(column('d')).toMatchObject({
    typeText: 'shorter',
    nullable: false,
    baseType: { name: 'varchar', length: 7, kind: 'base' },
  });
  expect(column('m').baseType).toMatchObject({ kind: 'enum', enumLabels: ['good', 'fair', 'bad'] });
  expect(column('ts').baseType.secondDigits).toBe(3);
  expect(column('t').baseType.secondDigits).toBe(null);
  expect(column('i').baseType.secondDigits).toBe(2);
  expect(column('bits').baseType.length).toBe(8);
  expect(column('tags').baseType).toMatchObject({ kind: 'array', elementTypeName: 'text' });
  expect([column('total').generated, column('shout').generated]).toEqual(['stored', 'virtual']);
  expect(odd).toMatchObject({
    kind: 'table',
    primaryKey: ['id'],
    replicaIdentity: 'index',
    replicaIdentityColumns: ['code'],
    comment: 'a table',
    uniqueKeys: [
      { name: 'Odd table_code_key', columns: ['code'], notNull: true, deferrable: true },
      { name: 'Odd table_v_code_key', columns: ['v', 'code'], notNull: false, deferrable: false },
      { name: 'with_more', columns: ['code'], notNull: true, deferrable: false },
    ],
    foreignKeys: [
      {
        columns: ['pb', 'pa'],
        target: { schema: 'public', table: 'parent' },
        targetColumns: ['b', 'a'],
        deferrable: true,
        validated: true,
        matchFull: false,
        folding: false,
      },
    ],
  });
});

test('how far the values of a foreign key are those of the key', async () => {
  const [refers] = await describeTables(client, [{ schema: 'public', table: 'refers' }]);
  const sure = refers!.foreignKeys.map(({ name, validated, matchFull, folding }) => ({
    name,
    validated,
    matchFull,
    folding,
  }));
  expect(sure).toEqual([
    { name: 'later', validated: false, matchFull: false, folding: false },
    { name: 'refers_code_fkey', validated: true, matchFull: false, folding: true },
    { name: 'unchecked', validated: false, matchFull: false, folding: false },
    { name: 'whole', validated: true, matchFull: true, folding: false },
  ]);
});

test('a table without any key, and a key whose columns are not in table order', async () => {
  const [keyless, parent] = await describeTables(client, [
    { schema: 'public', table: 'parent' },
    { schema: 'public', table: 'keyless' },
  ]);
  expect(keyless).toMatchObject({
    primaryKey: null,
    uniqueKeys: [],
    replicaIdentity: 'default',
    replicaIdentityColumns: null,
  });
  expect(parent).toMatchObject({ primaryKey: ['b', 'a'], replicaIdentityColumns: ['b', 'a'] });
});
