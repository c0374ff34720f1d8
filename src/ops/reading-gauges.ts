// From what was read of source, warehouse and queue to the gauges that say so. Pure.
// Guarantees: every gauge that is read is named, if only with no series; nothing is told of a part that could not be asked.
import { type GaugeName, read } from './metric-catalog.ts';
import type { Gauges, Labels, Series } from './metric-registry.ts';
import {
  foundOf,
  parts,
  type QueueReading,
  type Readings,
  type SourceReading,
  type WarehouseReading,
} from './part-reading.ts';

type ReadName = keyof typeof read;

const WAL_STATUSES = ['reserved', 'extended', 'unreserved', 'lost'];
const VERIFICATION_STATES = ['equal', 'different', 'unsettled', 'failed'];
const VERIFICATION_RESULTS = ['missing', 'extra', 'different', 'quarantined', 'unsettled'] as const;

class GaugeSheet {
  readonly series = new Map<GaugeName, Series[]>(Object.keys(read).map((name) => [name as ReadName, []]));

  add(name: ReadName, labels: Labels, value: number | null): void {
    if (value !== null) this.series.get(name)?.push({ labels, value });
  }

  /** One series a possible state, 1 for the one that is; a state that is not among them is told, too. */
  addState(name: ReadName, labels: Labels, label: string, states: readonly string[], is: string): void {
    for (const state of new Set([...states, is]))
      this.add(name, { ...labels, [label]: state }, state === is ? 1 : 0);
  }
}

/** `nowMs`: milliseconds since 1970-01-01 UTC, of the readings. */
export function readingGauges(readings: Readings, nowMs: number): Gauges {
  const sheet = new GaugeSheet();
  for (const part of parts) {
    const reading = readings[part];
    if (reading !== undefined) sheet.add('walbridge_up', { part }, reading.is === 'up' ? 1 : 0);
  }
  const [source, warehouse, queue] = [
    foundOf(readings, 'source'),
    foundOf(readings, 'warehouse'),
    foundOf(readings, 'queue'),
  ];
  if (source !== null) addSource(sheet, source);
  if (queue !== null) addQueue(sheet, queue);
  if (warehouse !== null) {
    addWarehouse(sheet, warehouse);
    addLags(sheet, warehouse, queue, source, nowMs);
  }
  return sheet.series;
}

function addSource(sheet: GaugeSheet, { slot, health }: SourceReading): void {
  const labels = { slot };
  sheet.add('walbridge_slot_active', labels, health?.isActive === true ? 1 : 0);
  if (health === null) return;
  sheet.add('walbridge_slot_retained_wal_bytes', labels, health.retainedBytes);
  sheet.add('walbridge_slot_lag_bytes', labels, health.lagBytes);
  sheet.add('walbridge_slot_safe_wal_bytes', labels, health.safeBytes);
  sheet.add('walbridge_slot_safe_seconds', labels, health.safeSeconds);
  sheet.add('walbridge_source_wal_position_bytes', labels, health.writtenBytes);
  if (health.walStatus !== null)
    sheet.addState('walbridge_slot_wal_status', labels, 'status', WAL_STATUSES, health.walStatus);
}

function addQueue(sheet: GaugeSheet, { lanes }: QueueReading): void {
  for (const { lane, batches, trouble } of lanes) {
    sheet.add('walbridge_lane_queued_batches', { lane }, batches);
    sheet.add('walbridge_lane_halted', { lane }, trouble?.state === 'halted' ? 1 : 0);
    if (trouble !== null)
      sheet.add('walbridge_lane_trouble', { lane, state: trouble.state, code: trouble.code }, 1);
  }
}

function addWarehouse(sheet: GaugeSheet, reading: WarehouseReading): void {
  const { slot, hasGap } = reading;
  if (hasGap !== null) sheet.add('walbridge_gap', { slot }, hasGap ? 1 : 0);
  for (const { lane, committedAt } of reading.lanes)
    sheet.add('walbridge_lane_commit_timestamp_seconds', { lane }, secondsOf(committedAt));
  for (const { entity, openRows } of reading.quarantine)
    sheet.add('walbridge_quarantine_open_rows', { entity }, openRows);
  for (const backfill of reading.backfills) {
    const labels = { entity: backfill.entity, state: backfill.state };
    sheet.add('walbridge_backfill_steps', labels, backfill.steps);
    sheet.add('walbridge_backfill_rows_estimated', labels, backfill.rowsEstimated);
    sheet.add('walbridge_backfill_rows_read', labels, backfill.rowsRead);
    sheet.add('walbridge_backfill_rows_written', labels, backfill.rowsWritten);
    sheet.add('walbridge_backfill_rows_pruned', labels, backfill.rowsPruned);
  }
  for (const last of reading.verifications) {
    const labels = { entity: last.entity };
    sheet.addState('walbridge_verification_state', labels, 'state', VERIFICATION_STATES, last.state);
    sheet.add('walbridge_verification_timestamp_seconds', labels, secondsOf(last.finishedAt));
    sheet.add('walbridge_verification_state_since_timestamp_seconds', labels, secondsOf(last.stateSince));
    sheet.add('walbridge_verification_equal_timestamp_seconds', labels, secondsOf(last.lastEqualAt ?? 0));
    sheet.add('walbridge_verification_share_ratio', labels, last.share);
    for (const result of VERIFICATION_RESULTS)
      sheet.add('walbridge_verification_rows', { ...labels, result }, last[result]);
  }
}

/**
 * With a reader on the slot and an empty queue, whatever WAL is behind concerns no mapped table: no lag. While something is queued
 * there is one in any case. Where neither is known, nothing is told.
 */
function addLags(
  sheet: GaugeSheet,
  { lanes }: WarehouseReading,
  queue: QueueReading | null,
  source: SourceReading | null,
  nowMs: number,
): void {
  for (const { lane, lsn, committedAt } of lanes) {
    const queued = queue?.lanes.find((one) => one.lane === lane)?.batches ?? null;
    const isCaughtUp = source?.health?.isActive === true && queued === 0;
    const isBehind = (queued ?? 0) > 0 || (source !== null && source.health?.isActive !== true);
    if (!isCaughtUp && !isBehind) continue;
    const [seconds, bytes] = isCaughtUp
      ? [0, 0]
      : [
          committedAt === null ? null : Math.max(0, (nowMs - committedAt) / 1000),
          // Before the first batch there is no position to count from.
          lsn === 0 || !source?.health ? null : Math.max(0, source.health.writtenBytes - lsn),
        ];
    sheet.add('walbridge_lane_lag_seconds', { lane }, seconds);
    sheet.add('walbridge_lane_lag_bytes', { lane }, bytes);
  }
}

function secondsOf(milliseconds: number | null): number | null {
  return milliseconds === null ? null : milliseconds / 1000;
}
