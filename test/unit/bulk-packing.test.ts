// Packed rows against tedious' own encoding of the same rows, byte for byte.
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { Connection, TYPES } from 'tedious';
import { describe, expect, it } from 'vitest';
import { packedTypes, packRows } from '../../src/warehouse/bulk-packing.ts';
import type { BulkColumn, BulkValue } from '../../src/warehouse/session.ts';

const columns: readonly BulkColumn[] = [
  { name: 'b', type: 'bit', nullable: true },
  { name: 't', type: 'tinyint', nullable: true },
  { name: 's', type: 'smallint', nullable: true },
  { name: 'i', type: 'int', nullable: true },
  { name: 'l', type: 'bigint', nullable: true },
  { name: 'r', type: 'real', nullable: true },
  { name: 'f', type: 'float', nullable: true },
  { name: 'v', type: 'varchar', length: 200, nullable: true },
  { name: 'n', type: 'nvarchar', length: 200, nullable: true },
  { name: 'm', type: 'nvarchar', length: 'max', nullable: true },
  { name: 'x', type: 'varbinary', length: 300, nullable: true },
  { name: 'y', type: 'varbinary', length: 'max', nullable: true },
  { name: 'g', type: 'uniqueidentifier', nullable: true },
];
const tediousTypes = [
  TYPES.Bit,
  TYPES.TinyInt,
  TYPES.SmallInt,
  TYPES.Int,
  TYPES.BigInt,
  TYPES.Real,
  TYPES.Float,
  TYPES.VarChar,
  TYPES.NVarChar,
  TYPES.NVarChar,
  TYPES.VarBinary,
  TYPES.VarBinary,
  TYPES.UniqueIdentifier,
];

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const long = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.maxSafeInteger());
/** tedious takes the sign of -0 away; packed rows keep it. */
const positiveZero = (value: number) => value + 0;
const row: fc.Arbitrary<BulkValue[]> = fc.tuple(
  fc.option(fc.boolean()),
  fc.option(fc.integer({ min: 0, max: 255 })),
  fc.option(fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })),
  fc.option(fc.integer()),
  fc.option(long),
  fc.option(fc.float({ noNaN: true }).map(positiveZero)),
  fc.option(fc.double({ noNaN: true }).map(positiveZero)),
  fc.option(fc.string({ unit: 'grapheme-ascii', maxLength: 200 })),
  fc.option(fc.string({ unit: 'binary', maxLength: 100 })),
  fc.option(fc.string({ unit: 'binary', maxLength: 300 })),
  fc.option(bytes(300)),
  fc.option(bytes(400)),
  fc.option(fc.uuid()),
);

/** What tedious would put on the wire after the columns' description. */
async function onWire(types: readonly unknown[], rows: Iterable<unknown>): Promise<Buffer> {
  const connection = new Connection({
    server: 'nowhere.invalid',
    options: { encrypt: false },
    authentication: { type: 'default', options: { userName: 'u', password: 'p' } },
  });
  const bulk = connection.newBulkLoad('#t', () => undefined);
  const collation = { codepage: 'CP1252', toBuffer: () => Buffer.alloc(5) };
  Object.assign(bulk, { collation });
  for (const [index, column] of columns.entries()) {
    bulk.addColumn(column.name, types[index] as (typeof tediousTypes)[0], {
      nullable: true,
      ...(column.length !== undefined && { length: column.length === 'max' ? 65535 : column.length }),
    });
  }
  const { rowToPacketTransform } = bulk as unknown as { rowToPacketTransform: NodeJS.ReadWriteStream };
  const out = new PassThrough();
  const [wire] = await Promise.all([buffer(out), pipeline(Readable.from(rows), rowToPacketTransform, out)]);
  return wire;
}

describe('packed rows', () => {
  it('are the bytes that tedious sends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
        const packed = await onWire(packedTypes(columns), packRows(columns, rows));
        expect(packed.equals(await onWire(tediousTypes, rows))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('come in chunks, and a chunk holds its bytes when the next is written', async () => {
    const rows = Array.from({ length: 3000 }, (_, index): BulkValue[] => [
      true,
      index % 256,
      index % 1000,
      index,
      BigInt(index) - 2n ** 62n,
      index / 4,
      index / 3,
      `row ${index}`,
      'ü😀'.repeat(20),
      index % 500 === 0 ? 'x'.repeat(1_000_000) : '',
      Buffer.from([index & 0xff]),
      Buffer.alloc(0),
      '00112233-4455-6677-8899-aabbccddeeff',
    ]);
    expect([...packRows(columns, rows)].length).toBeGreaterThan(5);
    const packed = await onWire(packedTypes(columns), packRows(columns, rows));
    expect(packed.equals(await onWire(tediousTypes, rows))).toBe(true);
  });
});
