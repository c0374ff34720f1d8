// Applies the batches of one lane: decode, compact, and one warehouse transaction a batch.
// Guarantees: exactly once in effect, whole source transactions only; a row that can't be applied goes to quarantine in the
// same transaction; everything else that fails leaves the warehouse as it was.
import { decodeBatch } from '../canonical/batch-decoder.ts';
import type { CanonicalEvent } from '../canonical/event.ts';
import type { EventReaders } from '../canonical/record-reader.ts';
import type { RecordSchema } from '../canonical/schema.ts';
import type { ApplyOutcome, LaneBatch } from '../change/batch.ts';
import type { TargetTable } from '../mapping/target.ts';
import { type OpeningRow, standing, watermarkOf, watermarkQuery } from './apply-control.ts';
import { applyFaults, type Rejection, rejections } from './apply-fault.ts';
import type { ApplyPlan, TableCounts } from './apply-script.ts';
import { type ApplyRequest, BatchTransaction } from './apply-transaction.ts';
import { type BatchRow, type BatchWork, onlyRows, prepareBatch, rowsOf, without } from './batch-work.ts';
import type { Catalog } from './catalog.ts';
import { isolate } from './isolate.ts';
import type { Warehouse } from './session.ts';
import { WarehouseError } from './sql-fault.ts';
import { planStaging, type StagingPlan } from './staging.ts';

export interface ApplyLimits {
  /** Milliseconds to wait for another session that applies to the lane. Default 30,000. */
  readonly lockTimeoutMs: number;
  /** More refused rows than this in one batch are no matter of single rows: the lane halts. Default 1,000. */
  readonly maxRefusedRows: number;
}

/** What was done, for logs and metrics; no values. */
export interface AppliedReport {
  readonly batch: LaneBatch;
  readonly changes: number;
  readonly tables: readonly (TableCounts & { readonly entity: string; readonly truncated: boolean })[];
  readonly quarantined: readonly (Rejection & { readonly entity: string })[];
  readonly milliseconds: number;
}

export interface LaneApplierOptions {
  readonly lane: string;
  readonly warehouse: Warehouse;
  /** Of the lane's targets, as `readCatalog` gives it. */
  readonly catalog: Catalog;
  /** The lane's targets. */
  readonly targets: readonly TargetTable[];
  /** By entity: the schema version that `readers` delivers. */
  readonly schemas: ReadonlyMap<string, RecordSchema>;
  readonly readers: EventReaders;
  readonly limits?: Partial<ApplyLimits>;
  readonly onApplied?: (report: AppliedReport) => void;
  /** The warehouse refuses a batch for some of its rows, and they are looked for. */
  readonly onIsolating?: (batch: LaneBatch, fault: WarehouseError) => void;
}

/** Violations of unique and foreign keys: the order of the DML may be to blame, and `reinsert` has another. */
const ORDER_NUMBERS = new Set([547, 2601, 2627]);
const FOREIGN_KEY = 547;
/** A batch whose answers change this often is left to the caller's backoff. */
const MOST_ATTEMPTS = 12;

type RejectedBatchRow = BatchRow & { readonly rejection: Rejection };

export class LaneApplier {
  readonly #options: LaneApplierOptions;
  readonly #limits: ApplyLimits;
  readonly #targets: ReadonlyMap<string, TargetTable>;
  readonly #plans: ReadonlyMap<string, StagingPlan>;
  readonly #transaction: BatchTransaction;

