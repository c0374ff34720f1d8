// Mappings that change while batches made under the old ones wait in the queue.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { until } from './capture-recorder.ts';
import { Bridge } from './types-bridge.ts';

let bridge: Bridge;
afterAll(() => bridge?.close());

it('goes on when a mapping was taken away, whichever role starts first', async () => {
  bridge = await Bridge.open({
    ddl: 'CREATE TABLE things (id int PRIMARY KEY); CREATE TABLE others (id int PRIMARY KEY);',
    tables: [
      { schema: 'public', table: 'things' },
      { schema: 'public', table: 'others' },
    ],
  });
  await bridge.start(['capture']);
  await bridge.source.query('BEGIN; INSERT INTO things VALUES (1); INSERT INTO others VALUES (1); COMMIT');
  await until('a batch in the queue', async () => (await bridge.queue()).depth > 0);
  await bridge.stop();
  await rm(join(bridge.settings.mappings, 'others.yaml'));
  await bridge.start(['apply']);
  // The worker has the old batch in hand before capture can take it back.
  await until('the worker to have met the batch', async () => {
    const { depth, trouble } = await bridge.queue();
    return depth === 0 || trouble !== null;
  });
  await bridge.source.query('INSERT INTO things VALUES (2)');
  await bridge.start(['capture']);
  await until('the remaining table to be whole', async () => {
    if (bridge.fault !== null) throw bridge.fault;
    return (await bridge.rows('SELECT id FROM crm.things')).length === 2;
  });
  expect(await bridge.rows('SELECT id FROM crm.others')).toEqual([]);
});
