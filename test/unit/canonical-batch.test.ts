// Values and batches: encoded and decoded alike, readable by avsc alone, resolved between versions, safe against damage.
import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendEvent, appendTransaction } from '../../src/canonical/batch-codec.ts';
import { decodeBatch } from '../../src/canonical/batch-decoder.ts';
import type { CanonicalEvent, CanonicalRecord, CanonicalValue } from '../../src/canonical/event.ts';
import { formatFingerprint } from '../../src/canonical/fingerprint.ts';
import { EventReaders } from '../../src/canonical/record-reader.ts';
import { RecordWriter } from '../../src/canonical/record-writer.ts';
import { buildRegistry } from '../../src/canonical/registry.ts';
import { GrowingBuffer } from '../../src/change/growing-buffer.ts';

const decimalType = { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 10 };
const types: Record<string, unknown> = {
  id: 'long',
  flag: 'boolean',
  small: 'int',
  single: 'float',
  double: 'double',
  text: 'string',
  bytes: 'bytes',
  amount: decimalType,
  cents: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 },
  day: { type: 'int', logicalType: 'date' },
  clock: { type: 'long', logicalType: 'time-micros' },
  at: { type: 'long', logicalType: 'timestamp-micros' },
  local: { type: 'long', logicalType: 'local-timestamp-micros' },
  uid: { type: 'string', logicalType: 'uuid' },
  status: { type: 'enum', name: 'Status', symbols: ['open', 'won', 'lost'] },
};
const names = Object.keys(types);

/** An enum's name may stand once in a record. */
const typeOf = (name: string) =>
  name.startsWith('status')
    ? { ...(types.status as object), name: `${name}_enum` }
    : types[name.slice(0, -2)];

/** Plain, with null first and with null second. */
const fields = names.flatMap((name) => [
  { name, type: types[name] },
  { name: `${name}_n`, type: ['null', typeOf(`${name}_n`)] },
  { name: `${name}_m`, type: [typeOf(`${name}_m`), 'null'] },
]);

function avscFile(version: string, fieldList: unknown, record = 'Deal') {
  const text = JSON.stringify({ type: 'record', name: record, namespace: 'crm', fields: fieldList });
  return { path: `crm/${record}/${version}.avsc`, text };
}

function registryOf(...versions: unknown[]) {
  const { registry, findings } = buildRegistry(versions.map((list, index) => avscFile(`1.${index}.0`, list)));
  expect(findings).toEqual([]);
  return registry;
}

const registry = registryOf(fields);
const schema = registry.require('crm.Deal');
const writer = new RecordWriter(schema);
const readers = new EventReaders(registry, new Map([['deal', schema]]));

const safeOrBig = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);
const long = fc
  .oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.maxSafeInteger().map(BigInt), fc.integer().map(BigInt))
  .map(safeOrBig);
const fixedPoint = (precision: number, scale: number) =>
  fc.bigInt(-(10n ** BigInt(precision)) + 1n, 10n ** BigInt(precision) - 1n).map((unscaled) => {
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
    return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  });
const int = fc.integer();
const values: Record<string, fc.Arbitrary<CanonicalValue>> = {
  id: long,
  flag: fc.boolean(),
  small: int,
  single: fc.float(),
  double: fc.double(),
  text: fc.string({ unit: 'grapheme', maxLength: 200 }),
  bytes: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  amount: fc.oneof(fixedPoint(38, 10), fixedPoint(14, 10)),
  cents: fixedPoint(12, 2),
  day: int,
  clock: fc.nat(86_399_999_999),
  at: long,
  local: long,
  uid: fc.uuid(),
  status: fc.constantFrom('open', 'won', 'lost'),
};
const record = fc.record(
  Object.fromEntries(
    names.flatMap((name) => {
      const value = values[name] as fc.Arbitrary<CanonicalValue>;
      const nullable = fc.option(value, { nil: null });
      return [
        [name, value],
        [`${name}_n`, nullable],
        [`${name}_m`, nullable],
      ];
    }),
  ),
) as fc.Arbitrary<CanonicalRecord>;

const place = { entity: 'deal', commitTimeMicros: -5n };

function upsert(image: CanonicalRecord, ordinal = 1, absent: string[] = []): CanonicalEvent {
  const at = { lsn: 7n, ordinal };
  return { ...place, op: 'upsert', at, inserted: false, record: image, absent, previousKey: null };
}

function payloadOf(events: readonly CanonicalEvent[], by = writer): Buffer {
  const out = new GrowingBuffer(16);
  appendTransaction(out, 7n, -5n);
  for (const event of events) appendEvent(out, event, by);
  return out.take(out.length);
}

const without = (image: CanonicalRecord, absent: readonly string[]) =>
  Object.fromEntries(Object.entries(image).filter(([name]) => !absent.includes(name)));

