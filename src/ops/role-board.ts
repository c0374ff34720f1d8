// Keeps what the roles of this process have told: counters for the metrics, states and troubles for the readiness.
// Guarantees: a role that was started anew begins without its predecessor's troubles; counters go on.
import type { MetricRegistry, Series } from './metric-registry.ts';
import type { Trouble } from './part-reading.ts';
import type { RoleReport, RoleState } from './role-report.ts';

export interface RoleStanding {
  readonly role: string;
  readonly state: RoleState;
  readonly trouble: Trouble | null;
  /** By lane. */
  readonly lanes: ReadonlyMap<string, Trouble & { readonly isHalted: boolean }>;
}

const ROLE_STATES: readonly RoleState[] = ['starting', 'standby', 'working', 'reconnecting', 'ended'];

interface Standing extends RoleStanding {
  readonly lanes: Map<string, Trouble & { readonly isHalted: boolean }>;
}

export class RoleBoard {
  readonly #metrics: MetricRegistry;
  readonly #roles = new Map<string, Standing>();

  constructor(metrics: MetricRegistry) {
    this.#metrics = metrics;
  }

  started(role: string): void {
    this.#roles.set(role, { role, state: 'starting', trouble: null, lanes: new Map() });
  }

  get standings(): readonly RoleStanding[] {
    return [...this.#roles.values()];
  }

  /** One series a role and possible state. */
  get stateSeries(): readonly Series[] {
    return this.standings.flatMap((standing) =>
      ROLE_STATES.map((state) => ({
        labels: { role: standing.role, state },
        value: standing.state === state ? 1 : 0,
      })),
    );
  }

  take(role: string, report: RoleReport): void {
    const standing = this.#roles.get(role);
    if (standing === undefined) return;
    switch (report.of) {
      case 'state': {
        const { state, trouble } = report;
        // Further tries that fail are the same loss.
        if (state === 'reconnecting' && standing.state !== state)
          this.#metrics.count('walbridge_source_disconnects_total', {});
        this.#roles.set(role, { ...standing, state, trouble });
        return;
      }
      case 'lane trouble': {
        const { lane, isHalted, trouble } = report;
        standing.lanes.set(lane, { ...trouble, isHalted });
        if (!isHalted) this.#metrics.count('walbridge_lane_retries_total', { lane, code: trouble.code });
        return;
      }
      case 'batch':
        standing.lanes.delete(report.lane);
        this.#countBatch(report);
        return;
      case 'queued': {
        const { lane, changes, bytes } = report;
        this.#metrics.count('walbridge_queued_batches_total', { lane });
        this.#metrics.count('walbridge_queued_changes_total', { lane }, changes);
        this.#metrics.count('walbridge_queued_bytes_total', { lane }, bytes);
        return;
      }
      case 'reread':
        this.#metrics.count('walbridge_lane_rereads_total', { lane: report.lane });
    }
  }

  #countBatch({ lane, outcome, changes, applied }: Extract<RoleReport, { of: 'batch' }>): void {
    const metrics = this.#metrics;
    metrics.count('walbridge_batches_total', { lane, outcome });
    metrics.count('walbridge_changes_total', { lane, outcome }, changes);
    if (applied === null) return;
    metrics.observe('walbridge_batch_apply_duration_seconds', { lane }, applied.seconds);
    if (applied.latencySeconds !== null)
      metrics.observe('walbridge_commit_latency_seconds', { lane }, applied.latencySeconds);
    for (const { entity, isTruncated, ...rows } of applied.tables) {
      for (const [operation, count] of Object.entries(rows))
        if (count > 0) metrics.count('walbridge_rows_total', { entity, operation }, count);
      if (isTruncated) metrics.count('walbridge_truncates_total', { entity });
    }
    for (const { entity, rows } of applied.quarantined)
      metrics.count('walbridge_rows_total', { entity, operation: 'quarantined' }, rows);
  }
}
