// What a role tells of its work: a small message a batch or a change of state, never one a row change.
// Guarantees: plain data that crosses threads; counts and names only, no keys, no values.
import type { Trouble } from './part-reading.ts';

/** standby: another process reads the slot, and this one waits for its end. reconnecting: the source is away. */
export type RoleState = 'starting' | 'standby' | 'working' | 'reconnecting' | 'ended';

export interface AppliedTable {
  readonly entity: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly isTruncated: boolean;
}

export type RoleReport =
  | { readonly of: 'state'; readonly state: RoleState; readonly trouble: Trouble | null }
  | {
      readonly of: 'batch';
      readonly lane: string;
      readonly outcome: 'applied' | 'skipped' | 'gap';
      readonly changes: number;
      /** Null unless it was applied. */
      readonly applied: {
        readonly seconds: number;
        /** Since the first source commit in it; null where it has none. */
        readonly latencySeconds: number | null;
        readonly tables: readonly AppliedTable[];
        readonly quarantined: readonly { readonly entity: string; readonly rows: number }[];
      } | null;
    }
  /** `isHalted`: until somebody mends it; else it is tried again. */
  | {
      readonly of: 'lane trouble';
      readonly lane: string;
      readonly isHalted: boolean;
      readonly trouble: Trouble;
    }
  | { readonly of: 'queued'; readonly lane: string; readonly changes: number; readonly bytes: number }
  | { readonly of: 'reread'; readonly lane: string };

export type Report = (report: RoleReport) => void;
