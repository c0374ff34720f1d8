// Where two histories of a source part, and what a stream may make of it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTimelineHistory } from '../../src/capture/timeline-history.ts';
import { formatLsn, type Lsn, type Position, wholeAt } from '../../src/change/position.ts';
import {
  divergence,
  formatTimelines,
  fromTimelinesData,
  type Timelines,
  toTimelinesData,
} from '../../src/change/timelines.ts';
import { branchOf, type KnownSource, type SourceState } from '../../src/warehouse/source-branch.ts';

/** Servers as they come to be: each is promoted from one before it, at an LSN that this one's present timeline has. */
const servers = fc
  .array(fc.record({ parent: fc.nat(), lsn: fc.bigInt(1n, 60n), skip: fc.nat(2) }), { maxLength: 8 })
  .map((promotions) => {
    const all: Timelines[] = [[{ id: 1, end: null }]];
    for (const { parent, lsn, skip } of promotions) {
      const from = all[parent % all.length]!;
      const began = from.at(-2)?.end ?? 0n;
      const at = lsn > began ? lsn : began;
      const last = from.at(-1)!;
      all.push([...from.slice(0, -1), { ...last, end: at }, { id: last.id + 1 + skip, end: null }]);
    }
    return all;
  });
const two = fc
  .tuple(servers, fc.nat(), fc.nat())
  .map(([all, a, b]) => [all[a % all.length]!, all[b % all.length]!] as const);

/** By what is written there: the timelines and their ends up to the byte before `lsn`. */
const written = (timelines: Timelines, lsn: Lsn): string => {
  const through = timelines.findIndex(({ end }) => end === null || end > lsn);
  return JSON.stringify(toTimelinesData(timelines.slice(0, through))) + timelines[through]!.id;
};

describe('divergence', () => {
  it('is where the histories stop to be made of the same pieces', () => {
    fc.assert(
      fc.property(two, fc.bigInt(0n, 80n), ([a, b], lsn) => {
        const fork = divergence(a, b);
        const isCommon = fork === null || lsn < fork;
        // Another timeline of the same number, from elsewhere, looks like the same from its fork on only.
        if (isCommon) expect(written(a, lsn)).toBe(written(b, lsn));
        else if (lsn === fork) expect(written(a, lsn)).not.toBe(written(b, lsn));
      }),
    );
  });

  it('is the same where a server has lost the beginnings of its history', () => {
    fc.assert(
      fc.property(two, fc.nat(), ([a, b], cut) => {
        const from = cut % a.length;
        const rest = a.slice(from);
        // Not where a timeline of the same number came from elsewhere: nobody could tell.
        const start = JSON.stringify(toTimelinesData(a.slice(0, from)));
        const isShared = JSON.stringify(toTimelinesData(b.slice(0, from))) === start;
        if (isShared && b[from]?.id === rest[0]?.id) expect(divergence(rest, b)).toBe(divergence(a, b));
        expect(divergence(rest, a)).toBeNull();
      }),
    );
    expect(divergence([{ id: 5, end: null }], parseTimelineHistory(6, '1\t0/10\n5\t0/50\n'))).toBe(0x50n);
  });

  it('is the same from both sides, and none of a history with itself', () => {
    fc.assert(
      fc.property(two, ([a, b]) => {
        expect(divergence(a, b)).toBe(divergence(b, a));
        expect(divergence(a, a)).toBeNull();
        expect(divergence(fromTimelinesData(JSON.parse(JSON.stringify(toTimelinesData(a)))), a)).toBeNull();
      }),
    );
  });

  it.each<[string, [number, Lsn | null][], [number, Lsn | null][], Lsn | null]>([
    [
      'a promotion',
      [[1, null]],
      [
        [1, 50n],
        [2, null],
      ],
      50n,
    ],
    [
      'two of them',
      [[1, null]],
      [
        [1, 50n],
        [2, 70n],
        [3, null],
      ],
      50n,
    ],
    [
      'a server that was left',
      [
        [1, 50n],
        [2, null],
      ],
      [[1, null]],
      50n,
    ],
    [
      'two promotions of one server',
      [
        [1, 50n],
        [2, null],
      ],
      [
        [1, 40n],
        [3, null],
      ],
      40n,
    ],
    [
      'two timelines of one number',
      [
        [1, 50n],
        [2, null],
      ],
      [
        [1, 40n],
        [2, null],
      ],
      40n,
    ],
    [
      'a promotion at the same place',
      [
        [1, 50n],
        [2, null],
      ],
      [
        [1, 50n],
        [3, null],
      ],
      50n,
    ],
    ['another cluster', [[1, null]], [[2, null]], 0n],
  ])('%s', (_what, a, b, fork) => {
    const timelines = (pieces: [number, Lsn | null][]) => pieces.map(([id, end]) => ({ id, end }));
    expect(divergence(timelines(a), timelines(b))).toBe(fork);
  });
});

