// The WAL tail: reads a slot from its confirmed position for as long as it is let, through lost connections and restarts.
// Guarantees: transactions in commit order, none left out; only positions told with `acknowledge` are acknowledged; messages are
// handled strictly one after the other, and the socket waits while the consumer does.
//
// A tail is `stopped`, then by turns `connecting`, `standby` (another process reads the slot; this one waits for its end) and
// `streaming`. A server frees the slot of a reader whose machine died only after its wal_sender_timeout: take-over waits for that.
// pg-logical-replication's service class is not used: besides its flow control (message-pump.ts), it lets a decoding error escape
// into the socket's event handler, where it kills the process, and has no way to wait for the consumer before it reconnects.
import { setTimeout as pause } from 'node:timers/promises';
import type { ClientConfig } from 'pg';
import type { Lsn } from '../change/position.ts';
import type { WalbridgeError } from '../fault/fault.ts';
import { type Backoff, backoffMs } from '../fault/retry.ts';
import { Acknowledgement } from './acknowledgement.ts';
import type { ChangeConsumer } from './change-consumer.ts';
import { livenessIntervals, watchLiveness } from './liveness.ts';
import { MessagePump } from './message-pump.ts';
import { createPgoutputPlugin } from './pgoutput-decoder.ts';
import { ReplicationConnection, type SourceIdentity, type StreamFacts } from './replication-connection.ts';
import { slotFault } from './slot-facts.ts';
import { errorCode, missingPublication, silentSource, sourceFault, standbySource } from './source-fault.ts';
import { type StreamSource, streamSource } from './stream-source.ts';
import { type Relations, TransactionAssembly } from './transaction-assembly.ts';

export type TailState = 'stopped' | 'connecting' | 'standby' | 'streaming';

/** Told of what happens; for logs and metrics. */
export interface TailObserver {
  /** Before anything is read. What it throws ends the tail: the place to refuse another source than the last. */
  identified?(source: SourceIdentity): void;
  /** Another process reads the slot; told once a wait. */
  standby?(activePid: number | null): void;
  streaming?(): void;
  disconnected?(fault: WalbridgeError, waitMs: number): void;
}

export interface WalTailOptions {
  readonly connection: ClientConfig;
  readonly slot: string;
  readonly publications: readonly string[];
  /** Hand over pg_logical_emit_message's messages; true by default. */
  readonly messages?: boolean;
  /** Milliseconds between status messages at most; half the server's wal_sender_timeout where that is less. */
  readonly statusIntervalMs?: number;
  readonly reconnect?: Backoff;
  readonly observer?: TailObserver;
}

const DEFAULT_STATUS_INTERVAL_MS = 10_000;
const DEFAULT_RECONNECT: Backoff = { initialMs: 200, maximumMs: 15_000 };
const STANDBY_POLL: Backoff = { initialMs: 50, maximumMs: 1_000 };

const XLOG_DATA = 0x77;
const XLOG_DATA_HEADER_BYTES = 25;
const KEEPALIVE = 0x6b;
const OBJECT_IN_USE = '55006';

/** Why a stream ended. `failed`: what the consumer threw, or a message that cannot be read. */
type StreamEnd =
  | { readonly kind: 'aborted' | 'restart' }
  | { readonly kind: 'failed' | 'source'; readonly error: unknown };

export class WalTail {
  readonly #options: WalTailOptions;
  readonly #acknowledgement = new Acknowledgement();
  readonly #relations: Relations = new Map();
  #state: TailState = 'stopped';
  #source: StreamSource | null = null;
  #received = 0;
  #endStream: ((end: StreamEnd) => void) | null = null;
  #sendStatus: (() => void) | null = null;

  constructor(options: WalTailOptions) {
    this.#options = options;
  }

  get state(): TailState {
    return this.#state;
  }

  /** The source when the last stream began, and nobody else had the slot; null before the first. */
  get source(): StreamSource | null {
    return this.#source;
  }

