// Every type through the wire, both ways and in a bulk load, against tedious, which encodes and decodes on its own.
// Where tedious loses digits: tds-exactness.test.ts.

import type { Connection } from 'tedious';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlType } from '../../sandbox/sqlserver/session.ts';
import { listen, type TdsListener } from '../../sandbox/sqlserver/tds/listener.ts';
import { connect, run, TYPES } from './tds-client.ts';
import { Script } from './tds-scripted.ts';

const GUID = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
const text = 'Zoë — 東京 😀';
const long = `${text}|`.repeat(5_000);
const bytes = Buffer.from([0, 1, 0xfe, 0xff]);
const utc = (iso: string): Date => new Date(`${iso}Z`);

interface Sample {
  readonly type: SqlType;
  readonly pg: string;
  /** What tedious makes of it in a result. */
  readonly js: unknown;
}

const samples: Sample[] = [
  { type: { name: 'bit' }, pg: 't', js: true },
  { type: { name: 'bit' }, pg: 'f', js: false },
  { type: { name: 'tinyint' }, pg: '255', js: 255 },
  { type: { name: 'smallint' }, pg: '-32768', js: -32768 },
  { type: { name: 'int' }, pg: '-2147483648', js: -2147483648 },
  { type: { name: 'bigint' }, pg: '-9223372036854775808', js: '-9223372036854775808' },
  { type: { name: 'bigint' }, pg: '9007199254740993', js: '9007199254740993' },
  { type: { name: 'real' }, pg: '0.1', js: Math.fround(0.1) },
  { type: { name: 'float' }, pg: '1.7976931348623157e+308', js: 1.7976931348623157e308 },
  { type: { name: 'decimal', precision: 9, scale: 2 }, pg: '-1234567.89', js: -1234567.89 },
  { type: { name: 'numeric', precision: 19, scale: 4 }, pg: '12345.6789', js: 12345.6789 },
  { type: { name: 'decimal', precision: 28, scale: 0 }, pg: '4294967297', js: 4294967297 },
  { type: { name: 'decimal', precision: 38, scale: 0 }, pg: '-9007199254740991', js: -9007199254740991 },
  { type: { name: 'money' }, pg: '-42.1234', js: -42.1234 },
  { type: { name: 'char', length: 5 }, pg: 'ab   ', js: 'ab   ' },
  { type: { name: 'varchar', length: 20 }, pg: 'Zoë €', js: 'Zoë €' },
  { type: { name: 'varchar', length: 'max' }, pg: 'ë'.repeat(50_000), js: 'ë'.repeat(50_000) },
  { type: { name: 'nchar', length: 2 }, pg: '😀', js: '😀' },
  { type: { name: 'nvarchar', length: 20 }, pg: text, js: text },
  { type: { name: 'nvarchar', length: 'max' }, pg: long, js: long },
  { type: { name: 'nvarchar', length: 'max' }, pg: '', js: '' },
  { type: { name: 'xml' }, pg: '<a/>', js: '<a/>' },
  { type: { name: 'sysname' }, pg: 'dbo', js: 'dbo' },
  { type: { name: 'binary', length: 4 }, pg: '\\x0001feff', js: bytes },
  { type: { name: 'varbinary', length: 10 }, pg: '\\x', js: Buffer.alloc(0) },
  { type: { name: 'varbinary', length: 'max' }, pg: '\\x0001feff', js: bytes },
  { type: { name: 'uniqueidentifier' }, pg: GUID.toLowerCase(), js: GUID },
  { type: { name: 'date' }, pg: '0001-01-01', js: utc('0001-01-01T00:00:00') },
  { type: { name: 'date' }, pg: '9999-12-31', js: utc('9999-12-31T00:00:00') },
  { type: { name: 'date' }, pg: '2024-02-29', js: utc('2024-02-29T00:00:00') },
  { type: { name: 'time', scale: 0 }, pg: '23:59:59', js: utc('1970-01-01T23:59:59') },
  { type: { name: 'time', scale: 3 }, pg: '01:02:03.004', js: utc('1970-01-01T01:02:03.004') },
  { type: { name: 'datetime' }, pg: '1753-01-01 00:00:00.003', js: utc('1753-01-01T00:00:00.003') },
  { type: { name: 'datetime' }, pg: '9999-12-31 23:59:59.997', js: utc('9999-12-31T23:59:59.997') },
  { type: { name: 'smalldatetime' }, pg: '2024-06-30 17:45:00', js: utc('2024-06-30T17:45:00') },
  {
    type: { name: 'datetime2', scale: 3 },
    pg: '1066-10-14 09:00:00.125',
    js: utc('1066-10-14T09:00:00.125'),
  },
  {
    type: { name: 'datetimeoffset', scale: 3 },
    pg: '("2023-12-31 20:00:00.250",330)',
    js: utc('2023-12-31T20:00:00.250'),
  },
];

