// Reading the lanes' durable positions.
// Guarantees: positions and commit times exact, as apply wrote them.

import type { Watermark } from '../change/batch.ts';
import type { Position } from '../change/position.ts';
import { replayOf } from './apply-control.ts';
import { controlTable } from './control-tables.ts';
import { quoteText, quoteTexts } from './identifier.ts';
import type { SqlSession } from './session.ts';

const columns = `lane, CONVERT(varchar(20), commit_lsn) AS lsn, CONVERT(varchar(20), ordinal) AS ordinal,
  CONVERT(varchar(34), commit_time, 121) AS commit_time`;
const statement = `SELECT ${columns}
FROM ${controlTable('watermark')}
ORDER BY lane`;

interface WatermarkRow {
  readonly lane: string;
  readonly lsn: string;
  readonly ordinal: string;
  readonly commit_time: string | null;
}

/** Every lane's watermark. Throws a WarehouseError, 208 among them where `walbridge init` has not run. */
export async function readWatermarks(session: SqlSession): Promise<Watermark[]> {
  const { rows } = await session.batch<WatermarkRow>(statement);
  return rows.map(watermarkOf);
}

export interface LockedWatermark extends Watermark {
  /** Where the lane was before it was rewound; null where it is there again. */
  readonly replay: Position | null;
}

/** Those of a slot's lanes. No batch is applied to them until the session's transaction ends. Throws a WarehouseError. */
export async function lockWatermarks(session: SqlSession, slot: string): Promise<LockedWatermark[]> {
  const table = controlTable('watermark');
  const known = await session.batch<{ lane: string }>(
    `SELECT lane FROM ${table} WHERE slot = ${quoteText(slot)}`,
  );
  if (known.rows.length === 0) return [];
  // By their key: lanes of another bridge are not waited for, and not held up.
  const { rows } = await session.batch<
    WatermarkRow & { replay_lsn: string | null; replay_ordinal: string | null }
  >(
    `SELECT ${columns}, CONVERT(varchar(20), replay_lsn) AS replay_lsn, CONVERT(varchar(20), replay_ordinal) AS replay_ordinal
FROM ${table} WITH (UPDLOCK, HOLDLOCK)
WHERE lane IN (${quoteTexts(known.rows.map(({ lane }) => lane))})
ORDER BY lane`,
  );
  return rows.map((row) => ({
    ...watermarkOf(row),
    replay: replayOf(row),
  }));
}

function watermarkOf(row: WatermarkRow): Watermark {
  return {
    lane: row.lane,
    position: { lsn: BigInt(row.lsn), ordinal: Number(row.ordinal) },
    commitTimeMicros: row.commit_time === null ? null : microsOf(row.commit_time),
  };
}

/**
 * Microseconds since 1970-01-01 UTC of `2024-01-31 12:00:00.123456 +00:00`, which is style 121 of a datetimeoffset. Null for
 * anything else: a lane goes by its position, and only its lag in seconds by the time.
 */
function microsOf(text: string): bigint | null {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,7}))? ?([+-]\d\d:\d\d|Z)$/.exec(text);
  if (match === null) return null;
  const [, date, time, fraction = '', offset] = match;
  return BigInt(Date.parse(`${date}T${time}${offset}`)) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}
