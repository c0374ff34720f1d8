// The binary forms of values, as a comparison of two databases reads them: hashes, floats bit by bit, identifiers, integers.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshWarehouse, type Session, type Warehouse } from './contract-session.ts';

let warehouse: Warehouse;
let session: Session;

beforeAll(async () => {
  warehouse = await freshWarehouse();
  session = await warehouse.open();
});
afterAll(() => warehouse.close());

it.each([
  ["HASHBYTES('MD5', N'abc')", 'CE1473CF80C6B3FDA8E3DFC006ADC315'],
  ["HASHBYTES('MD5', 'abc')", '900150983CD24FB0D6963F7D28E17F72'],
  ["HASHBYTES('SHA2_256', 'abc')", 'BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD'],
  ['CONVERT(binary(8), CONVERT(float, -0.1))', 'BFB999999999999A'],
  ['CONVERT(varbinary(max), CONVERT(float, 1))', '3FF0000000000000'],
  ['CONVERT(binary(4), CONVERT(real, 1))', '3F800000'],
  ['CONVERT(varbinary(4), 1)', '00000001'],
  ['CONVERT(binary(8), 1)', '0000000000000001'],
  ['CONVERT(varbinary(2), 70000)', '1170'],
  ['CONVERT(varbinary(8), CONVERT(bit, 1))', '01'],
  [
    "CONVERT(binary(16), CONVERT(uniqueidentifier, '33221100-5544-7766-8899-AABBCCDDEEFF'))",
    '00112233445566778899AABBCCDDEEFF',
  ],
  ["SUBSTRING(HASHBYTES('MD5', 'abc'), 1, 4)", '90015098'],
])('%s', async (expression, hex) => {
  expect(await session.value(`SELECT CONVERT(varchar(100), ${expression}, 2)`)).toBe(hex);
});

it('bytes become integers, the last ones of more, signed', async () => {
  const rows = await session.rows(
    'SELECT CONVERT(int, 0xFFFFFFFF), CONVERT(bigint, 0xFFFFFFFF), CONVERT(smallint, 0x018000), CONVERT(tinyint, 0xFF) + 1, CONVERT(bigint, 0x0A0102030405060708)',
  );
  expect(rows).toEqual([[-1, '4294967295', -32768, 256, '72623859790382856']]);
  expect(await session.value('SELECT CONVERT(uniqueidentifier, 0x00112233445566778899AABBCCDDEEFF)')).toBe(
    '33221100-5544-7766-8899-AABBCCDDEEFF',
  );
  expect(
    await session.value(
      "SELECT SUM(CONVERT(bigint, SUBSTRING(HASHBYTES('MD5', v), 1, 4))) FROM (VALUES ('a'), ('b')) AS t (v)",
    ),
  ).toBe(String(0x0cc175b9 + 0x92eb5ffe));
});

it('a float in 17 digits tells every float from its neighbours', async () => {
  expect(
    await session.rows(
      'SELECT CONVERT(varchar(40), CONVERT(float, 0.1), 3), CONVERT(varchar(40), CONVERT(float, 0.1), 2), CONVERT(varchar(40), CONVERT(float, -12345.678), 1)',
    ),
  ).toEqual([['1.0000000000000001e-001', '1.000000000000000e-001', '-1.2345678e+004']]);
});

it('DATALENGTH counts the bytes of every type', async () => {
  const rows = await session.rows(
    "SELECT DATALENGTH(1), DATALENGTH(CONVERT(datetime2(6), '2020-01-01')), DATALENGTH(CONVERT(bit, NULL)), DATALENGTH(N'ab '), DATALENGTH(0x0102)",
  );
  expect(rows).toEqual([[4, 8, null, 6, 2]]);
});

it('binary does not become a float', async () => {
  expect(await session.numbers('SELECT CONVERT(float, 0x3FF0000000000000)')).toEqual([529]);
});
