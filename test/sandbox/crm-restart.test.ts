// Traffic over a PostgreSQL that is stopped and started again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { createCrmDatabase, withClient } from '../../sandbox/crm/crm.ts';
import { seedCrm } from '../../sandbox/crm/seed.ts';
import { invariantSql, startTraffic } from '../../sandbox/crm/traffic.ts';
import { startPostgres } from '../../sandbox/postgres.ts';

const dataFolder = mkdtempSync(join(tmpdir(), 'walbridge-test-'));
afterAll(() => rmSync(dataFolder, { recursive: true, force: true }));

test('traffic outlives a restart if asked to, else reports it', async () => {
  let server = await startPostgres({ dataFolder });
  const url = await createCrmDatabase(server, 'crm');
  const other = await createCrmDatabase(server, 'other');
  for (const crm of [url, other])
    await withClient(crm, (client) => seedCrm(client, { accounts: 20, contacts: 50 }));
  const lasting = await startTraffic(url, { ratePerSecond: 500, reconnect: true });
  const ending = await startTraffic(other, { ratePerSecond: 500 });
  const advance = async () => {
    const { transactions } = lasting.stats;
    await vi.waitFor(() => expect(lasting.stats.transactions).toBeGreaterThan(transactions + 20), {
      timeout: 20_000,
    });
  };
  await advance();
  await server.stop();
  server = await startPostgres({ dataFolder, port: server.port });
  await advance();
  expect((await lasting.stop()).reconnects).toBe(1);
  await expect(ending.stop()).rejects.toThrow();
  const { rows } = await withClient(url, (client) => client.query(invariantSql()));
  expect(rows).toEqual([{ broken: '0' }]);
  await server.stop();
  // A durable server starts twice: slow on a busy disk.
}, 120_000);
