// A byte buffer that grows as frames are appended and is cut off whole, so that a change costs no allocation of its own.
// Guarantees: `take` hands over a copy; what was appended after the cut stays.

export class GrowingBuffer {
  bytes: Buffer;
  /** Bytes in use; appenders write at it and move it. */
  length = 0;

  constructor(initialBytes = 64 * 1024) {
    this.bytes = Buffer.allocUnsafe(initialBytes);
  }

  /** Makes room for `more` bytes behind `length`. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  append(part: Uint8Array): void {
    this.reserve(part.length);
    this.bytes.set(part, this.length);
    this.length += part.length;
  }

  /** Removes the first `count` bytes and returns them as a buffer of their own; shrinks after an unusual peak. */
  take(count: number, keepBytes = 4 * 1024 * 1024): Buffer {
    const taken = Buffer.from(this.bytes.subarray(0, count));
    const rest = this.length - count;
    if (this.bytes.length > keepBytes && rest < keepBytes / 2) {
      const smaller = Buffer.allocUnsafe(keepBytes);
      this.bytes.copy(smaller, 0, count, this.length);
      this.bytes = smaller;
    } else {
      this.bytes.copyWithin(0, count, this.length);
    }
    this.length = rest;
    return taken;
  }
}
