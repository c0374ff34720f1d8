// PRELOGIN and LOGIN7 (MS-TDS 2.2.6.4, 2.2.6.5): what the client asks for, and the answer to it.
// Logins other than a SQL login over TDS 7.4 are refused by name.

import { versions } from 'tedious/lib/tds-versions.js';
import type { SqlMessage } from '../session.ts';
import { Cursor, type Writer } from './bytes.ts';
import { PACKET_SIZE, ProtocolError } from './packets.ts';
import { refusal } from './refusal.ts';

/** MS-TDS 2.2.6.5, the ENCRYPTION option. `off` still encrypts the login packet. */
export const ENCRYPTION = { off: 0, on: 1, unsupported: 2, required: 3 } as const;

const OPTION = { version: 0, encryption: 1, instance: 2, thread: 3, mars: 4, terminator: 0xff } as const;
/** Said of the server: a recent major version, so that clients send what 7.4 allows. */
const VERSION = [16, 0, 0x03, 0xe8] as const;

/** The client's ENCRYPTION byte. @throws ProtocolError */
export function readPrelogin(payload: Buffer): number {
  for (let at = 0; at < payload.length && payload[at] !== OPTION.terminator; at += 5) {
    if (at + 5 > payload.length) break;
    const offset = payload.readUInt16BE(at + 1);
    if (payload[at] === OPTION.encryption && offset < payload.length) return payload[offset]!;
  }
  throw new ProtocolError('The PRELOGIN message has no ENCRYPTION option.');
}

export function preloginAnswer(encryption: number): Buffer {
  const options: [number, readonly number[]][] = [
    [OPTION.version, [...VERSION, 0, 0]],
    [OPTION.encryption, [encryption]],
    [OPTION.instance, [0]],
    [OPTION.thread, []],
    [OPTION.mars, [0]],
  ];
  let offset = options.length * 5 + 1;
  const heads: number[] = [];
  for (const [token, data] of options) {
    heads.push(token, offset >> 8, offset & 0xff, 0, data.length);
    offset += data.length;
  }
  return Buffer.from([...heads, OPTION.terminator, ...options.flatMap(([, data]) => data)]);
}

/** What to answer to the client's ENCRYPTION byte, as SQL Server with a certificate and no Force Encryption does. */
export function negotiate(encryption: number): number {
  return encryption === ENCRYPTION.required ? ENCRYPTION.on : encryption;
}

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly hostname: string;
  readonly application: string;
  readonly packetSize: number;
  /** The client asked for UTF-8 support, and expects it acknowledged. */
  readonly utf8: boolean;
}

const AT = {
  version: 4,
  packetSize: 8,
  flags2: 25,
  flags3: 27,
  host: 36,
  user: 40,
  password: 44,
  application: 48,
} as const;
const AT_EXTENSION = 56;
const AT_DATABASE = 68;
const FIXED_LENGTH = 94;
const INTEGRATED_SECURITY = 0x80;
const EXTENSION_USED = 0x10;
const FEATURE = { fedAuth: 0x02, utf8: 0x0a, terminator: 0xff } as const;

/** @throws RequestError where the kind of login is refused, ProtocolError where the packet is none. */
export function readLogin(payload: Buffer): Login {
  if (payload.length < FIXED_LENGTH || payload.readUInt32LE(0) > payload.length) {
    throw new ProtocolError('The LOGIN7 message is shorter than it says.');
  }
  const slice = (at: number): Buffer => {
    const offset = payload.readUInt16LE(at);
    return new Cursor(payload, offset).slice(payload.readUInt16LE(at + 2) * 2);
  };
  if (payload.readUInt32LE(AT.version) < versions['7_4']!) throw refusal('a TDS version below 7.4');
  if (payload[AT.flags2]! & INTEGRATED_SECURITY) throw refusal('integrated authentication (SSPI)');
  const features = payload[AT.flags3]! & EXTENSION_USED ? readFeatures(payload) : new Set<number>();
  if (features.has(FEATURE.fedAuth)) throw refusal('Microsoft Entra (Azure Active Directory) authentication');
  const password = slice(AT.password).map((byte) => swapNibbles(byte ^ 0xa5));
  const asked = payload.readUInt32LE(AT.packetSize) || PACKET_SIZE.initial;
  return {
    user: slice(AT.user).toString('utf16le'),
    password: Buffer.from(password).toString('utf16le'),
    database: slice(AT_DATABASE).toString('utf16le'),
    hostname: slice(AT.host).toString('utf16le'),
    application: slice(AT.application).toString('utf16le'),
    packetSize: Math.min(Math.max(asked, PACKET_SIZE.minimum), PACKET_SIZE.maximum),
    utf8: features.has(FEATURE.utf8),
  };
}

/** As SQL Server words it, whatever of name or password is wrong. */
export function loginFailed(user: string): SqlMessage {
  return { number: 18456, state: 1, class: 14, message: `Login failed for user '${user}'.`, line: 1 };
}

/** FEATUREEXTACK's list: of what was asked for, only UTF-8 support. */
export function featureAcknowledgement(out: Writer): void {
  out.u8(FEATURE.utf8);
  out.u32(1);
  out.u8(1);
  out.u8(FEATURE.terminator);
}

function swapNibbles(byte: number): number {
  return ((byte << 4) | (byte >> 4)) & 0xff;
}

function readFeatures(payload: Buffer): Set<number> {
  const found = new Set<number>();
  const list = new Cursor(payload, payload.readUInt16LE(AT_EXTENSION)).u32();
  const cursor = new Cursor(payload, list);
  for (let id = cursor.u8(); id !== FEATURE.terminator; id = cursor.u8()) {
    found.add(id);
    cursor.skip(cursor.u32());
  }
  return found;
}
