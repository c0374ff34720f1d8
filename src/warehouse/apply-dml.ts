// The DML of one target: fill, delete, update, insert, each one set-based statement over the staging table.
// Guarantees: an existing row keeps the columns that no mapping names; no MERGE; @@ROWCOUNT of every statement is summed up; a
// statement's text depends on the tables and on what kinds of rows there are, never on a row.

import { match, unreferenced } from './apply-match.ts';
import type { ForeignKeyFacts } from './catalog.ts';
import { isSameName, quoteName } from './identifier.ts';
import type { PlannedColumn, Staging } from './staging.ts';

/** The variables that count a target's rows. */
export function counters(number: number) {
  return { deleted: `@d${number}`, updated: `@u${number}`, inserted: `@i${number}` };
}

export class TableDml {
  readonly staging: Staging;
  readonly #counters: ReturnType<typeof counters>;
  /** Foreign keys whose children may still refer to a row that is to be deleted, until their own upserts have run. */
  readonly #references: readonly ForeignKeyFacts[];
  /** An OPTION clause with a blank before it. */
  readonly #hint: string;

  constructor(staging: Staging, number: number, references: readonly ForeignKeyFacts[], hint: string) {
    this.staging = staging;
    this.#counters = counters(number);
    this.#references = references;
    this.#hint = hint;
  }

  /** Completes partial images with the values that the warehouse has, before anything changes them. */
  fill(): string[] {
    const { plan, absent } = this.staging;
    if (absent.length === 0) return [];
    const sets = absent.map(
      (column, index) =>
        `${column.staged} = CASE WHEN SUBSTRING(s.m, ${index + 1}, 1) = '1' THEN ${column.toStaging(`t.${column.name}`)} ELSE s.${column.staged} END`,
    );
    return [
      `UPDATE s SET ${sets.join(', ')} FROM ${plan.name} AS s JOIN ${plan.table} AS t WITH (UPDLOCK) ON ${match(plan, 't', 's', 'origin')} WHERE s.m IS NOT NULL${this.#hint};`,
    ];
  }

