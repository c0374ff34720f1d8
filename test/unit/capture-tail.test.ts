// Order, backpressure and failure of the message pump; the status message's bytes; liveness by ticks; faults told apart.
import fc from 'fast-check';
import { DatabaseError } from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Acknowledgement } from '../../src/capture/acknowledgement.ts';
import { livenessIntervals, watchLiveness } from '../../src/capture/liveness.ts';
import { MessagePump } from '../../src/capture/message-pump.ts';
import { sourceFault } from '../../src/capture/source-fault.ts';

describe('MessagePump', () => {
  test('hands over in order, never two at a time, whatever is waited for and however it arrives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.boolean(), { maxLength: 6 }), { maxLength: 10 }),
        async (reads) => {
          const seen: number[] = [];
          let inHand = 0;
          let isFlowing = true;
          const waits = reads.flat();
          const pump = new MessagePump(
            (message) => {
              expect(inHand).toBe(0);
              const number = message.readUInt8(0);
              seen.push(number);
              if (waits[number] !== true) return undefined;
              inHand += 1;
              return Promise.resolve().then(() => {
                inHand -= 1;
              });
            },
            {
              pause: () => {
                isFlowing = false;
              },
              resume: () => {
                isFlowing = true;
              },
            },
            (error) => {
              throw error;
            },
          );
          let number = 0;
          for (const read of reads) {
            for (const _ of read) pump.push(Buffer.from([number++]));
            expect(isFlowing).toBe(!read.includes(true));
            await vi.waitFor(() => expect(isFlowing).toBe(true), { interval: 0 });
          }
          expect(seen).toEqual(waits.map((_, index) => index));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('after a failure nothing more is handled, and it is told once', async () => {
    const seen: number[] = [];
    const failures: unknown[] = [];
    const flow = { pause: vi.fn(), resume: vi.fn() };
    const pump = new MessagePump(
      async (message) => {
        seen.push(message.readUInt8(0));
        if (message.readUInt8(0) === 1) throw new Error('broken');
      },
      flow,
      (error) => failures.push(error),
    );
    for (let number = 0; number < 4; number += 1) pump.push(Buffer.from([number]));
    await pump.stop();
    pump.push(Buffer.from([9]));
    expect(seen).toEqual([0]);
    const second = new MessagePump(
      () => {
        throw new Error('broken at once');
      },
      flow,
      (error) => failures.push(error),
    );
    second.push(Buffer.from([1]));
    second.push(Buffer.from([2]));
    expect(failures).toEqual([new Error('broken at once')]);
  });

  test('stop waits for what the handler has in hand', async () => {
    let finish = () => {};
    const pump = new MessagePump(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
      { pause: () => {}, resume: () => {} },
      () => {},
    );
    pump.push(Buffer.from([0]));
    let isStopped = false;
    const stopped = pump.stop().then(() => {
      isStopped = true;
    });
    await Promise.resolve();
    expect(isStopped).toBe(false);
    finish();
    await stopped;
    expect(isStopped).toBe(true);
  });
});

describe('Acknowledgement', () => {
  const positions = (frame: Buffer) => [1, 9, 17].map((offset) => frame.readBigUInt64BE(offset));

  test('0/0 until something was told, then one byte past the highest told', () => {
    const acknowledgement = new Acknowledgement();
    const frame = acknowledgement.statusMessage(true);
    expect(frame).toHaveLength(34);
    expect([frame.toString('latin1', 0, 1), frame.readUInt8(33), positions(frame)]).toEqual([
      'r',
      1,
      [0n, 0n, 0n],
    ]);
    fc.assert(
      fc.property(fc.array(fc.bigInt(0n, 2n ** 63n), { minLength: 1 }), (told) => {
        const fresh = new Acknowledgement();
        for (const lsn of told) fresh.advance(lsn);
        const highest = told.toSorted((a, b) => Number(a > b) - Number(a < b)).at(-1)! + 1n;
        expect(positions(fresh.statusMessage(false))).toEqual([highest, highest, highest]);
      }),
    );
  });
});

describe('liveness', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const watched = (over: { paused?: boolean } = {}) => {
    let received = 0;
    const sent: boolean[] = [];
    let isSilent = false;
    const stop = watchLiveness(livenessIntervals(1_000, 10_000), {
      sendStatus: (replyRequested) => sent.push(replyRequested),
      received: () => received,
      isPaused: () => over.paused ?? false,
      onSilent: () => {
        isSilent = true;
      },
    });
    return { sent, hear: () => (received += 1), isSilent: () => isSilent, stop };
  };

  test('a status at half of wal_sender_timeout, the wish for a reply after a silent interval, the end after twice it', () => {
    const watch = watched();
    watch.hear();
    vi.advanceTimersByTime(500);
    expect(watch.sent).toEqual([false]);
    vi.advanceTimersByTime(1_500);
    expect([watch.sent, watch.isSilent()]).toEqual([[false, true, true, true], false]);
    vi.advanceTimersByTime(500);
    expect(watch.isSilent()).toBe(true);
  });

  test('one message a while is life enough, and a consumer that holds the socket back is not silence', () => {
    const watch = watched();
    for (let second = 0; second < 20; second += 1) {
      watch.hear();
      vi.advanceTimersByTime(1_400);
    }
    expect(watch.isSilent()).toBe(false);
    watch.stop();
    const paused = watched({ paused: true });
    vi.advanceTimersByTime(60_000);
    expect([paused.isSilent(), paused.sent.length]).toEqual([false, 120]);
    paused.stop();
    vi.advanceTimersByTime(5_000);
    expect(paused.sent.length).toBe(120);
  });

  test('intervals where the timeout is disabled, long or tiny', () => {
    expect(livenessIntervals(0, 10_000)).toEqual({ statusMs: 10_000, silenceMs: 120_000 });
    expect(livenessIntervals(600_000, 10_000).statusMs).toBe(10_000);
    expect(livenessIntervals(2, 10_000).statusMs).toBe(10);
  });
});

test('faults are told apart by SQLSTATE and by Node error code, and hold no text of the foreign error', () => {
  const server = (code: string) => Object.assign(new DatabaseError('secret row value', 1, 'error'), { code });
  const network = (code: string) => Object.assign(new Error('secret'), { code });
  const cases: [unknown, string, string][] = [
    [server('57P01'), 'WB2001', 'transient'],
    [server('57P03'), 'WB2001', 'transient'],
    [server('53300'), 'WB2001', 'transient'],
    [server('55006'), 'WB2001', 'transient'],
    [server('55000'), 'WB2003', 'permanent'],
    [server('58P01'), 'WB2003', 'permanent'],
    [server('57P04'), 'WB2003', 'permanent'],
    [server('42601'), 'WB2003', 'permanent'],
    [server('28P01'), 'WB2002', 'permanent'],
    [server('42501'), 'WB2002', 'permanent'],
    [network('ECONNREFUSED'), 'WB2001', 'transient'],
    [network('DEPTH_ZERO_SELF_SIGNED_CERT'), 'WB2002', 'permanent'],
    [new Error('The server does not support SSL connections'), 'WB2002', 'permanent'],
    [new Error('Connection terminated unexpectedly'), 'WB2001', 'transient'],
  ];
  for (const [error, code, kind] of cases) {
    const fault = sourceFault(error);
    expect([fault.code, fault.kind]).toEqual([code, kind]);
    expect(fault.message).not.toContain('secret');
    expect(sourceFault(fault)).toBe(fault);
  }
});
