// What a verification found, in the words that command line, log and control table share.
// Guarantees: plain data; values are in it only where they were asked for.

/**
 * missing: the warehouse lacks it; extra: the source lacks it; different: columns differ; quarantined: it differs, and quarantine
 * has it with the reason; unsettled: it changed, or was on its way, each time that it was looked at.
 */
export const findingKinds = ['missing', 'extra', 'different', 'quarantined', 'unsettled'] as const;
export type FindingKind = (typeof findingKinds)[number];

export interface VerifyFinding {
  readonly entity: string;
  readonly kind: FindingKind;
  /** By the source's key columns, as text. */
  readonly key: Readonly<Record<string, string>>;
  /** Columns of the warehouse that differ; of `different` only. */
  readonly columns: readonly string[];
  /** Why the row is, or would be, in quarantine; else null. */
  readonly code: string | null;
  /** By column; null unless asked for. */
  readonly values: Readonly<
    Record<string, { readonly source: string | null; readonly warehouse: string | null }>
  > | null;
}

/** sql: both servers digest their rows; rows: the source's rows are mapped one by one; deep: the rows of both sides are read. */
export type VerifyWay = 'sql' | 'rows' | 'deep';

/** unsettled: nothing differs for sure, but some rows could not be told. */
export type VerifyState = 'equal' | 'different' | 'unsettled' | 'failed';

export interface EntityReport {
  readonly entity: string;
  readonly state: VerifyState;
  readonly way: VerifyWay;
  /** Why not by SQL; else null. */
  readonly why: string | null;
  /** Rows that were compared. */
  readonly sourceRows: number;
  readonly warehouseRows: number;
  /** What they are of the source's rows, about: 0 to 1. */
  readonly share: number;
  /** Rows of both sides of which key and digest were listed, or that were read whole. */
  readonly rowsListed: number;
  readonly rowsRead: number;
  readonly counts: Readonly<Record<FindingKind, number>>;
  readonly findings: readonly VerifyFinding[];
  /** There were more findings than are kept: the rest was not looked at. */
  readonly isCutShort: boolean;
  /** Why rows are unsettled, or the verification failed. */
  readonly trouble: { readonly code: string; readonly text: string } | null;
  readonly milliseconds: number;
}

export const noFindings: Readonly<Record<FindingKind, number>> = {
  missing: 0,
  extra: 0,
  different: 0,
  quarantined: 0,
  unsettled: 0,
};

export function countFindings(findings: readonly VerifyFinding[]): Record<FindingKind, number> {
  const counts: Record<FindingKind, number> = { ...noFindings };
  for (const { kind } of findings) counts[kind] += 1;
  return counts;
}
