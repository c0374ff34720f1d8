// The frames that a batch's payload is made of: a length, a checksum, a body whose first byte says its kind.
// Guarantees: a frame is written whole or not at all; a damaged one is noticed before its body is read.
import { crc32 } from 'node:zlib';
import type { GrowingBuffer } from '../change/growing-buffer.ts';
import { WalbridgeError } from '../fault/fault.ts';

/** Bytes before the body: its length and its CRC-32, both 32 bits little-endian. */
export const FRAME_HEAD = 8;

export const frameKinds = { transaction: 1, upsert: 2, delete: 3, truncate: 4, reject: 5 } as const;

/** Begins a frame; returns its start for `endFrame` or, to take it back, for `out.length`. */
export function beginFrame(out: GrowingBuffer, kind: number): number {
  const start = out.length;
  out.reserve(FRAME_HEAD + 1);
  out.bytes[start + FRAME_HEAD] = kind;
  out.length = start + FRAME_HEAD + 1;
  return start;
}

export function endFrame(out: GrowingBuffer, start: number): void {
  const body = start + FRAME_HEAD;
  out.bytes.writeUInt32LE(out.length - body, start);
  out.bytes.writeUInt32LE(crc32(out.bytes.subarray(body, out.length)), start + 4);
}

/** The end of the frame that begins at `start`. Throws WB3040 for one cut short or damaged. */
export function checkFrame(payload: Buffer, start: number): number {
  const body = start + FRAME_HEAD;
  if (body >= payload.length) throw corrupt(start, 'its head is cut off');
  const end = body + payload.readUInt32LE(start);
  if (end === body || end > payload.length) throw corrupt(start, 'its length runs past the payload');
  if (crc32(payload.subarray(body, end)) !== payload.readUInt32LE(start + 4)) {
    throw corrupt(start, 'its checksum is wrong');
  }
  return end;
}

export function corrupt(offset: number, why: string, cause?: unknown): WalbridgeError {
  return new WalbridgeError(
    {
      code: 'WB3040',
      kind: 'permanent',
      what: `A batch's payload is damaged: the frame at byte ${offset} can't be read, ${why}.`,
      safe: 'Nothing of the batch was applied, and the source still holds its changes.',
      next: "Let the lane send the batch again from the WAL; if it comes back damaged, check the queue's server.",
    },
    { cause },
  );
}
