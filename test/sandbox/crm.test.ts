// The CRM that everything else is tested on: its data is what it claims to be, and the same every time.
import { expect, inject, test } from 'vitest';
import { createCrm } from '../../sandbox/address.ts';
import { crmTables, withClient } from '../../sandbox/crm/crm.ts';
import { CrmModel } from '../../sandbox/crm/model.ts';
import { createRandom } from '../../sandbox/crm/random.ts';
import { seedCrm } from '../../sandbox/crm/seed.ts';
import { invariantSql, startTraffic } from '../../sandbox/crm/traffic.ts';
import { defaultTransactions, nextTransaction } from '../../sandbox/crm/transactions.ts';
import { freePort } from '../../sandbox/guarded.ts';

const small = { accounts: 40, contacts: 200, leads: 80, opportunities: 120, activities: 300 };

async function seeded(name: string, seed = 7): Promise<string> {
  const url = await createCrm(inject('sandbox'), name);
  await withClient(url, (client) => seedCrm(client, { ...small, seed }));
  return url;
}

const contentOf = (url: string) =>
  withClient(url, async (client) => {
    const hash = (table: string) =>
      client.query<{ rows: string; hash: string }>(
        `SELECT count(*) AS rows, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS hash FROM ${table} t`,
      );
    const content: Record<string, unknown> = {};
    for (const table of crmTables) content[table] = (await hash(table)).rows[0];
    return content;
  });

const ask = (url: string, sql: string): Promise<Record<string, unknown>[]> =>
  withClient(url, async (client) => (await client.query(sql)).rows);

const broken = async (url: string) => Number((await ask(url, invariantSql()))[0]!.broken);

test('the same seed gives the same rows, another seed others', async () => {
  const [one, same, other] = await Promise.all([
    seeded('crm_seed_a'),
    seeded('crm_seed_b'),
    seeded('crm_seed_c', 8),
  ]);
  const content = await contentOf(one);
  expect(Object.values(content).map((table) => Number((table as { rows: string }).rows))).toEqual([
    40, 200, 80, 120, 120, 300,
  ]);
  expect(await contentOf(same)).toEqual(content);
  for (const [table, hash] of Object.entries(await contentOf(other)))
    expect(hash, table).not.toEqual(content[table]);
});

test('large texts lie in TOAST, uncompressed', async () => {
  const url = await seeded('crm_toast');
  const columns = [
    ['contacts', 'notes'],
    ['leads', 'notes'],
    ['activities', 'body'],
  ] as const;
  for (const [table, column] of columns) {
    const [row] = await ask(
      url,
      `SELECT count(*) AS large, min(pg_column_size(${column}) - octet_length(${column})) AS saved,
         (SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = '${table}'::regclass) AS toast
       FROM ${table} WHERE octet_length(${column}) > 8192`,
    );
    expect(Number(row!.large), table).toBeGreaterThan(0);
    expect(row!.saved, table).toBe(0);
    expect(Number(row!.toast), table).toBeGreaterThanOrEqual(Number(row!.large) * 8192);
  }
});

test('the schema has the replica identities and the composite key that capture must cope with', async () => {
  const url = await createCrm(inject('sandbox'), 'crm_schema');
  expect(await ask(url, `SELECT relname FROM pg_class WHERE relreplident = 'f'`)).toEqual([
    { relname: 'leads' },
  ]);
  const keys = await ask(
    url,
    `SELECT conrelid::regclass::text AS table FROM pg_constraint WHERE contype = 'p' AND cardinality(conkey) = 2
       AND connamespace = 'public'::regnamespace`,
  );
  expect(keys).toEqual([{ table: 'opportunity_contacts' }]);
});

test('traffic with the same seed does the same, and every kind of thing', async () => {
  const options = {
    seed: 3,
    ratePerSecond: 'max',
    transactions: 700,
    truncate: true,
    largeTransactionRows: 50,
  } as const;
  const [one, same] = await Promise.all([seeded('crm_traffic_a'), seeded('crm_traffic_b')]);
  const traffics = await Promise.all([startTraffic(one, options), startTraffic(same, options)]);
  const [stats, sameStats] = await Promise.all(traffics.map((traffic) => traffic.finished));
  expect(sameStats).toEqual(stats);
  expect(await contentOf(same)).toEqual(await contentOf(one));
  expect(Object.keys(stats!.operations)).toEqual(
    expect.arrayContaining(['truncate', 'large', 'savepointRollback']),
  );
  expect(Object.keys(stats!.operations).length).toBe(29);
  expect(stats!.rolledBack).toBeGreaterThan(0);
});

test('no reader ever sees the invariant broken, and it can be', async () => {
  const url = await seeded('crm_invariant');
  const traffic = await startTraffic(url, { seed: 5, ratePerSecond: 'max' });
  for (let polls = 0; polls < 50 || traffic.stats.transactions < 300; polls++)
    expect(await broken(url)).toBe(0);
  const stats = await traffic.stop();
  expect(stats.changes).toBeGreaterThan(stats.transactions);
  expect(await broken(url)).toBe(0);
  await ask(
    url,
    'UPDATE accounts SET contact_count = contact_count + 1 WHERE id = (SELECT min(id) FROM accounts)',
  );
  expect(await broken(url)).toBe(1);
});

test('traffic keeps to its rate', async () => {
  const url = await seeded('crm_rate');
  const startedAt = performance.now();
  const traffic = await startTraffic(url, { ratePerSecond: 100, transactions: 60 });
  const { changes } = await traffic.finished;
  // The last transaction is not waited for: its changes, at most about thirty, may come early.
  expect(changes).toBeLessThan(((performance.now() - startedAt) / 1000) * 100 + 30);
});

test('traffic reports a failure of its own', async () => {
  const url = await seeded('crm_failure');
  const traffic = await startTraffic(url, { ratePerSecond: 'max', reconnect: true });
  // A DROP would lock the tables that it refers to as well, and could be the reason of a deadlock of the traffic's.
  await ask(url, 'ALTER TABLE opportunity_contacts RENAME TO opportunity_contacts_gone');
  await expect(traffic.finished).rejects.toThrow('"opportunity_contacts" does not exist');
  await expect(startTraffic(`postgresql://postgres@127.0.0.1:${await freePort()}/crm`)).rejects.toThrow(
    'ECONNREFUSED',
  );
});

test('what the traffic believes to exist exists, also after rollbacks', async () => {
  const url = await seeded('crm_model');
  await withClient(url, async (client) => {
    const model = await CrmModel.load(client);
    const random = createRandom(11);
    for (let count = 0; count < 400; count++) {
      await client.query(nextTransaction(random, model, { ...defaultTransactions, truncate: true }).sql);
    }
    const keys = ({ accounts, contacts, opportunities, leads, activities }: CrmModel) =>
      [accounts, contacts, opportunities, leads, activities].map((pool) =>
        Array.from({ length: pool.size }, (_, index) => String(pool.keyAt(index))).sort(),
      );
    expect(keys(model)).toEqual(keys(await CrmModel.load(client)));
  });
});
