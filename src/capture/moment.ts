// A moment as somebody writes it, read by the source: PostgreSQL's own spelling of times and intervals, and its own clock.
// Guarantees: a time without zone is UTC; an interval is counted back from now.
import type { ClientBase } from 'pg';
import { errorCode } from './source-fault.ts';

/** PostgreSQL's text of a timestamptz in UTC; null where it reads the text neither way. @throws the driver's errors. */
export async function readMoment(client: ClientBase, text: string): Promise<string | null> {
  await client.query(`SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'`);
  // A number alone would be seconds.
  if (/^\s*[-+]?[\d.]+\s*$/.test(text)) return null;
  for (const moment of ['$1::timestamptz', 'now() - $1::interval']) {
    try {
      const { rows } = await client.query<{ moment: string }>(
        `SELECT (${moment})::text AS moment WHERE isfinite(${moment})`,
        [text],
      );
      return rows[0]?.moment ?? null;
    } catch (error) {
      // Class 22: not of that type.
      if (!errorCode(error).startsWith('22')) throw error;
    }
  }
  return null;
}
