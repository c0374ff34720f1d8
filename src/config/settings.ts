// The shape of walbridge's configuration: every key, its unit, its default. The one source of types, checks and defaults.
// Guarantees: plain frozen data; nothing in it is read anywhere but at start.
import { CronPattern } from 'croner';
import { z } from 'zod';
import { parseListenAddress } from './listen-address.ts';

const positive = z.number().int().positive();
const MEBIBYTE = 1024 * 1024;

function url(scheme: RegExp, what: string) {
  return (
    z
      .string()
      .regex(scheme, { error: `expected ${what}`, abort: true })
      // Most often it is a password with a character that a URL reserves.
      .refine(
        (text) => URL.canParse(text),
        'expected a URL; a password with any of :/?#[]@% stands better in the key password',
      )
  );
}

const source = z.strictObject({
  /** postgresql:// URL of the CRM's database, for a role with REPLICATION and SELECT on the mapped tables. */
  url: url(/^postgres(ql)?:\/\//, 'a postgresql:// URL'),
  /** Overrides the URL's password. */
  password: z.string().optional(),
  slot: z
    .string()
    .regex(/^[a-z0-9_]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and _')
    .default('walbridge'),
  publications: z.array(z.string().min(1)).min(1).default(['walbridge']),
});

const warehouse = z.strictObject({
  /** ADO.NET connection string of the SQL Server database. */
  connectionString: z.string().min(1),
  /** Overrides the connection string's password. */
  password: z.string().optional(),
  /** Milliseconds that one statement may take. */
  requestTimeoutMs: positive.default(120_000),
  /** Days that walbridge.batch_log keeps a row. */
  batchLogDays: positive.default(30),
});

const queue = z
  .strictObject({
    /** Who keeps the queue: redis, or postgres (BullMQ's own backend). */
    backend: z.enum(['redis', 'postgres']).default('redis'),
    /** redis://, rediss:// or postgresql:// URL. */
    url: url(/^(rediss?|postgres(ql)?):\/\//, 'a redis://, rediss:// or postgresql:// URL'),
    /** Overrides the URL's password. */
    password: z.string().optional(),
    /** Key prefix on Redis, schema on PostgreSQL: bridges that share a server differ in it. */
    prefix: z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,62}$/, 'expected a-z, 0-9 and _, beginning with a letter')
      .default('walbridge'),
  })
  .refine(({ backend, url }) => url.startsWith(backend), {
    path: ['url'],
    message:
      'expected a URL of the kind that queue.backend says: redis:// or rediss:// for redis, postgresql:// for postgres',
  });

const lane = z.strictObject({
  /** A batch is full at this many changes or payload bytes. */
  maxBatchRows: positive.default(10_000),
  maxBatchBytes: positive.default(4 * MEBIBYTE),
  /** A source transaction with more changes or payload bytes than this in one lane becomes visible in parts. */
  maxTransactionRows: positive.default(20_000),
  maxTransactionBytes: positive.default(32 * MEBIBYTE),
  /** Payload bytes that may wait in a lane's queue before the WAL is read no further. */
  maxQueuedBytes: positive.default(32 * MEBIBYTE),
});

const retry = z.strictObject({
  /** Milliseconds before the second try, doubled with each further one. */
  initialMs: positive.default(100),
  maximumMs: positive.default(10_000),
});

const shutdown = z.strictObject({
  /** Milliseconds that a stop gives the batch in work before its transaction is rolled back. */
  graceMs: z.number().int().nonnegative().default(10_000),
});

const verify = z.strictObject({
  /** When the capture role compares source and warehouse by itself; never without it. Five fields, in UTC. */
  cron: z
    .string()
    .refine(isCron, 'expected a cron expression of five fields, such as "0 3 * * *"')
    .optional(),
  /** Share of the rows that it compares each time, in percent. */
  samplePercent: z.number().positive().max(100).default(100),
});

const http = z.strictObject({
  /** Where `run` serves /metrics, /healthz and /readyz, as host:port; nowhere without it. Port 0: any that is free, which the log tells. */
  listen: z
    .string()
    .refine(
      (text) => parseListenAddress(text) !== null,
      'expected an address and a port, such as 127.0.0.1:9464 or [::]:9464',
    )
    .optional(),
});

const log = z.strictObject({
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

export const settingsSchema = z.strictObject({
  source,
  warehouse,
  queue,
  /** Folder of Avro schemas, relative to the configuration file. */
  schemas: z.string().min(1).default('../schemas'),
  /** Folder of mappings, relative to the configuration file. */
  mappings: z.string().min(1).default('../mappings'),
  /** What a record's versions must be to each other; BACKWARD_TRANSITIVE: the newest reads whatever older ones queued. */
  compatibility: z
    .enum([
      'NONE',
      'BACKWARD',
      'BACKWARD_TRANSITIVE',
      'FORWARD',
      'FORWARD_TRANSITIVE',
      'FULL',
      'FULL_TRANSITIVE',
    ])
    .default('BACKWARD_TRANSITIVE'),
  lane: lane.prefault({}),
  retry: retry.prefault({}),
  shutdown: shutdown.prefault({}),
  verify: verify.prefault({}),
  http: http.prefault({}),
  log: log.prefault({}),
});

function isCron(text: string): boolean {
  try {
    return new CronPattern(text, undefined, { mode: '5-part' }) !== null;
  } catch {
    return false;
  }
}

/** The validated configuration; folders are absolute, passwords merged into nothing: see `secrets`. */
export type Settings = z.output<typeof settingsSchema>;

export interface SettingKey {
  /** Such as `lane.maxBatchRows`. */
  readonly path: readonly string[];
  /** Environment variable that overrides it. */
  readonly variable: string;
}

/** Every key that holds a value, with its environment variable. */
export const settingKeys: readonly SettingKey[] = Object.entries(settingsSchema.shape).flatMap(
  ([room, schema]) => {
    const inner = schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
    if (!(inner instanceof z.ZodObject)) return [settingKey([room])];
    return Object.keys(inner.shape).map((key) => settingKey([room, key]));
  },
);

function settingKey(path: readonly string[]): SettingKey {
  const words = path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return { path, variable: `WALBRIDGE_${words.join('_')}` };
}
