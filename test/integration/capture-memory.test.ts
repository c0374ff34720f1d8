// A transaction of 300,000 rows and a consumer that stands still: the rows wait in the source, not here.

import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client } from 'pg';
import { expect, inject, test } from 'vitest';
import { createQueue } from '../../sandbox/address.ts';
import type { ChangeConsumer } from '../../src/capture/change-consumer.ts';
import { WalTail } from '../../src/capture/stream.ts';
import { until } from './capture-recorder.ts';

const ROWS = 300_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function usedMegabytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1e6;
}

test('memory stays flat, every row comes once and in order', async () => {
  const connectionString = await createQueue(inject('sandbox'), 'capture_memory');
  const client = new Client({ connectionString });
  await client.connect();
  await client.query('CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION memory FOR TABLE t');
  await client.query(`SELECT pg_create_logical_replication_slot('capture_memory', 'pgoutput')`);
  await client.query(`INSERT INTO t SELECT g, repeat('0123456789', 40) FROM generate_series(1, ${ROWS}) g`);

  /** The walsender waits: for room in the socket or, if all was taken, for new WAL. */
  const standsStill = async () => {
    for (let sample = 0; sample < 10; sample += 1) {
      await pause(50);
      const { rows } = await client.query(`SELECT wait_event FROM pg_stat_activity a
        JOIN pg_replication_slots s ON s.active_pid = a.pid WHERE s.slot_name = 'capture_memory'`);
      if (!/^WalSender(WriteData|WaitForWal|Main)$/i.test(rows[0]?.wait_event ?? '')) return false;
    }
    return true;
  };
  const stop = new AbortController();
  const before = usedMegabytes();
  const samples: number[] = [];
  let last = 0;
  let isOrdered = true;
  const consumer: ChangeConsumer = {
    begin: () => {},
    change: (change) => {
      isOrdered &&=
        change.ordinal === last + 1 && 'row' in change && change.row.id === String(change.ordinal);
      last = change.ordinal;
      if (last % 100_000 !== 1_000) return undefined;
      return until('a walsender that waits', standsStill).then(() => {
        samples.push(usedMegabytes() - before);
      });
    },
    commit: () => stop.abort(),
    message: () => {},
    relation: () => {},
    idle: () => {},
    restarted: () => {},
  };
  const tail = new WalTail({
    connection: { connectionString },
    slot: 'capture_memory',
    publications: ['memory'],
  });
  await tail.run(consumer, stop.signal);
  expect([last, isOrdered]).toEqual([ROWS, true]);
  expect(samples).toHaveLength(3);
  expect(Math.max(...samples)).toBeLessThan(15);
  await client.query(`SELECT pg_drop_replication_slot('capture_memory')`);
  await client.end();
});
