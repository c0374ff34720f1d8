// A role in a thread of its own, so that reading the WAL and writing to the warehouse never starve each other.
// Guarantees: a thread ends with its role; a role's fault reaches the supervisor with its code, and so does what it tells of its work.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Settings } from '../config/settings.ts';
import { type FaultDetail, WalbridgeError } from '../fault/fault.ts';
import type { Part, Readings } from '../ops/part-reading.ts';
import type { Report, RoleReport } from '../ops/role-report.ts';

export type Role = 'capture' | 'apply';

export interface RoleData {
  readonly role: Role;
  readonly settings: Settings;
}

/** What the supervisor says to a thread. */
export type ToRole = { readonly say: 'stop' } | { readonly say: 'read'; readonly parts: readonly Part[] };

/** What a thread says: before it ends with a fault, of its work, and when it was asked to read. */
export type FromRole =
  | { readonly fault: FaultDetail }
  | { readonly report: RoleReport }
  | { readonly readings: Readings };

/** How long a thread may take beyond the grace before it is cut off. */
const OVERTIME_MS = 5000;

// A batch is garbage as soon as it is applied, and V8 would rather let hundreds of megabytes of it pile up than collect them:
// it waits until the old generation has grown to several times what was in use. These hold a role to about what its batch takes.
const HEAP_GROWTH = '--heap-growing-percent=40';
const YOUNG_GENERATION_MB = 24;

export interface RunningRole {
  readonly role: Role;
  /** Resolves when the role has ended: with the fault that ended it, or null. */
  readonly ended: Promise<WalbridgeError | null>;
  /** What the thread reads of the parts, nothing of an ended one; not asked again before it has answered. Waits while it is busy. */
  read(parts: readonly Part[]): Promise<Readings>;
  /** Share of the time since the last call that the thread was busy. */
  utilization(): number;
  /** Asks for the end; resolves when it is there. */
  stop(): Promise<void>;
}

/** `report` is told only where the settings have somebody listen. */
export function startRole(role: Role, settings: Settings, report: Report): RunningRole {
  // Of the whole process: read whenever a heap is collected.
  setFlagsFromString(HEAP_GROWTH);
  const extension = extname(fileURLToPath(import.meta.url));
  const thread = new Worker(new URL(`./role-thread${extension}`, import.meta.url), {
    name: `walbridge-${role}`,
    workerData: { role, settings } satisfies RoleData,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  let fault: WalbridgeError | null = null;
  const say = (message: ToRole) => thread.postMessage(message);
  let answer: ((readings: Readings) => void) | null = null;
  let reading: Promise<Readings> | null = null;
  let busy = thread.performance.eventLoopUtilization();
  thread.on('message', (message: FromRole) => {
    if ('fault' in message) fault = new WalbridgeError(message.fault);
    else if ('report' in message) report(message.report);
    else answer?.(message.readings);
  });
  thread.on('error', (error) => {
    fault ??= unforeseen(role, error);
  });
  const ended = new Promise<WalbridgeError | null>((resolve) => {
    thread.on('exit', (code) => resolve(fault ?? (code === 0 ? null : unforeseen(role, null))));
  });
  return {
    role,
    ended,
    read: (parts) => {
      const asked = () =>
        new Promise<Readings>((resolve) => {
          answer = resolve;
          say({ say: 'read', parts });
        });
      reading ??= Promise.race([asked(), ended.then(() => ({}))]).finally(() => {
        reading = null;
      });
      return reading;
    },
    utilization: () => {
      const before = busy;
      busy = thread.performance.eventLoopUtilization();
      return thread.performance.eventLoopUtilization(busy, before).utilization;
    },
    stop: async () => {
      say({ say: 'stop' });
      const cutOff = setTimeout(() => void thread.terminate(), settings.shutdown.graceMs + OVERTIME_MS);
      await ended;
      clearTimeout(cutOff);
    },
  };
}

function unforeseen(role: Role, cause: unknown): WalbridgeError {
  return new WalbridgeError(
    {
      code: 'WB7000',
      kind: 'permanent',
      what: `The ${role} role ended without a word.`,
      safe: 'Nothing beyond the last watermark was acknowledged.',
      next: 'Start walbridge again; it goes on at the watermark. Report it if it happens again.',
    },
    { cause },
  );
}
