// A verification as somebody asks for it, from the command line or by the clock: entity after entity, recorded, repaired.
// Guarantees: what cannot be done is refused before anything is read; the control table has one row an entity; only keys that
// surely differ are queued for repair.
import { randomUUID } from 'node:crypto';
import { describeTables } from '../capture/describe-tables.ts';
import { withSource } from '../capture/source-client.ts';
import type { Settings } from '../config/settings.ts';
import { WalbridgeError } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { nearestName } from '../text/nearest-name.ts';
import { requestBackfill } from '../warehouse/backfill-store.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import { readCatalog } from '../warehouse/read-catalog.ts';
import type { Warehouse } from '../warehouse/session.ts';
import { readLastVerifications, recordVerification } from '../warehouse/verification-store.ts';
import { announceBackfill, type OnUnannounced } from './backfill-announce.ts';
import { planRepair } from './backfill-request.ts';
import { sourceKeyOf } from './backfill-table.ts';
import { sourceOf, warehouseOf } from './connections.ts';
import { loadMappings } from './load-mappings.ts';
import { type VerifyContext, type VerifyOptions, verifyDefaults, verifyEntity } from './verify-entity.ts';
import type { EntityReport } from './verify-report.ts';

export type { EntityReport, VerifyFinding } from './verify-report.ts';

export interface VerifyRequest {
  /** None: every entity. */
  readonly entities: readonly string[];
  readonly options: Partial<VerifyOptions>;
  readonly repair: boolean;
}

export interface VerifyWatcher {
  readonly onProgress?: VerifyContext['onProgress'];
  readonly onRetry: VerifyContext['onRetry'];
  readonly onReport?: (report: EntityReport) => void;
  /** The daemon could not be told of the repair at once. */
  readonly onUnannounced?: OnUnannounced;
}

export interface Verification {
  readonly id: string;
  readonly reports: readonly EntityReport[];
  /** The backfill that mends what was found; null where there is none. */
  readonly repairId: string | null;
}

const REPAIR_CHUNK_ROWS = 1000;

/** With the mappings as they are on disk. Throws WB7101 for an entity that none has, WB7002 for bad ones. */
export async function verifyOnce(
  settings: Settings,
  request: VerifyRequest,
  actor: string,
  watcher: VerifyWatcher,
  signal: AbortSignal,
): Promise<Verification> {
  const { mappings } = await loadMappings(settings);
  return runVerification(settings, mappings, request, actor, watcher, signal);
}

/** Throws WB7101 for an entity that no mapping has, WB7105, and what source or warehouse refuse. */
export async function runVerification(
  settings: Settings,
  mappings: readonly CompiledMapping[],
  request: VerifyRequest,
  actor: string,
  watcher: VerifyWatcher,
  signal: AbortSignal,
): Promise<Verification> {
  const chosen = choose(request.entities, mappings);
  const options = { ...verifyDefaults, ...request.options };
  const warehouse = await openWarehouse(warehouseOf(settings), {
    poolSize: 2,
    requestTimeoutMs: settings.warehouse.requestTimeoutMs,
  });
  try {
    if ((await readLastVerifications(warehouse)) === null) throw notPrepared();
    const context: VerifyContext = {
      source: sourceOf(settings),
      slot: settings.source.slot,
      warehouse,
      catalog: await readCatalog(
        warehouse,
        chosen.map(({ target }) => target),
      ),
      tables: await withSource(sourceOf(settings), (client) =>
        describeTables(
          client,
          chosen.map(({ source }) => source),
        ),
      ),
      backoff: settings.retry,
      signal,
      onRetry: watcher.onRetry,
      ...(watcher.onProgress !== undefined && { onProgress: watcher.onProgress }),
    };
    const id = randomUUID();
    const reports: EntityReport[] = [];
    for (const mapping of chosen) {
      const report = await verifyEntity(mapping, options, context);
      reports.push(report);
      watcher.onReport?.(report);
    }
    const repairId = request.repair ? await repair(warehouse, chosen, reports, actor) : null;
    for (const report of reports) await record(warehouse, id, report, repairId, actor);
    if (repairId !== null)
      await announceBackfill(settings, repairId, watcher.onUnannounced ?? (() => undefined));
    return { id, reports, repairId };
  } finally {
    await warehouse.close();
  }
}

function choose(names: readonly string[], mappings: readonly CompiledMapping[]): readonly CompiledMapping[] {
  if (names.length === 0) return mappings;
  return [...new Set(names)].map((name) => {
    const mapping = mappings.find(({ entity }) => entity === name);
    if (mapping !== undefined) return mapping;
    const entities = mappings.map(({ entity }) => entity);
    const nearest = nearestName(name, entities);
    throw new WalbridgeError({
      code: 'WB7101',
      kind: 'permanent',
      what: `No mapping has the entity "${name}"${nearest === null ? '' : `; nearest: ${nearest}`}.`,
      safe: 'Nothing was compared.',
      next: `Name one of ${entities.join(', ')}, or none for all.`,
    });
  });
}

function notPrepared(): WalbridgeError {
  return new WalbridgeError({
    code: 'WB7105',
    kind: 'permanent',
    what: 'The warehouse has no table walbridge.verification that could be read.',
    safe: 'Nothing was compared.',
    next: 'Run `walbridge init`, which brings the control tables up to date.',
  });
}

/** Queues the keys that surely differ. */
async function repair(
  warehouse: Warehouse,
  mappings: readonly CompiledMapping[],
  reports: readonly EntityReport[],
  actor: string,
): Promise<string | null> {
  const keys = new Map<CompiledMapping, string[][]>();
  for (const mapping of mappings) {
    const found = reports.find(({ entity }) => entity === mapping.entity)?.findings ?? [];
    const differing = found.filter(
      ({ kind }) => kind === 'missing' || kind === 'extra' || kind === 'different',
    );
    const columns = sourceKeyOf(mapping);
    if (differing.length > 0)
      keys.set(
        mapping,
        differing.map(({ key }) => columns.map((column) => key[column] ?? '')),
      );
  }
  if (keys.size === 0) return null;
  const steps = planRepair(keys, REPAIR_CHUNK_ROWS);
  await requestBackfill(warehouse, steps, actor);
  return steps[0]?.id ?? null;
}

function record(
  warehouse: Warehouse,
  id: string,
  report: EntityReport,
  repairId: string | null,
  actor: string,
): Promise<void> {
  const { counts, trouble } = report;
  const isRepaired = counts.missing + counts.extra + counts.different > 0;
  return recordVerification(warehouse, {
    ...counts,
    id,
    entity: report.entity,
    state: report.state,
    way: report.way,
    share: report.share,
    sourceRows: report.sourceRows,
    warehouseRows: report.warehouseRows,
    rowsListed: report.rowsListed,
    rowsRead: report.rowsRead,
    isCutShort: report.isCutShort,
    repairId: isRepaired ? repairId : null,
    errorCode: trouble?.code ?? null,
    error: trouble?.text ?? null,
    requestedBy: actor,
    milliseconds: report.milliseconds,
  });
}
