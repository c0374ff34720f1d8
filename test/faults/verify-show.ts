// A table to be verified: filled, planted with differences of every kind, changed all the while. For the tests and for
// `npm run bench:verify`.
import { setTimeout as pause } from 'node:timers/promises';
import sql from 'mssql';
import { withClient } from '../../sandbox/crm/crm.ts';
import type { Random } from '../../sandbox/crm/random.ts';
import type { Bridge } from './bridge.ts';

/** Creates the table with its rows, maps it, and runs `init`: all rows are from before the slot. */
export async function createPeople(bridge: Bridge, rows: number): Promise<void> {
  await withClient(bridge.crm, (client) =>
    client.query(`
      CREATE TABLE people (
        id bigint PRIMARY KEY, name text NOT NULL, nick varchar(60), note text, amount numeric(18,2), score float8,
        born date, seen timestamp, updated_at timestamptz NOT NULL, ref uuid, photo bytea, visits int NOT NULL);
      INSERT INTO people SELECT i,
        CASE WHEN i % 10 = 3 THEN 'Zoë Ångström ' ELSE 'Person number ' END || i, CASE WHEN i % 7 > 1 THEN 'nick' || i END,
        CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'note of ' || md5(i::text) END, (i::bigint * 7919 % 1000003) / 100.0, i / 3.0,
        date '1950-01-01' + (i % 20000), timestamp '2026-01-01' + i * interval '1.000001 s', timestamptz '2026-01-01 00:00+00' + i * interval '1 ms',
        md5(i::text)::uuid, decode(md5(i::text), 'hex'), 0
      FROM generate_series(1, ${rows}) AS i;
      ANALYZE people`),
  );
  for (const args of [['generate', '--table', 'public.people'], ['init']]) {
    const { code, stdout, stderr } = await bridge.command(...args);
    if (code !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  }
}

export interface Planted {
  readonly id: number;
  readonly kind: 'missing' | 'extra' | 'different';
  /** The column that was changed; null of whole rows. */
  readonly column: string | null;
}

/** One statement a difference: T-SQL on the row `@id`. */
const kinds: readonly {
  readonly column: string | null;
  readonly set: string;
  readonly of?: (id: number) => boolean;
}[] = [
  { column: 'name', set: 'name = UPPER(name)' },
  { column: 'name', set: "name = name + N' '" },
  { column: 'updated_at', set: 'updated_at = DATEADD(microsecond, 1, updated_at)' },
  { column: 'seen', set: 'seen = DATEADD(microsecond, -1, seen)' },
  { column: 'note', set: "note = N''", of: (id) => id % 5 === 0 },
  { column: 'note', set: 'note = NULL', of: (id) => id % 5 === 1 },
  { column: 'amount', set: 'amount = amount + 0.01' },
  { column: 'photo', set: 'photo = 0x00 + photo' },
  { column: null, set: 'missing' },
  { column: null, set: 'extra' },
];

/** Of odd ids, each once: the traffic changes even ones. */
export async function plant(bridge: Bridge, rows: number, count: number, random: Random): Promise<Planted[]> {
  const pool = await new sql.ConnectionPool(bridge.warehouse).connect();
  const taken = new Set<number>();
  const planted: Planted[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      const { column, set, of = () => true } = kinds[index % kinds.length]!;
      let id: number;
      do id = random.below(rows / 2) * 2 + 1;
      while (taken.has(id) || !of(id) || id > rows);
      taken.add(id);
      if (set === 'extra') {
        // Between two that are there as well as behind the last.
        const extra = index % 20 < 10 ? rows * 1000 + id : -id;
        await pool.query(
          `INSERT INTO crm.people (id, name, updated_at, visits) VALUES (${extra}, N'Nobody', SYSDATETIMEOFFSET(), 0)`,
        );
        planted.push({ id: extra, kind: 'extra', column: null });
        continue;
      }
      const statement =
        set === 'missing'
          ? `DELETE FROM crm.people WHERE id = ${id}`
          : `UPDATE crm.people SET ${set} WHERE id = ${id}`;
      const { rowsAffected } = await pool.query(statement);
      if (rowsAffected[0] !== 1) throw new Error(`${statement}: ${rowsAffected[0]} rows`);
      planted.push({ id, kind: set === 'missing' ? 'missing' : 'different', column });
    }
  } finally {
    await pool.close();
  }
  return planted;
}

/** Updates even ids, some of them again and again, inserts and deletes, until the signal. Resolves with the statements run. */
export async function changePeople(
  bridge: Bridge,
  rows: number,
  perSecond: number,
  random: Random,
  signal: AbortSignal,
): Promise<number> {
  const even = () => random.below(Math.floor(rows / 2)) * 2 + 2;
  let [count, next] = [0, rows * 10];
  await withClient(bridge.crm, async (client) => {
    const update = (id: number) =>
      client.query('UPDATE people SET visits = visits + 1, updated_at = clock_timestamp() WHERE id = $1', [
        id,
      ]);
    while (!signal.aborted) {
      const began = performance.now();
      await update(2);
      await update(even());
      await update(even());
      if (count % 20 === 0) {
        next += 2;
        await client.query("INSERT INTO people (id, name, updated_at, visits) VALUES ($1, 'new', now(), 0)", [
          next,
        ]);
        await client.query('DELETE FROM people WHERE id = $1', [next - 20]);
      }
      count += 4;
      await pause(Math.max(0, 4000 / perSecond - (performance.now() - began)));
    }
  });
  return count;
}

export interface Found {
  readonly code: number | null;
  readonly entity: {
    readonly state: string;
    readonly way: string;
    readonly sourceRows: number;
    readonly rowsListed: number;
    readonly rowsRead: number;
    readonly share: number;
    readonly milliseconds: number;
    readonly counts: Readonly<Record<string, number>>;
  };
  readonly findings: readonly {
    readonly kind: string;
    readonly key: { readonly id: string };
    readonly columns: readonly string[];
    readonly values: unknown;
  }[];
  readonly repairId: string | null;
}

/** `walbridge verify people --json`. */
export async function verifyPeople(bridge: Bridge, ...options: string[]): Promise<Found> {
  const { code, stdout, stderr } = await bridge.command('verify', 'people', '--json', ...options);
  const lines = stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { type: string });
  const entity = lines.find(({ type }) => type === 'entity');
  if (entity === undefined) throw new Error(`verify ended with ${code}: ${stdout}${stderr}`);
  const findings = lines.filter(({ type }) => type === 'finding');
  const last = lines.find(({ type }) => type === 'verification') as unknown as { repairId: string | null };
  return { code, entity, findings, repairId: last.repairId } as unknown as Found;
}

/** One line a row, for a comparison that shows what is missing. */
export function linesOf(found: Pick<Found, 'findings'>): string[] {
  return found.findings.map(({ key, kind, columns }) => `${key.id} ${kind} ${columns.join()}`).sort();
}

export function plantedLines(planted: readonly Planted[]): string[] {
  return planted.map(({ id, kind, column }) => `${id} ${kind} ${column ?? ''}`).sort();
}
