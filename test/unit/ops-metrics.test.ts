// Metrics: their names and their documents, what is counted, what readings become, and when a process is ready.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { FreshReading } from '../../src/ops/fresh-reading.ts';
import { type MetricDefinition, metricCatalog } from '../../src/ops/metric-catalog.ts';
import { MetricRegistry } from '../../src/ops/metric-registry.ts';
import type { QueueReading, Readings, SourceReading, WarehouseReading } from '../../src/ops/part-reading.ts';
import { readinessOf } from '../../src/ops/readiness.ts';
import { readingGauges } from '../../src/ops/reading-gauges.ts';
import { RoleBoard } from '../../src/ops/role-board.ts';

const catalog = Object.entries<MetricDefinition>(metricCatalog);
const document = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

/** Series by `name{label="value"}`. */
async function rendered(metrics: MetricRegistry): Promise<Record<string, number>> {
  const lines = (await metrics.render()).split('\n').filter((line) => /^walbridge_/.test(line));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

describe('the catalog', () => {
  it.each(catalog)('%s is named by the conventions', (name, { kind, labels, help, buckets }) => {
    expect(name).toMatch(/^walbridge(_[a-z]+)+$/);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    // Base units, and never another.
    expect(name).not.toMatch(/(milli|micro|minutes|hours|_ms|_mb|kilo|mega|percent)/);
    if (kind === 'histogram') {
      expect(name).toMatch(/_(seconds|bytes)$/);
      expect(buckets).toEqual([...buckets!].sort((a, b) => a - b));
    }
    const bounded = [
      ...['slot', 'lane', 'entity', 'operation', 'part', 'role', 'state', 'status', 'code', 'outcome'],
      ...['result', 'version'],
    ];
    expect(bounded).toEqual(expect.arrayContaining([...labels]));
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
  });

  it('is what docs/metrics.md lists, in its order', () => {
    const listed = [...document.matchAll(/^\| `(walbridge_\w+)` \| (\w+) \| (.*?) \| (.*) \|$/gm)].map(
      ([, name, kind, labels, help]) => ({
        name,
        kind,
        labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label),
        help,
      }),
    );
    const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
      (a.name ?? '') < (b.name ?? '') ? -1 : 1;
    expect(listed.sort(byName)).toEqual(
      catalog
        .map(([name, { kind, labels, help }]) => ({ name, kind, labels: [...labels], help }))
        .sort(byName),
    );
  });

  it('has every metric and label that the alerts and queries of docs/metrics.md name', () => {
    const names = new Set(document.match(/\bwalbridge_\w+/g));
    const unknown = [...names].filter((name) => !(name.replace(/_(bucket|sum|count)$/, '') in metricCatalog));
    expect(unknown).toEqual([]);
    const [, rules] = /```yaml\n(groups:[\s\S]*?)```/.exec(document)!;
    const { groups } = parse(rules!) as { groups: { rules: { alert: string; expr: string }[] }[] };
    for (const { alert, expr } of groups.flatMap((group) => group.rules)) {
      const labels = new Set(
        (expr.match(/\bwalbridge_\w+/g) ?? []).flatMap(
          (name) => (metricCatalog as Record<string, MetricDefinition>)[name]!.labels,
        ),
      );
      const asked = [...expr.matchAll(/by \(([^)]*)\)|(\w+)=~?"/g)].flatMap(([, by, one]) =>
        (by ?? one ?? '').split(', '),
      );
      for (const label of asked)
        expect(labels.has(label) || label === 'job', `${alert}: ${label}`).toBe(true);
    }
  });
});

const source = (
  health: Partial<NonNullable<SourceReading['health']>> | null = {},
): NonNullable<Readings['source']> => ({
  is: 'up',
  found: {
    slot: 'crm',
    health: health && {
      isActive: true,
      walStatus: 'reserved',
      retainedBytes: 10,
      lagBytes: 5,
      safeBytes: null,
      safeSeconds: null,
      writtenBytes: 1000,
      ...health,
    },
  },
});
const warehouse = (found: Partial<WarehouseReading> = {}): NonNullable<Readings['warehouse']> => ({
  is: 'up',
  found: {
    slot: 'crm',
    hasGap: false,
    lanes: [{ lane: 'main', lsn: 400, committedAt: 50_000 }],
    quarantine: [],
    backfills: [],
    verifications: [],
    ...found,
  },
});
const queue = (
  batches: number,
  trouble: QueueReading['lanes'][number]['trouble'] = null,
): NonNullable<Readings['queue']> => ({
  is: 'up',
  found: { lanes: [{ lane: 'main', batches, trouble }] },
});
const down = { is: 'down', trouble: { code: 'WB6002', what: 'away' } } as const;