/** One image with the simplest value in every field. */
const zero = fc.sample(record, { seed: 1, numRuns: 1 })[0] as CanonicalRecord;

describe('a batch', () => {
  it('gives back every event as it was', () => {
    const event = fc.oneof(
      fc.tuple(record, fc.subarray(fields.map(({ name }) => name)), fc.boolean(), fc.boolean()).map(
        ([image, absent, inserted, moved]): CanonicalEvent => ({
          ...place,
          op: 'upsert',
          at: { lsn: 7n, ordinal: 3 },
          inserted,
          record: without(image, absent),
          absent,
          previousKey: moved ? { id: image.id ?? null } : null,
        }),
      ),
      long.map(
        (id): CanonicalEvent => ({ ...place, op: 'delete', at: { lsn: 7n, ordinal: 2 ** 40 }, key: { id } }),
      ),
      fc.constant<CanonicalEvent>({ ...place, op: 'truncate', at: { lsn: 7n, ordinal: 9 } }),
      fc.tuple(fc.string(), fc.option(long), fc.option(long)).map(
        ([rowJson, id, previousId]): CanonicalEvent => ({
          ...place,
          op: 'reject',
          at: { lsn: 7n, ordinal: 4 },
          code: 'WB3103',
          reason: 'r',
          change: 'update',
          key: id === null ? null : { id },
          previousKey: previousId === null ? null : { id: previousId },
          keyJson: '{}',
          rowJson: Buffer.from(rowJson).toString(),
        }),
      ),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), (events) => {
        expect([...decodeBatch(payloadOf(events), readers)]).toEqual(events);
      }),
      { numRuns: 60 },
    );
  });

  it('carries transactions in order, and may be joined from parts', () => {
    const out = new GrowingBuffer();
    for (const lsn of [1n, 2n ** 64n - 1n]) {
      appendTransaction(out, lsn, lsn === 1n ? -(2n ** 60n) : 5n);
      appendEvent(out, upsert(zero, 1), writer);
    }
    const part = out.take(out.length);
    const decoded = [...decodeBatch(Buffer.concat([part, payloadOf([upsert(zero, 2)])]), readers)];
    expect(decoded.map(({ at }) => at)).toEqual([
      { lsn: 1n, ordinal: 1 },
      { lsn: 2n ** 64n - 1n, ordinal: 1 },
      { lsn: 7n, ordinal: 2 },
    ]);
    expect(decoded.map(({ commitTimeMicros }) => commitTimeMicros)).toEqual([-(2n ** 60n), 5n, -5n]);
  });

  it('with any byte changed or any tail cut off is refused, whatever came before', () => {
    const payload = payloadOf([upsert(zero, 1), { ...place, op: 'truncate', at: { lsn: 7n, ordinal: 2 } }]);
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(payload);
        damaged[at] = (damaged[at] as number) ^ flip;
        expect(() => [...decodeBatch(damaged, readers)]).toThrow(/^WB3040/);
      }),
    );
    let whole = 0;
    for (let end = 1; end < payload.length; end += 1) {
      try {
        whole += [...decodeBatch(payload.subarray(0, end), readers)].length + 1;
      } catch (error) {
        expect(String(error)).toContain('WB3040');
      }
    }
    // Cut behind the head: no event; behind the first event: one. Every other cut is noticed.
    expect(whole).toBe(1 + 2);
  });

  it('of events without a transaction is refused', () => {
    const out = new GrowingBuffer();
    appendEvent(out, upsert(zero), writer);
    expect(() => [...decodeBatch(out.take(out.length), readers)]).toThrow(/WB3040.*no transaction was begun/);
  });

  it('of an unknown schema or entity is refused by name', () => {
    const other = registryOf([{ name: 'id', type: 'int' }]);
    const others = new EventReaders(other, new Map([['deal', other.require('crm.Deal')]]));
    const payload = payloadOf([upsert(zero)]);
    const name = formatFingerprint(schema.fingerprint);
    expect(() => [...decodeBatch(payload, others)]).toThrow(new RegExp(`^WB3021.*${name}`));
    expect(() => [...decodeBatch(payload, new EventReaders(registry, new Map()))]).toThrow(/^WB3023.*deal/);
  });

  it('refuses an event that does not fit, names the field, and stays as it was', () => {
    const out = new GrowingBuffer();
    appendTransaction(out, 7n, -5n);
    const before = out.length;
    const bad: [string, CanonicalValue][] = [
      ['small', 2 ** 31],
      ['id', 2 ** 53],
      ['at', 2n ** 63n],
      ['single', 0.1],
      ['amount', '1.5'],
      ['cents', '99999999999.00'],
      ['cents', '-0.00'],
      ['cents', '01.00'],
      ['clock', 86_400_000_000],
      ['uid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
      ['status', 'gone'],
      ['text', null],
      ['text_n', '\ud800'],
      ['bytes_m', 'x'],
    ];
    for (const [field, value] of bad) {
      expect(() => appendEvent(out, upsert({ ...zero, [field]: value }), writer)).toThrow(
        new RegExp(`^WB3030 The field ${field} of crm.Deal 1.0.0 was given (?!.*99999999999)`),
      );
      expect(out.length).toBe(before);
    }
    const { small, ...rest } = zero;
    expect(small).toBeDefined();
    expect(() => appendEvent(out, upsert(rest), writer)).toThrow(/small.*no value/);
    expect(() => appendEvent(out, upsert(rest, 1, ['flag']), writer)).toThrow(/small.*no value/);
  });
});

