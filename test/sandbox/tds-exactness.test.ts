// What tedious' JavaScript values cannot hold: written as TDS and read back, every digit the same.
// That the bytes are the right ones: tds-types.test.ts (tedious) and tds-login.test.ts (FreeTDS).

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SqlType } from '../../sandbox/sqlserver/session.ts';
import { Cursor, Writer } from '../../sandbox/sqlserver/tds/bytes.ts';
import { readTypeInfo } from '../../sandbox/sqlserver/tds/type-info.ts';
import { codecOf } from '../../sandbox/sqlserver/tds/types.ts';

describe('exactness beyond what tedious keeps', () => {
  const roundTrip = (type: SqlType, value: string | null): string | null => {
    const out = new Writer();
    const codec = codecOf(type);
    out.raw(codec.info);
    if (value === null) codec.writeNull(out);
    else codec.write(out, value);
    const cursor = new Cursor(Buffer.from(out.bytes.subarray(0, out.length)));
    return readTypeInfo(cursor).read(cursor);
  };
  const digits = (count: number): fc.Arbitrary<string> =>
    fc.stringMatching(new RegExp(`^[1-9][0-9]{0,${count - 1}}$`));

  it('decimals of up to 38 digits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 38 }).chain((scale) => fc.tuple(fc.constant(scale), digits(38))),
        fc.boolean(),
        ([scale, all], negative) => {
          const padded = all.padStart(scale + 1, '0');
          if (padded.length > 38) return;
          const value =
            (negative ? '-' : '') +
            padded.slice(0, padded.length - scale) +
            (scale ? `.${padded.slice(-scale)}` : '');
          expect(roundTrip({ name: 'decimal', precision: 38, scale }, value)).toBe(value);
        },
      ),
    );
  });

  it('dates and times to 100 nanoseconds, from year 1 to 9999, in any zone', () => {
    const two = (n: number): string => String(n).padStart(2, '0');
    const clock = fc.tuple(fc.nat(23), fc.nat(59), fc.nat(59)).map((parts) => parts.map(two).join(':'));
    const day = fc
      .date({
        min: new Date('0001-01-03T00:00:00Z'),
        max: new Date('9999-12-29T00:00:00Z'),
        noInvalidDate: true,
      })
      .map((date) => date.toISOString().slice(0, 10));
    fc.assert(
      fc.property(
        day,
        clock,
        fc.nat(7).chain((scale) => fc.tuple(fc.constant(scale), fc.nat(10 ** scale - 1))),
        fc.integer({ min: -14 * 60, max: 14 * 60 }),
        (date, time, [scale, fraction], offset) => {
          const exact = scale === 0 ? time : `${time}.${String(fraction).padStart(scale, '0')}`;
          const moment = `("${date} ${exact}",${offset})`;
          expect(roundTrip({ name: 'date' }, date)).toBe(date);
          expect(roundTrip({ name: 'time', scale }, exact)).toBe(exact);
          expect(roundTrip({ name: 'datetime2', scale }, `${date} ${exact}`)).toBe(`${date} ${exact}`);
          expect(roundTrip({ name: 'datetimeoffset', scale }, moment)).toBe(moment);
        },
      ),
    );
  });

  it('bigint, money, real, float, text and bytes', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        fc.string({ unit: 'binary' }),
        fc.uint8Array(),
        fc.uuid(),
        (big, double, float, chars, octets, uuid) => {
          expect(roundTrip({ name: 'bigint' }, String(big))).toBe(String(big));
          expect(Number(roundTrip({ name: 'float' }, String(double)))).toBe(Number(String(double)));
          expect(Math.fround(Number(roundTrip({ name: 'real' }, String(float))))).toBe(Number(String(float)));
          const sign = big < 0n ? '-' : '';
          const whole = String(big < 0n ? -big : big).padStart(5, '0');
          const money = `${sign}${whole.slice(0, -4)}.${whole.slice(-4)}`;
          expect(roundTrip({ name: 'money' }, money)).toBe(money);
          expect(roundTrip({ name: 'nvarchar', length: 'max' }, chars)).toBe(chars);
          const hex = `\\x${Buffer.from(octets).toString('hex')}`;
          expect(roundTrip({ name: 'varbinary', length: 'max' }, hex)).toBe(hex);
          expect(roundTrip({ name: 'uniqueidentifier' }, uuid)).toBe(uuid);
        },
      ),
    );
  });

  it.each([
    [{ name: 'decimal', precision: 5, scale: 2 }, '1.005', '1.01'],
    [{ name: 'decimal', precision: 5, scale: 2 }, '-.5', '-0.50'],
    [{ name: 'time', scale: 3 }, '12:00:00.123500', '12:00:00.124'],
    [{ name: 'datetime2', scale: 0 }, '2023-12-31 23:59:59.5', '2024-01-01 00:00:00'],
    [{ name: 'datetime' }, '2024-01-01 23:59:59.999', '2024-01-02 00:00:00.000'],
    [{ name: 'datetime' }, '2024-01-01 00:00:00.005', '2024-01-01 00:00:00.007'],
    [{ name: 'smalldatetime' }, '2024-01-01 23:59:30', '2024-01-02 00:00:00'],
    [{ name: 'datetimeoffset', scale: 0 }, '("2024-01-01 00:00:00.5",-330)', '("2024-01-01 00:00:01",-330)'],
  ] as const)('rounds to the column as SQL Server does: %o %s', (type, given, expected) => {
    expect(roundTrip(type, given)).toBe(expected);
  });

  it.each([
    [{ name: 'decimal', precision: 3, scale: 0 }, '1000'],
    [{ name: 'decimal', precision: 3, scale: 0 }, 'NaN'],
    [{ name: 'float' }, 'Infinity'],
    [{ name: 'date' }, '0044-03-15 BC'],
    [{ name: 'datetime2', scale: 6 }, 'infinity'],
    [{ name: 'nvarchar', length: 2 }, 'abc'],
  ] as const)('refuses what the column cannot hold: %o %s', (type, given) => {
    expect(() => roundTrip(type, given)).toThrow(RangeError);
  });
});
