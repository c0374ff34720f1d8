// `walbridge init`: brings the warehouse, the queue and the source to what the mappings need, in that order.
// Guarantees: the slot comes last, so that no change is read before there is a place for it; with an error among the findings
// nothing is run; run twice it does nothing the second time.
import { planInit, runInit } from '../capture/init.ts';
import { withSource } from '../capture/source-client.ts';
import type { Settings } from '../config/settings.ts';
import { ensureLaneQueue } from '../lanes/lane-queue.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import { type InitReport, initWarehouse } from '../warehouse/init.ts';
import { openQueueBackendOnce, sourceOf, warehouseOf } from './connections.ts';
import {
  type Finding,
  inspectMappingFiles,
  inspectSource,
  unreachable,
  wantedSource,
  warehouseFinding,
} from './inspection.ts';
import { FaultLog, type Logger } from './log.ts';

export interface InitResult {
  readonly findings: readonly Finding[];
  /** In order; with `dryRun` or errors: what would be run. */
  readonly statements: readonly { readonly on: 'source' | 'warehouse'; readonly sql: string }[];
  readonly applied: boolean;
}

export async function initialise(
  settings: Settings,
  dryRun: boolean,
  actor: string,
  log: Logger,
): Promise<InitResult> {
  const { report, findings: mappingFindings } = await inspectMappingFiles(settings);
  if (mappingFindings.some(({ severity }) => severity === 'error')) {
    return { findings: mappingFindings, statements: [], applied: false };
  }
  const source = await inspectSource(settings, report.mappings);
  const wanted = wantedSource(settings, report.mappings);
  const sourceStatements = source.facts === null ? [] : planInit(source.facts, wanted);
  // What init itself mends is no finding of it.
  const before = [...mappingFindings, ...source.findings.filter(({ mendedByInit }) => !mendedByInit)];
  const blocked = before.some(({ severity }) => severity === 'error');

  const targets = report.mappings.map((mapping) => mapping.target);
  let warehouse: InitReport;
  try {
    const opened = await openWarehouse(warehouseOf(settings));
    try {
      warehouse = await initWarehouse(opened, targets, { dryRun: dryRun || blocked, actor });
    } finally {
      await opened.close();
    }
  } catch (error) {
    return { findings: [...before, unreachable('warehouse', error)], statements: [], applied: false };
  }
  const findings = [...before, ...warehouse.findings.map(warehouseFinding)];
  const statements = [
    ...warehouse.statements.map((sql) => ({ on: 'warehouse' as const, sql })),
    ...sourceStatements.map((sql) => ({ on: 'source' as const, sql })),
  ];
  if (!warehouse.applied) return { findings, statements, applied: false };

  try {
    const backend = openQueueBackendOnce(settings, new FaultLog(log));
    for (const lane of report.lanes) await ensureLaneQueue(backend, lane);
  } catch (error) {
    return { findings: [...findings, unreachable('queue', error)], statements, applied: false };
  }
  await withSource(sourceOf(settings), (client) => runInit(client, sourceStatements));
  return { findings, statements, applied: true };
}
