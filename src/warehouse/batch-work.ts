// The rows of one batch that are to be applied, and those that go to quarantine instead.
// Guarantees: values that don't fit their column are found before they are sent; plain data, so that a part of it can be tried.
import type { CanonicalEvent } from '../canonical/event.ts';
import { comparePositions, type Position } from '../change/position.ts';
import type { TargetTable } from '../mapping/target.ts';
import type { Rejection } from './apply-fault.ts';
import { type CompactedRow, compact, type RejectedRow } from './compaction.ts';
import type { StagingPlan } from './staging.ts';

interface TableWork {
  readonly plan: StagingPlan;
  readonly truncatedAt: Position | null;
  readonly rows: readonly CompactedRow[];
}

export interface BatchWork {
  /** The watermark that this was made for: only events after it are in it. */
  readonly from: Position;
  /** Events that it stands for. */
  readonly changes: number;
  readonly tables: readonly TableWork[];
  readonly rejected: readonly RejectedRow[];
}

/** A row of a batch's work, by its table's place. */
export interface BatchRow {
  readonly table: number;
  readonly row: CompactedRow;
}

/**
 * Takes the events one by one, so that none of them outlives its compaction. Throws WB6501 for an entity without a plan, and
 * what `events` throws.
 */
export function prepareBatch(
  events: Iterable<CanonicalEvent>,
  from: Position,
  targets: ReadonlyMap<string, TargetTable>,
  plans: ReadonlyMap<string, StagingPlan>,
): BatchWork {
  let changes = 0;
  function* due(): Generator<CanonicalEvent, void, undefined> {
    for (const event of events) {
      if (comparePositions(event.at, from) <= 0) continue;
      changes += 1;
      yield event;
    }
  }
  const { tables, rejected } = compact(due(), targets);
  const work = {
    from,
    changes,
    tables: tables.flatMap(({ target, truncatedAt, rows }) => {
      const plan = plans.get(target.entity);
      return plan === undefined ? [] : [{ plan, truncatedAt, rows }];
    }),
    rejected,
  };
  const misfits: (BatchRow & { readonly rejection: Rejection })[] = [];
  for (const [table, { plan, rows }] of work.tables.entries()) {
    for (const row of rows) {
      const rejection = misfit(plan, row);
      if (rejection !== null) misfits.push({ table, row, rejection });
    }
  }
  return misfits.length === 0 ? work : without(work, misfits);
}

function misfit(plan: StagingPlan, row: CompactedRow): Rejection | null {
  for (const column of row.op === 'delete' ? plan.keys : plan.columns) {
    if (column.check === null) continue;
    const value = row.record[column.field];
    if (value === undefined) continue;
    const found = column.check(value);
    if (found !== undefined) return found;
  }
  return null;
}

/** The work without the given rows, which go to quarantine. */
export function without(
  work: BatchWork,
  refused: readonly (BatchRow & { readonly rejection: Rejection })[],
): BatchWork {
  const gone = new Set(refused.map((one) => one.row));
  const rejected = refused.flatMap(({ table, row, rejection }): RejectedRow[] => {
    const target = work.tables[table]?.plan.target;
    if (target === undefined) return [];
    return [
      {
        target,
        change: row.op === 'delete' ? 'delete' : row.inserted ? 'insert' : 'update',
        rejection,
        source: { kind: 'canonical', record: row.record },
        at: row.at,
        commitTimeMicros: row.commitTimeMicros,
      },
    ];
  });
  return {
    ...work,
    tables: work.tables.map((table) => ({ ...table, rows: table.rows.filter((row) => !gone.has(row)) })),
    rejected: [...work.rejected, ...rejected],
  };
}

/** The work with the given rows only, and without its quarantine: for a trial. */
export function onlyRows(work: BatchWork, rows: readonly BatchRow[]): BatchWork {
  const kept = new Set(rows.map((one) => one.row));
  return {
    ...work,
    tables: work.tables.map((table) => ({ ...table, rows: table.rows.filter((row) => kept.has(row)) })),
    rejected: [],
  };
}

/** All rows in the source's order. */
export function rowsOf(work: BatchWork): BatchRow[] {
  return work.tables
    .flatMap((table, number) => table.rows.map((row) => ({ table: number, row })))
    .sort((a, b) => comparePositions(a.row.at, b.row.at));
}
