// What is read of source, warehouse and queue for metrics and readiness: plain data, as the roles send it.
// Guarantees: no keys, no values; a part that cannot be asked is a trouble, never an exception.

export const parts = ['source', 'warehouse', 'queue'] as const;
export type Part = (typeof parts)[number];

/** A fault by its code and words. */
export interface Trouble {
  readonly code: string;
  readonly what: string;
}

export interface SourceReading {
  readonly slot: string;
  /** Null where the slot does not exist. */
  readonly health: {
    readonly isActive: boolean;
    readonly walStatus: string | null;
    readonly retainedBytes: number;
    readonly lagBytes: number;
    readonly safeBytes: number | null;
    readonly safeSeconds: number | null;
    readonly writtenBytes: number;
  } | null;
}

export interface BackfillReading {
  readonly entity: string;
  readonly state: string;
  readonly steps: number;
  readonly rowsEstimated: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly rowsPruned: number;
}

export interface VerificationReading {
  readonly entity: string;
  readonly state: string;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly finishedAt: number;
  readonly stateSince: number;
  readonly lastEqualAt: number | null;
  readonly share: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly quarantined: number;
  readonly unsettled: number;
}

export interface WarehouseReading {
  readonly slot: string;
  /** Changes are known to be missing; null where nobody has read the slot yet. */
  readonly hasGap: boolean | null;
  readonly lanes: readonly {
    readonly lane: string;
    /** The watermark's LSN; 0 before the first batch. */
    readonly lsn: number;
    /** Milliseconds since 1970-01-01 UTC. */
    readonly committedAt: number | null;
  }[];
  readonly quarantine: readonly { readonly entity: string; readonly openRows: number }[];
  readonly backfills: readonly BackfillReading[];
  readonly verifications: readonly VerificationReading[];
}

export interface QueueReading {
  readonly lanes: readonly {
    readonly lane: string;
    readonly batches: number;
    readonly trouble: (Trouble & { readonly state: 'retrying' | 'halted' }) | null;
  }[];
}

interface ReadingOf {
  readonly source: SourceReading;
  readonly warehouse: WarehouseReading;
  readonly queue: QueueReading;
}

export type PartReading<P extends Part> =
  | { readonly is: 'up'; readonly found: ReadingOf[P] }
  | { readonly is: 'down'; readonly trouble: Trouble };

/** Parts that no role of this process reads are left out. */
export type Readings = { readonly [P in Part]?: PartReading<P> };

export function foundOf<P extends Part>(readings: Readings, part: P): ReadingOf[P] | null {
  const reading = readings[part] as PartReading<P> | undefined;
  return reading?.is === 'up' ? reading.found : null;
}