let script: Script;
let listener: TdsListener;
let connection: Connection;

beforeAll(async () => {
  script = new Script();
  listener = await listen(script);
  connection = await connect(listener.port);
});
afterAll(async () => {
  connection.close();
  await listener.stop();
});

const named = samples.map((sample) => [describeType(sample.type), sample.pg.slice(0, 40), sample] as const);

describe('results', () => {
  it.each(named)('%s %s', async (_name, _pg, { type, pg, js }) => {
    script.onBatch = ({ sink }) => {
      sink.columns([
        { name: 'optional', type, nullable: true },
        { name: 'required', type, nullable: false },
      ]);
      sink.row([pg, pg]);
      sink.row([null, pg]);
      sink.done(2);
    };
    const { rows, rowCount } = await run(connection, 'select');
    expect(rows.map((row) => row.map(plain))).toEqual([
      [plain(js), plain(js)],
      [null, plain(js)],
    ]);
    expect(rowCount).toBe(2);
  });

  it('says a column’s name, type, length, precision, scale and nullability', async () => {
    script.onBatch = ({ sink }) => {
      sink.columns([
        { name: 'id', type: { name: 'int' }, nullable: false, identity: true },
        { name: 'naïve', type: { name: 'nvarchar', length: 7 }, nullable: true },
        { name: 'p', type: { name: 'decimal', precision: 38, scale: 10 }, nullable: true },
        { name: 't', type: { name: 'datetime2', scale: 6 }, nullable: true },
        { name: 'm', type: { name: 'varbinary', length: 'max' }, nullable: true },
      ]);
      sink.done(0);
    };
    const { columns } = await run(connection, 'select');
    expect(columns.map((c) => [c.colName, c.type.name, c.dataLength, c.precision, c.scale, c.flags])).toEqual(
      [
        ['id', 'Int', undefined, undefined, undefined, 0x10],
        ['naïve', 'NVarChar', 14, undefined, undefined, 0x01],
        ['p', 'DecimalN', 17, 38, 10, 0x01],
        ['t', 'DateTime2', undefined, undefined, 6, 0x01],
        ['m', 'VarBinary', 65535, undefined, undefined, 0x01],
      ],
    );
  });

  it('writes a character that code page 1252 lacks as a question mark in varchar', async () => {
    script.onBatch = ({ sink }) => {
      sink.columns([{ name: 'v', type: { name: 'varchar', length: 20 }, nullable: true }]);
      sink.row(['a€東😀']);
      sink.done(1);
    };
    expect((await run(connection, 'select')).rows).toEqual([['a€??']]);
  });
});

const given: [string, () => unknown, object, unknown, string | null][] = [
  ['Bit', () => TYPES.Bit, {}, true, 't'],
  ['TinyInt', () => TYPES.TinyInt, {}, 200, '200'],
  ['SmallInt', () => TYPES.SmallInt, {}, -5, '-5'],
  ['Int', () => TYPES.Int, {}, 2147483647, '2147483647'],
  ['BigInt', () => TYPES.BigInt, {}, '-9223372036854775808', '-9223372036854775808'],
  ['Real', () => TYPES.Real, {}, 0.1, '0.1'],
  ['Float', () => TYPES.Float, {}, 1e-300, '1e-300'],
  ['Decimal', () => TYPES.Decimal, { precision: 18, scale: 3 }, -12.345, '-12.345'],
  ['Numeric', () => TYPES.Numeric, { precision: 38, scale: 0 }, 7, '7'],
  ['VarChar', () => TYPES.VarChar, {}, 'Zoë €', 'Zoë €'],
  ['VarChar(max)', () => TYPES.VarChar, {}, 'ë'.repeat(9000), 'ë'.repeat(9000)],
  ['Char', () => TYPES.Char, { length: 3 }, 'abc', 'abc'],
  ['NVarChar', () => TYPES.NVarChar, {}, text, text],
  ['NVarChar(max)', () => TYPES.NVarChar, {}, long, long],
  ['NVarChar empty', () => TYPES.NVarChar, {}, '', ''],
  ['VarBinary', () => TYPES.VarBinary, {}, bytes, '\\x0001feff'],
  ['VarBinary(max)', () => TYPES.VarBinary, { length: Number.POSITIVE_INFINITY }, bytes, '\\x0001feff'],
  ['UniqueIdentifier', () => TYPES.UniqueIdentifier, {}, GUID, GUID.toLowerCase()],
  ['Date', () => TYPES.Date, {}, utc('0001-01-01T00:00:00'), '0001-01-01'],
  ['Time', () => TYPES.Time, { scale: 3 }, utc('1970-01-01T23:59:59.999'), '23:59:59.999'],
  ['DateTime', () => TYPES.DateTime, {}, utc('1999-12-31T23:59:59.997'), '1999-12-31 23:59:59.997'],
  ['SmallDateTime', () => TYPES.SmallDateTime, {}, utc('2024-06-30T17:45:00'), '2024-06-30 17:45:00'],
  [
    'DateTime2',
    () => TYPES.DateTime2,
    { scale: 7 },
    utc('9999-12-31T23:59:59.999'),
    '9999-12-31 23:59:59.9990000',
  ],
];