  /** Everything that commits at or before it may be forgotten by the source; null until this stream was told of something. */
  get acknowledged(): Lsn | null {
    return this.#acknowledgement.durable;
  }

  /** Everything that commits at or before `lsn` is durable: the server is told at once. Lower ones, and those of no stream, are ignored. */
  acknowledge(lsn: Lsn): void {
    if (this.#acknowledgement.advance(lsn)) this.#sendStatus?.();
  }

  /**
   * Drops the stream and starts again from the slot's confirmed position, after the consumer is done with what it has in
   * hand: a method of it that waits must come to its end. Without a stream in progress it does nothing.
   */
  requestRestart(): void {
    this.#endStream?.({ kind: 'restart' });
  }

  /**
   * Resolves after `signal` aborts (a consumer that waits must then come to its end). Throws what the consumer or the observer
   * throws, and permanent faults: WB2002 access, WB2003 refused, WB2010 slot missing, WB2011 slot invalidated, WB2012 foreign
   * slot, WB2013 publication missing, WB2020 unreadable stream. Transient ones are retried for ever.
   */
  async run(consumer: ChangeConsumer, signal: AbortSignal): Promise<void> {
    let failures = 0;
    try {
      while (!signal.aborted) {
        const end = await this.#session(consumer, signal);
        if (end.kind === 'failed') throw end.error;
        if (end.kind !== 'source') {
          failures = 0;
          continue;
        }
        if (this.#state === 'streaming') failures = 0;
        failures += 1;
        await this.#waitToReconnect(end.error, failures, signal);
      }
    } finally {
      this.#state = 'stopped';
    }
  }

  async #waitToReconnect(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    // Another process was quicker: no fault, the next session stands by.
    const isTaken = errorCode(error) === OBJECT_IN_USE;
    const reason = sourceFault(error);
    if (reason.kind === 'permanent') throw reason;
    const waitMs = backoffMs(
      isTaken ? STANDBY_POLL : (this.#options.reconnect ?? DEFAULT_RECONNECT),
      failures,
    );
    if (!isTaken) this.#options.observer?.disconnected?.(reason, waitMs);
    await pauseUnlessAborted(waitMs, signal);
  }

  /** One connection from its start to its end. */
  async #session(consumer: ChangeConsumer, signal: AbortSignal): Promise<StreamEnd> {
    this.#state = 'connecting';
    let connection: ReplicationConnection | null = null;
    try {
      connection = await ReplicationConnection.open(this.#options.connection, signal);
      const identity = await connection.identify();
      const refusal = this.#identified(identity);
      if (refusal !== null) return refusal;
      const facts = await this.#waitForSlot(connection, identity, signal);
      if (signal.aborted) return { kind: 'aborted' };
      // Anew: who has waited for the slot was told of an old state.
      const source = streamSource(await connection.identify(), facts);
      this.#source = source;
      this.#acknowledgement.restart(source.confirmed);
      return await this.#stream(connection, facts, consumer, signal);
    } catch (error) {
      return signal.aborted ? { kind: 'aborted' } : { kind: 'source', error };
    } finally {
      await connection?.close();
    }
  }

  #identified(source: SourceIdentity): StreamEnd | null {
    try {
      this.#options.observer?.identified?.(source);
      return null;
    } catch (error) {
      return { kind: 'failed', error };
    }
  }

  /** Resolves when the slot can be read and nobody reads it, or on abort. */
  async #waitForSlot(
    connection: ReplicationConnection,
    source: SourceIdentity,
    signal: AbortSignal,
  ): Promise<StreamFacts> {
    const { slot, publications, observer } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const facts = await connection.facts(slot, publications);
      // Before it is promoted, or where the connection went astray. A slot that it copies from its primary cannot be read here.
      if (facts.isInRecovery && (facts.slot === null || facts.slot.synced)) throw standbySource(slot);
      const unusable = slotFault(slot, facts.slot, source.database);
      if (unusable !== null) throw unusable;
      if (facts.missingPublications.length > 0)
        throw missingPublication(facts.missingPublications.join(', '));
      if (facts.slot?.active !== true || signal.aborted) return facts;
      // The walsender of this process' own last connection takes a moment to go: no stand-by yet.
      if (attempt === 4) {
        this.#state = 'standby';
        observer?.standby?.(facts.slot.activePid);
      }
      await pauseUnlessAborted(backoffMs(STANDBY_POLL, attempt), signal);
    }
  }

  async #stream(
    connection: ReplicationConnection,
    facts: StreamFacts,
    consumer: ChangeConsumer,
    signal: AbortSignal,
  ): Promise<StreamEnd> {
    const { slot, publications, messages, statusIntervalMs, observer } = this.#options;
    const plugin = createPgoutputPlugin(publications, messages ?? true);
    const assembly = new TransactionAssembly(plugin, this.#relations, consumer);
    const sendStatus = (replyRequested: boolean) =>
      connection.send(this.#acknowledgement.statusMessage(replyRequested));

    const pump = new MessagePump(
      (message) => {
        if (message[0] === XLOG_DATA) return assembly.consume(message.subarray(XLOG_DATA_HEADER_BYTES));
        if (message[0] !== KEEPALIVE) return undefined;
        // The server has sent every transaction that commits before this position, not the one that commits at it. In the
        // midst of a transaction it says nothing about that one.
        const walEnd = message.readBigUInt64BE(1);
        if (!assembly.isInTransaction && walEnd > 0n) consumer.idle(walEnd - 1n);
        if (message[17] === 1) sendStatus(false);
        return undefined;
      },
      connection,
      (error) => end({ kind: 'failed', error }),
    );

    let resolveEnd: (end: StreamEnd) => void = () => {};
    const ended = new Promise<StreamEnd>((resolve) => {
      resolveEnd = resolve;
    });
    let released: Promise<void> | null = null;
    // At once, not when `ended` is awaited: of what the driver has read already nothing more may be handed over.
    const end = (reason: StreamEnd) => {
      released ??= pump.stop();
      resolveEnd(reason);
    };
    const abort = () => end({ kind: 'aborted' });
    signal.addEventListener('abort', abort);
    this.#endStream = end;

    let stopWatching = () => {};
    const started = () => {
      if (released !== null) return;
      this.#state = 'streaming';
      this.#sendStatus = () => sendStatus(false);
      // Not before the slot is this stream's: what a restart does to the queue would hit the work of another reader.
      try {
        consumer.restarted();
      } catch (error) {
        end({ kind: 'failed', error });
        return;
      }
      observer?.streaming?.();
      stopWatching = watchLiveness(
        livenessIntervals(facts.walSenderTimeoutMs, statusIntervalMs ?? DEFAULT_STATUS_INTERVAL_MS),
        {
          sendStatus,
          received: () => this.#received,
          isPaused: () => pump.isPaused,
          onSilent: () => {
            connection.destroy();
            end({ kind: 'source', error: silentSource() });
          },
        },
      );
    };

    connection
      .stream(plugin, slot, {
        started,
        message: (bytes) => {
          this.#received += 1;
          pump.push(bytes);
        },
        // PostgreSQL 18 goes on without a publication that was dropped, and its changes would be missing.
        warning: (_state, routine) => {
          if (routine === 'LoadPublications') {
            end({ kind: 'source', error: missingPublication(publications.join(', ')) });
          }
        },
      })
      .then(
        () => end({ kind: 'source', error: new Error('the server ended the stream') }),
        (error: unknown) => end({ kind: 'source', error }),
      );
    const reason = await ended;
    this.#endStream = null;
    this.#sendStatus = null;
    signal.removeEventListener('abort', abort);
    stopWatching();
    await released;
    if (this.#state === 'streaming') sendStatus(false);
    return reason;
  }
}

async function pauseUnlessAborted(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(milliseconds, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
