// A batch as a file, before somebody gives it up: what it is, then each event as a JSON line.
// Guarantees: complete and on disk when it resolves, readable by its owner only, never over another file; where the events cannot be
// decoded, the payload is there all the same.
import { open } from 'node:fs/promises';
import { decodeBatch } from '../canonical/batch-decoder.ts';
import type { CanonicalEvent, CanonicalRecord } from '../canonical/event.ts';
import type { EventReaders } from '../canonical/record-reader.ts';
import type { LaneBatch } from '../change/batch.ts';
import { formatPosition } from '../change/position.ts';
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';
import type { LaneTrouble } from '../lanes/job.ts';

/** Throws WB7213 where the file exists or cannot be written. */
export async function exportBatch(
  path: string,
  batch: LaneBatch,
  trouble: LaneTrouble,
  readers: EventReaders,
): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      for (const line of linesOf(batch, trouble, readers)) await file.appendFile(`${JSON.stringify(line)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as { code?: string };
    throw new WalbridgeError(
      {
        code: 'WB7213',
        kind: 'permanent',
        what:
          code === 'EEXIST'
            ? `The file ${path} exists already.`
            : `The batch could not be exported to ${path} (${code ?? 'unforeseen'}).`,
        safe: 'Nothing was skipped.',
        next: 'Name another file with --out.',
      },
      { cause: error },
    );
  }
}

function* linesOf(batch: LaneBatch, trouble: LaneTrouble, readers: EventReaders): Generator<object> {
  yield {
    kind: 'batch',
    lane: batch.lane,
    previous: formatPosition(batch.previous),
    last: formatPosition(batch.last),
    changes: batch.changes,
    commitTime: timeText(batch.commitTimeMicros),
    code: trouble.code,
    haltedAt: trouble.at,
    payload: batch.payload.toString('base64'),
  };
  try {
    for (const event of decodeBatch(batch.payload, readers)) yield eventLine(event);
  } catch (error) {
    const { code, what } = asWalbridgeError(error);
    yield { kind: 'undecodable', code, what };
  }
}

function eventLine({ at, commitTimeMicros, ...event }: CanonicalEvent): object {
  const records = Object.entries(event).map(([name, value]) => {
    const isRecord = name === 'record' || name === 'key' || name === 'previousKey';
    return [name, isRecord && value !== null ? plain(value as CanonicalRecord) : value];
  });
  return {
    kind: 'event',
    position: formatPosition(at),
    commitTime: timeText(commitTimeMicros),
    ...Object.fromEntries(records),
  };
}

/** Integers beyond 2^53 as text, bytes as PostgreSQL writes them; the rest is JSON's own. */
function plain(record: CanonicalRecord): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record).map(([field, value]) => [
      field,
      Buffer.isBuffer(value)
        ? `\\x${value.toString('hex')}`
        : typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))
          ? String(value)
          : value,
    ]),
  );
}

/** ISO 8601 with microseconds. */
function timeText(micros: bigint): string {
  const sub = ((micros % 1000n) + 1000n) % 1000n;
  const text = new Date(Number((micros - sub) / 1000n)).toISOString();
  return text.replace('Z', `${String(sub).padStart(3, '0')}Z`);
}
