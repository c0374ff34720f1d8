// Quarantine: the rows that can't be applied, kept with their reason, and marked resolved when a later change mends them.
// Guarantees: written in the transaction that applies the rest of the batch; one row an event and entity, however often sent.
import { formatPosition, type Position } from '../change/position.ts';
import { rejections } from './apply-fault.ts';
import type { RejectedRow } from './compaction.ts';
import { keyJsonWriter, recordJson } from './compaction-key.ts';
import { controlTable } from './control-tables.ts';
import { quoteText } from './identifier.ts';
import type { BulkColumn, BulkValue, Statement } from './session.ts';
import { emptyTable, type Staging } from './staging.ts';
import { offsetText } from './staging-time.ts';

const BIN = 'COLLATE Latin1_General_BIN2';
const LONGEST_REASON = 2000;

/** A #temporary table with its load. */
export interface TemporaryTable {
  readonly name: string;
  /** T-SQL: it is there and empty. */
  readonly empty: string;
  readonly columns: readonly BulkColumn[];
  readonly rows: readonly (readonly BulkValue[])[];
}

/** The rows for quarantine; null where there are none. A change that is refused twice over makes one row of both reasons. */
export function stageQuarantine(rejected: readonly RejectedRow[]): TemporaryTable | null {
  if (rejected.length === 0) return null;
  const byEvent = new Map<string, RejectedRow>();
  for (const row of rejected) {
    const event = `${row.target.entity}\u0000${row.at.lsn}+${row.at.ordinal}`;
    const other = byEvent.get(event);
    byEvent.set(event, other === undefined ? row : both(other, row));
  }
  return {
    name: '#quarantine',
    empty: emptyTable(
      '#quarantine',
      `e nvarchar(128) ${BIN} NOT NULL, l bigint NOT NULL, o bigint NOT NULL, p varchar(40) ${BIN} NOT NULL, t varchar(40) ${BIN} NOT NULL, c varchar(8) ${BIN} NOT NULL, w nvarchar(2000) NOT NULL, x varchar(8) ${BIN} NOT NULL, k nvarchar(max) NOT NULL, j nvarchar(max) NULL`,
    ),
    columns: [
      { name: 'e', type: 'nvarchar', length: 128, nullable: false },
      { name: 'l', type: 'bigint', nullable: false },
      { name: 'o', type: 'bigint', nullable: false },
      { name: 'p', type: 'varchar', length: 40, nullable: false },
      { name: 't', type: 'varchar', length: 40, nullable: false },
      { name: 'c', type: 'varchar', length: 8, nullable: false },
      { name: 'w', type: 'nvarchar', length: LONGEST_REASON, nullable: false },
      { name: 'x', type: 'varchar', length: 8, nullable: false },
      { name: 'k', type: 'nvarchar', length: 'max', nullable: false },
      { name: 'j', type: 'nvarchar', length: 'max', nullable: true },
    ],
    rows: [...byEvent.values()].map((row) => [
      row.target.entity,
      row.at.lsn,
      row.at.ordinal,
      formatPosition(row.at),
      offsetText(row.commitTimeMicros),
      row.rejection.code,
      row.rejection.reason.slice(0, LONGEST_REASON),
      row.change,
      row.source.kind === 'mapped' ? row.source.keyJson : keyJsonWriter(row.target)(row.source.record),
      row.source.kind === 'mapped' ? row.source.rowJson : recordJson(row.source.record),
    ]),
  };
}

/** A key change is a delete and an upsert of one event: the row that is to be there says more. */
function both(a: RejectedRow, b: RejectedRow): RejectedRow {
  const [told, other] = a.change === 'delete' ? [b, a] : [a, b];
  const reason = `${told.rejection.reason} The row's earlier key: ${other.rejection.reason}`;
  return { ...told, rejection: { code: told.rejection.code, reason } };
}

