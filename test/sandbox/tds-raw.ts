// A client that speaks bytes, for what no well-behaved client sends; and waiting for a condition.

import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { packetize } from '../../sandbox/sqlserver/tds/packets.ts';

export async function open(port: number): Promise<Socket> {
  const socket = connectSocket(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** LOGIN7 as MS-TDS 2.2.6.4 lays it out, without TLS. */
export function loginMessage(user: string, password: string, database: string, { flags2 = 0 }): Buffer {
  const fixed = Buffer.alloc(94);
  fixed.writeUInt32LE(0x74000004, 4);
  fixed[25] = flags2;
  const scrambled = Buffer.from(password, 'utf16le').map((b) => (((b << 4) | (b >> 4)) & 0xff) ^ 0xa5);
  let offset = fixed.length;
  const place = (at: number, data: Uint8Array): Uint8Array => {
    fixed.writeUInt16LE(offset, at);
    fixed.writeUInt16LE(data.length / 2, at + 2);
    offset += data.length;
    return data;
  };
  const parts = [
    place(40, Buffer.from(user, 'utf16le')),
    place(44, scrambled),
    place(68, Buffer.from(database, 'utf16le')),
  ];
  fixed.writeUInt32LE(offset, 0);
  return Buffer.concat([fixed, ...parts]);
}

export async function rawLogin(
  socket: Socket,
  user: string,
  password: string,
  database = 'crm',
  options: { flags2?: number } = {},
): Promise<Buffer> {
  socket.write(packetize(loginMessage(user, password, database, options), 0x10, 4096, 1, true));
  return answer(socket);
}

/** The payload of the next message. */
export async function answer(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= 8 && bytes.length >= bytes.readUInt16BE(2)) return bytes.subarray(8);
  }
}

/** Number, state and class of the ERROR tokens that open a message. */
export function errors(payload: Buffer): number[][] {
  const found: number[][] = [];
  let at = 0;
  while (payload[at] === 0xaa) {
    found.push([payload.readInt32LE(at + 3), payload[at + 7]!, payload[at + 8]!]);
    at += 3 + payload.readUInt16LE(at + 1);
  }
  return found;
}

export async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.destroyed) await once(socket, 'close');
}

export async function until(condition: () => boolean, every = 5): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the condition did not come about in 10 seconds');
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
