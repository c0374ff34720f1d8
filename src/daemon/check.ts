// `walbridge check`: mappings, source, warehouse and queue held against each other.
// Guarantees: changes nothing; every finding at once.
import type { Settings } from '../config/settings.ts';
import { readLaneQueue } from '../lanes/lane-queue.ts';
import { keyReferences } from '../mapping/key-reference.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import { checkWarehouse } from '../warehouse/init.ts';
import { openQueueBackendOnce, warehouseOf } from './connections.ts';
import {
  type Finding,
  inspectMappingFiles,
  inspectSource,
  unreachable,
  warehouseFinding,
} from './inspection.ts';
import type { LoadedMappings } from './load-mappings.ts';
import { FaultLog, type Logger } from './log.ts';

export async function checkAll(settings: Settings, log: Logger): Promise<readonly Finding[]> {
  const { report, findings } = await inspectMappingFiles(settings);
  const inspected = inspectSource(settings, report.mappings);
  const [source, warehouse, queue] = await Promise.all([
    inspected,
    checkTargets(settings, report, inspected),
    checkQueue(settings, report.lanes, log),
  ]);
  return [...findings, ...source.findings, ...warehouse, ...queue];
}

/** The warehouse is held against the source's foreign keys, too. */
async function checkTargets(
  settings: Settings,
  { mappings }: LoadedMappings,
  inspected: ReturnType<typeof inspectSource>,
): Promise<Finding[]> {
  try {
    const warehouse = await openWarehouse(warehouseOf(settings));
    try {
      const targets = mappings.map((mapping) => mapping.target);
      const described = (await inspected).facts?.tables.map(({ description }) => description);
      const references = keyReferences(mappings, described ?? []);
      return (await checkWarehouse(warehouse, targets, references)).map(warehouseFinding);
    } finally {
      await warehouse.close();
    }
  } catch (error) {
    return [unreachable('warehouse', error)];
  }
}

async function checkQueue(settings: Settings, lanes: readonly string[], log: Logger): Promise<Finding[]> {
  try {
    const backend = openQueueBackendOnce(settings, new FaultLog(log));
    for (const lane of lanes.slice(0, 1)) await readLaneQueue(backend, lane);
    return [];
  } catch (error) {
    return [unreachable('queue', error)];
  }
}
