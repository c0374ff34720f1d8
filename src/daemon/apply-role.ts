// The apply role: one worker a lane, each applying batches to the warehouse in order.
// Guarantees: runs until the signal; a halted lane stands still, the others go on; at a stop the batch in work is finished
// within the grace or rolled back.

import { formatPosition } from '../change/position.ts';
import type { Settings } from '../config/settings.ts';
import { retry } from '../fault/retry.ts';
import { ensureLaneQueue } from '../lanes/lane-queue.ts';
import { LaneWorker } from '../lanes/lane-worker.ts';
import type { Report } from '../ops/role-report.ts';
import { type AppliedReport, LaneApplier } from '../warehouse/lane-applier.ts';
import { readCatalog } from '../warehouse/read-catalog.ts';
import { pruneBatchLogHourly } from './batch-log-retention.ts';
import { openQueueBackend, openWarehouseWhenReady, streamName } from './connections.ts';
import { eventReaders, type LoadedMappings } from './load-mappings.ts';
import { FaultLog, faultFields, type Logger } from './log.ts';
import { awaitsQueue, laneTrouble, settledBatch, works } from './role-telling.ts';

export async function runApply(
  settings: Settings,
  loaded: LoadedMappings,
  log: Logger,
  signal: AbortSignal,
  report: Report = () => undefined,
): Promise<void> {
  const faults = new FaultLog(log);
  const warehouse = await openWarehouseWhenReady(settings, loaded.lanes.length + 1, faults, signal);
  const workers: LaneWorker[] = [];
  try {
    const backend = openQueueBackend(settings, faults);
    const targets = loaded.mappings.map((mapping) => mapping.target);
    const catalog = await retry(() => readCatalog(warehouse, targets), {
      backoff: settings.retry,
      signal,
      onRetry: (fault) => faults.report('warehouse', fault),
    });
    const readers = eventReaders(loaded);
    const schemas = new Map(loaded.mappings.map((mapping) => [mapping.entity, mapping.schema]));
    report(awaitsQueue);
    for (const lane of loaded.lanes) {
      await retry(() => ensureLaneQueue(backend, lane), {
        backoff: settings.retry,
        signal,
        onRetry: (fault) => faults.report('queue', fault),
      });
      let applied: AppliedReport | null = null;
      const applier = new LaneApplier({
        lane,
        warehouse,
        catalog,
        targets: targets.filter((target) => target.lane === lane),
        schemas,
        readers,
        onApplied: (done) => {
          applied = done;
        },
        onIsolating: (batch, fault) =>
          log.warn(
            { lane, batch: formatPosition(batch.last), ...faultFields(fault) },
            'looking for the rows that the warehouse refuses',
          ),
      });
      workers.push(
        new LaneWorker(backend, {
          lane,
          stream: streamName(settings, loaded.mappings),
          apply: (batch, aborting) => applier.apply(batch, aborting),
          look: (batch) => applier.look(batch),
          backoff: settings.retry,
          events: {
            settled: (_lane, batch, outcome) => {
              faults.clear(`lane ${lane}`);
              report(settledBatch(batch, outcome, applied, Date.now()));
              applied = null;
              log.debug(
                {
                  lane,
                  outcome: outcome.kind,
                  changes: batch.changes,
                  watermark: formatPosition(outcome.watermark),
                },
                'batch settled',
              );
            },
            retrying: (_lane, fault) => {
              faults.report(`lane ${lane}`, fault);
              report(laneTrouble(lane, fault, false));
            },
            halted: (_lane, fault) => {
              log.error({ lane, ...faultFields(fault) }, `lane halted: ${fault.what}`);
              report(laneTrouble(lane, fault, true));
            },
            released: (_lane, batch, outcome) =>
              log.warn(
                { lane, batch: formatPosition(batch.last), watermark: formatPosition(outcome.watermark) },
                'the halted lane was moved and goes on',
              ),
            foreign: (_lane, job) =>
              log.warn({ lane, job }, 'a batch of another stream was taken out of the queue'),
          },
        }),
      );
    }
    log.info({ lanes: loaded.lanes }, 'applying');
    report(works);
    await pruneBatchLogHourly(warehouse, loaded.lanes, settings.warehouse, log, faults, signal);
  } finally {
    await Promise.all(workers.map((worker) => worker.stop(settings.shutdown.graceMs)));
    await warehouse.close();
    log.info('apply stopped');
  }
}
