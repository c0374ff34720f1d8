// How much of the source's WAL a slot holds, how far its reader is behind, and how long that can go on: for metrics and alarms.
// https://www.postgresql.org/docs/current/view-pg-replication-slots.html
import { type ClientBase, escapeLiteral } from 'pg';

export interface SlotHealth {
  readonly isActive: boolean;
  /** reserved, extended, unreserved or lost; null while nothing is reserved. */
  readonly walStatus: string | null;
  /** Bytes of WAL that cannot be removed because of the slot. */
  readonly retainedBytes: number;
  /** Bytes of WAL behind the last acknowledged position; not all of them are published changes. */
  readonly lagBytes: number;
  /** Everything that commits at or before it was acknowledged; null while nothing was. */
  readonly confirmedLsn: string | null;
  /** Bytes that can still be written before the slot may be lost; null where max_slot_wal_keep_size sets no limit. */
  readonly safeBytes: number | null;
  /** Bytes of WAL that the source has ever written, as a counter: two of them give its rate. */
  readonly writtenBytes: number;
}

/** Null without the slot. Runs on a stand-by server too. @throws the driver's errors. */
export async function readSlotHealth(client: ClientBase, slot: string): Promise<SlotHealth | null> {
  const { rows } = await client.query<{ health: SlotHealth }>(`
    SELECT jsonb_build_object(
      'isActive', s.active,
      'walStatus', s.wal_status,
      'retainedBytes', coalesce(greatest(now.lsn - s.restart_lsn, 0), 0),
      'lagBytes', coalesce(greatest(now.lsn - s.confirmed_flush_lsn, 0), 0),
      'confirmedLsn', s.confirmed_flush_lsn,
      'safeBytes', s.safe_wal_size,
      'writtenBytes', now.lsn - '0/0'::pg_lsn) AS health
    FROM pg_catalog.pg_replication_slots s
    CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
      ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) AS now
    WHERE s.slot_name = ${escapeLiteral(slot)}`);
  return rows[0]?.health ?? null;
}

/** Half of what could still be written at the time of `earlier` is written, or the slot is about to be lost. */
export function runsShort(earlier: SlotHealth, health: SlotHealth): boolean {
  if (health.walStatus === 'unreserved' || health.walStatus === 'lost') return true;
  return health.safeBytes !== null && earlier.safeBytes !== null && health.safeBytes < earlier.safeBytes / 2;
}

/** Hours until the slot may be lost if its reader stays where it is; null without a limit or without any writing. */
export function hoursLeft(health: SlotHealth, earlier: SlotHealth, elapsedMs: number): number | null {
  const written = health.writtenBytes - earlier.writtenBytes;
  if (health.safeBytes === null || written <= 0 || elapsedMs <= 0) return null;
  return Math.max(0, health.safeBytes) / (written / elapsedMs) / 3_600_000;
}
