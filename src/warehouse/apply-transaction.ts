// One try to apply a batch's work: one transaction on one connection, committed or rolled back as a whole.
// Guarantees: what the watermark says decides; a commit whose answer was lost is looked up, never guessed.
import type { LaneBatch } from '../change/batch.ts';
import { comparePositions, type Position } from '../change/position.ts';
import { isTransient } from '../fault/fault.ts';
import { type CheckRow, checkScript } from './apply-check.ts';
import {
  type OpeningRow,
  openingScript,
  replayOf,
  standing,
  watermarkOf,
  watermarkQuery,
} from './apply-control.ts';
import { applyFaults, rejections } from './apply-fault.ts';
import { orphanQuestions } from './apply-orphans.ts';
import { type ApplyPlan, type CountsRow, countsOf, planHint, type TableCounts } from './apply-script.ts';
import { batchScript } from './batch-script.ts';
import type { BatchRow, BatchWork } from './batch-work.ts';
import type { ForeignKeyFacts } from './catalog.ts';
import { quarantinedOrigins, stageMended, stageQuarantine } from './quarantine.ts';
import type { SqlSession, Warehouse } from './session.ts';
import { emptyTable, type Staging, stage, stagingBulkColumns, stagingRows } from './staging.ts';

export type Attempt =
  | { readonly kind: 'applied'; readonly counts: readonly TableCounts[] }
  | { readonly kind: 'skipped' | 'gap'; readonly watermark: Position }
  /** The lane stands within the batch: the work must be made anew for this watermark. */
  | { readonly kind: 'overlap'; readonly watermark: Position }
  /** Rows that the warehouse could only take wrongly: nothing was applied. */
  | {
      readonly kind: 'rejected';
      readonly rows: readonly (BatchRow & {
        readonly rejection: (typeof rejections)[keyof typeof rejections];
      })[];
    }
  /** A trial that would have been applied. */
  | { readonly kind: 'passed' };

export interface ApplyRequest {
  readonly batch: LaneBatch;
  readonly work: BatchWork;
  readonly plan: ApplyPlan;
  /** Roll back whatever comes of it. */
  readonly trial: boolean;
  /** Foreign keys that have refused it: rows that they must refuse are rejected. */
  readonly refusedBy?: readonly string[];
  readonly signal: AbortSignal;
  /** Of the whole apply, for the batch log. */
  readonly startedAt: number;
}

/** Carries an outcome out of a transaction that is to be rolled back. */
class RolledBack {
  readonly attempt: Attempt;
  constructor(attempt: Attempt) {
    this.attempt = attempt;
  }
}

export class BatchTransaction {
  readonly #warehouse: Warehouse;
  readonly #foreignKeys: readonly ForeignKeyFacts[];
  readonly #lockTimeoutMs: number;

  constructor(warehouse: Warehouse, foreignKeys: readonly ForeignKeyFacts[], lockTimeoutMs: number) {
    this.#warehouse = warehouse;
    this.#foreignKeys = foreignKeys;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  /** Throws a WarehouseError where the server or the connection refuses, WB6504 and WB6505, or the signal's reason. */
  async attempt(request: ApplyRequest): Promise<Attempt> {
    const { batch } = request;
    let finished: Attempt | null = null;
    try {
      return await this.#warehouse.transaction(async (session) => {
        const attempt = await this.#run(session, request);
        if (attempt.kind !== 'applied') throw new RolledBack(attempt);
        if (request.trial) throw new RolledBack({ kind: 'passed' });
        request.signal.throwIfAborted();
        finished = attempt;
        return attempt;
      });
    } catch (error) {
      if (error instanceof RolledBack) return error.attempt;
      // Only the commit was left: it may have happened although its answer never came.
      if (finished !== null && isTransient(error) && (await this.#isApplied(batch))) return finished;
      throw error;
    }
  }

  async #isApplied(batch: LaneBatch): Promise<boolean> {
    const { rows } = await this.#warehouse.batch<OpeningRow>(watermarkQuery(batch.lane));
    return standing(batch, watermarkOf(rows[0]), rows[0]?.epoch) === 'skipped';
  }

