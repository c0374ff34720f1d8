// What a check of the warehouse finds: each names its object, what was found, what was expected, and what mends it.

export interface WarehouseFinding {
  /** Stable; WB61xx for tables, WB62xx for the database. */
  readonly code: `WB${number}`;
  /** error: walbridge refuses to write there. warning: rows may go to quarantine, or speed may suffer. advice: optional. */
  readonly severity: 'error' | 'warning' | 'advice';
  /** null where it concerns the database. */
  readonly entity: string | null;
  /** `schema.table` or `schema.table.column`, or the database's name. */
  readonly object: string;
  /** What was found and what was expected. */
  readonly message: string;
  /** T-SQL that mends it, or null where a person has to decide. */
  readonly statement: string | null;
}