/** `batch` names the batch in the row: `previous..last`. */
export function writeQuarantine(lane: string, batch: string): Statement {
  return {
    sql: `INSERT INTO ${controlTable('quarantine')} (lane, commit_lsn, ordinal, [position], entity, commit_time, code, reason, [change], key_json, row_json, batch, quarantined_at)
SELECT @lane, s.l, s.o, s.p, s.e, CONVERT(datetimeoffset(6), s.t), s.c, s.w, s.x, s.k, s.j, @batch, SYSDATETIMEOFFSET()
FROM #quarantine AS s
WHERE NOT EXISTS (SELECT 1 FROM ${controlTable('quarantine')} AS q WITH (UPDLOCK, HOLDLOCK) WHERE q.lane = @lane AND q.commit_lsn = s.l AND q.ordinal = s.o AND q.entity = s.e);`,
    parameters: { lane: { type: 'nvarchar', value: lane }, ...named(batch) },
  };
}

const named = (batch: string) => ({ batch: { type: 'varchar', value: batch } }) as const;

/**
 * The keys that the batch writes, of the entities that have open quarantine rows: `stagings` by their numbers, null for
 * those without any. Null where no key is to be looked up.
 */
export function stageMended(stagings: readonly (Staging | null)[]): TemporaryTable | null {
  const rows = stagings.flatMap((staging, number) => {
    if (staging === null) return [];
    const keyJson = keyJsonWriter(staging.plan.target);
    const { entity } = staging.plan.target;
    return staging.rows.map((row, index) => {
      const origin = row.op === 'upsert' ? row.origin : null;
      const { lsn, ordinal } = row.at;
      return [entity, number, index, keyJson(origin ?? row.record), lsn, ordinal, origin !== null];
    });
  });
  if (rows.length === 0) return null;
  return {
    name: '#mended',
    empty: emptyTable(
      '#mended',
      `e nvarchar(128) ${BIN} NOT NULL, n int NOT NULL, r int NOT NULL, k nvarchar(max) ${BIN} NOT NULL, l bigint NOT NULL, o bigint NOT NULL, p bit NOT NULL`,
    ),
    columns: [
      { name: 'e', type: 'nvarchar', length: 128, nullable: false },
      { name: 'n', type: 'int', nullable: false },
      { name: 'r', type: 'int', nullable: false },
      { name: 'k', type: 'nvarchar', length: 'max', nullable: false },
      { name: 'l', type: 'bigint', nullable: false },
      { name: 'o', type: 'bigint', nullable: false },
      { name: 'p', type: 'bit', nullable: false },
    ],
    rows,
  };
}

const openOfKey = `q.entity = s.e AND q.resolved_at IS NULL AND q.key_json ${BIN} = s.k AND (q.commit_lsn < s.l OR (q.commit_lsn = s.l AND q.ordinal < s.o))`;

/** A question for `checkScript`: partial images of rows whose earlier change is in quarantine. */
export const quarantinedOrigins = `SELECT s.n AS n, s.r AS r, '${rejections.quarantinedOrigin.code}' AS code FROM #mended AS s WHERE s.p = 1 AND EXISTS (SELECT 1 FROM ${controlTable('quarantine')} AS q WHERE ${openOfKey})`;

/** Full images and deletes say all there is to say of a key: what was open of it is settled. */
export function resolveMended(by: string): Statement {
  return {
    sql: `UPDATE q SET resolved_at = SYSDATETIMEOFFSET(), resolved_by = @batch FROM ${controlTable('quarantine')} AS q JOIN #mended AS s ON ${openOfKey} WHERE s.p = 0;`,
    parameters: named(by),
  };
}

/** `number`: the table's, for the parameters' names. */
export function resolveTruncated(entity: string, number: number, at: Position, by: string): Statement {
  const [lsn, ordinal] = [`truncated_lsn${number}`, `truncated_ordinal${number}`];
  return {
    sql: `UPDATE ${controlTable('quarantine')} SET resolved_at = SYSDATETIMEOFFSET(), resolved_by = @batch WHERE entity = ${quoteText(entity)} AND resolved_at IS NULL AND (commit_lsn < @${lsn} OR (commit_lsn = @${lsn} AND ordinal < @${ordinal}));`,
    parameters: {
      ...named(by),
      [lsn]: { type: 'bigint', value: at.lsn },
      [ordinal]: { type: 'bigint', value: at.ordinal },
    },
  };
}
