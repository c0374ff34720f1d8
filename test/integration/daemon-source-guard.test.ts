// A source that was edited after `init` so that changes would stay away unseen: capture refuses to start on it.
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadMappings } from '../../src/daemon/load-mappings.ts';
import { refuseLossySource } from '../../src/daemon/source-guard.ts';
import { Bridge } from './types-bridge.ts';

let bridge: Bridge;
let publication: string;

beforeAll(async () => {
  bridge = await Bridge.open({
    ddl: 'CREATE TABLE things (id int PRIMARY KEY, v text); CREATE TABLE others (id int PRIMARY KEY);',
    tables: [
      { schema: 'public', table: 'things' },
      { schema: 'public', table: 'others' },
    ],
  });
  publication = bridge.settings.source.publications[0]!;
});

afterAll(() => bridge?.close());

const guard = async () =>
  refuseLossySource(
    bridge.settings,
    await loadMappings(bridge.settings),
    pino({ level: 'silent' }),
    new AbortController().signal,
  );

it('takes the source as init left it', async () => {
  await expect(guard()).resolves.toBeUndefined();
});

it.each([
  [
    'deletes are not published',
    'WB2133',
    "SET (publish = 'insert, update, truncate')",
    "SET (publish = 'insert, update, delete, truncate')",
  ],
  ['a table was taken out', 'WB2132', 'DROP TABLE things', 'ADD TABLE things'],
  ['rows are filtered', 'WB2134', 'SET TABLE things WHERE (id > 5), others', 'SET TABLE things, others'],
  ['a column was taken out', 'WB2136', 'SET TABLE things (id), others', 'SET TABLE things, others'],
])('refuses where %s', async (_what, code, edit, mend) => {
  await bridge.source.query(`ALTER PUBLICATION "${publication}" ${edit}`);
  await expect(guard()).rejects.toMatchObject({
    code: 'WB7003',
    kind: 'permanent',
    what: expect.stringContaining(code),
  });
  await bridge.source.query(`ALTER PUBLICATION "${publication}" ${mend}`);
  await expect(guard()).resolves.toBeUndefined();
});

it('refuses where updates no longer carry the key', async () => {
  await bridge.source.query('ALTER TABLE things REPLICA IDENTITY NOTHING');
  await expect(guard()).rejects.toMatchObject({ what: expect.stringContaining('REPLICA IDENTITY DEFAULT') });
});
