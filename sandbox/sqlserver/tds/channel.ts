// The bytes of one connection: plain, or in TLS whose handshake travels inside PRELOGIN packets (MS-TDS 2.2.6.5, 3.2.5.2).
// Guarantees that a socket's error only ever ends that connection.

import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { TYPE } from 'tedious/lib/packet.js';
import { PACKET_SIZE, type Packet, PacketReader, packetize } from './packets.ts';

export interface ChannelEvents {
  packet(packet: Packet): void;
  malformed(error: unknown): void;
  closed(): void;
}

let certificate: Promise<SecureContext> | undefined;

/** One self-signed certificate for the life of the process, made at the first need. */
export function secureContext(): Promise<SecureContext> {
  certificate ??= makeCertificate();
  return certificate;
}

async function makeCertificate(): Promise<SecureContext> {
  // A fifth of a second of processor time, which no start needs to wait for.
  const { generate } = await import('selfsigned');
  const attributes = [{ name: 'commonName', value: 'localhost' }];
  const { private: key, cert } = await generate(attributes, { keyType: 'ec', algorithm: 'sha256' });
  // Beyond TLS 1.2 the server's session tickets would follow the handshake, unwrapped, where TDS 7.4 expects none.
  return createSecureContext({ key, cert, maxVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET });
}

export class Channel {
  readonly #socket: Socket;
  readonly #events: ChannelEvents;
  #packets = new PacketReader();
  #wrapped = new PacketReader();
  /** A flight of the handshake on its way out. */
  #flight: Buffer[] = [];
  /** `handshake` ends with the client's first bytes that are no PRELOGIN packet. */
  #mode: 'plain' | 'handshake' | 'tls' = 'plain';
  #encrypted: Duplex | undefined;
  #clear: TLSSocket | undefined;
  #closed = false;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket, events: ChannelEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('drain', () => this.release());
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#closed = true;
      this.#clear?.destroy();
      this.release();
      events.closed();
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends; a promise while the client reads more slowly than this writes. */
  write(bytes: Buffer): undefined | Promise<void> {
    if (this.#closed) return undefined;
    const target = this.#mode === 'plain' ? this.#socket : this.#clear!;
    if (target.write(bytes)) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets writers go on: the socket drained or closed, or nobody wants the rest. */
  release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  pause(): void {
    (this.#clear ?? this.#socket).pause();
  }

  resume(): void {
    (this.#clear ?? this.#socket).resume();
  }

  /** Sends what is under way, then closes. */
  end(): void {
    const target = this.#mode === 'tls' ? this.#clear! : this.#socket;
    target.end(() => this.#socket.destroySoon());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  startTls(context: SecureContext): void {
    const encrypted = new Duplex({
      read: () => this.#socket.resume(),
      write: (chunk: Buffer, _encoding, done) => this.#sendEncrypted(chunk, done),
    });
    // Its errors are its socket's, which ends the connection.
    encrypted.on('error', () => undefined);
    const clear = new TLSSocket(encrypted, { isServer: true, secureContext: context });
    clear.on('data', (chunk: Buffer) => this.#deliver(chunk));
    clear.on('drain', () => this.release());
    clear.on('error', () => this.destroy());
    this.#encrypted = encrypted;
    this.#clear = clear;
    this.#mode = 'handshake';
  }

  /** Only the login was to be encrypted: from here on everything is plain. */
  stopTls(): void {
    this.#mode = 'plain';
    this.#clear = undefined;
    this.#packets = new PacketReader();
  }

  #sendEncrypted(chunk: Buffer, done: (error?: Error | null) => void): void {
    if (this.#mode === 'tls') {
      this.#socket.write(chunk, done);
      return;
    }
    // The client reads one PRELOGIN message a flight: gather the flight's writes.
    if (this.#mode === 'handshake' && this.#flight.push(chunk) === 1) {
      setImmediate(() => {
        const flight = Buffer.concat(this.#flight.splice(0));
        this.#socket.write(packetize(flight, TYPE.PRELOGIN!, PACKET_SIZE.initial, 0, true));
      });
    }
    done();
  }

  #receive(chunk: Buffer): void {
    if (this.#mode === 'plain') {
      this.#deliver(chunk);
      return;
    }
    if (this.#mode === 'handshake' && this.#wrapped.pending === 0 && chunk[0] !== TYPE.PRELOGIN) {
      this.#mode = 'tls';
    }
    if (this.#mode === 'tls') {
      if (!this.#encrypted!.push(chunk)) this.#socket.pause();
      return;
    }
    try {
      this.#wrapped.push(chunk, (packet) => this.#encrypted!.push(packet.payload));
    } catch (error) {
      this.#events.malformed(error);
    }
  }

  #deliver(chunk: Buffer): void {
    try {
      this.#packets.push(chunk, (packet) => this.#events.packet(packet));
    } catch (error) {
      this.#events.malformed(error);
    }
  }
}
