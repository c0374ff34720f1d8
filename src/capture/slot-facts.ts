// What the server says about a replication slot, on every version from 14 to 18, and whether it can still be read.
// https://www.postgresql.org/docs/current/view-pg-replication-slots.html
import { escapeLiteral } from 'pg';
import type { WalbridgeError } from '../fault/fault.ts';
import { fault } from './source-fault.ts';

export interface SlotFacts {
  readonly plugin: string | null;
  readonly database: string | null;
  readonly temporary: boolean;
  readonly active: boolean;
  readonly activePid: number | null;
  readonly twoPhase: boolean;
  /** Of a stand-by of PostgreSQL 17 and later: a copy of its primary's, which cannot be read before the promotion. */
  readonly synced: boolean;
  /** reserved, extended, unreserved (WAL may go at the next checkpoint) or lost; null while nothing is reserved. */
  readonly walStatus: string | null;
  /** Why it was invalidated: of PostgreSQL 17 and later; null before and where it is valid. */
  readonly invalidationReason: string | null;
  readonly confirmedFlushLsn: string | null;
}

/** Statement (without parameters: a replication connection takes none) for a jsonb of SlotFacts, or NULL without the slot. */
export function slotFactsExpression(slot: string): string {
  return `(SELECT jsonb_build_object(
      'plugin', s.plugin, 'database', s.database, 'temporary', s.temporary,
      'active', s.active, 'activePid', s.active_pid, 'twoPhase', s.two_phase,
      'synced', to_jsonb(s) ->> 'synced' IS NOT DISTINCT FROM 'true',
      'walStatus', s.wal_status, 'confirmedFlushLsn', s.confirmed_flush_lsn,
      'invalidationReason', coalesce(to_jsonb(s) ->> 'invalidation_reason',
        CASE WHEN to_jsonb(s) ->> 'conflicting' = 'true' THEN 'conflict with recovery' END))
    FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = ${escapeLiteral(slot)})`;
}

/** Why the slot can never be read again by this connection; null where it can. WB2010 missing, WB2011 invalidated, WB2012 foreign. */
export function slotFault(slot: string, facts: SlotFacts | null, database: string): WalbridgeError | null {
  if (facts === null) {
    return fault('WB2010', 'permanent', {
      what: `The replication slot "${slot}" does not exist: changes since it was dropped can no longer be read from the WAL.`,
      next: 'Run `walbridge init`, then `walbridge backfill --all --prune --detach` to bring every table to its present state, and start again.',
    });
  }
  if (facts.walStatus === 'lost' || facts.invalidationReason !== null) {
    return fault('WB2011', 'permanent', {
      what: `The replication slot "${slot}" was invalidated (${facts.invalidationReason ?? 'its WAL was removed'}): changes are missing from the WAL.`,
      next: `Drop it (SELECT pg_drop_replication_slot(${escapeLiteral(slot)})), run \`walbridge init\`, then \`walbridge backfill --all --prune --detach\`, and start again; see max_slot_wal_keep_size.`,
    });
  }
  if (facts.plugin !== 'pgoutput' || facts.database !== database) {
    return fault('WB2012', 'permanent', {
      what: `The replication slot "${slot}" belongs to plugin ${facts.plugin ?? '(physical)'} and database ${facts.database ?? '(none)'}, not to pgoutput and ${database}.`,
      next: 'Name another slot in the configuration and run `walbridge init`.',
    });
  }
  return null;
}
