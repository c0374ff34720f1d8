// TDS packets: cuts the incoming bytes into packets, and packs outgoing tokens into packets of the agreed size.
// MS-TDS 2.2.3.1: eight bytes of header, then payload; a message ends with the packet that carries END_OF_MESSAGE.

import { HEADER_LENGTH, OFFSET } from 'tedious/lib/packet.js';

/** MS-TDS 2.2.3.1.2. */
export const STATUS = {
  END_OF_MESSAGE: 0x01,
  IGNORE: 0x02,
  RESET: 0x08,
  RESET_KEEP_TRANSACTION: 0x10,
} as const;
export const RESPONSE = 0x04;
/** What a client and a server may agree on at login. */
export const PACKET_SIZE = { minimum: 512, initial: 4096, maximum: 32767 } as const;

export interface Packet {
  readonly type: number;
  readonly status: number;
  readonly payload: Buffer;
}

/** The bytes are not TDS, or end too early. The connection cannot go on. */
export class ProtocolError extends Error {}

export class PacketReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Bytes of a packet that is not complete yet. */
  get pending(): number {
    return this.#rest.length;
  }

  /** @throws ProtocolError for a header that cannot be one. */
  push(chunk: Buffer, deliver: (packet: Packet) => void): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= HEADER_LENGTH) {
      const length = bytes.readUInt16BE(OFFSET.Length);
      const type = bytes[OFFSET.Type]!;
      if (length < HEADER_LENGTH || type === 0 || type > 0x1f) {
        throw new ProtocolError('The incoming tabular data stream (TDS) protocol stream is incorrect.');
      }
      if (bytes.length < length) break;
      const packet = { type, status: bytes[OFFSET.Status]!, payload: bytes.subarray(HEADER_LENGTH, length) };
      bytes = bytes.subarray(length);
      this.#rest = bytes;
      deliver(packet);
    }
    this.#rest = bytes;
  }
}

/** Puts `payload` into packets of at most `size` bytes; the last is marked END_OF_MESSAGE if `final`. */
export function packetize(
  payload: Buffer,
  type: number,
  size: number,
  first: number,
  final: boolean,
): Buffer {
  const room = size - HEADER_LENGTH;
  const count = Math.max(1, Math.ceil(payload.length / room));
  const out = Buffer.allocUnsafe(payload.length + count * HEADER_LENGTH);
  let to = 0;
  for (let i = 0; i < count; i++) {
    const from = i * room;
    const length = Math.min(room, payload.length - from);
    out[to] = type;
    out[to + OFFSET.Status] = final && i === count - 1 ? STATUS.END_OF_MESSAGE : 0;
    out.writeUInt16BE(length + HEADER_LENGTH, to + OFFSET.Length);
    out.writeUInt16BE(0, to + OFFSET.SPID);
    out[to + OFFSET.PacketID] = (first + i) & 0xff;
    out[to + OFFSET.Window] = 0;
    payload.copy(out, to + HEADER_LENGTH, from, from + length);
    to += length + HEADER_LENGTH;
  }
  return out;
}