describe('parameters', () => {
  it.each(given)('%s', async (_name, type, options, value, expected) => {
    script.onBatch = ({ sink }) => sink.done(null);
    await run(connection, 'select @p', 'execSql', (request) => {
      request.addParameter('p', type() as typeof TYPES.Int, value, options);
      request.addParameter('n', type() as typeof TYPES.Int, null, options);
    });
    const { parameters } = script.batches.at(-1)!;
    expect(parameters.map((p) => [p.name, p.value, p.output])).toEqual([
      ['@p', expected, false],
      ['@n', null, false],
    ]);
  });

  it('DateTimeOffset in the zone that it came with', async () => {
    await run(connection, 'select @p', 'execSql', (request) => {
      request.addParameter('p', TYPES.DateTimeOffset, utc('2024-01-31T12:00:00.125'), { scale: 6 });
    });
    const minutes = -utc('2024-01-31T12:00:00.125').getTimezoneOffset();
    expect(script.batches.at(-1)!.parameters[0]!.value).toBe(`("2024-01-31 12:00:00.125000",${minutes})`);
  });
});

describe('bulk load', () => {
  const columns = given.filter(([name]) => !name.includes('empty'));

  it('every type, NULLs among them', async () => {
    const rows = [columns.map(([, , , value]) => value), columns.map(() => null)];
    const count = await new Promise<number | undefined>((resolve, reject) => {
      const load = connection.newBulkLoad('[dbo].[t]', (error, n) => (error ? reject(error) : resolve(n)));
      for (const [name, type, options, value] of columns) {
        const length = name.includes('(max)') ? Number.POSITIVE_INFINITY : typeof value === 'string' ? 40 : 8;
        load.addColumn(name, type() as typeof TYPES.Int, { nullable: true, length, ...options });
      }
      connection.execBulkLoad(load, rows);
    });
    expect(count).toBe(2);
    const { target, rows: loaded } = script.loads.at(-1)!;
    expect(target.table).toBe('[dbo].[t]');
    expect(target.columns.map(({ name }) => name)).toEqual(columns.map(([name]) => name));
    expect(loaded).toEqual([columns.map(([, , , , expected]) => expected), columns.map(() => null)]);
  });

  it('a value larger than all buffers, and rows that end at any byte of a packet', async () => {
    const huge = 'x'.repeat(3_000_000);
    const rows: [number, string][] = [
      [0, huge],
      ...Array.from({ length: 3000 }, (_, i) => [i + 1, 'y'.repeat(i % 97)] as [number, string]),
    ];
    await new Promise((resolve, reject) => {
      const load = connection.newBulkLoad('#t', (error, n) => (error ? reject(error) : resolve(n)));
      load.addColumn('id', TYPES.Int, { nullable: false });
      load.addColumn('v', TYPES.NVarChar, { nullable: true, length: Number.POSITIVE_INFINITY });
      connection.execBulkLoad(load, rows);
    });
    expect(script.loads.at(-1)!.rows).toEqual(rows.map(([id, value]) => [String(id), value]));
  });
});

function describeType({ name, length, precision, scale }: SqlType): string {
  const argument = length ?? (precision === undefined ? scale : `${precision},${scale}`);
  return argument === undefined ? name : `${name}(${argument})`;
}

/** tedious adds a property to its dates. */
function plain(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}
