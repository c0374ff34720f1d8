// Opens what a role needs from the settings: the warehouse and the queue's server.
// Guarantees: while one of them is away, opening waits and says so; only a permanent refusal ends it.
import { createHash } from 'node:crypto';
import { readSlotHealth } from '../capture/slot-health.ts';
import { sourceConnection, withSource } from '../capture/source-client.ts';
import type { StreamSource } from '../capture/stream-source.ts';
import type { Lsn } from '../change/position.ts';
import type { Settings } from '../config/settings.ts';
import type { WalbridgeError } from '../fault/fault.ts';
import { retry } from '../fault/retry.ts';
import { QueueBackend, type QueueBackendSettings } from '../lanes/queue-backend.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { SourceState } from '../warehouse/source-branch.ts';
import type { FaultLog } from './log.ts';

export function sourceOf({ source }: Settings): ReturnType<typeof sourceConnection> {
  return sourceConnection(source.url, source.password);
}

/** The source as the warehouse judges it. */
export function sourceState(found: StreamSource, { source }: Settings): SourceState {
  const { systemId: systemIdentifier, timelines, confirmed, isInRecovery: isStandby, flushed } = found;
  const { publications } = source;
  return { systemIdentifier, timelines, publications, isStandby, confirmed, flushed };
}

/** Up to where the source has written WAL by now; 0 without the slot. Throws WB2001 to WB2004. */
export async function writtenBy(settings: Settings): Promise<Lsn> {
  const health = await withSource(sourceOf(settings), (client) =>
    readSlotHealth(client, settings.source.slot),
  );
  return BigInt(health?.writtenBytes ?? 0);
}

/**
 * Names what a lane's batches were made from: one of another name is not ours, is taken out and read again from the WAL. The
 * server is part of it, for test and production often share the names of database and slot, and then perhaps a Redis; so is
 * which entity goes which lane, for batches that were queued before a mapping came, went or moved mean something else.
 */
export function streamName(
  settings: Settings,
  mappings: readonly Pick<CompiledMapping, 'entity' | 'lane'>[],
): string {
  const placements = mappings.map(({ entity, lane }) => JSON.stringify([entity, lane])).sort();
  const digest = createHash('sha256').update(placements.join()).digest('hex').slice(0, 12);
  return `${sourceName(settings)}/${digest}`;
}

/** Names the server, the database and the slot. */
export function sourceName({ source }: Settings): string {
  const { host, pathname } = new URL(source.url);
  return `${host}${pathname}/${source.slot}`;
}

function queueBackendSettings({ queue }: Settings): QueueBackendSettings {
  const where = new URL(queue.url);
  if (queue.password !== undefined) where.password = encodeURIComponent(queue.password);
  return queue.backend === 'redis'
    ? { kind: 'redis', url: where.href, prefix: queue.prefix }
    : { kind: 'postgres', connectionString: where.href, schema: queue.prefix };
}

export function warehouseOf({ warehouse }: Settings): { connectionString: string } {
  const { connectionString, password } = warehouse;
  if (password === undefined) return { connectionString };
  const quoted = `{${password.replaceAll('}', '}}')}}`;
  return { connectionString: `${connectionString.replace(/;?\s*$/, '')};Password=${quoted}` };
}

export function openWarehouseWhenReady(
  settings: Settings,
  poolSize: number,
  faults: FaultLog,
  signal: AbortSignal,
): Promise<Warehouse> {
  return retry(
    () =>
      openWarehouse(warehouseOf(settings), {
        poolSize,
        requestTimeoutMs: settings.warehouse.requestTimeoutMs,
        onPoolFault: (fault) => faults.report('warehouse', fault),
      }),
    { backoff: settings.retry, signal, onRetry: (fault) => faults.report('warehouse', fault) },
  );
}

/** For roles: while the server is away, they wait. */
export function openQueueBackend(settings: Settings, faults: Pick<FaultLog, 'report'>): QueueBackend {
  return new QueueBackend(queueBackendSettings(settings), (fault) => faults.report('queue', fault));
}

/** For commands: a server that is away is a fault within seconds, which the command reports itself. */
export function openQueueBackendOnce(settings: Settings, faults: Pick<FaultLog, 'report'>): QueueBackend {
  const onError = (fault: WalbridgeError) => faults.report('queue', fault);
  return new QueueBackend(queueBackendSettings(settings), onError, 'command');
}
