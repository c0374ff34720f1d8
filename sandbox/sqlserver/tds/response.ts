// The answer to one request: a ResultSink that writes TDS tokens (MS-TDS 2.2.7) and sends them in large pieces.
// Guarantees that DONE flags fit what follows, and that nothing more is written once the client has cancelled.

import { TYPE } from 'tedious/lib/token/token.js';
import type { ColumnMetadata, Parameter, ResultSink, SqlMessage, Value } from '../session.ts';
import { Writer } from './bytes.ts';
import type { Channel } from './channel.ts';
import { DEFAULT_COLLATION } from './collation.ts';
import { PACKET_SIZE, packetize, RESPONSE } from './packets.ts';
import {
  ENVIRONMENT,
  notice,
  writeColumns,
  writeEnvironment,
  writeLoginAcknowledgement,
  writeMessage,
  writeReturnValue,
} from './tokens.ts';
import { type Codec, codecOf } from './types.ts';

const NOTHING: Uint8Array = new Uint8Array(0);
const DONE = { more: 0x01, error: 0x02, inTransaction: 0x04, count: 0x10, attention: 0x20 } as const;
const SELECT = 0xc1;
const FLUSH_AT = 1 << 15;
/** A buffer that one huge value made larger than this is not kept for the next request. */
const KEEP_AT_MOST = 1 << 20;

/** What outlives a response: the same for all responses of a connection, which never overlap. */
export interface SessionState {
  packetSize: number;
  out: Writer;
  /** The open transaction's descriptor, 0n for none. */
  transaction: bigint;
}

interface PendingDone {
  readonly count: number | null;
  readonly failed: boolean;
  readonly command: number;
}

export class Response implements ResultSink {
  readonly #channel: Channel;
  readonly #state: SessionState;
  readonly #out: Writer;
  /** A procedure's statements end with DONEINPROC, and the whole with DONEPROC. */
  #inProcedure = false;
  #packet = 1;
  #codecs: readonly Codec[] = [];
  #command = 0;
  #pending: PendingDone | undefined;
  #failed = false;
  #outputs: Parameter[] = [];
  #status: number | undefined;
  #cancelled = false;

  constructor(channel: Channel, state: SessionState) {
    this.#channel = channel;
    this.#state = state;
    if (state.out.bytes.length > KEEP_AT_MOST) state.out = new Writer();
    this.#out = state.out;
    this.#out.length = 0;
  }

