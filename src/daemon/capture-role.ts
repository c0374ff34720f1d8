// The capture role: one WAL tail feeding every lane.
// Guarantees: runs until the signal or a permanent fault; a second one waits for the slot; what the warehouse lacks is never
// acknowledged; what the queue loses is read again from the slot.
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { describeTables } from '../capture/describe-tables.ts';
import { withSource } from '../capture/source-client.ts';
import { SourceWatch } from '../capture/source-watch.ts';
import { WalTail } from '../capture/stream.ts';
import type { LaneBatch } from '../change/batch.ts';
import { formatLsn, formatPosition, ORIGIN } from '../change/position.ts';
import { formatTimelines } from '../change/timelines.ts';
import type { Settings } from '../config/settings.ts';
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';
import { retry } from '../fault/retry.ts';
import { LaneFeed } from '../lanes/feed.ts';
import { LaneQueue } from '../lanes/lane-queue.ts';
import type { Report } from '../ops/role-report.ts';
import { assignEntities } from '../warehouse/assign-entities.ts';
import { registerLanes } from '../warehouse/register-lanes.ts';
import { readWatermarks } from '../warehouse/watermark.ts';
import { AcknowledgementGate } from './acknowledgement-gate.ts';
import { BackfillIntake } from './backfill-intake.ts';
import { BackfillJobs } from './backfill-jobs.ts';
import { serveBackfills } from './backfill-service.ts';
import { CaptureAudit } from './capture-audit.ts';
import { CapturePipeline } from './capture-pipeline.ts';
import {
  openQueueBackend,
  openWarehouseWhenReady,
  sourceName,
  sourceOf,
  sourceState,
  streamName,
  writtenBy,
} from './connections.ts';
import { FirstLoad } from './first-load.ts';
import { forgottenLoad } from './first-load-forgotten.ts';
import { wantedSource } from './inspection.ts';
import type { LoadedMappings } from './load-mappings.ts';
import { FaultLog, faultFields, type Logger } from './log.ts';
import { awaitsQueue, reconnects, works } from './role-telling.ts';
import { serveVerifications } from './verify-schedule.ts';

/** Watermarks are read, losses looked for and positions acknowledged this often. */
const AUDIT_MS = 1000;
/** How long the first stream of all waits for the look for rows that nobody has asked for. */
const FORGOTTEN_WITHIN_MS = 5_000;

