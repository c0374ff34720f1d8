// Works off the backfills of the control table while the daemon reads the slot: of each lane those of one request, as many at
// once as it asks for.
// Guarantees: a fault of a backfill is its own and never the stream's; what is paused or cancelled stops at its chunk; one that
// was cut off by the end of a daemon goes on in the next.

import { errorCode } from '../capture/source-fault.ts';
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';
import type { Backoff } from '../fault/retry.ts';
import type { LaneFeed } from '../lanes/feed.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { BackfillStatus } from '../warehouse/backfill-step.ts';
import { finishBackfill, readBackfills } from '../warehouse/backfill-store.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { BackfillIntake } from './backfill-intake.ts';
import type { BackfillJobs } from './backfill-jobs.ts';
import { nextSteps, parentsFirst } from './backfill-order.ts';
import { BackfillRun } from './backfill-run.ts';
import type { sourceOf } from './connections.ts';
import type { FirstLoad } from './first-load.ts';
import { FaultLog, type Logger } from './log.ts';
import { WakeablePause } from './wakeable-pause.ts';

export interface BackfillServiceOptions {
  readonly mappings: readonly CompiledMapping[];
  readonly tables: readonly TableDescription[];
  readonly feeds: ReadonlyMap<string, LaneFeed>;
  readonly intake: BackfillIntake;
  readonly source: ReturnType<typeof sourceOf>;
  readonly warehouse: Warehouse;
  readonly backoff: Backoff;
  /** Another process reads the slot otherwise, and backfills are its work. */
  readonly isStreaming: () => boolean;
  /** This process reads the slot, another does; null: neither is known. */
  readonly isReader: () => boolean | null;
  /** Made once, with what is to be called when somebody has asked for something. */
  readonly jobs: (onWake: () => void) => BackfillJobs;
  readonly firstLoad: FirstLoad;
  readonly restartStream: () => void;
  readonly log: Logger;
}

const POLL_MS = 1000;

interface Running {
  readonly step: BackfillStatus;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Resolves after the signal has aborted and every backfill has stopped. */
export async function serveBackfills(options: BackfillServiceOptions, signal: AbortSignal): Promise<void> {
  const { mappings, tables, feeds, warehouse, isStreaming, isReader, log } = options;
  const faults = new FaultLog(log);
  const order = parentsFirst(mappings, tables);
  const running = new Map<string, Running>();

  const pause = new WakeablePause();
  /** Since the control table was last read. */
  let isWoken = false;
  const jobs = options.jobs(() => {
    isWoken = true;
    pause.wake();
  });
  const start = (step: BackfillStatus) => {
    const stop = new AbortController();
    const context = { ...options, faults, onSplit: () => pause.wake() };
    const ended = runStep(step, context, AbortSignal.any([signal, stop.signal])).finally(() =>
      running.delete(nameOf(step)),
    );
    void ended.then(() => pause.wake());
    running.set(nameOf(step), { step, stop, ended });
  };

  while (!signal.aborted) {
    try {
      isWoken = false;
      const active = isReader()
        ? await readBackfills(warehouse, { states: ['queued', 'running', 'paused', 'failed'] })
        : [];
      if (isReader()) jobs.look(active);
      else if (isReader() === false) await jobs.release();
      if (isStreaming()) {
        for (const { step, stop } of running.values()) if (!isActive(step, active)) stop.abort();
        // Nothing has been streamed yet: the load is taken up when the stream begins.
        const isFirstLoad = running.size === 0 && options.firstLoad.isDue(active);
        if (isFirstLoad) options.restartStream();
        // What has just been started is marked so a moment later.
        const marked = active.map((step) =>
          running.has(nameOf(step)) ? { ...step, state: 'running' as const } : step,
        );
        for (const step of isFirstLoad ? [] : nextSteps(marked, order)) {
          const isOurs = feeds.has(step.lane) || !order.entities.includes(step.entity);
          if (isOurs && !running.has(nameOf(step))) start(step);
        }
      }
      faults.clear('backfills');
    } catch (error) {
      faults.report('backfills', asWalbridgeError(error));
    }
    if (!isWoken) await pause.wait(POLL_MS, signal);
  }
  await jobs.release();
  await Promise.all([...running.values()].map(({ ended }) => ended));
}

const nameOf = ({ id, entity, range }: BackfillStatus) => `${id}/${entity}/${range}`;

function isActive({ id, entity, range }: BackfillStatus, active: readonly BackfillStatus[]): boolean {
  const found = active.find((step) => step.id === id && step.entity === entity && step.range === range);
  return found?.state === 'queued' || found?.state === 'running';
}

async function runStep(
  step: BackfillStatus,
  options: BackfillServiceOptions & { readonly faults: FaultLog; readonly onSplit: () => void },
  signal: AbortSignal,
): Promise<void> {
  const { mappings, tables, feeds, warehouse, log, faults } = options;
  const about = { backfill: step.id, entity: step.entity, kind: step.kind, range: step.range };
  try {
    const mapping = mappings.find(({ entity }) => entity === step.entity);
    const feed = mapping === undefined ? undefined : feeds.get(mapping.lane);
    if (mapping === undefined || feed === undefined) throw unknownEntity(step.entity);
    const described = tables.find((one) => isSameTable(one, mapping.source));
    log.info(about, 'backfill runs');
    await new BackfillRun(
      { ...step, lane: mapping.lane },
      {
        ...options,
        mapping,
        described,
        feed,
        onTrouble: (fault) => faults.report(`backfill of ${step.entity}`, fault),
      },
      signal,
    ).run();
    log.info(about, 'backfill step ended');
  } catch (error) {
    if (signal.aborted) return;
    const fault = asWalbridgeError(error);
    faults.report(`backfill of ${step.entity}`, fault);
    const hint = step.options.where === null ? '' : conditionHint(fault);
    const text = `${fault.what}${hint} ${fault.next}`;
    await finishBackfill(warehouse, step, { code: fault.code, text }).catch((failure) =>
      faults.report('backfills', asWalbridgeError(failure)),
    );
  }
}

/** PostgreSQL's words where it does not understand the condition (class 42): they name columns and words of it, no row's values. */
function conditionHint({ cause }: WalbridgeError): string {
  const isOfSyntax = cause instanceof Error && /^42(?!501)/.test(errorCode(cause));
  return ` The condition given with --where may be the cause${isOfSyntax ? `: ${cause.message}` : ''}.`;
}

function unknownEntity(entity: string): WalbridgeError {
  return new WalbridgeError({
    code: 'WB7023',
    kind: 'permanent',
    what: `The running daemon has no mapping for the entity ${entity}.`,
    safe: 'Nothing was read or written for it.',
    next: 'Give the daemon the new mappings (SIGHUP), then `walbridge backfill resume`.',
  });
}
