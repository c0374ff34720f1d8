// What apply itself finds wrong: with a batch (a fault that halts the lane) or with a row (a reason for quarantine).
// Guarantees: codes WB65xx, stable; no values in any text.
import { WalbridgeError } from '../fault/fault.ts';

/** Why a row goes to quarantine. */
export interface Rejection {
  readonly code: string;
  /** Names fields, columns and constraints; no values. */
  readonly reason: string;
}

export const rejections = {
  incompleteKey: {
    code: 'WB6510',
    reason: 'A field of the key is null or was not sent by the source, so no row can be named.',
  },
  missingOrigin: {
    code: 'WB6511',
    reason:
      'The source sent only the changed fields (unchanged TOAST) of a row that the warehouse lacks: backfill this key.',
  },
  quarantinedOrigin: {
    code: 'WB6512',
    reason:
      'The source sent only the changed fields (unchanged TOAST) of a row whose earlier change is in quarantine: backfill this key.',
  },
  keyCollision: {
    code: 'WB6513',
    reason:
      'Its key is another source key to PostgreSQL, but equal to one of the warehouse (trailing blanks or collation).',
  },
  parentMissing: {
    code: 'WB6514',
    reason:
      'A foreign key of the warehouse refuses it; its parent is missing or in quarantine, or a child still refers to it.',
  },
  refused: { code: 'WB6515', reason: 'The warehouse refuses the row.' },
} as const satisfies Record<string, Rejection>;

const NOTHING_APPLIED = 'Nothing of the batch was applied; the watermark stays, and the batch is kept.';

export const applyFaults = {
  unknownEntity: (entity: string) =>
    new WalbridgeError({
      code: 'WB6501',
      kind: 'permanent',
      what: `A batch has an event for the entity ${JSON.stringify(entity)}, which no mapping of this lane names.`,
      safe: NOTHING_APPLIED,
      next: 'Bring the mapping back, or start capture and apply with the same mappings.',
    }),
  foreignLane: (lane: string, found: string) =>
    new WalbridgeError({
      code: 'WB6502',
      kind: 'permanent',
      what: `Lane ${lane} was handed a batch of lane ${found}.`,
      safe: NOTHING_APPLIED,
      next: 'Check that no other installation uses the same queue prefix.',
    }),
  undecodable: (lane: string, cause: unknown) =>
    new WalbridgeError(
      {
        code: 'WB6503',
        kind: 'permanent',
        what: `A batch of lane ${lane} cannot be decoded.`,
        safe: NOTHING_APPLIED,
        next: 'Check that apply has every schema version that capture writes with, then start the lane again.',
      },
      { cause },
    ),
  laneBusy: (lane: string) =>
    new WalbridgeError({
      code: 'WB6504',
      kind: 'transient',
      what: `Another session is applying to lane ${lane} and did not finish in time.`,
      safe: 'Nothing was done.',
      next: 'It is retried; where it stays so, look for a second walbridge or a hanging session in the warehouse.',
    }),
  miscounted: (entity: string, staged: number, stored: number) =>
    new WalbridgeError({
      code: 'WB6505',
      kind: 'permanent',
      what: `${entity}: ${staged} rows were staged but ${stored} arrived in the table.`,
      safe: NOTHING_APPLIED,
      next: 'Look for triggers, views or row-level security that change what an INSERT or UPDATE does to the table.',
    }),
  mostlyPoison: (lane: string, poison: number, rows: number) =>
    new WalbridgeError({
      code: 'WB6506',
      kind: 'permanent',
      what: `The warehouse refuses ${poison} or more of the ${rows} rows of a batch of lane ${lane}: that is no matter of single rows.`,
      safe: NOTHING_APPLIED,
      next: 'Compare the mapping with the table (`walbridge check`) and look at the constraints, then start the lane again.',
    }),
  refusedWithoutRows: (lane: string, cause: WalbridgeError) =>
    new WalbridgeError(
      {
        code: 'WB6516',
        kind: 'permanent',
        what: `The warehouse refuses a batch of lane ${lane} even without its rows, so none of them is to blame. ${cause.what}`,
        safe: NOTHING_APPLIED,
        next: 'Look for constraints and triggers on the tables of the schema walbridge, and for triggers of the database, then start the lane again.',
      },
      { cause },
    ),
  tableMissing: (table: string) =>
    new WalbridgeError({
      code: 'WB6507',
      kind: 'permanent',
      what: `The warehouse has no table ${table}.`,
      safe: 'Nothing was done.',
      next: 'Run `walbridge init`, which creates the tables of all mappings.',
    }),
  columnMissing: (table: string, column: string) =>
    new WalbridgeError({
      code: 'WB6508',
      kind: 'permanent',
      what: `The table ${table} has no column ${column}, or the record of its mapping has no field for it.`,
      safe: 'Nothing was done.',
      next: 'Run `walbridge check`: it compares mappings, records and tables.',
    }),
  unsettled: (lane: string) =>
    new WalbridgeError({
      code: 'WB6509',
      kind: 'transient',
      what: `The warehouse's answers to one batch of lane ${lane} kept changing.`,
      safe: NOTHING_APPLIED,
      next: 'It is retried; where it stays so, look for other writers of the target tables.',
    }),
} as const;