describe('a record', () => {
  class Big extends avsc.types.LogicalType {
    protected override _fromValue(value: Buffer) {
      const hex = value.toString('hex');
      return hex === '' ? 0n : BigInt.asIntN(value.length * 8, BigInt(`0x${hex}`));
    }
    protected override _toValue(value: unknown) {
      return value;
    }
  }
  const bigLong = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => safeOrBig(bytes.readBigInt64LE()),
    toBuffer: (value: number | bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(value));
      return bytes;
    },
    fromJSON: BigInt,
    toJSON: String,
    isValid: () => true,
    compare: () => 0,
  });
  const type = avsc.Type.forSchema(JSON.parse(schema.text), {
    // By a hook: avsc's registry doesn't reach `{"type":"long"}`.
    typeHook: (json) =>
      json === 'long' || (json as { type?: unknown }).type === 'long' ? bigLong : undefined,
    logicalTypes: { decimal: Big },
    wrapUnions: 'never',
  });

  it('is what avsc alone reads with the schema', () => {
    fc.assert(
      fc.property(record, (image) => {
        const out = new GrowingBuffer(16);
        writer.appendWhole(out, image);
        const bytes = out.take(out.length);
        expect(bytes.subarray(0, 2)).toEqual(Buffer.from([0xc3, 0x01]));
        expect(bytes.readBigUInt64LE(2)).toBe(schema.fingerprint);
        const read: Record<string, unknown> = { ...type.fromBuffer(bytes.subarray(10)) };
        const expected: Record<string, unknown> = { ...image };
        for (const name of Object.keys(expected)) {
          const value = expected[name];
          if (/^(amount|cents)/.test(name) && value !== null)
            expected[name] = BigInt(String(value).replace('.', ''));
        }
        expect(read).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a reader', () => {
  const old = [
    { name: 'id', type: 'int' },
    { name: 'title', type: 'string' },
    { name: 'gone', type: ['null', 'bytes'] },
    { name: 'ratio', type: 'float' },
    { name: 'dropped', type: { type: 'enum', name: 'E', symbols: ['a', 'b'] } },
    { name: 'kind', type: { type: 'enum', name: 'K', symbols: ['a', 'b'] } },
  ];
  const now = [
    { name: 'kind', type: ['null', { type: 'enum', name: 'K', symbols: ['b', 'z'], default: 'z' }] },
    { name: 'ratio', type: 'double' },
    { name: 'name', aliases: ['title'], type: ['null', 'string'] },
    { name: 'id', type: 'long' },
    { name: 'added', type: 'string', default: 'none' },
  ];
  const both = registryOf(old, now);
  const [older, newer] = both.versions('crm.Deal');
  if (older === undefined || newer === undefined) throw new Error('two versions expected');
  const reading = new EventReaders(both, new Map([['deal', newer]]));
  const image = { id: 5, title: 'T', gone: Buffer.from('x'), ratio: 0.5, dropped: 'b', kind: 'a' };
  const read = (event: CanonicalEvent) =>
    [...decodeBatch(payloadOf([event], new RecordWriter(older)), reading)][0];

  it('takes an older version: promotions, aliases, defaults, fields gone', () => {
    expect(read(upsert(image))).toEqual(upsert({ id: 5, name: 'T', ratio: 0.5, kind: 'z', added: 'none' }));
  });

  it('fills no defaults into a partial image, and delivers no placeholder', () => {
    const { title, gone, ...rest } = image;
    expect([title, gone]).toHaveLength(2);
    expect(read(upsert(rest, 1, ['title', 'gone']))).toEqual(
      upsert({ id: 5, ratio: 0.5, kind: 'z' }, 1, ['name', 'added']),
    );
    const key: CanonicalEvent = { ...place, op: 'delete', at: { lsn: 7n, ordinal: 1 }, key: { id: 5 } };
    expect(read(key)).toEqual(key);
  });

  it('that cannot take a version says why', () => {
    const backwards = new EventReaders(both, new Map([['deal', older]]));
    const next = { id: 5, name: 'T', ratio: 0.5, kind: 'z', added: '' };
    const payload = payloadOf([upsert(next)], new RecordWriter(newer));
    expect(() => [...decodeBatch(payload, backwards)]).toThrow(/^WB3022.*fields\.title.*no default/);
  });
});