  async #run(session: SqlSession, request: ApplyRequest): Promise<Attempt> {
    const { batch, work, signal } = request;
    const stagings = work.tables.map(({ plan, truncatedAt, rows }) => stage(plan, truncatedAt, rows));
    const loaded = stagings.filter((staging) => staging.rows.length > 0);
    const quarantine = stageQuarantine(work.rejected);
    signal.throwIfAborted();
    const opening = await session.batch<OpeningRow>(
      openingScript(
        batch.lane,
        this.#lockTimeoutMs,
        stagings.map((staging) => staging.plan.target.entity),
        // Truncated tables join their staging table even where nothing was loaded.
        [
          ...stagings.map(({ plan }) => emptyTable(plan.name, plan.declarations)),
          ...(quarantine === null ? [] : [quarantine.empty]),
        ],
      ),
    );
    const state = opening.rows[0];
    if (state === undefined || state.granted < 0) throw applyFaults.laneBusy(batch.lane);
    const watermark = watermarkOf(state);
    const stands = standing(batch, watermark, state.epoch);
    if (stands !== 'due') return { kind: stands, watermark };
    if (comparePositions(watermark, work.from) !== 0) return { kind: 'overlap', watermark };

    for (const staging of loaded) {
      signal.throwIfAborted();
      await session.bulkLoad(staging.plan.name, stagingBulkColumns(staging), stagingRows(staging));
    }
    const mended = stageMended(
      stagings.map((staging, number) => {
        const { entity } = staging.plan.target;
        const open = state[`q${number}`] === 1 || work.rejected.some((row) => row.target.entity === entity);
        return open ? staging : null;
      }),
    );
    if (mended !== null) await session.batch(mended.empty);
    for (const table of [quarantine, mended]) {
      if (table !== null) await session.bulkLoad(table.name, table.columns, table.rows);
    }
    const rejected = await this.#check(session, stagings, [
      ...(mended === null ? [] : [quarantinedOrigins]),
      ...orphanQuestions(stagings, this.#foreignKeys, request.refusedBy ?? []),
    ]);
    if (rejected.length > 0) return { kind: 'rejected', rows: rejected };

    signal.throwIfAborted();
    const isSettled = (number: number) => state[`q${number}`] === 1 || quarantine !== null;
    const { sql, parameters } = batchScript(
      {
        batch,
        stagings,
        watermark,
        isFirst: state.lsn === null,
        replay: replayOf(state),
        changes: work.changes,
        quarantined: quarantine?.rows.length ?? 0,
        hasMended: mended !== null,
        settled: new Set([...stagings.keys()].filter(isSettled)),
        milliseconds: Math.round(performance.now() - request.startedAt),
      },
      this.#foreignKeys,
      request.plan,
    );
    const result = await session.query<CountsRow>(sql, parameters);
    return { kind: 'applied', counts: countsAgree(stagings, result.rows[0]) };
  }

  async #check(
    session: SqlSession,
    stagings: readonly Staging[],
    further: readonly string[],
  ): Promise<Extract<Attempt, { kind: 'rejected' }>['rows']> {
    const script = checkScript(stagings, further, planHint(stagings));
    if (script === null) return [];
    const { rows } = await session.batch<CheckRow>(script);
    const seen = new Set<string>();
    return rows.flatMap(({ n, r, code }) => {
      const row = stagings[n]?.rows[r];
      const rejection = Object.values(rejections).find((one) => one.code === code);
      if (row === undefined || rejection === undefined || seen.has(`${n} ${r}`)) return [];
      seen.add(`${n} ${r}`);
      return [{ table: n, row, rejection }];
    });
  }
}

function countsAgree(stagings: readonly Staging[], row: CountsRow | undefined): TableCounts[] {
  return stagings.map((staging, number) => {
    const counts = countsOf(row, number);
    const stored = counts.inserted + counts.updated;
    if (stored !== staging.upserts) {
      throw applyFaults.miscounted(staging.plan.target.entity, staging.upserts, stored);
    }
    return counts;
  });
}
