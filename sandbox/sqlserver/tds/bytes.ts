// A growing buffer to write TDS tokens into, and a cursor to read them from. Both little-endian, as TDS is.

/** Thrown by Cursor beyond the end; one instance, without a stack, since a bulk load meets it at every packet's end. */
class Truncated extends Error {
  /** Bytes that the buffer must hold before the read is worth trying again. */
  needed = 0;
}
const TRUNCATED = new Truncated('The TDS stream ended unexpectedly.');

export function isTruncated(error: unknown): error is Truncated {
  return error === TRUNCATED;
}

export class Cursor {
  readonly bytes: Buffer;
  offset: number;

  constructor(bytes: Buffer, offset = 0) {
    this.bytes = bytes;
    this.offset = offset;
  }

  get atEnd(): boolean {
    return this.offset >= this.bytes.length;
  }

  /** Moves past `count` bytes and returns where they begin. */
  skip(count: number): number {
    const at = this.offset;
    if (at + count > this.bytes.length) {
      TRUNCATED.needed = at + count;
      throw TRUNCATED;
    }
    this.offset = at + count;
    return at;
  }

  peek(): number | undefined {
    return this.bytes[this.offset];
  }
  u8(): number {
    return this.bytes[this.skip(1)]!;
  }
  u16(): number {
    return this.bytes.readUInt16LE(this.skip(2));
  }
  u32(): number {
    return this.bytes.readUInt32LE(this.skip(4));
  }
  i16(): number {
    return this.bytes.readInt16LE(this.skip(2));
  }
  i32(): number {
    return this.bytes.readInt32LE(this.skip(4));
  }
  f32(): number {
    return this.bytes.readFloatLE(this.skip(4));
  }
  f64(): number {
    return this.bytes.readDoubleLE(this.skip(8));
  }
  /** An integer of up to 6 bytes. */
  uint(bytes: number): number {
    return this.bytes.readUIntLE(this.skip(bytes), bytes);
  }
  u64(): bigint {
    return this.bytes.readBigUInt64LE(this.skip(8));
  }
  slice(length: number): Buffer {
    const at = this.skip(length);
    return this.bytes.subarray(at, at + length);
  }
  utf16(bytes: number): string {
    const at = this.skip(bytes);
    return this.bytes.toString('utf16le', at, at + bytes);
  }
  /** B_VARCHAR: a byte that counts UTF-16 units, then the units. */
  shortText(): string {
    return this.utf16(this.u8() * 2);
  }
  /** US_VARCHAR. */
  text(): string {
    return this.utf16(this.u16() * 2);
  }
}

export class Writer {
  bytes: Buffer = Buffer.allocUnsafe(1 << 16);
  length = 0;

  /** Makes room for `count` bytes and returns where they begin. */
  reserve(count: number): number {
    const at = this.length;
    if (at + count > this.bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, at + count));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    this.length = at + count;
    return at;
  }

  // reserve() first: it may replace `bytes`.
  u8(value: number): void {
    const at = this.reserve(1);
    this.bytes[at] = value;
  }
  u16(value: number): void {
    const at = this.reserve(2);
    this.bytes.writeUInt16LE(value, at);
  }
  i16(value: number): void {
    const at = this.reserve(2);
    this.bytes.writeInt16LE(value, at);
  }
  u32(value: number): void {
    const at = this.reserve(4);
    this.bytes.writeUInt32LE(value, at);
  }
  i32(value: number): void {
    const at = this.reserve(4);
    this.bytes.writeInt32LE(value, at);
  }
  u64(value: bigint): void {
    const at = this.reserve(8);
    this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), at);
  }
  f32(value: number): void {
    const at = this.reserve(4);
    this.bytes.writeFloatLE(value, at);
  }
  f64(value: number): void {
    const at = this.reserve(8);
    this.bytes.writeDoubleLE(value, at);
  }
  /** An integer of up to 6 bytes. */
  uint(value: number, bytes: number): void {
    const at = this.reserve(bytes);
    this.bytes.writeUIntLE(value, at, bytes);
  }
  raw(value: Uint8Array): void {
    const at = this.reserve(value.length);
    this.bytes.set(value, at);
  }
  hex(digits: string): void {
    const at = this.reserve(digits.length / 2);
    this.bytes.write(digits, at, 'hex');
  }
  utf16(text: string): void {
    const at = this.reserve(text.length * 2);
    this.bytes.write(text, at, 'utf16le');
  }
  /** B_VARCHAR; longer text is cut, as a name longer than SQL Server's 128 characters would be. */
  shortText(text: string): void {
    const kept = text.slice(0, 255);
    this.u8(kept.length);
    this.utf16(kept);
  }
  /** US_VARCHAR. */
  text(text: string): void {
    const kept = text.slice(0, 0x7fff);
    this.u16(kept.length);
    this.utf16(kept);
  }
  /** Writes `body` behind a 16-bit count of its bytes, as ERROR, ENVCHANGE and LOGINACK have it. */
  counted(body: () => void): void {
    const at = this.reserve(2);
    body();
    this.bytes.writeUInt16LE(this.length - at - 2, at);
  }
}
