// Which server keeps the queues: Redis in production, PostgreSQL where nobody wants a Redis. BullMQ's API is the same.
// Guarantees: one place that knows the difference; connection errors are reported, never thrown past a listener.
import {
  createPostgresBackend,
  type Processor,
  Queue,
  QueueEvents,
  type RedisOptions,
  Worker,
  type WorkerOptions,
} from 'bullmq';
import { WalbridgeError } from '../fault/fault.ts';
import type { LaneJobData } from './job.ts';

export type QueueBackendSettings =
  | {
      readonly kind: 'redis';
      /** redis:// or rediss:// */
      readonly url: string;
      /** Key prefix: bridges that share a server differ in it. */
      readonly prefix: string;
    }
  | {
      readonly kind: 'postgres';
      readonly connectionString: string;
      /** Schema that BullMQ's tables live in: bridges that share a database differ in it. */
      readonly schema: string;
    };

/** What a processor answers; BullMQ keeps it as the job's return value. */
export interface SettledValue {
  readonly kind: 'applied' | 'skipped' | 'gap' | 'foreign';
  readonly watermark: string | null;
  /** The worker's own. */
  readonly stream: string;
  /** The batch's. */
  readonly epoch?: number;
}

export type JobQueue<Data, Result> = Queue<Data, Result, string>;
export type JobWorker<Data, Result> = Worker<Data, Result, string>;
export type LaneJobQueue = JobQueue<LaneJobData, SettledValue>;
export type LaneJobEvents = QueueEvents<SettledValue>;
export type LaneJobWorker = JobWorker<LaneJobData, SettledValue>;

/** What becomes of a call while the server is away: a daemon's waits until it is back, a command's fails within seconds. */
type Patience = 'daemon' | 'command';

const COMMAND_WITHIN_MS = 5_000;

/** Opens queues, workers and event readers of one backend; `onError` hears of every lost connection. */
export class QueueBackend {
  readonly #settings: QueueBackendSettings;
  readonly #onError: (fault: WalbridgeError) => void;
  readonly #patience: Patience;

  constructor(
    settings: QueueBackendSettings,
    onError: (fault: WalbridgeError) => void,
    patience: Patience = 'daemon',
  ) {
    this.#settings = settings;
    this.#onError = onError;
    this.#patience = patience;
  }

  /** Opens a queue. `migrate`: BullMQ's schema is made where it is missing; nothing else may open a fresh schema meanwhile. */
  async openQueue<Data = LaneJobData, Result = SettledValue>(
    name: string,
    migrate = true,
  ): Promise<JobQueue<Data, Result>> {
    const queue =
      this.#settings.kind === 'redis'
        ? new Queue(name, {
            connection: redisConnection(this.#settings.url, this.#patience),
            prefix: this.#settings.prefix,
          })
        : new Queue(name, { connection: this.#postgres(migrate, this.#patience) }, createPostgresBackend);
    queue.on('error', (error) => this.#onError(queueFault(error)));
    try {
      await queue.waitUntilReady();
    } catch (error) {
      queue.close().catch(() => undefined);
      throw error;
    }
    return queue as unknown as JobQueue<Data, Result>;
  }

  async openEvents(name: string): Promise<LaneJobEvents> {
    const events: LaneJobEvents =
      this.#settings.kind === 'redis'
        ? new QueueEvents(name, {
            connection: redisConnection(this.#settings.url),
            prefix: this.#settings.prefix,
          })
        : (new QueueEvents(
            name,
            { connection: this.#postgres(false) },
            createPostgresBackend,
          ) as unknown as LaneJobEvents);
    events.on('error', (error) => this.#onError(queueFault(error)));
    await events.waitUntilReady();
    return events;
  }

  openWorker<Data = LaneJobData, Result = SettledValue>(
    name: string,
    processor: Processor<Data, Result, string>,
    options: Omit<WorkerOptions, 'connection' | 'prefix'>,
  ): JobWorker<Data, Result> {
    const worker =
      this.#settings.kind === 'redis'
        ? new Worker<Data, Result, string>(name, processor, {
            ...options,
            connection: redisConnection(this.#settings.url),
            prefix: this.#settings.prefix,
          })
        : (new Worker(
            name,
            processor as Processor,
            { ...options, connection: this.#postgres(false) },
            createPostgresBackend,
          ) as unknown as JobWorker<Data, Result>);
    worker.on('error', (error) => this.#onError(queueFault(error)));
    return worker;
  }

  #postgres(migrate: boolean, patience: Patience = 'daemon'): PostgresConnection {
    if (this.#settings.kind !== 'postgres') throw new TypeError('not a PostgreSQL backend');
    const { connectionString, schema } = this.#settings;
    if (patience === 'daemon') return { connectionString, schema, migrate };
    return {
      connectionString,
      schema,
      migrate,
      connectionTimeoutMillis: COMMAND_WITHIN_MS,
      query_timeout: COMMAND_WITHIN_MS,
    };
  }
}

/** Not an interface: BullMQ's type has an index signature. */
type PostgresConnection = Readonly<Record<string, string | number | boolean>>;

function redisConnection(url: string, patience: Patience = 'daemon'): RedisOptions {
  if (patience === 'command') {
    return {
      url,
      connectTimeout: COMMAND_WITHIN_MS,
      commandTimeout: COMMAND_WITHIN_MS,
      retryStrategy: () => null,
    };
  }
  return {
    url,
    // BullMQ's blocking reads must outlive any reconnect.
    maxRetriesPerRequest: null,
    // After a failover the former primary may live on as a replica, and keeps the connections that it has.
    reconnectOnError: ({ message }: Error) => message.includes('READONLY'),
    retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 6), 2000),
  };
}

/** Trouble with the queue's server is always worth a retry: the queue is a buffer, never the only copy. */
export function queueFault(error: unknown): WalbridgeError {
  const named = errorName(error);
  return new WalbridgeError(
    {
      code: 'WB5001',
      kind: 'transient',
      what: `The queue's server did not answer as expected${named === '' ? '' : ` (${named})`}.`,
      safe: 'Nothing is lost: what the warehouse lacks is still in the WAL.',
      next: 'walbridge goes on by itself when the server is back.',
    },
    { cause: error },
  );
}

/** Node's code, an SQLSTATE, or the word that Redis begins its refusals with, such as WRONGPASS or NOAUTH. */
function errorName(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return code;
  return /^([A-Z]{3,})\b/.exec(String(message))?.[1] ?? '';
}
