// What the backfill tests share: a bridge over a source that had rows before the slot, a backfill from its request to its end.
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { crmTables } from '../../sandbox/crm/crm.ts';
import {
  BackfillControl,
  type BackfillRequest,
  type BackfillStatus,
} from '../../src/daemon/backfill-control.ts';
import { openQueueBackend } from '../../src/daemon/connections.ts';
import {
  type BackfillJobData,
  type BackfillJobResult,
  backfillQueueName,
} from '../../src/lanes/backfill-queue.ts';
import type { JobQueue } from '../../src/lanes/queue-backend.ts';
import { compareTables, formatDifferences, type TablePair } from '../faults/compare.ts';
import { until } from './capture-recorder.ts';
import { Bridge, type BridgeOptions } from './types-bridge.ts';

const crmSchema = readFileSync(new URL('../../sandbox/crm/schema.sql', import.meta.url), 'utf8');

export const crmPairs: readonly TablePair[] = crmTables.map((table) => ({
  source: `public.${table}`,
  target: `crm.${table}`,
  key: table === 'opportunity_contacts' ? ['opportunity_id', 'contact_id'] : ['id'],
}));

export function openCrmBridge(lane: BridgeOptions['lane'] = {}): Promise<Bridge> {
  return Bridge.open({
    ddl: crmSchema,
    tables: crmTables.map((table) => ({ schema: 'public', table })),
    lane,
  });
}

export const nothing: BackfillRequest = {
  entities: [],
  all: false,
  where: null,
  since: null,
  sinceColumn: null,
  fromKey: null,
  toKey: null,
  chunkRows: 100,
  parallel: null,
  prune: false,
  truncateFirst: false,
};

export async function withControl<T>(
  bridge: Bridge,
  work: (control: BackfillControl) => Promise<T>,
): Promise<T> {
  const control = await BackfillControl.open(bridge.settings, 'test');
  try {
    return await work(control);
  } finally {
    await control.close();
  }
}

export async function request(bridge: Bridge, wanted: Partial<BackfillRequest>): Promise<string> {
  const id = await withControl(bridge, (control) => control.request({ ...nothing, ...wanted }));
  if (id === null) throw new Error('There was nothing to load.');
  return id;
}

export function steps(bridge: Bridge, id: string): Promise<BackfillStatus[]> {
  return withControl(bridge, (control) => control.show(id));
}

/** Resolves with the steps once all are done. Throws where one has failed. */
export async function done(bridge: Bridge, id: string, withinMs = 75_000): Promise<BackfillStatus[]> {
  return withControl(bridge, async (control) => {
    for (const deadline = Date.now() + withinMs; ; await pause(200)) {
      if (bridge.fault !== null) throw bridge.fault;
      const found = await control.show(id);
      if (found.every(({ state }) => state === 'done')) return found;
      const failed = found.find(({ state }) => state === 'failed');
      if (failed !== undefined) throw new Error(`${failed.entity} ${failed.errorCode}: ${failed.error}`);
      if (Date.now() > deadline) throw new Error(`not done: ${JSON.stringify(found)}`);
    }
  });
}

/** Resolves when the source knows that all it has committed by now is in the warehouse. */
export async function caughtUp(bridge: Bridge): Promise<void> {
  const { rows } = await bridge.source.query<{ lsn: string }>(
    'SELECT pg_current_wal_insert_lsn()::text AS lsn',
  );
  await until('the slot to be confirmed', async () => {
    if (bridge.fault !== null) throw bridge.fault;
    const { rowCount } = await bridge.source.query(
      'SELECT FROM pg_replication_slots WHERE slot_name = $1 AND confirmed_flush_lsn >= $2',
      [bridge.settings.source.slot, rows[0]?.lsn],
    );
    return rowCount === 1;
  });
}

/** Resolves when the stream has brought something: what is asked for then is no first load. */
export async function leftOrigin(bridge: Bridge): Promise<void> {
  await until('the stream to bring something', async () => {
    if (bridge.fault !== null) throw bridge.fault;
    const lanes = await bridge.rows<{ lsn: string }>(
      'SELECT CONVERT(varchar(20), commit_lsn) AS lsn FROM walbridge.watermark',
    );
    return lanes.length > 0 && lanes.every(({ lsn }) => lsn !== '0');
  });
}

export async function expectEqual(bridge: Bridge, pairs: readonly TablePair[]): Promise<void> {
  const { settings } = bridge;
  const compared = await compareTables(settings.source.url, settings.warehouse.connectionString, pairs);
  expect(formatDifferences(compared.differences)).toBe('');
  for (const { source, warehouse } of Object.values(compared.rows)) expect(warehouse).toBe(source);
}

/** The jobs of the bridge's requests; to be closed. */
export function openJobs({ settings }: Bridge): Promise<JobQueue<BackfillJobData, BackfillJobResult>> {
  const backend = openQueueBackend(settings, { report: () => undefined });
  return backend.openQueue(backfillQueueName(settings.source.slot));
}

export async function openQuarantine(bridge: Bridge): Promise<readonly Record<string, unknown>[]> {
  return bridge.rows(
    'SELECT entity, code, reason, change FROM walbridge.quarantine WHERE resolved_at IS NULL ORDER BY entity',
  );
}