async function shown(readings: Readings, metrics = new MetricRegistry()): Promise<Record<string, number>> {
  metrics.set(readingGauges(readings, 60_000));
  return rendered(metrics);
}

describe('what was read', () => {
  const lag = {
    seconds: 'walbridge_lane_lag_seconds{lane="main"}',
    bytes: 'walbridge_lane_lag_bytes{lane="main"}',
  };

  it.each([
    ['caught up', { source: source(), queue: queue(0) }, 0, 0],
    ['something queued', { source: source(), queue: queue(1) }, 10, 600],
    ['nobody on the slot', { source: source({ isActive: false }), queue: queue(0) }, 10, 600],
    ['no slot', { source: source(null), queue: queue(0) }, 10, undefined],
    ['the source unknown, something queued', { queue: queue(2) }, 10, undefined],
    ['the source unknown, nothing queued', { queue: queue(0) }, undefined, undefined],
    ['the queue away', { source: source(), queue: down }, undefined, undefined],
  ] as const)('a lag is told: %s', async (_case, parts, seconds, bytes) => {
    const series = await shown({ ...parts, warehouse: warehouse() });
    expect([series[lag.seconds], series[lag.bytes]]).toEqual([seconds, bytes]);
  });

  it('tells nothing of a part that is away, but that', async () => {
    const metrics = new MetricRegistry();
    await shown({ source: source(), warehouse: warehouse(), queue: queue(3) }, metrics);
    const series = await shown({ source: down, warehouse: down, queue: down }, metrics);
    expect(
      Object.entries(series).filter(([name]) => /_(slot|gap|lane_lag|lane_queued|source_wal)/.test(name)),
    ).toEqual([]);
    for (const part of ['source', 'warehouse', 'queue'])
      expect(series[`walbridge_up{part="${part}"}`]).toBe(0);
  });

  it('tells a halted lane with its code, and forgets it', async () => {
    const metrics = new MetricRegistry();
    const halted = await shown(
      { queue: queue(1, { state: 'halted', code: 'WB6020', what: 'refused' }) },
      metrics,
    );
    expect(halted['walbridge_lane_halted{lane="main"}']).toBe(1);
    expect(halted['walbridge_lane_trouble{lane="main",state="halted",code="WB6020"}']).toBe(1);
    const after = await shown({ queue: queue(0) }, metrics);
    expect(after['walbridge_lane_halted{lane="main"}']).toBe(0);
    expect(Object.keys(after).filter((name) => name.startsWith('walbridge_lane_trouble'))).toEqual([]);
  });

  it('tells exactly one state of slot and verification, whatever is read, and only numbers', async () => {
    const count = fc.nat();
    const verification = fc.record({
      entity: fc.constant('contacts'),
      state: fc.constantFrom('equal', 'different', 'unsettled', 'failed', 'of a later version'),
      finishedAt: count,
      stateSince: count,
      lastEqualAt: fc.option(count),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      ...{ missing: count, extra: count, different: count, quarantined: count, unsettled: count },
    });
    const backfill = fc.record({
      entity: fc.constant('contacts'),
      state: fc.constantFrom('queued', 'running'),
      ...{ steps: count, rowsEstimated: count, rowsRead: count, rowsWritten: count, rowsPruned: count },
    });
    const health = fc.record({
      isActive: fc.boolean(),
      walStatus: fc.constantFrom('reserved', 'extended', 'unreserved', 'lost'),
      safeBytes: fc.option(count),
      safeSeconds: fc.option(count),
    });
    await fc.assert(
      fc.asyncProperty(verification, backfill, health, count, async (last, steps, slot, batches) => {
        const series = await shown({
          source: source(slot),
          warehouse: warehouse({ verifications: [last], backfills: [steps] }),
          queue: queue(batches),
        });
        expect(Object.values(series).filter((value) => !Number.isFinite(value))).toEqual([]);
        const ones = (name: string) =>
          Object.entries(series).filter(([key, value]) => key.startsWith(`${name}{`) && value === 1);
        expect(ones('walbridge_verification_state').map(([key]) => key)).toEqual([
          expect.stringContaining(`state="${last.state}"`),
        ]);
        expect(ones('walbridge_slot_wal_status')).toHaveLength(1);
      }),
      { numRuns: 50 },
    );
  });
});