export async function runCapture(
  settings: Settings,
  loaded: LoadedMappings,
  log: Logger,
  signal: AbortSignal,
  report: Report = () => undefined,
): Promise<void> {
  const faults = new FaultLog(log);
  const onRetry = (about: string) => (fault: Parameters<FaultLog['report']>[1]) =>
    faults.report(about, fault);
  const waiting = { backoff: settings.retry, signal };
  const closing: (() => Promise<unknown>)[] = [];
  // Ends what waits for room in a lane, whichever way the tail ends.
  const ending = new AbortController();
  const ended = AbortSignal.any([signal, ending.signal]);
  // Every connection that reads for a backfill listens, and there are as many as somebody asks for.
  setMaxListeners(0, ended);
  try {
    const tables = await retry(
      () =>
        withSource(sourceOf(settings), (client) =>
          describeTables(
            client,
            loaded.mappings.map(({ source }) => source),
          ),
        ),
      { ...waiting, onRetry: onRetry('source') },
    );
    const warehouse = await openWarehouseWhenReady(settings, 2, faults, signal);
    closing.push(() => warehouse.close());
    const backend = openQueueBackend(settings, faults);
    const feeds = new Map<string, LaneFeed>();

    const tail = new WalTail({
      connection: sourceOf(settings),
      slot: settings.source.slot,
      publications: settings.source.publications,
      statusIntervalMs: AUDIT_MS,
      reconnect: settings.retry,
      observer: {
        standby: (activePid) => {
          log.info({ activePid }, 'another process reads the slot: standing by');
          report({ of: 'state', state: 'standby', trouble: null });
        },
        streaming: () => {
          faults.clear('source');
          // Whatever server that has been until now.
          void watch.close();
          log.info({ slot: settings.source.slot }, 'reading the slot');
          report(works);
        },
        disconnected: (fault) => {
          faults.report('source', fault);
          report(reconnects(fault));
        },
      },
    });

    report(awaitsQueue);
    for (const lane of loaded.lanes) {
      const queue = await retry(() => LaneQueue.open(backend, lane, streamName(settings, loaded.mappings)), {
        ...waiting,
        onRetry: onRetry('queue'),
      });
      closing.push(() => queue.close());
      // Of a transaction that may have thousands of parts, the first is worth a warning.
      let partedLsn: bigint | null = null;
      const events = {
        lost: (_lane: string, reason: string) => {
          log.warn({ lane, reason }, 'reading again from the watermark');
          report({ of: 'reread', lane });
          tail.requestRestart();
        },
        retrying: (_lane: string, fault: Parameters<FaultLog['report']>[1]) => faults.report('queue', fault),
        parted: (_lane: string, at: typeof ORIGIN) => {
          const level = at.lsn === partedLsn ? 'debug' : 'warn';
          partedLsn = at.lsn;
          log[level](
            { lane, position: formatPosition(at) },
            'a transaction larger than the lane allows is applied in parts',
          );
        },
        queued: ({ changes, payload }: LaneBatch) =>
          report({ of: 'queued', lane, changes, bytes: payload.length }),
      };
      feeds.set(lane, new LaneFeed(queue, settings.lane, ORIGIN, events, ended));
    }

    const gate = new AcknowledgementGate({
      warehouse,
      slot: settings.source.slot,
      tell: (lsn) => tail.acknowledge(lsn),
      writtenBy: () => writtenBy(settings),
    });

    const enterWhenReady = async () => {
      const entry = await retry(
        async () => {
          const { source } = tail;
          // Another capture may have the slot by now, and what follows would hit its work.
          if (source === null || tail.state !== 'streaming') throw new TypeError('the stream has ended');
          const { slot } = settings.source;
          const state = sourceState(source, settings);
          await registerLanes(warehouse, loaded.lanes, { systemIdentifier: state.systemIdentifier, slot });
          const entry = await gate.open(state);
          if (entry instanceof WalbridgeError) return entry;
          if (entry.fork !== null) {
            const timelines = formatTimelines(source.timelines);
            log.warn(
              { fork: formatLsn(entry.fork), timelines },
              'the source went over to another timeline, behind all that the lanes have',
            );
          }
          await assignEntities(warehouse, slot, loaded.mappings, source.confirmed);
          return entry;
        },
        // Not beyond the tail's end, which may come in the midst of it.
        { ...waiting, signal: ended, onRetry: onRetry('warehouse') },
      );
      if (!(entry instanceof WalbridgeError)) return entry;
      // A stand-by that lags: what it is by then is for a new stream to find out.
      faults.report('source', entry);
      await pause(AUDIT_MS, undefined, { signal: ended });
      tail.requestRestart();
      throw entry;
    };

    const backfills = new BackfillIntake();
    const firstLoad = new FirstLoad(
      {
        mappings: loaded.mappings,
        tables,
        feeds,
        source: sourceOf(settings),
        slot: settings.source.slot,
        warehouse,
        backoff: settings.retry,
        restartStream: () => tail.requestRestart(),
        faults,
        log,
      },
      ended,
    );
    let isChecked = false;
    const warnOnce = async () => {
      if (isChecked) return;
      isChecked = true;
      const asking = forgottenLoad(sourceOf(settings), warehouse, loaded.mappings, tables);
      // The stream does not wait for it for long.
      const within = pause(FORGOTTEN_WITHIN_MS, null, { signal: ended, ref: false });
      const warning = await Promise.race([asking, within]).catch(() => null);
      if (warning !== null) log.warn(faultFields(warning), warning.what);
    };
    const pipeline = new CapturePipeline({
      mappings: loaded.mappings,
      tables,
      feeds,
      enter: enterWhenReady,
      firstLoad: async () => {
        const loaded = await firstLoad.run();
        if (loaded === null && firstLoad.isAtOrigin) await warnOnce();
        return loaded;
      },
      acknowledge: (lsn) => gate.acknowledge(lsn),
      backfills,
      onNotice: (entity, { code, reason }) => log.warn({ entity, code }, reason),
      onUnread: (entity, columns) =>
        log.info({ entity, columns }, 'the source has columns that the mapping does not read'),
      onReshaped: () => audit.hurry(),
    });
    const watch = new SourceWatch(sourceOf(settings), wantedSource(settings, loaded.mappings));
    closing.push(() => watch.close());
    const audit = new CaptureAudit({
      feeds,
      mappings: loaded.mappings,
      pipeline,
      gate,
      watch,
      readWatermarks: () => readWatermarks(warehouse),
      isStreaming: () => tail.state === 'streaming',
      restart: () => tail.requestRestart(),
      everyMs: AUDIT_MS,
      backoff: settings.retry,
      faults,
      log,
    });

    const backfilling = serveBackfills(
      {
        mappings: loaded.mappings,
        tables,
        feeds,
        intake: backfills,
        source: sourceOf(settings),
        warehouse,
        backoff: settings.retry,
        isStreaming: () => tail.state === 'streaming' && !pipeline.isResuming,
        isReader: () => (tail.state === 'streaming' ? true : tail.state === 'standby' ? false : null),
        jobs: (onWake) =>
          new BackfillJobs({
            backend,
            slot: settings.source.slot,
            source: sourceName(settings),
            warehouse,
            faults,
            onWake,
          }),
        firstLoad,
        restartStream: () => tail.requestRestart(),
        log,
      },
      ended,
    );
    // Its fault ends the tail, too.
    const auditing = audit.run(ended).finally(() => ending.abort());
    auditing.catch(() => undefined);
    const verifying = serveVerifications(
      settings,
      loaded.mappings,
      { isStreaming: () => tail.state === 'streaming', log, faults },
      ended,
    );
    try {
      await tail.run(pipeline, ended);
    } catch (error) {
      // Another start need not find it again.
      if (pipeline.hasMissedCommit) {
        const { code, what } = asWalbridgeError(error);
        const gap = { code, reason: what, entities: null };
        await retry(() => gate.recordGap(gap), { ...waiting, onRetry: onRetry('warehouse') });
      }
      throw error;
    } finally {
      ending.abort();
      await Promise.allSettled([auditing, backfilling, verifying]);
      log.info(
        { acknowledged: tail.acknowledged === null ? null : formatLsn(tail.acknowledged) },
        'capture stopped',
      );
    }
    await auditing;
  } finally {
    ending.abort();
    for (const close of closing.reverse()) await close().catch(() => undefined);
  }
}
