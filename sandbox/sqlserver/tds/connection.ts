// One client's connection: PRELOGIN, TLS, LOGIN7, then requests one after another until it closes (MS-TDS 3.3.5).
// Guarantees that a fault, here or in the engine, is told to this client and ends at most this connection.

import type { Socket } from 'node:net';
import { TYPE } from 'tedious/lib/packet.js';
import type { SqlEngine, SqlSession } from '../session.ts';
import { BulkStream, bulkTable } from './bulk.ts';
import { Cursor, Writer } from './bytes.ts';
import { Channel, secureContext } from './channel.ts';
import {
  ENCRYPTION,
  featureAcknowledgement,
  type Login,
  loginFailed,
  negotiate,
  preloginAnswer,
  readLogin,
  readPrelogin,
} from './login.ts';
import { PACKET_SIZE, type Packet, ProtocolError, packetize, RESPONSE, STATUS } from './packets.ts';
import { carriedMessage, RequestError, reason, refusal } from './refusal.ts';
import { Response, type SessionState } from './response.ts';
import { PreparedStatements, readCalls } from './rpc.ts';
import { readTransactionRequests } from './transaction-request.ts';

/** A request's message is held in memory whole, but for a bulk load's. */
const LARGEST_MESSAGE = 256 << 20;
const DEFAULT_DATABASE = 'master';

/** Its last packet said to ignore the whole; the client expects an answer all the same. SQL Server's number for a cancelled operation. */
const WITHDRAWN = new RequestError(
  3980,
  'The request failed to run because the batch is aborted by the client.',
);

interface Message {
  readonly type: number;
  readonly status: number;
  readonly chunks: Buffer[];
  readonly bulk: BulkStream | undefined;
  readonly cancel: AbortController;
  size: number;
}

export class Connection {
  readonly #engine: SqlEngine;
  #channel!: Channel;
  readonly #state: SessionState = { packetSize: PACKET_SIZE.initial, transaction: 0n, out: new Writer() };
  readonly #prepared = new PreparedStatements();
  #session: SqlSession | undefined;
  #encryption: number = ENCRYPTION.unsupported;
  #message: Message | undefined;
  /** The request under way: the next waits for it. */
  #turn: Promise<void> = Promise.resolve();
  /** Begun or about to: what an attention cancels. */
  #underWay: Message | undefined;
  #bulkTable: string | undefined;

  /** Resolves when the socket and the session are closed. */
  readonly finished: Promise<void>;

