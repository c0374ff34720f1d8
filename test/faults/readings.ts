// A table of the CRM whose rows a warehouse cannot always hold: NaN, infinite times, text beyond the column. Its own bookkeeping
// says what is expected of each row, so that source and warehouse can be held against each other at any time.
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { withClient } from '../../sandbox/crm/crm.ts';
import type { Random } from '../../sandbox/crm/random.ts';
import type { TablePair } from './compare.ts';

export const readingsSchema = JSON.stringify({
  type: 'record',
  name: 'reading',
  namespace: 'crm',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'value', type: 'double' },
    { name: 'taken_at', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'label', type: 'string' },
  ],
});

export const readingsMapping = `entity: readings
source: {table: public.readings, key: id}
record: crm.reading@1.0.0
target: crm.readings
fields:
  id: id
  value: value
  taken_at: taken_at
  label: {target: nvarchar(10)}
`;

/** The bookkeeping against the copy. */
export const readingsPair: TablePair = {
  source: 'public.expected_readings',
  target: 'crm.readings',
  key: ['id'],
  columns: ['value', 'taken_at', 'label'],
  expected: 'is_there',
};

export async function createReadings(crm: string): Promise<void> {
  await withClient(crm, (client) =>
    client.query(`
      CREATE TABLE readings (
        id bigint PRIMARY KEY, value double precision NOT NULL, taken_at timestamptz NOT NULL, label text NOT NULL);
      -- Not mapped. The last state of each reading that the warehouse could take, and how many it could not.
      CREATE TABLE expected_readings (LIKE readings INCLUDING ALL, is_there boolean NOT NULL, refused integer NOT NULL)`),
  );
}

const spoils = [`value = 'NaN'`, `value = '-Infinity'`, `taken_at = 'infinity'`, `label = repeat('x', 11)`];

/** Writes readings, good ones and bad ones, until the signal; every string is one transaction. Survives lost connections. */
export async function writeReadings(
  crm: string,
  random: Random,
  firstId: number,
  signal: AbortSignal,
): Promise<void> {
  let id = firstId;
  while (!signal.aborted) {
    const client = new pg.Client(crm);
    client.on('error', () => {});
    try {
      await client.connect();
      for (
        ;
        !signal.aborted;
        await pause(20 + random.below(120), undefined, { signal }).catch(() => undefined)
      ) {
        id += 1;
        for (const transaction of transactionsOf(random, id)) await client.query(transaction);
      }
    } catch (error) {
      const code = (error as { code?: string }).code ?? '';
      if (/^[0-46-9]/.test(code) && !code.startsWith('08')) throw error;
      await pause(100);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** One reading's life, a transaction each: whether a change can be held is written down beside it. */
function transactionsOf(random: Random, id: number): string[] {
  const insert = `INSERT INTO readings VALUES (${id}, 1.5, '2025-06-01 12:00:00.5+02', 'new');
    INSERT INTO expected_readings SELECT *, true, 0 FROM readings WHERE id = ${id}`;
  const insertBad = (
    value: string,
    takenAt: string,
  ) => `INSERT INTO readings VALUES (${id}, '${value}', '${takenAt}', 'bad');
    INSERT INTO expected_readings SELECT *, false, 1 FROM readings WHERE id = ${id}`;
  const spoil = () => `UPDATE readings SET ${random.pick(spoils)} WHERE id = ${id};
    UPDATE expected_readings SET refused = refused + 1 WHERE id = ${id}`;
  const mend = `UPDATE readings SET value = ${random.below(1e6) / 8}, taken_at = '2024-01-01 00:00:00.000001+00', label = 'good' WHERE id = ${id};
    UPDATE expected_readings e SET value = r.value, taken_at = r.taken_at, label = r.label, is_there = true
      FROM readings r WHERE r.id = e.id AND r.id = ${id}`;
  return random.pick([
    [insert, spoil()],
    [insert, spoil(), mend],
    [insert, spoil(), spoil(), mend, spoil()],
    [insert, mend],
    [insertBad('NaN', '2025-06-01 12:00:00+00')],
    [insertBad('0', '-infinity'), mend],
  ]);
}
