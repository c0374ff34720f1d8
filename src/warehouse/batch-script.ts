// The script that applies a batch's staged rows: the DML, then quarantine, watermark and batch log, in one round trip.
// Guarantees: its text depends on the shape of the batch only (tables, kinds of rows, plan); whatever is of this batch alone is a
// parameter or staged, so that the server keeps one text and one plan for all batches of a shape.
import type { LaneBatch } from '../change/batch.ts';
import type { Position } from '../change/position.ts';
import { batchName, logBatch, moveWatermark } from './apply-control.ts';
import { type ApplyPlan, applyScript } from './apply-script.ts';
import type { ForeignKeyFacts } from './catalog.ts';
import { resolveMended, resolveTruncated, writeQuarantine } from './quarantine.ts';
import type { Statement } from './session.ts';
import type { Staging } from './staging.ts';

export interface StagedBatch {
  readonly batch: LaneBatch;
  /** In the order of their numbers. */
  readonly stagings: readonly Staging[];
  /** Where the lane stands. */
  readonly watermark: Position;
  /** The lane has no watermark yet. */
  readonly isFirst: boolean;
  /** See `replayOf`. */
  readonly replay: Position | null;
  readonly changes: number;
  /** Rows staged for quarantine. */
  readonly quarantined: number;
  /** Keys are staged that may settle open quarantine rows. */
  readonly hasMended: boolean;
  /** Of these places in `stagings` a truncation settles quarantine rows. */
  readonly settled: ReadonlySet<number>;
  readonly milliseconds: number;
}

/** The result's last row has the counts, as `countsOf` reads them. */
export function batchScript(
  staged: StagedBatch,
  foreignKeys: readonly ForeignKeyFacts[],
  plan: ApplyPlan,
): Statement {
  const { batch, stagings, replay, quarantined } = staged;
  const name = batchName(batch);
  const closing = [
    quarantined === 0 ? null : writeQuarantine(batch.lane, name),
    staged.hasMended ? resolveMended(name) : null,
    ...stagings.map(({ plan: { target }, truncatedAt }, number) =>
      truncatedAt === null || !staged.settled.has(number)
        ? null
        : resolveTruncated(target.entity, number, truncatedAt, name),
    ),
    moveWatermark(batch, staged.isFirst, replay),
    logBatch({
      batch,
      from: staged.watermark,
      replay,
      changes: staged.changes,
      tables: stagings.length,
      truncated: stagings.filter(({ truncatedAt }) => truncatedAt !== null).length,
      quarantined,
      milliseconds: staged.milliseconds,
    }),
  ].filter((statement) => statement !== null);
  return {
    sql: applyScript(
      stagings,
      foreignKeys,
      plan,
      closing.map(({ sql }) => sql),
    ),
    parameters: Object.assign({}, ...closing.map(({ parameters }) => parameters)),
  };
}
