// What is read of the parts for metrics: what the control tables say, and an answer in time from servers that are silent.
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadMappings } from '../../src/daemon/load-mappings.ts';
import { PartReader } from '../../src/daemon/part-reader.ts';
import { foundOf } from '../../src/ops/part-reading.ts';
import { recordGap, registerSlot } from '../../src/warehouse/acknowledgement-record.ts';
import { request } from './backfill-rig.ts';
import { Bridge } from './types-bridge.ts';

let bridge: Bridge;
let mute: Server;
const held = new Set<Socket>();

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl: 'CREATE TABLE things (id int PRIMARY KEY); CREATE TABLE others (id int PRIMARY KEY);',
    tables: [
      { schema: 'public', table: 'things' },
      { schema: 'public', table: 'others' },
    ],
  });
  mute = createServer((socket) => held.add(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  for (const socket of held) socket.destroy();
  mute?.close();
  await bridge?.close();
});

const reader = async (settings = bridge.settings) =>
  new PartReader(settings, await loadMappings(bridge.settings));

const verified = (entity: string, state: string, at: string) =>
  bridge.rows(
    `INSERT INTO walbridge.verification (verification_id, entity, state, way, share, source_rows, warehouse_rows, rows_listed, rows_read, missing, extra, different, quarantined, unsettled, is_cut_short, requested_by, started_at, finished_at) VALUES (CONVERT(varchar(36), NEWID()), N'${entity}', '${state}', 'sql', 0.5, 10, 10, 0, 0, 1, 2, 3, 4, 5, 0, N'test', '${at}', '${at}')`,
  );
const quarantined = (entity: string, ordinal: number, resolved: string) =>
  bridge.rows(
    `INSERT INTO walbridge.quarantine (lane, commit_lsn, ordinal, position, entity, code, reason, change, key_json, batch, quarantined_at, resolved_at) VALUES (N'main', 1, ${ordinal}, '0/1', N'${entity}', 'WB6040', N'test', 'insert', N'{}', '0/0..0/1', SYSDATETIMEOFFSET(), ${resolved})`,
  );

test('tells slot, lanes, quarantine, gap, backfills and verifications', async () => {
  const parts = await reader();
  const slot = bridge.settings.source.slot;
  const before = await parts.read(['source', 'warehouse', 'queue']);
  expect(foundOf(before, 'source')).toMatchObject({
    slot,
    health: { isActive: false, walStatus: 'reserved' },
  });
  expect(foundOf(before, 'warehouse')).toMatchObject({
    hasGap: null,
    lanes: [{ lane: 'main', lsn: 0, committedAt: null }],
    quarantine: expect.arrayContaining([{ entity: 'things', openRows: 0 }]),
    backfills: [],
    verifications: [],
  });
  expect(foundOf(before, 'queue')).toEqual({ lanes: [{ lane: 'main', batches: 0, trouble: null }] });

  await registerSlot(bridge.warehouse, slot, '1', 5n);
  await recordGap(bridge.warehouse, slot, { code: 'WB7003', reason: 'test', entities: null });
  for (const [ordinal, resolved] of ['NULL', 'NULL', 'SYSDATETIMEOFFSET()'].entries())
    await quarantined('things', ordinal, resolved);
  await request(bridge, { entities: ['things'], prune: true });
  await bridge.rows(
    `UPDATE walbridge.backfill SET state = 'running', rows_estimated = 100, rows_read = 40, rows_written = 30 WHERE kind = 'backfill'`,
  );
  const day = (number: number) => `2025-01-0${number} 03:00:00 +00:00`;
  for (const [number, state] of ['equal', 'different', 'equal', 'different', 'different'].entries())
    await verified('things', state, day(number + 1));
  await verified('others', 'equal', day(1));
  await verified('others', 'equal', day(2));
  await verified('of another bridge', 'failed', day(2));

  const found = foundOf(await parts.read(['warehouse']), 'warehouse')!;
  expect(found.hasGap).toBe(true);
  expect(found.quarantine).toContainEqual({ entity: 'things', openRows: 2 });
  expect(found.quarantine).toContainEqual({ entity: 'others', openRows: 0 });
  const sums = { entity: 'things', steps: 1, rowsPruned: 0 };
  expect(found.backfills).toEqual([
    { ...sums, state: 'queued', rowsEstimated: 0, rowsRead: 0, rowsWritten: 0 },
    { ...sums, state: 'running', rowsEstimated: 100, rowsRead: 40, rowsWritten: 30 },
  ]);
  const at = (number: number) => Date.UTC(2025, 0, number, 3);
  const counts = { share: 0.5, missing: 1, extra: 2, different: 3, quarantined: 4, unsettled: 5 };
  expect(found.verifications).toEqual([
    { ...counts, entity: 'others', state: 'equal', finishedAt: at(2), stateSince: at(1), lastEqualAt: at(2) },
    {
      ...counts,
      entity: 'things',
      state: 'different',
      finishedAt: at(5),
      stateSince: at(4),
      lastEqualAt: at(3),
    },
  ]);
  await bridge.rows(`UPDATE walbridge.backfill SET state = 'done'`);
  expect(foundOf(await parts.read(['warehouse']), 'warehouse')?.backfills).toEqual([]);
});

test('servers that are silent are down in time, each with its reason, and a slow one holds up nobody', async () => {
  const { port } = mute.address() as { port: number };
  const parts = await reader({
    ...bridge.settings,
    source: { ...bridge.settings.source, url: `postgresql://nobody@127.0.0.1:${port}/crm` },
    warehouse: {
      ...bridge.settings.warehouse,
      connectionString: `Server=127.0.0.1,${port};Database=w;User Id=n;Password=n;Encrypt=false`,
    },
  });
  const readings = await parts.read(['source', 'warehouse', 'queue']);
  for (const part of ['source', 'warehouse'] as const) {
    expect(readings[part]).toMatchObject({
      is: 'down',
      trouble: { code: expect.stringMatching(/^WB(7301|2001|6002)$/) },
    });
  }
  expect(readings.queue?.is).toBe('up');

  // Nothing in BullMQ gives up waiting for a Redis.
  const queue = { ...bridge.settings.queue, backend: 'redis', url: `redis://127.0.0.1:${port}` } as const;
  const withRedis = await reader({ ...bridge.settings, queue });
  for (const _time of [1, 2]) {
    const told = await withRedis.read(['source', 'queue']);
    expect(told.queue).toMatchObject({ is: 'down', trouble: { code: 'WB7301' } });
    expect(told.source?.is).toBe('up');
  }
});