describe('what roles tell', () => {
  const batch = {
    of: 'batch',
    lane: 'main',
    outcome: 'applied',
    changes: 7,
    applied: {
      seconds: 0.2,
      latencySeconds: 1.5,
      tables: [{ entity: 'contacts', inserted: 3, updated: 0, deleted: 1, isTruncated: true }],
      quarantined: [{ entity: 'contacts', rows: 2 }],
    },
  } as const;

  it('is counted a batch, and the counters outlive the role', async () => {
    const metrics = new MetricRegistry();
    const board = new RoleBoard(metrics);
    for (const _start of [1, 2]) {
      board.started('apply');
      board.take('apply', batch);
    }
    board.take('apply', { of: 'batch', lane: 'main', outcome: 'skipped', changes: 4, applied: null });
    expect(await rendered(metrics)).toMatchObject({
      'walbridge_batches_total{lane="main",outcome="applied"}': 2,
      'walbridge_changes_total{lane="main",outcome="applied"}': 14,
      'walbridge_changes_total{lane="main",outcome="skipped"}': 4,
      'walbridge_rows_total{entity="contacts",operation="inserted"}': 6,
      'walbridge_rows_total{entity="contacts",operation="deleted"}': 2,
      'walbridge_rows_total{entity="contacts",operation="quarantined"}': 4,
      'walbridge_truncates_total{entity="contacts"}': 2,
      'walbridge_batch_apply_duration_seconds_count{lane="main"}': 2,
      'walbridge_commit_latency_seconds_bucket{le="1",lane="main"}': 0,
      'walbridge_commit_latency_seconds_bucket{le="2.5",lane="main"}': 2,
    });
  });

  it('makes a process ready, or not, with the reason', async () => {
    const metrics = new MetricRegistry();
    const board = new RoleBoard(metrics);
    expect(readinessOf(board.standings, {}, false).ready).toBe(false);
    board.started('capture');
    board.started('apply');
    const now = (readings: Readings = {}, isStopping = false) =>
      readinessOf(board.standings, readings, isStopping);
    expect(now().ready).toBe(false);
    board.take('capture', { of: 'state', state: 'standby', trouble: null });
    board.take('apply', { of: 'state', state: 'working', trouble: null });
    expect(now({ source: source() })).toEqual({
      ready: true,
      roles: { capture: 'standby', apply: 'working' },
      reasons: [],
    });
    expect(now({ warehouse: down }).reasons).toEqual([
      { part: 'warehouse', state: 'down', code: 'WB6002', what: 'away' },
    ]);
    expect(now({}, true)).toMatchObject({ ready: false, reasons: [{ state: 'stopping' }] });

    const trouble = { code: 'WB6020', what: 'refused' };
    board.take('apply', { of: 'lane trouble', lane: 'main', isHalted: true, trouble });
    expect(now().reasons).toEqual([{ role: 'apply', lane: 'main', state: 'halted', ...trouble }]);
    board.take('apply', batch);
    expect(now().ready).toBe(true);
    board.take('capture', { of: 'state', state: 'reconnecting', trouble: { code: 'WB2001', what: 'away' } });
    expect(now().reasons).toEqual([{ role: 'capture', state: 'reconnecting', code: 'WB2001', what: 'away' }]);
    board.take('capture', {
      of: 'state',
      state: 'reconnecting',
      trouble: { code: 'WB2004', what: 'silent' },
    });
    expect(now().reasons).toMatchObject([{ code: 'WB2004' }]);
    expect(await rendered(metrics)).toMatchObject({ walbridge_source_disconnects_total: 1 });

    // A new thread begins without the trouble of the one before.
    board.take('apply', { of: 'lane trouble', lane: 'main', isHalted: true, trouble });
    board.started('apply');
    expect(now().reasons).toContainEqual({ role: 'apply', state: 'starting' });
    expect(now().reasons.some(({ lane }) => lane === 'main')).toBe(false);
  });
});

describe('a fresh reading', () => {
  it('is made once for all who ask at once, and again when it is too old or has failed', async () => {
    let [made, clock] = [0, 0];
    const isFailing = { now: false };
    const reading = new FreshReading(
      async () => {
        made += 1;
        if (isFailing.now) throw new Error('away');
        return made;
      },
      5000,
      () => clock,
    );
    const first = reading.get();
    // However long it takes.
    clock = 60_000;
    expect(await Promise.all([first, reading.get()])).toEqual([1, 1]);
    clock = 64_999;
    expect(await reading.get()).toBe(1);
    clock = 65_000;
    isFailing.now = true;
    await expect(reading.get()).rejects.toThrow('away');
    isFailing.now = false;
    expect(await reading.get()).toBe(3);
  });
});
