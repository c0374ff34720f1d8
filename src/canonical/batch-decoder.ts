// Canonical events as a batch's payload carries them: read.
// Guarantees: events in the order in which they were written, each checked before it is read; a damaged payload and a
// schema that nobody knows are errors with a code, never a wrong value.

import { rejectFlags, upsertFlags } from './batch-codec.ts';
import { type Cursor, readLength, readLong, readString, skip } from './binary.ts';
import type { CanonicalEvent, CanonicalRecord, RejectEvent } from './event.ts';
import { checkFrame, corrupt, FRAME_HEAD, frameKinds } from './frame.ts';
import type { EventReaders, PartialRecord, RecordReader } from './record-reader.ts';

interface Transaction {
  readonly lsn: bigint;
  readonly commitTimeMicros: bigint;
}

/** Throws WB3040 for a damaged payload, WB3021 to WB3023 for an event that no reader takes. */
export function* decodeBatch(
  payload: Buffer,
  readers: EventReaders,
): Generator<CanonicalEvent, void, undefined> {
  const cursor: Cursor = { bytes: payload, at: 0, end: 0 };
  let transaction: Transaction | null = null;
  for (let start = 0; start < payload.length; start = cursor.end) {
    cursor.end = checkFrame(payload, start);
    const kind = payload[start + FRAME_HEAD];
    cursor.at = start + FRAME_HEAD + 1;
    if (kind === frameKinds.transaction) {
      transaction = readTransaction(cursor, start);
      continue;
    }
    if (transaction === null) throw corrupt(start, 'no transaction was begun');
    yield eventAt(cursor, start, kind, transaction, readers);
  }
}

/** Commit time of the payload's first transaction, microseconds since 1970-01-01 UTC; null where it has none. Throws WB3040. */
export function firstCommitMicros(payload: Buffer): bigint | null {
  if (payload.length === 0) return null;
  const cursor: Cursor = { bytes: payload, at: FRAME_HEAD + 1, end: checkFrame(payload, 0) };
  return payload[FRAME_HEAD] === frameKinds.transaction ? readTransaction(cursor, 0).commitTimeMicros : null;
}

function readTransaction(cursor: Cursor, start: number): Transaction {
  if (cursor.end - cursor.at !== 16) throw corrupt(start, 'a transaction head has another length');
  return {
    lsn: cursor.bytes.readBigUInt64LE(cursor.at),
    commitTimeMicros: cursor.bytes.readBigInt64LE(cursor.at + 8),
  };
}

function eventAt(
  cursor: Cursor,
  start: number,
  kind: number | undefined,
  transaction: Transaction,
  readers: EventReaders,
): CanonicalEvent {
  try {
    const event = readEvent(cursor, kind, transaction, readers);
    if (cursor.at !== cursor.end) throw new RangeError('bytes are left over');
    return event;
  } catch (error) {
    // The codecs' own word for data that don't fit the schema; errors with a code pass.
    if (error instanceof RangeError) throw corrupt(start, error.message, error);
    throw error;
  }
}

function readEvent(
  cursor: Cursor,
  kind: number | undefined,
  { lsn, commitTimeMicros }: Transaction,
  readers: EventReaders,
): CanonicalEvent {
  const at = { lsn, ordinal: Number(readLong(cursor)) };
  const entity = readString(cursor);
  switch (kind) {
    case frameKinds.upsert: {
      skip(cursor, 1);
      const flags = cursor.bytes[cursor.at - 1] ?? 0;
      const inserted = (flags & upsertFlags.inserted) !== 0;
      let record: CanonicalRecord;
      let absent: readonly string[] = none;
      if ((flags & upsertFlags.partial) === 0) {
        record = readerAt(cursor, entity, readers).readWhole(cursor);
      } else {
        ({ record, absent } = readPartial(cursor, entity, readers));
      }
      const moved = (flags & upsertFlags.keyMoved) !== 0;
      const previousKey = moved ? readPartial(cursor, entity, readers).record : null;
      return { op: 'upsert', entity, at, commitTimeMicros, inserted, record, absent, previousKey };
    }
    case frameKinds.delete:
      return { op: 'delete', entity, at, commitTimeMicros, key: readPartial(cursor, entity, readers).record };
    case frameKinds.truncate:
      return { op: 'truncate', entity, at, commitTimeMicros };
    case frameKinds.reject: {
      skip(cursor, 1);
      const flags = cursor.bytes[cursor.at - 1] ?? 0;
      const keyOf = (flag: number) =>
        (flags & flag) === 0 ? null : readPartial(cursor, entity, readers).record;
      const key = keyOf(rejectFlags.key);
      const previousKey = keyOf(rejectFlags.keyMoved);
      const code = readString(cursor);
      const reason = readString(cursor);
      const change = readString(cursor) as RejectEvent['change'];
      const keyJson = readString(cursor);
      const rowJson = readString(cursor);
      const what = { code, reason, change, key, previousKey, keyJson, rowJson };
      return { op: 'reject', entity, at, commitTimeMicros, ...what };
    }
    default:
      throw new RangeError('its kind is unknown');
  }
}

function readPartial(cursor: Cursor, entity: string, readers: EventReaders): PartialRecord {
  const length = readLength(cursor);
  const bitmapAt = cursor.at;
  cursor.at += length;
  const reader = readerAt(cursor, entity, readers);
  if (length !== reader.bitmapBytes) throw new RangeError('the bitmap of absent fields has another length');
  return reader.readPartial(cursor, bitmapAt);
}

/** Reads a single-object header. */
function readerAt(cursor: Cursor, entity: string, readers: EventReaders): RecordReader {
  const { bytes, at } = cursor;
  skip(cursor, 10);
  if (bytes[at] !== 0xc3 || bytes[at + 1] !== 0x01) throw new RangeError('no single-object marker');
  return readers.reader(entity, bytes.toString('latin1', at + 2, at + 10));
}

const none: readonly string[] = Object.freeze([]);