  /** Throws WB6507 and WB6508 where the catalog lacks a table or column of a target. */
  constructor(options: LaneApplierOptions) {
    const { warehouse, catalog, targets, schemas } = options;
    this.#options = options;
    this.#limits = { lockTimeoutMs: 30_000, maxRefusedRows: 1000, ...options.limits };
    this.#targets = new Map(targets.map((target) => [target.entity, target]));
    this.#plans = new Map(
      targets.map((target) => {
        const schema = schemas.get(target.entity);
        if (schema === undefined) throw applyFaults.unknownEntity(target.entity);
        return [target.entity, planStaging(target, schema, catalog)];
      }),
    );
    this.#transaction = new BatchTransaction(warehouse, catalog.foreignKeys, this.#limits.lockTimeoutMs);
  }

  /**
   * Applies one batch, skips it where the lane has it, or does nothing where one before it is missing. Transient faults
   * leave as such: call again. Permanent ones halt the lane. An abort rolls back and throws the signal's reason.
   */
  async apply(batch: LaneBatch, signal: AbortSignal): Promise<ApplyOutcome> {
    const { lane } = this.#options;
    if (batch.lane !== lane) throw applyFaults.foreignLane(lane, batch.lane);
    const startedAt = performance.now();
    let work = this.#prepare(batch, batch.previous);
    let plan: ApplyPlan = 'inPlace';
    for (let attempts = 0; attempts < MOST_ATTEMPTS; attempts += 1) {
      const request: ApplyRequest = { batch, work, plan, trial: false, signal, startedAt };
      try {
        const attempt = await this.#transaction.attempt(request);
        if (attempt.kind === 'skipped' || attempt.kind === 'gap') return attempt;
        if (attempt.kind === 'applied') {
          this.#report(request, attempt.counts);
          return { kind: 'applied', watermark: batch.last };
        }
        if (attempt.kind === 'overlap') work = this.#prepare(batch, attempt.watermark);
        if (attempt.kind === 'rejected') work = without(work, attempt.rows);
      } catch (error) {
        if (!(error instanceof WarehouseError) || error.fault.scope !== 'row') throw error;
        if (plan === 'inPlace' && ORDER_NUMBERS.has(error.fault.number ?? 0)) plan = 'reinsert';
        else work = await this.#withoutRefused({ ...request, trial: true }, error);
      }
    }
    throw applyFaults.unsettled(lane);
  }

  /** What has become of a batch elsewhere; null where it is still due. Throws a WarehouseError. */
  async look(batch: LaneBatch): Promise<ApplyOutcome | null> {
    const { rows } = await this.#options.warehouse.batch<OpeningRow>(watermarkQuery(batch.lane));
    const watermark = watermarkOf(rows[0]);
    const kind = standing(batch, watermark, rows[0]?.epoch);
    return kind === 'due' ? null : { kind, watermark };
  }

  *#events(batch: LaneBatch): Generator<CanonicalEvent, void, undefined> {
    try {
      yield* decodeBatch(batch.payload, this.#options.readers);
    } catch (error) {
      throw applyFaults.undecodable(batch.lane, error);
    }
  }

  #prepare(batch: LaneBatch, from: LaneBatch['previous']): BatchWork {
    return prepareBatch(this.#events(batch), from, this.#targets, this.#plans);
  }

  async #withoutRefused(request: ApplyRequest, fault: WarehouseError): Promise<BatchWork> {
    const { batch, work } = request;
    this.#options.onIsolating?.(batch, fault);
    await this.#blameRows(request, fault);
    const orphans = await this.#orphans(request, fault);
    if (orphans.length > 0) return without(work, orphans);
    const rows = rowsOf(work);
    const refused = await isolate(
      rows,
      async (some) => this.#refusal({ ...request, work: onlyRows(work, some) }),
      rejectionOf(fault),
      this.#limits.maxRefusedRows,
    );
    if (refused === null)
      throw applyFaults.mostlyPoison(batch.lane, this.#limits.maxRefusedRows, rows.length);
    return without(
      work,
      refused.map(({ row, refusal }) => ({ ...row, rejection: refusal })),
    );
  }

  /**
   * Rows that foreign keys must refuse, and those that hang on them, level by level; none where the keys themselves do not tell. What
   * else is refused is found at the next attempt.
   */
  async #orphans(request: ApplyRequest, fault: WarehouseError): Promise<RejectedBatchRow[]> {
    const { maxRefusedRows } = this.#limits;
    const orphans: RejectedBatchRow[] = [];
    const refusedBy: string[] = [];
    let work: BatchWork = { ...request.work, rejected: [] };
    for (let refusal = fault; refusal.fault.number === FOREIGN_KEY; ) {
      const { names } = refusal.fault;
      const isAsked = names.every((name) => refusedBy.includes(name));
      refusedBy.push(...names);
      const found = await this.#rejected({ ...request, work, refusedBy });
      if (found instanceof WarehouseError) {
        if (isAsked) break;
        refusal = found;
        continue;
      }
      if (found.length === 0) break;
      const rejection = rejectionOf(refusal);
      orphans.push(...found.map((one) => ({ ...one, rejection })));
      if (orphans.length > maxRefusedRows)
        throw applyFaults.mostlyPoison(request.batch.lane, maxRefusedRows, rowsOf(request.work).length);
      work = { ...without(work, found), rejected: [] };
    }
    return orphans;
  }

  /** Throws WB6516 where the batch is refused without any row too. */
  async #blameRows(request: ApplyRequest, fault: WarehouseError): Promise<void> {
    const { batch, work } = request;
    // Emptying a table may depend on the rows: on children that they delete.
    if (work.tables.some(({ truncatedAt }) => truncatedAt !== null)) return;
    const refusal = await this.#refusal({ ...request, work: onlyRows(work, []) });
    if (refusal !== null) throw applyFaults.refusedWithoutRows(batch.lane, fault);
  }

  /** Tries the work, rolls it back, and says which rows it was rejected for; or what refused it without naming any. */
  async #rejected(request: ApplyRequest): Promise<readonly RejectedBatchRow[] | WarehouseError> {
    try {
      const attempt = await this.#transaction.attempt(request);
      return attempt.kind === 'rejected' ? attempt.rows : [];
    } catch (error) {
      if (!(error instanceof WarehouseError) || error.fault.scope !== 'row') throw error;
      return error;
    }
  }

  /** Tries the work, rolls it back, and says why it was refused; null where it was not. */
  async #refusal(request: ApplyRequest): Promise<Rejection | null> {
    try {
      const attempt = await this.#transaction.attempt(request);
      if (attempt.kind === 'passed') return null;
      if (attempt.kind === 'rejected') return attempt.rows[0]?.rejection ?? rejections.refused;
      // Somebody else has moved the lane on: the next attempt finds out what is left to do.
      throw applyFaults.unsettled(request.batch.lane);
    } catch (error) {
      if (!(error instanceof WarehouseError) || error.fault.scope !== 'row') throw error;
      return rejectionOf(error);
    }
  }

  #report({ batch, work, startedAt }: ApplyRequest, counts: readonly TableCounts[]): void {
    this.#options.onApplied?.({
      batch,
      changes: work.changes,
      tables: work.tables.map(({ plan, truncatedAt }, number) => ({
        inserted: 0,
        updated: 0,
        deleted: 0,
        ...counts[number],
        entity: plan.target.entity,
        truncated: truncatedAt !== null,
      })),
      quarantined: work.rejected.map((row) => ({ ...row.rejection, entity: row.target.entity })),
      milliseconds: performance.now() - startedAt,
    });
  }
}

function rejectionOf({ fault }: WarehouseError): Rejection {
  const { code, reason } = fault.number === FOREIGN_KEY ? rejections.parentMissing : rejections.refused;
  const names = fault.names.length === 0 ? '' : `: ${fault.names.join(', ')}`;
  return { code, reason: `${reason} SQL Server error ${fault.number}${names}.` };
}