  columns(columns: readonly ColumnMetadata[]): undefined | Promise<void> {
    const out = this.#token(TYPE.COLMETADATA);
    this.#codecs = columns.map((column) => codecOf(column.type, column.nullable));
    this.#command = SELECT;
    writeColumns(out, columns, this.#codecs);
    return undefined;
  }

  row(values: readonly Value[]): undefined | Promise<void> {
    if (this.#cancelled) return undefined;
    const out = this.#out;
    const start = out.length;
    const codecs = this.#codecs;
    try {
      if (values.includes(null)) {
        out.u8(TYPE.NBCROW);
        const bitmap = out.reserve((codecs.length + 7) >> 3);
        out.bytes.fill(0, bitmap, out.length);
        for (let i = 0; i < codecs.length; i++) {
          const value = values[i] ?? null;
          if (value === null) out.bytes[bitmap + (i >> 3)]! |= 1 << (i & 7);
          else codecs[i]!.write(out, value);
        }
      } else {
        out.u8(TYPE.ROW);
        for (let i = 0; i < codecs.length; i++) codecs[i]!.write(out, values[i]!);
      }
    } catch (error) {
      // Half a row must not reach the client.
      out.length = start;
      throw error;
    }
    return out.length >= FLUSH_AT ? this.#flush(false) : undefined;
  }

  done(count: number | null): void {
    this.#settle(true);
    this.#pending = { count, failed: this.#failed, command: this.#command };
    this.#failed = false;
    this.#command = 0;
  }

  info(message: SqlMessage): void {
    writeMessage(this.#token(TYPE.INFO), message);
  }

  error(message: SqlMessage): void {
    writeMessage(this.#token(TYPE.ERROR), message);
    this.#failed = true;
  }

  output(parameter: Parameter): void {
    this.#outputs.push(parameter);
  }

  returnStatus(value: number): void {
    this.#status = value;
  }

  database(name: string, previous: string): void {
    this.#environment(ENVIRONMENT.database, name, previous);
  }

  transaction(event: 'begin' | 'commit' | 'rollback', descriptor: bigint): void {
    this.#state.transaction = event === 'begin' ? descriptor : 0n;
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(descriptor);
    if (event === 'begin') this.#environment(ENVIRONMENT.begin, bytes, NOTHING);
    else this.#environment(ENVIRONMENT[event], NOTHING, bytes);
  }

  /** The connection was reset before this request (MS-TDS 2.2.7.9, type 18). */
  reset(): void {
    this.#environment(ENVIRONMENT.reset, NOTHING, NOTHING);
  }

  /** All that a client expects after a good login, up to DONE. */
  loggedIn(database: string, packetSize: number, featureList: ((out: Writer) => void) | undefined): void {
    this.database(database, '');
    this.info(notice(5701, 2, `Changed database context to '${database}'.`));
    this.#environment(ENVIRONMENT.collation, DEFAULT_COLLATION, NOTHING);
    this.#environment(ENVIRONMENT.language, 'us_english', '');
    this.info(notice(5703, 1, 'Changed language setting to us_english.'));
    writeLoginAcknowledgement(this.#token(TYPE.LOGINACK));
    this.#environment(ENVIRONMENT.packetSize, String(packetSize), String(PACKET_SIZE.initial));
    if (featureList !== undefined) featureList(this.#token(TYPE.FEATUREEXTACK));
  }

  beginProcedure(): void {
    this.#inProcedure = true;
  }

  /** RETURNSTATUS, RETURNVALUEs and DONEPROC; `more` if another procedure's answer follows in this message. */
  endProcedure(more: boolean, ordinals: ReadonlyMap<string, number>): void {
    const failed = this.#failed;
    this.#token(TYPE.RETURNSTATUS).i32(this.#status ?? 0);
    for (const parameter of this.#outputs)
      writeReturnValue(this.#token(TYPE.RETURNVALUE), parameter, ordinals.get(parameter.name) ?? 0);
    this.#writeDone(TYPE.DONEPROC, { count: null, failed, command: 0 }, more);
    this.#outputs = [];
    this.#status = undefined;
    this.#failed = false;
    this.#inProcedure = false;
  }

  /** Ends a batch's answer with the last DONE. */
  endBatch(): void {
    if (this.#pending === undefined || this.#failed) this.done(null);
    this.#settle(false);
  }

  /** Nothing more is written but the end. */
  cancel(): void {
    this.#cancelled = true;
    this.#channel.release();
  }

  /**
   * Sends what is left. After a cancel the message is cut short with an error's DONE, and a second one carries the
   * acknowledgement (MS-TDS 2.2.1.7), which is where clients look for it.
   */
  async send(): Promise<void> {
    if (this.#cancelled) {
      this.#cancelled = false;
      this.#pending = undefined;
      this.#writeDone(TYPE.DONE, { count: null, failed: true, command: 0 }, false);
      await this.#flush(true);
      this.acknowledgeAttention();
    }
    await this.#flush(true);
  }

  acknowledgeAttention(): void {
    this.#packet = 1;
    const out = this.#out;
    out.u8(TYPE.DONE);
    out.u16(DONE.attention | (this.#state.transaction === 0n ? 0 : DONE.inTransaction));
    out.u16(0);
    out.u64(0n);
  }

  #flush(final: boolean): undefined | Promise<void> {
    const payload = this.#out.bytes.subarray(0, this.#out.length);
    const size = this.#state.packetSize;
    const room = size - 8;
    // A message's last packet carries its end: keep something for it.
    const whole = final ? payload.length : Math.floor((payload.length - 1) / room) * room;
    const packets = packetize(payload.subarray(0, whole), RESPONSE, size, this.#packet, final);
    this.#packet += Math.ceil(whole / room);
    this.#out.bytes.copyWithin(0, whole, this.#out.length);
    this.#out.length -= whole;
    return this.#channel.write(packets);
  }

  /** Starts a token; after a cancel into a writer that nobody sends. */
  #token(type: number): Writer {
    if (this.#cancelled) return new Writer();
    this.#settle(true);
    this.#out.u8(type);
    return this.#out;
  }

  #settle(more: boolean): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined && !this.#cancelled) {
      this.#writeDone(this.#inProcedure ? TYPE.DONEINPROC : TYPE.DONE, pending, more);
    }
  }

  #writeDone(type: number, done: PendingDone, more: boolean): void {
    const out = this.#token(type);
    out.u16(
      (more ? DONE.more : 0) |
        (done.failed ? DONE.error : 0) |
        (this.#state.transaction === 0n ? 0 : DONE.inTransaction) |
        (done.count === null ? 0 : DONE.count),
    );
    out.u16(done.command);
    out.u64(BigInt(done.count ?? 0));
  }

  #environment<V extends string | Uint8Array>(type: number, value: V, previous: V): void {
    writeEnvironment(this.#token(TYPE.ENVCHANGE), type, value, previous);
  }
}
