// What is measured: one table of 12 columns and the changes on it, half INSERT, half UPDATE of rows inserted long before, so
// that compaction takes nothing away: a change in the source is a row in the warehouse.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';

export const TABLE = 'orders';
export const PUBLICATION = 'walbridge';
/** Rows that are there before anything is measured: what the first updates meet. */
export const SEED_ROWS = 20_000;
/** Changes of one backlog transaction. */
const TRANSACTION_CHANGES = 100;

const row = (
  id: string,
) => `${id}, ${id} % 5000, 'order', 'open', (${id} % 100000) * 1.0625, (${id} % 50)::int,
  ${id} * 0.001, ${id} % 3 = 0, date '2024-01-01' + (${id} % 365)::int, timestamptz '2024-06-01' + ${id} * interval '1 second',
  clock_timestamp(), 'note of order number ' || ${id} || ', as long as people write them'`;

const schemaSql = `
CREATE TABLE ${TABLE} (
  id bigint PRIMARY KEY, account_id bigint NOT NULL, kind varchar(20) NOT NULL, status varchar(20) NOT NULL,
  amount numeric(18,4) NOT NULL, quantity int NOT NULL, score double precision NOT NULL, is_open boolean NOT NULL,
  due_on date, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, note varchar(200));
CREATE PROCEDURE fill(first bigint, count bigint) LANGUAGE sql AS $$
  INSERT INTO ${TABLE} SELECT ${row('g')} FROM generate_series(first, first + count - 1) g $$;
CREATE PROCEDURE backlog(first bigint, transactions int) LANGUAGE plpgsql AS $$
BEGIN
  FOR t IN 0 .. transactions - 1 LOOP
    CALL fill(first + t * ${TRANSACTION_CHANGES / 2}, ${TRANSACTION_CHANGES / 2});
    UPDATE ${TABLE} SET status = 'done', amount = amount + 1, updated_at = clock_timestamp()
      WHERE id BETWEEN first + t * ${TRANSACTION_CHANGES / 2} - ${SEED_ROWS}
        AND first + (t + 1) * ${TRANSACTION_CHANGES / 2} - ${SEED_ROWS} - 1;
    COMMIT;
  END LOOP;
END $$;
`;

/** The table's ids are given out by whoever writes, from 1 on. */
export class Workload {
  readonly #client: pg.Client;
  #nextId = 1;

  constructor(client: pg.Client) {
    this.#client = client;
  }

  get nextId(): number {
    return this.#nextId;
  }

  async create(): Promise<void> {
    await this.#client.query(schemaSql);
  }

  /** One transaction of `rows` inserts. */
  async insert(rows: number): Promise<void> {
    await this.#client.query(`CALL fill(${this.#nextId}, ${rows})`);
    this.#nextId += rows;
  }

  /** About `changes` changes, 100 a transaction. @returns how many they are */
  async backlog(changes: number): Promise<number> {
    const transactions = Math.ceil(changes / TRANSACTION_CHANGES);
    await this.#client.query(`CALL backlog(${this.#nextId}, ${transactions})`);
    this.#nextId += (transactions * TRANSACTION_CHANGES) / 2;
    return transactions * TRANSACTION_CHANGES;
  }

  /** Three inserts and two updates, up to the COMMIT, which is the caller's. @returns the highest id */
  async small(): Promise<number> {
    const first = this.#nextId;
    this.#nextId += 3;
    await this.#client.query(`BEGIN; INSERT INTO ${TABLE} SELECT ${row('g')} FROM generate_series(${first}::bigint, ${first + 2}) g;
      UPDATE ${TABLE} SET status = 'done', updated_at = clock_timestamp() WHERE id IN (${first - SEED_ROWS}, ${first - SEED_ROWS + 1})`);
    return first + 2;
  }
}

export interface Connections {
  readonly source: string;
  readonly warehouse: string;
  readonly queue: { readonly backend: 'redis' | 'postgres'; readonly url: string };
}

/** Writes the daemon's configuration into `folder`. @returns the file's path */
export function writeConfiguration(folder: string, connections: Connections): string {
  for (const name of ['schemas', 'mappings']) mkdirSync(join(folder, name), { recursive: true });
  const file = join(folder, 'walbridge.yaml');
  // JSON is YAML.
  const settings = {
    source: { url: connections.source, publications: [PUBLICATION] },
    warehouse: { connectionString: connections.warehouse },
    queue: connections.queue,
    schemas: './schemas',
    mappings: './mappings',
    log: { level: 'warn' },
  };
  writeFileSync(file, JSON.stringify(settings, null, 2));
  return file;
}
