// CONVERT of texts that a bulk load saw takes PostgreSQL's own casts: the same values and errors as of texts inserted one by one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, startEngine, type TestEngine } from './tsql-session.ts';

let engine: TestEngine;
let client: Client;

beforeAll(async () => {
  engine = await startEngine();
  client = await engine.open();
});
afterAll(() => engine.close());

const COLUMN = [{ name: 'v', type: { name: 'varchar', length: 60 }, nullable: true }] as const;

async function load(...texts: (string | null)[]): Promise<void> {
  const { errors } = await client.bulk({ table: '#loaded', columns: COLUMN }, [texts.map((text) => [text])]);
  expect(errors).toEqual([]);
}

const create = async (): Promise<void> => {
  await client.rows(
    'DROP TABLE IF EXISTS #loaded, #inserted; CREATE TABLE #loaded (v varchar(60) NULL); CREATE TABLE #inserted (v varchar(60) NULL)',
  );
};

async function converted(table: string, type: string) {
  const { sets, errors } = await client.run(`SELECT CONVERT(${type}, s.v) FROM ${table} AS s`);
  return errors.length > 0 ? errors.map(({ number, message }) => [number, message]) : sets[0]?.rows;
}

const NUMBERS = [
  '0',
  '-12.5',
  '007',
  '12345.6789',
  '99999.995',
  '123456',
  '1e3',
  '+5',
  ' 7',
  '.5',
  '5.',
  '',
  'x',
];
const MOMENTS = [
  '2024-02-29 23:59:59.999999 +00:00',
  '2024-02-28 12:34:56.78',
  '2024-12-31T00:00:00',
  '1999-01-31',
  '2024-06-15 12:00:00.5 +02:00',
  '0999-01-01',
  '9999-12-31 23:59:59.9999999',
  '2023-02-29',
  '2024-04-31 10:00:00',
  '2024-01-01 24:00:00',
  '2024-01-01 23:59:60',
  '2024-01-01 1:02:03',
  '',
];
const TIMES = ['12:34:56.789012', '23:59:59.9999999', '00:00:00', '1:02:03 PM', '24:00:00', '23:59:60'];

describe('a bulk loaded column', () => {
  it.each([
    ['decimal(9,2)', NUMBERS],
    ['decimal(9,4)', NUMBERS],
    ['decimal(4,4)', NUMBERS],
    ['money', NUMBERS],
    ['date', MOMENTS],
    ['datetime2(6)', MOMENTS],
    ['datetime2(3)', MOMENTS],
    ['datetimeoffset(7)', MOMENTS],
    ['datetimeoffset(0)', MOMENTS],
    ['time(6)', TIMES],
    ['time(2)', TIMES],
  ])('converts to %s as an inserted one does', async (type, texts) => {
    for (const text of texts) {
      await create();
      await load(null, text);
      await client.rows(`INSERT INTO #inserted VALUES (NULL), ('${text}')`);
      expect([text, await converted('#loaded', type)]).toEqual([text, await converted('#inserted', type)]);
    }
  });

  it('is not taken for plain any longer by a second load, an UPDATE or an INSERT of other texts', async () => {
    const refusal = [[8114, 'Error converting data type varchar to numeric.']];
    const others = [
      () => load('1e3'),
      () => client.rows("UPDATE s SET v = '1e3' FROM #loaded AS s"),
      () => client.rows("INSERT INTO #loaded VALUES ('1e3')"),
      () => client.rows("DELETE s OUTPUT '1e3' INTO #loaded (v) FROM #loaded AS s"),
    ];
    for (const write of others) {
      await create();
      await load('1.5');
      expect(await converted('#loaded', 'decimal(9,2)')).toEqual([['1.50']]);
      await write();
      expect(await converted('#loaded', 'decimal(9,2)')).toEqual(refusal);
    }
  });

  it('keeps the longest digits of several loads in mind', async () => {
    await create();
    await load('1.5');
    await load('1234567.125');
    expect(await converted('#loaded', 'decimal(9,2)')).toEqual([['1.50'], ['1234567.13']]);
  });
});

describe('DROP TABLE IF EXISTS', () => {
  it('of a table that is not there leaves the transaction, under XACT_ABORT too', async () => {
    await client.rows('SET XACT_ABORT ON; BEGIN TRANSACTION; CREATE TABLE #kept (a int)');
    await client.rows('DROP TABLE IF EXISTS #nowhere, #kept');
    expect(await client.value('SELECT @@TRANCOUNT')).toBe('1');
    expect(await client.error('SELECT a FROM #kept')).toEqual([208, 16, "Invalid object name '#kept'."]);
    await client.run('IF @@TRANCOUNT > 0 ROLLBACK; SET XACT_ABORT OFF');
  });
});