describe('a history file', () => {
  it('is read as PostgreSQL writes it', () => {
    fc.assert(
      fc.property(
        servers,
        fc.nat(),
        fc.constantFrom('', '# a comment\n', '\n', '  \n'),
        (all, which, noise) => {
          const timelines = all[which % all.length]!;
          const lines = timelines
            .slice(0, -1)
            .map(({ id, end }) => `${id}\t${formatLsn(end!)}\tbefore 2026-11-25 10:00:00+00\n`);
          const text = lines.join(noise);
          expect(parseTimelineHistory(timelines.at(-1)!.id, noise + text)).toEqual(timelines);
        },
      ),
    );
    expect(formatTimelines(parseTimelineHistory(2, '1\t16/B374D848\tno recovery target specified\n'))).toBe(
      '1 to 16/B374D848, 2',
    );
  });

  it.each([
    ['no numbers', 'hello'],
    ['no LSN', '1\there'],
    ['an LSN with a tail', '1\t0/1B8EA40z'],
    ['numbers that do not grow', '2\t0/10\n1\t0/20'],
    ['its own number', '3\t0/10'],
    ['ends that go back', '1\t0/20\n2\t0/10'],
    ['zero', '0\t0/10'],
  ])('with %s is refused', (_what, content) => {
    expect(() => parseTimelineHistory(3, content)).toThrow('WB2021');
  });
});

describe('the branch that a source is on', () => {
  const known: KnownSource = { timelines: [{ id: 1, end: null }], publications: ['p'], isStandby: false };
  const promoted = (fork: Lsn): Timelines => [
    { id: 1, end: fork },
    { id: 2, end: null },
  ];
  const source = (over: Partial<SourceState>): SourceState => ({
    ...known,
    systemIdentifier: '7',
    flushed: 1000n,
    confirmed: 0n,
    ...over,
  });
  const lane = (position: Position, replay: Position | null = null) => ({
    lane: 'a',
    position,
    commitTimeMicros: 5n,
    replay,
  });
  const of = (over: Partial<SourceState>, lanes = [lane(wholeAt(80n))], before: KnownSource | null = known) =>
    branchOf(before, source(over), lanes, 500n);

  it('has all that the lanes have, or not, to the byte', () => {
    expect(of({})).toMatchObject({ fork: null, beyond: null, limit: 500n });
    expect(of({ timelines: promoted(81n) })).toMatchObject({ fork: 81n, beyond: null, limit: 81n });
    expect(of({ timelines: promoted(80n) })).toMatchObject({ fork: 80n, beyond: 80n });
    expect(of({ flushed: 80n })).toMatchObject({ fork: null, beyond: 80n });
    expect(of({ flushed: 81n })).toMatchObject({ beyond: null, limit: 81n });
    // A lane that has nothing yet has nothing too much.
    expect(of({ timelines: promoted(8n) }, [lane(wholeAt(0n))])).toMatchObject({ beyond: null });
    // Nobody knows what was read before.
    expect(of({ timelines: promoted(8n) }, undefined, null)).toMatchObject({ fork: null, beyond: null });
  });

  it('counts what a rewound lane had', () => {
    const rewound = [lane(wholeAt(8n), wholeAt(80n))];
    expect(of({ timelines: promoted(50n) }, rewound)).toMatchObject({ beyond: 80n });
    expect(of({ timelines: promoted(88n) }, rewound)).toMatchObject({ beyond: null, owed: [] });
  });

  it('owes the commits that lanes have and the slot was not told of, but for positions that are none', () => {
    const owed = [{ lane: 'a', lsn: 80n, commitTimeMicros: 5n }];
    expect(of({ confirmed: 80n }).owed).toEqual(owed);
    expect(of({ confirmed: 81n }).owed).toEqual([]);
    expect(of({}, [lane({ lsn: 80n, ordinal: 3 })]).owed).toEqual(owed);
    expect(of({}, [lane(wholeAt(79n))]).owed).toEqual([]);
    expect(of({}, [{ ...lane(wholeAt(80n)), commitTimeMicros: null as never }]).owed).toEqual([]);
    expect(of({ publications: ['p', 'q'] }).owed).toEqual([]);
    expect(of({}, undefined, null).owed).toEqual([]);
  });

  it('may go on from a stand-by to its own promotion, which shows what it has', () => {
    const standby = { ...known, isStandby: true };
    const timelines = promoted(50n);
    expect(of({ timelines }, undefined, standby)).toMatchObject({ fork: 50n, beyond: null, limit: 500n });
    expect(of({ timelines, confirmed: 200n }, undefined, standby)).toMatchObject({ beyond: null });
    // Nothing will show it.
    expect(of({ timelines, publications: [] }, undefined, standby)).toMatchObject({ beyond: 80n });
    expect(of({ timelines }, [lane(wholeAt(79n))], standby)).toMatchObject({ beyond: 79n });
    // Promoted elsewhere.
    const left = { ...standby, timelines: promoted(50n) };
    expect(
      of(
        {
          timelines: [
            { id: 1, end: 40n },
            { id: 3, end: null },
          ],
        },
        undefined,
        left,
      ),
    ).toMatchObject({
      beyond: 80n,
    });
  });

  it('of a stand-by that lags is not known yet', () => {
    expect(of({ isStandby: true, flushed: 80n })).toMatchObject({ isEarly: true, beyond: null });
    expect(of({ isStandby: true, flushed: 81n })).toMatchObject({ isEarly: false, beyond: null });
    expect(of({ isStandby: true, flushed: 20n, timelines: promoted(50n) })).toMatchObject({ beyond: 80n });
  });
});
