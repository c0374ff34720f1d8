// The unit that travels a lane: whole source transactions in commit order, named by the positions they span.
// Guarantees: `(previous, last]` chains without a gap within a lane, so that a missing batch can be noticed.
import type { Position } from './position.ts';

/** A batch as the queue carries it; the payload is opaque to the lane. */
export interface LaneBatch {
  readonly lane: string;
  /** The lane's position before this batch: exclusive. */
  readonly previous: Position;
  /** The lane's position after it: inclusive. */
  readonly last: Position;
  readonly payload: Buffer;
  /** Of the stream that it was read from; absent where the sender knows of none. A lane takes batches of its latest epoch only. */
  readonly epoch?: number;
  /** Events in the payload. */
  readonly changes: number;
  /** Commit time of the last transaction, microseconds since 1970-01-01 UTC. */
  readonly commitTimeMicros: bigint;
}

/** A lane's durable position as the warehouse keeps it. */
export interface Watermark {
  readonly lane: string;
  readonly position: Position;
  /** Commit time of the last applied transaction, microseconds since 1970-01-01 UTC; null before the first. */
  readonly commitTimeMicros: bigint | null;
}

/** What became of a batch at the warehouse. */
export type ApplyOutcome =
  /** Applied now; the watermark moved to its `last`. */
  | { readonly kind: 'applied'; readonly watermark: Position }
  /** The lane is already at or past its `last`: nothing was done. */
  | { readonly kind: 'skipped'; readonly watermark: Position }
  /** The lane is short of its `previous`: a batch is missing and must be sent again. */
  | { readonly kind: 'gap'; readonly watermark: Position };
