// Canonical events as a batch's payload carries them: written.
// A payload is a row of frames: a transaction's head, then its events, each with its ordinal. It may be cut behind any frame;
// what follows a cut within a transaction needs the transaction's head again.
// Guarantees: an event is appended whole or not at all; records are in Avro's single-object encoding.
import type { GrowingBuffer } from '../change/growing-buffer.ts';
import { writeLong, writeString } from './binary.ts';
import type { CanonicalEvent, DeleteEvent, RejectEvent, UpsertEvent } from './event.ts';
import { beginFrame, endFrame, frameKinds } from './frame.ts';
import type { RecordWriter } from './record-writer.ts';

/** Flags of an upsert's frame. */
export const upsertFlags = { inserted: 1, partial: 2, keyMoved: 4 } as const;
/** Flags of a reject's frame. */
export const rejectFlags = { key: 1, keyMoved: 2 } as const;

/** Begins a transaction's events: at its first event, and again behind a cut within it. */
export function appendTransaction(out: GrowingBuffer, commitLsn: bigint, commitTimeMicros: bigint): void {
  const start = beginFrame(out, frameKinds.transaction);
  out.reserve(16);
  out.bytes.writeBigUInt64LE(commitLsn, out.length);
  out.bytes.writeBigInt64LE(commitTimeMicros, out.length + 8);
  out.length += 16;
  endFrame(out, start);
}

/** Of the transaction begun last. Throws WB3030 where a value doesn't fit `writer`; the buffer is then as it was. */
export function appendEvent(out: GrowingBuffer, event: CanonicalEvent, writer: RecordWriter): void {
  const start = beginFrame(out, frameKinds[event.op]);
  try {
    writeLong(out, event.at.ordinal);
    writeString(out, event.entity);
    if (event.op === 'upsert') appendUpsert(out, event, writer);
    else if (event.op === 'delete') appendDelete(out, event, writer);
    else if (event.op === 'reject') appendReject(out, event, writer);
    endFrame(out, start);
  } catch (error) {
    out.length = start;
    throw error;
  }
}

function appendUpsert(out: GrowingBuffer, event: UpsertEvent, writer: RecordWriter): void {
  const partial = event.absent.length > 0;
  out.reserve(1);
  out.bytes[out.length] =
    (event.inserted ? upsertFlags.inserted : 0) |
    (partial ? upsertFlags.partial : 0) |
    (event.previousKey === null ? 0 : upsertFlags.keyMoved);
  out.length += 1;
  if (partial) writer.appendPartial(out, event.record, event.absent);
  else writer.appendWhole(out, event.record);
  if (event.previousKey !== null) writer.appendPartial(out, event.previousKey, null);
}

function appendDelete(out: GrowingBuffer, event: DeleteEvent, writer: RecordWriter): void {
  writer.appendPartial(out, event.key, null);
}

/** Its texts may be any: a lone surrogate becomes U+FFFD, for a reject must not fail. */
function appendReject(out: GrowingBuffer, event: RejectEvent, writer: RecordWriter): void {
  const { key, previousKey } = event;
  out.reserve(1);
  out.bytes[out.length] =
    (key === null ? 0 : rejectFlags.key) | (previousKey === null ? 0 : rejectFlags.keyMoved);
  out.length += 1;
  for (const one of [key, previousKey]) if (one !== null) writer.appendPartial(out, one, null);
  for (const text of [event.code, event.reason, event.change, event.keyJson, event.rowJson]) {
    const bytes = Buffer.from(text, 'utf8');
    writeLong(out, bytes.length);
    out.append(bytes);
  }
}