  /** Deletes what no child refers to any longer. */
  delete(): string[] {
    const { plan, truncatedAt, deletes } = this.staging;
    const free = this.#references.length === 0 ? null : unreferenced('t', this.#references);
    if (truncatedAt !== null) {
      // Not TRUNCATE TABLE: it needs ALTER permission, and is refused under foreign keys and on temporal tables.
      return this.#counted(
        `DELETE t FROM ${plan.table} AS t${free === null ? '' : ` WHERE ${free}`}`,
        'deleted',
        '',
      );
    }
    if (deletes === 0) return [];
    return this.#counted(
      `DELETE t FROM ${plan.table} AS t JOIN ${plan.name} AS s ON ${match(plan, 't', 's')} WHERE s.o = 0${free === null ? '' : ` AND ${free}`}`,
      'deleted',
    );
  }

  /** Deletes what was still referred to, now that the children were written. */
  deleteRest(): string[] {
    const { plan, truncatedAt, deletes } = this.staging;
    if (this.#references.length === 0) return [];
    if (truncatedAt !== null) {
      return this.#counted(
        `DELETE t FROM ${plan.table} AS t WHERE NOT EXISTS (SELECT 1 FROM ${plan.name} AS s WHERE s.o > 0 AND ${match(plan, 't', 's')})`,
        'deleted',
      );
    }
    if (deletes === 0) return [];
    return this.#counted(
      `DELETE t FROM ${plan.table} AS t JOIN ${plan.name} AS s ON ${match(plan, 't', 's')} WHERE s.o = 0`,
      'deleted',
    );
  }

  update(): string[] {
    if (this.staging.upserts === 0) return [];
    const sets = this.#sets(() => true);
    for (const [column, value] of metadataValues(this.staging)) sets.push(`${column} = ${value}`);
    if (sets.length === 0)
      return [`SELECT ${this.#counters.updated} = COUNT(*) ${this.#existing}${this.#hint};`];
    return this.#counted(`UPDATE t SET ${sets.join(', ')} ${this.#existing}`, 'updated');
  }

  /**
   * Gives the existing rows all new values but those that may refer to rows of this table which are yet to be inserted, so
   * that a new row can take a unique value that one of them gives up. `referring`: columns of the table's foreign keys on itself.
   */
  updateAllBut(referring: readonly string[]): string[] {
    if (this.staging.upserts === 0) return [];
    const quoted = referring.map(quoteName);
    const sets = this.#sets(({ name }) => !quoted.some((column) => isSameName(column, name)));
    return sets.length === 0 ? [] : [`UPDATE t SET ${sets.join(', ')} ${this.#existing}${this.#hint};`];
  }

  /** The rows just inserted are updated once more, with the same values, and not counted again. */
  updateAfterInsert(): string[] {
    const { updated, inserted } = this.#counters;
    const update = this.update();
    return update.length === 0
      ? []
      : [`SET ${updated} = 0;`, ...update, `SET ${updated} = ${updated} - ${inserted};`];
  }

  insert(): string[] {
    const { plan, upserts } = this.staging;
    if (upserts === 0) return [];
    const metadata = metadataValues(this.staging);
    const columns = [...plan.columns.map((column) => column.name), ...metadata.map(([column]) => column)];
    const values = [
      ...plan.columns.map((column) => column.toTarget(`s.${column.staged}`)),
      ...metadata.map(([, value]) => value),
    ];
    return this.#counted(
      `INSERT INTO ${plan.table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM ${plan.name} AS s WHERE s.o > 0 AND NOT EXISTS (SELECT 1 FROM ${plan.table} AS t WITH (UPDLOCK, HOLDLOCK) WHERE ${match(plan, 't', 's')})`,
      'inserted',
    );
  }

  /**
   * Takes existing rows out, to be inserted anew with their new values: for rows that trade values of a unique key where
   * single statements can't. Rows that a child outside the batch refers to stay and are updated in place.
   */
  takeOut(references: readonly ForeignKeyFacts[]): string[] {
    const { plan } = this.staging;
    if (!this.#canReinsert) return [];
    // By number: a legacy column may itself be called r.
    const kept = ['s.r', ...plan.legacy.map((column, index) => `t.${column} AS l${index}`)];
    const free = references.length === 0 ? '' : ` AND ${unreferenced('t', references)}`;
    return [
      `SELECT ${kept.join(', ')} INTO ${this.#takenOut} FROM ${plan.table} AS t WITH (UPDLOCK, HOLDLOCK) JOIN ${plan.name} AS s ON ${match(plan, 't', 's')} WHERE s.o > 0${free}${this.#hint};`,
      `DELETE t FROM ${plan.table} AS t JOIN ${plan.name} AS s ON ${match(plan, 't', 's')} WHERE s.r IN (SELECT r FROM ${this.#takenOut});`,
    ];
  }

  /** Gives rows that were taken out, and inserted with the new ones, their columns back that no mapping names. */
  restore(): string[] {
    const { plan } = this.staging;
    if (!this.#canReinsert) return [];
    const { updated, inserted } = this.#counters;
    const sets = plan.legacy.map((column, index) => `${column} = k.l${index}`);
    const count = `(SELECT COUNT(*) FROM ${this.#takenOut})`;
    return [
      ...(sets.length === 0
        ? []
        : [
            `UPDATE t SET ${sets.join(', ')} FROM ${plan.table} AS t JOIN ${plan.name} AS s ON ${match(plan, 't', 's')} JOIN ${this.#takenOut} AS k ON k.r = s.r;`,
          ]),
      `SET ${updated} = ${updated} + ${count};`,
      `SET ${inserted} = ${inserted} - ${count};`,
    ];
  }

  #sets(chosen: (column: PlannedColumn) => boolean): string[] {
    return this.staging.plan.columns
      .filter((column) => column.origin === null && chosen(column))
      .map((column) => `${column.name} = ${column.toTarget(`s.${column.staged}`)}`);
  }

  /** The target's rows `t` that have an upsert `s`. */
  get #existing(): string {
    const { plan } = this.staging;
    return `FROM ${plan.table} AS t JOIN ${plan.name} AS s ON ${match(plan, 't', 's')} WHERE s.o > 0`;
  }

  /** A row that the server numbers would come back with another number. */
  get #canReinsert(): boolean {
    return this.staging.upserts > 0 && !this.staging.plan.numbered;
  }

  get #takenOut(): string {
    return `${this.staging.plan.name}_out`;
  }

  /** The #temporary table that `takeOut` makes; null where it makes none. */
  get takenOut(): string | null {
    return this.#canReinsert ? this.#takenOut : null;
  }

  #counted(
    statement: string,
    counter: 'deleted' | 'updated' | 'inserted',
    hint: string = this.#hint,
  ): string[] {
    const variable = this.#counters[counter];
    return [`${statement}${hint};`, `SET ${variable} = ${variable} + @@ROWCOUNT;`];
  }
}

function metadataValues({ plan }: Staging): [column: string, value: string][] {
  const { commitLsn, commitTime, operation, appliedAt } = plan.target.metadata;
  const values: [string, string][] = [];
  if (commitLsn !== undefined) values.push([quoteName(commitLsn), 's.l']);
  if (commitTime !== undefined) values.push([quoteName(commitTime), 'CONVERT(datetimeoffset(6), s.t)']);
  if (operation !== undefined) values.push([quoteName(operation), "CASE s.o WHEN 1 THEN 'I' ELSE 'U' END"]);
  if (appliedAt !== undefined) values.push([quoteName(appliedAt), 'SYSDATETIMEOFFSET()']);
  return values;
}
