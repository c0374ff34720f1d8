// The one batch that turns staged rows into the warehouse's new state, in an order that foreign and unique keys allow.
// Guarantees: each target's rows are written at most once; the last SELECT gives the counts that the caller must compare; two
// batches of one shape (tables, kinds of rows, plan) have one text, so that the server keeps one plan for both.
import { counters, TableDml } from './apply-dml.ts';
import { parentsFirst, referencesTo } from './apply-order.ts';
import { type ForeignKeyFacts, tableKey } from './catalog.ts';
import type { Staging } from './staging.ts';

/**
 * inPlace: existing rows are updated, set by set; SQL Server checks a unique key when the statement ends, so rows may
 * trade values within a table.
 * reinsert: existing rows are taken out and inserted anew, for what inPlace can't order: a value of a unique key that moves
 * from a row that must be deleted late, because children still refer to it, or an engine that checks row by row.
 */
export type ApplyPlan = 'inPlace' | 'reinsert';

export interface TableCounts {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/** What SQL Server's statistics call few rows: https://learn.microsoft.com/sql/relational-databases/statistics/statistics */
const FEW_ROWS = 500;

/**
 * The OPTION clause of each statement that reads a staging table. Few rows: the plan that was made for few is kept, though the
 * table holds others now (without KEEP PLAN, six changed rows of a #temporary table make it anew). Many: a plan for just them, which
 * then costs little a row; none is left behind that would read a whole target for a handful of rows.
 * https://learn.microsoft.com/sql/t-sql/queries/hints-transact-sql-query
 */
export function planHint(stagings: readonly Staging[]): string {
  return stagings.some(({ rows }) => rows.length > FEW_ROWS) ? ' OPTION (RECOMPILE)' : ' OPTION (KEEP PLAN)';
}

/** `stagings` in the order of their numbers; `closing` runs last, with the counters in reach. */
export function applyScript(
  stagings: readonly Staging[],
  foreignKeys: readonly ForeignKeyFacts[],
  plan: ApplyPlan,
  closing: readonly string[],
): string {
  const hint = planHint(stagings);
  const written = new Set(stagings.filter((one) => one.upserts > 0).map((one) => tableKey(one.plan.target)));
  const tables = stagings.map((staging, number) => ({
    schema: staging.plan.target.schema,
    table: staging.plan.target.table,
    references: referencesTo(staging.plan.target, foreignKeys),
    dml: new TableDml(
      staging,
      number,
      // Children without upserts here have either let go of the row already or are wrong: the foreign key says so.
      referencesTo(staging.plan.target, foreignKeys).filter((key) => written.has(tableKey(key.from))),
      hint,
    ),
    /** Columns that refer to the table itself. */
    referring: foreignKeys
      .filter((key) => !key.disabled && isSelf(key) && tableKey(key.from) === tableKey(staging.plan.target))
      .flatMap((key) => key.columns),
  }));
  const downwards = parentsFirst(tables, foreignKeys);
  const upwards = [...downwards].reverse();
  const lines = [declarations(stagings.length)];
  for (const { dml } of downwards) lines.push(...dml.fill());
  for (const { dml, references } of upwards) {
    if (plan === 'reinsert') lines.push(...dml.takeOut(references));
    lines.push(...dml.delete());
  }
  for (const { dml, referring } of downwards) {
    // An update may refer to a new row of its own table. Else an insert may take a unique value that an update gives up.
    if (referring.length > 0) {
      if (plan === 'reinsert') lines.push(...dml.updateAllBut(referring));
      lines.push(...dml.insert(), ...dml.updateAfterInsert());
    } else lines.push(...dml.update(), ...dml.insert());
    if (plan === 'reinsert') lines.push(...dml.restore());
  }
  for (const { dml } of upwards) lines.push(...dml.deleteRest());
  lines.push(...closing, selectCounts(stagings.length));
  const takenOut = plan === 'reinsert' ? tables.flatMap(({ dml }) => dml.takenOut ?? []) : [];
  if (takenOut.length > 0) lines.push(`DROP TABLE ${takenOut.join(', ')};`);
  return lines.join('\n');
}

/** The result's one row, as `applyScript` selects it. */
export type CountsRow = Readonly<Record<string, number | string>>;

export function countsOf(row: CountsRow | undefined, number: number): TableCounts {
  const count = (letter: string) => Number(row?.[`${letter}${number}`] ?? 0);
  return { inserted: count('i'), updated: count('u'), deleted: count('d') };
}

function selectCounts(tables: number): string {
  const names = Array.from({ length: tables }, (_, number) => Object.values(counters(number))).flat();
  return names.length === 0 ? '' : `SELECT ${names.map((name) => `${name} AS ${name.slice(1)}`).join(', ')};`;
}

function isSelf(key: ForeignKeyFacts): boolean {
  return tableKey(key.from) === tableKey(key.to);
}

/** Every counter of the batch added up, for the batch log. */
export function total(counter: 'inserted' | 'updated' | 'deleted', tables: number): string {
  return tables === 0
    ? '0'
    : Array.from({ length: tables }, (_, number) => counters(number)[counter]).join(' + ');
}

function declarations(tables: number): string {
  const names = Array.from({ length: tables }, (_, number) => Object.values(counters(number))).flat();
  const declared =
    names.length === 0 ? '' : `\nDECLARE ${names.map((name) => `${name} bigint = 0`).join(', ')};`;
  return `SET NOCOUNT ON;${declared}`;
}
