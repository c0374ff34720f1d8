// Verifications as the control table keeps them: one row an entity and run, written when it has ended.
// Guarantees: no keys, no values.

import { readIfPossible } from './catalog-query.ts';
import { controlTable } from './control-tables.ts';
import { isoTime } from './iso-time.ts';
import type { SqlSession } from './session.ts';

export interface VerificationRecord {
  readonly id: string;
  readonly entity: string;
  /** equal, different, unsettled or failed. */
  readonly state: string;
  /** sql, rows or deep. */
  readonly way: string;
  /** Of the source's rows, 0 to 1. */
  readonly share: number;
  readonly sourceRows: number;
  readonly warehouseRows: number;
  readonly rowsListed: number;
  readonly rowsRead: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly quarantined: number;
  readonly unsettled: number;
  readonly isCutShort: boolean;
  readonly repairId: string | null;
  readonly errorCode: string | null;
  readonly error: string | null;
  readonly requestedBy: string;
  readonly milliseconds: number;
}

/** ISO 8601. */
export interface PastVerification extends Omit<VerificationRecord, 'milliseconds'> {
  readonly startedAt: string;
  readonly finishedAt: string;
}

const LONGEST_ERROR = 2000;
const varchar = (value: string | null) => ({ type: 'varchar', value }) as const;
const nvarchar = (value: string | null) => ({ type: 'nvarchar', value }) as const;
const bigint = (value: number) => ({ type: 'bigint', value }) as const;

/** By the warehouse's clock, as of now. */
export async function recordVerification(session: SqlSession, record: VerificationRecord): Promise<void> {
  await session.query(
    `DECLARE @now datetimeoffset(6) = SYSDATETIMEOFFSET();
INSERT INTO ${controlTable('verification')} (verification_id, entity, state, way, share, source_rows, warehouse_rows, rows_listed, rows_read, missing, extra, different, quarantined, unsettled, is_cut_short, repair_id, error_code, error, requested_by, started_at, finished_at)
VALUES (@id, @entity, @state, @way, @share, @source, @warehouse, @listed, @read, @missing, @extra, @different, @quarantined, @unsettled, @cut, @repair, @code, @error, @actor, DATEADD(millisecond, -@milliseconds, @now), @now)`,
    {
      id: varchar(record.id),
      entity: nvarchar(record.entity),
      state: varchar(record.state),
      way: varchar(record.way),
      share: { type: 'float', value: record.share },
      source: bigint(record.sourceRows),
      warehouse: bigint(record.warehouseRows),
      listed: bigint(record.rowsListed),
      read: bigint(record.rowsRead),
      missing: bigint(record.missing),
      extra: bigint(record.extra),
      different: bigint(record.different),
      quarantined: bigint(record.quarantined),
      unsettled: bigint(record.unsettled),
      cut: { type: 'bit', value: record.isCutShort },
      repair: varchar(record.repairId),
      code: varchar(record.errorCode),
      error: nvarchar(record.error?.slice(0, LONGEST_ERROR) ?? null),
      actor: nvarchar(record.requestedBy),
      milliseconds: { type: 'int', value: Math.min(Math.round(record.milliseconds), 2 ** 31 - 1) },
    },
  );
}

interface Row {
  readonly verification_id: string;
  readonly entity: string;
  readonly state: string;
  readonly way: string;
  readonly share: number;
  readonly repair_id: string | null;
  readonly error_code: string | null;
  readonly error: string | null;
  readonly requested_by: string;
  readonly is_cut_short: boolean;
  readonly started_at: string;
  readonly finished_at: string;
  readonly [count: string]: unknown;
}

const time = (column: string) => `${isoTime(`v.${column}`)} AS ${column}`;

const COUNTS = ['source_rows', 'warehouse_rows', 'rows_listed', 'rows_read'];

/** The last one of each entity; null where the control tables are older than verifications. Throws what is transient. */
export async function readLastVerifications(session: SqlSession): Promise<PastVerification[] | null> {
  const table = controlTable('verification');
  const columns = ['verification_id', 'entity', 'state', 'way', 'share', ...COUNTS, 'missing', 'extra'];
  const more = ['different', 'quarantined', 'unsettled', 'is_cut_short', 'repair_id', 'error_code', 'error'];
  const list = [...columns, ...more, 'requested_by'].map((column) => `v.${column}`).join(', ');
  const rows = await readIfPossible<Row>(
    session,
    `SELECT ${list}, ${time('started_at')}, ${time('finished_at')} FROM ${table} AS v JOIN (SELECT entity, MAX(finished_at) AS finished_at FROM ${table} GROUP BY entity) AS l ON l.entity = v.entity AND l.finished_at = v.finished_at ORDER BY v.entity`,
  );
  return rows === null ? null : rows.map(pastOf);
}

function pastOf(row: Row): PastVerification {
  return {
    id: row.verification_id,
    entity: row.entity,
    state: row.state,
    way: row.way,
    share: row.share,
    sourceRows: Number(row.source_rows),
    warehouseRows: Number(row.warehouse_rows),
    rowsListed: Number(row.rows_listed),
    rowsRead: Number(row.rows_read),
    missing: Number(row.missing),
    extra: Number(row.extra),
    different: Number(row.different),
    quarantined: Number(row.quarantined),
    unsettled: Number(row.unsettled),
    isCutShort: row.is_cut_short,
    repairId: row.repair_id,
    errorCode: row.error_code,
    error: row.error,
    requestedBy: row.requested_by,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}
