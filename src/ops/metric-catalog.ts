// Every metric of walbridge: name, kind, labels, meaning. The registry is made from it, docs/metrics.md is held to it by a test.
// Guarantees: names by Prometheus' conventions (base units, `_total` for counters); labels that no data can multiply: lanes, entities
// and slots are counted by the configuration, all others by the code.
// https://prometheus.io/docs/practices/naming/

export type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  readonly kind: MetricKind;
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds of a histogram, in the name's unit. */
  readonly buckets?: readonly number[];
}

/** From a few milliseconds to the time that a long outage is made up for. */
const LATENCY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600] as const;
const APPLY_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

const counter = (labels: readonly string[], help: string) => ({ kind: 'counter', labels, help }) as const;
const gauge = (labels: readonly string[], help: string) => ({ kind: 'gauge', labels, help }) as const;
const histogram = (labels: readonly string[], buckets: readonly number[], help: string) =>
  ({ kind: 'histogram', labels, help, buckets }) as const;

/** Counted in this process as things happen; they begin at 0 with it. */
export const counted = {
  walbridge_batches_total: counter(
    ['lane', 'outcome'],
    'Batches that were settled: applied, skipped (the warehouse had them), gap (one before was missing).',
  ),
  walbridge_changes_total: counter(['lane', 'outcome'], 'Row changes in those batches.'),
  walbridge_rows_total: counter(
    ['entity', 'operation'],
    "Rows of the warehouse's tables: inserted, updated, deleted, quarantined. A batch touches a row once, however often it changed.",
  ),
  walbridge_truncates_total: counter(['entity'], "TRUNCATEs of the source's table that were applied."),
  walbridge_batch_apply_duration_seconds: histogram(
    ['lane'],
    APPLY_SECONDS,
    'From taking an applied batch in hand to its commit in the warehouse.',
  ),
  walbridge_commit_latency_seconds: histogram(
    ['lane'],
    LATENCY_SECONDS,
    'From the commit in the source to the one in the warehouse, of the first transaction in each applied batch: the longest in it.',
  ),
  walbridge_lane_retries_total: counter(['lane', 'code'], 'Tries to apply a batch that failed for a while.'),
  walbridge_queued_batches_total: counter(['lane'], 'Batches that capture has put into the queue.'),
  walbridge_queued_changes_total: counter(['lane'], 'Row changes in those batches.'),
  walbridge_queued_bytes_total: counter(['lane'], 'Their payload.'),
  walbridge_lane_rereads_total: counter(
    ['lane'],
    'How often capture has read a lane again from its watermark because the queue had lost something.',
  ),
  walbridge_source_disconnects_total: counter([], 'How often the WAL tail has lost its connection.'),
} as const satisfies Record<string, MetricDefinition>;

/** What the process knows of itself at the time of the scrape. */
export const own = {
  walbridge_info: gauge(['version'], 'Always 1.'),
  walbridge_role_state: gauge(
    ['role', 'state'],
    '1 for the state that a role is in: starting, standby (another process reads the slot), working, reconnecting, ended.',
  ),
  walbridge_role_utilization_ratio: gauge(
    ['role'],
    "Share of the time since the last scrape that the role's thread was busy; at 1 it is bound by its processor.",
  ),
  walbridge_ready: gauge([], '1 where /readyz answers 200.'),
} as const satisfies Record<string, MetricDefinition>;

/** Read from source, warehouse and queue; absent while the part that they come from cannot be asked. */
export const read = {
  walbridge_up: gauge(['part'], '1 where the part answers in time: source, warehouse, queue.'),
  walbridge_slot_active: gauge(['slot'], '1 where somebody reads the slot; 0 also where there is none.'),
  walbridge_slot_retained_wal_bytes: gauge(['slot'], 'WAL that the source keeps for the slot.'),
  walbridge_slot_lag_bytes: gauge(['slot'], 'WAL behind the last acknowledged position.'),
  walbridge_slot_safe_wal_bytes: gauge(
    ['slot'],
    'WAL that can still be written before the slot may be lost; absent where max_slot_wal_keep_size sets no limit.',
  ),
  walbridge_slot_safe_seconds: gauge(
    ['slot'],
    'How long that lasts at the rate of the last ten minutes; absent without a limit or without writing.',
  ),
  walbridge_slot_wal_status: gauge(
    ['slot', 'status'],
    "1 for PostgreSQL's wal_status of the slot: reserved, extended, unreserved, lost.",
  ),
  walbridge_source_wal_position_bytes: gauge(
    ['slot'],
    'WAL that the source has ever written; its derivative is the write rate.',
  ),
  walbridge_gap: gauge(
    ['slot'],
    '1 where changes are known to be missing in the warehouse and capture does not go on (WB7004).',
  ),
  walbridge_lane_commit_timestamp_seconds: gauge(
    ['lane'],
    'Time of the last source commit that the lane has applied.',
  ),
  walbridge_lane_lag_seconds: gauge(
    ['lane'],
    'Time since that commit while anything waits or nobody reads the slot, else 0.',
  ),
  walbridge_lane_lag_bytes: gauge(
    ['lane'],
    "WAL between the lane's watermark and the source's end, by the same rule.",
  ),
  walbridge_lane_queued_batches: gauge(['lane'], 'Batches waiting in the queue or in work.'),
  walbridge_lane_halted: gauge(['lane'], '1 where the lane stands still until somebody mends it.'),
  walbridge_lane_trouble: gauge(
    ['lane', 'state', 'code'],
    '1 for what holds up the batch in work: retrying or halted, with the code of the fault; absent without trouble.',
  ),
  walbridge_quarantine_open_rows: gauge(['entity'], 'Rows in quarantine that are not resolved.'),
  walbridge_backfill_steps: gauge(
    ['entity', 'state'],
    'Steps of backfills that have not ended, first loads among them: queued, running, paused, failed, done, cancelled.',
  ),
  walbridge_backfill_rows_estimated: gauge(
    ['entity', 'state'],
    "Rows that those steps have to read, by the source's statistics.",
  ),
  walbridge_backfill_rows_read: gauge(['entity', 'state'], 'Rows that they have read.'),
  walbridge_backfill_rows_written: gauge(['entity', 'state'], 'Rows of them that went to the warehouse.'),
  walbridge_backfill_rows_pruned: gauge(
    ['entity', 'state'],
    'Rows that they have deleted, for the source lacks them.',
  ),
  walbridge_verification_state: gauge(
    ['entity', 'state'],
    '1 for what the last verification found: equal, different, unsettled, failed.',
  ),
  walbridge_verification_timestamp_seconds: gauge(['entity'], 'When the last verification ended.'),
  walbridge_verification_state_since_timestamp_seconds: gauge(
    ['entity'],
    'When the first verification ended since which all have found the same state.',
  ),
  walbridge_verification_equal_timestamp_seconds: gauge(
    ['entity'],
    'When the last verification ended that found the entity equal; 0 where none has.',
  ),
  walbridge_verification_rows: gauge(
    ['entity', 'result'],
    'Rows that the last verification found: missing, extra, different, quarantined, unsettled.',
  ),
  walbridge_verification_share_ratio: gauge(
    ['entity'],
    'Share of the rows that the last verification looked at.',
  ),
} as const satisfies Record<string, MetricDefinition>;

export const metricCatalog = { ...own, ...read, ...counted };

export type CountedName = keyof typeof counted;
export type GaugeName = keyof typeof own | keyof typeof read;
