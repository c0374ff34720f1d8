// Reading the lanes' durable positions.
// Guarantees: positions and commit times exact, as apply wrote them.
import type { Watermark } from '../change/batch.ts';
import { controlTable } from './control-tables.ts';
import type { SqlSession } from './session.ts';

const statement = `SELECT lane, CONVERT(varchar(20), commit_lsn) AS lsn, CONVERT(varchar(20), ordinal) AS ordinal,
  CONVERT(varchar(34), commit_time, 121) AS commit_time
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
  return rows.map((row) => ({
    lane: row.lane,
    position: { lsn: BigInt(row.lsn), ordinal: Number(row.ordinal) },
    commitTimeMicros: row.commit_time === null ? null : microsOf(row.commit_time),
  }));
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