  constructor(socket: Socket, engine: SqlEngine, onClose: () => void) {
    this.#engine = engine;
    this.finished = new Promise((resolve) => {
      this.#channel = new Channel(socket, {
        packet: (packet) => this.#packet(packet),
        malformed: () => this.#fail(),
        closed: () => {
          onClose();
          resolve(this.#closed());
        },
      });
    });
  }

  /** Cuts the connection, as a broken network does. */
  destroy(): void {
    this.#channel.destroy();
  }

  #closed(): Promise<void> {
    this.#message?.bulk?.abort(WITHDRAWN);
    this.#underWay?.cancel.abort();
    this.#turn = this.#turn.then(() => this.#session?.close()).catch(() => undefined);
    return this.#turn;
  }

  #packet(packet: Packet): void {
    if (packet.type === TYPE.ATTENTION) {
      this.#attention();
      return;
    }
    this.#message ??= this.#begin(packet);
    const message = this.#message;
    if (message.bulk !== undefined) message.bulk.push(packet.payload);
    else message.chunks.push(packet.payload);
    message.size += packet.payload.length;
    if (message.bulk === undefined && message.size > LARGEST_MESSAGE) {
      throw new ProtocolError('The request is too large.');
    }
    if ((packet.status & STATUS.END_OF_MESSAGE) === 0) return;
    this.#message = undefined;
    const ignored = (packet.status & STATUS.IGNORE) !== 0;
    if (message.bulk !== undefined) {
      if (ignored) message.bulk.abort(WITHDRAWN);
      message.bulk.end();
      return;
    }
    this.#schedule(message, ignored);
  }

  #begin(packet: Packet): Message {
    const { type, status } = packet;
    if (type !== TYPE.BULK_LOAD)
      return { type, status, chunks: [], bulk: undefined, cancel: new AbortController(), size: 0 };
    const bulk = new BulkStream((full) => (full ? this.#channel.pause() : this.#channel.resume()));
    const message = { type, status, chunks: [], bulk, cancel: new AbortController(), size: 0 };
    this.#schedule(message, false);
    return message;
  }

  #schedule(message: Message, ignored: boolean): void {
    if (this.#session !== undefined) this.#underWay = message;
    this.#turn = this.#turn
      .then(() => (this.#channel.closed ? undefined : this.#handle(message, ignored)))
      .catch(() => this.#fail());
  }

  async #handle(message: Message, ignored: boolean): Promise<void> {
    if (message.type === TYPE.PRELOGIN) return this.#prelogin(Buffer.concat(message.chunks));
    if (message.type === TYPE.LOGIN7) return this.#login(Buffer.concat(message.chunks));
    const session = this.#session;
    if (session === undefined) throw new ProtocolError('A request before the login.');
    const response = new Response(this.#channel, this.#state);
    const cancel = message.cancel.signal;
    const cancelled = (): void => {
      response.cancel();
      message.bulk?.abort(WITHDRAWN);
    };
    // The attention may have come with the request.
    if (cancel.aborted) cancelled();
    else cancel.addEventListener('abort', cancelled, { once: true });
    try {
      if (ignored || cancel.aborted) throw WITHDRAWN;
      await this.#reset(message.status, session, response);
      await this.#request(message, session, response, cancel);
    } catch (error) {
      response.error(reason(error));
      response.endBatch();
      if (carriedMessage(error) === undefined) {
        await response.send();
        throw error;
      }
    } finally {
      await message.bulk?.drain();
      this.#underWay = undefined;
    }
    await response.send();
  }

  async #request(
    message: Message,
    session: SqlSession,
    response: Response,
    cancel: AbortSignal,
  ): Promise<void> {
    if (message.bulk !== undefined) {
      const table = this.#bulkTable;
      if (table === undefined) throw new ProtocolError('A bulk load without INSERT BULK.');
      this.#bulkTable = undefined;
      const target = await message.bulk.target(table);
      await session.bulk(target, message.bulk.rows(), response);
      response.endBatch();
      return;
    }
    const cursor = new Cursor(Buffer.concat(message.chunks));
    cursor.skip(cursor.u32() - 4);
    switch (message.type) {
      case TYPE.SQL_BATCH: {
        const sql = cursor.utf16((cursor.bytes.length - cursor.offset) & ~1);
        this.#bulkTable = bulkTable(sql);
        if (this.#bulkTable === undefined) await session.execute(sql, null, response, cancel);
        response.endBatch();
        return;
      }
      case TYPE.RPC_REQUEST:
        return this.#calls(cursor, session, response, cancel);
      case TYPE.TRANSACTION_MANAGER:
        for (const request of readTransactionRequests(cursor)) await session.transaction(request, response);
        response.endBatch();
        return;
      default:
        throw refusal(`packet type ${message.type}`);
    }
  }

  async #calls(cursor: Cursor, session: SqlSession, response: Response, cancel: AbortSignal): Promise<void> {
    const calls = readCalls(cursor);
    for (const [i, raw] of calls.entries()) {
      response.beginProcedure();
      try {
        const call = this.#prepared.resolve(raw);
        if (call.kind === 'reset') await session.reset();
        else if (call.kind === 'prepared') response.output(call.handle);
        else {
          if (call.handle !== undefined) response.output(call.handle);
          if (call.sql !== '') await session.execute(call.sql, call.parameters, response, cancel);
        }
      } catch (error) {
        const message = carriedMessage(error);
        if (message === undefined) throw error;
        response.error(message);
      }
      response.endProcedure(i < calls.length - 1, new Map(raw.parameters.map(({ name }, at) => [name, at])));
    }
  }

  async #reset(status: number, session: SqlSession, response: Response): Promise<void> {
    if (status & STATUS.RESET_KEEP_TRANSACTION) throw refusal('a reset that keeps the transaction');
    if ((status & STATUS.RESET) === 0) return;
    await session.reset();
    if (this.#state.transaction !== 0n) response.transaction('rollback', this.#state.transaction);
    response.reset();
  }

  #attention(): void {
    if (this.#underWay !== undefined) {
      this.#underWay.cancel.abort();
      return;
    }
    // The answer was complete already: only the acknowledgement is missing.
    this.#turn = this.#turn
      .then(async () => {
        const response = new Response(this.#channel, this.#state);
        response.acknowledgeAttention();
        await response.send();
      })
      .catch(() => this.#fail());
  }

  async #prelogin(payload: Buffer): Promise<void> {
    if (this.#session !== undefined) throw new ProtocolError('PRELOGIN after the login.');
    this.#encryption = negotiate(readPrelogin(payload));
    const context = this.#encryption === ENCRYPTION.unsupported ? undefined : await secureContext();
    this.#channel.write(packetize(preloginAnswer(this.#encryption), RESPONSE, PACKET_SIZE.initial, 1, true));
    if (context !== undefined) this.#channel.startTls(context);
  }

  async #login(payload: Buffer): Promise<void> {
    if (this.#session !== undefined) throw new ProtocolError('A second login.');
    if (this.#encryption === ENCRYPTION.off) this.#channel.stopTls();
    const response = new Response(this.#channel, this.#state);
    let login: Login | undefined;
    try {
      login = readLogin(payload);
      this.#session = await this.#engine.open({ ...login, database: login.database || DEFAULT_DATABASE });
    } catch (error) {
      // As SQL Server: what cannot be opened is said first, then that the login failed.
      const cause = reason(error);
      response.error(cause);
      if (login !== undefined && cause.number !== 18456) response.error(loginFailed(login.user));
      response.endBatch();
      await response.send();
      this.#channel.end();
      return;
    }
    if (this.#channel.closed) return this.#session.close();
    const acknowledge = login.utf8 ? featureAcknowledgement : undefined;
    response.loggedIn(login.database || DEFAULT_DATABASE, login.packetSize, acknowledge);
    response.endBatch();
    await response.send();
    this.#state.packetSize = login.packetSize;
  }

  /** The stream is broken, or the sandbox is: what could be said has been said. */
  #fail(): void {
    this.#channel.end();
  }
}
