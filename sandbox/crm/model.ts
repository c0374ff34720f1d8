// What the traffic has to know of the CRM to choose its next transaction without asking: which keys exist, and what each row
// adds to its account's sums. Every change can be taken back, as a transaction or a savepoint can.
import type pg from 'pg';
import { type Key, openStages } from './rows.ts';

/** What a row adds to `contact_count` and `open_amount` (in ten-thousandths) of its account, if it has one. */
export interface Entry {
  readonly account: Key | null;
  readonly contacts: number;
  readonly openAmount: number;
}

const open = openStages.map((stage) => `'${stage}'`).join(', ');
/** Key, account, contacts, open amount of each row. */
const contents = {
  accounts: 'SELECT id, NULL, 0, 0 FROM accounts ORDER BY id',
  contacts: 'SELECT id, account_id, 1, 0 FROM contacts ORDER BY id',
  opportunities: `SELECT id, account_id, 0, CASE WHEN stage IN (${open}) THEN amount * 10000 ELSE 0 END FROM opportunities ORDER BY id`,
  leads: 'SELECT id, NULL, 0, 0 FROM leads ORDER BY id',
  activities: `SELECT id, NULL, 0, 0 FROM activities WHERE kind <> 'bulk' ORDER BY id`,
};
export type Table = keyof typeof contents;

/** A map from which an entry can be picked by its index, in constant time. */
class Pool {
  #keys: Key[] = [];
  #entries = new Map<Key, { index: number; entry: Entry }>();
  readonly #undo: (() => void)[];

  constructor(undo: (() => void)[]) {
    this.#undo = undo;
  }

  get size(): number {
    return this.#keys.length;
  }

  keyAt(index: number): Key {
    return this.#keys[index]!;
  }

  get(key: Key): Entry {
    return this.#entries.get(key)!.entry;
  }

  add(key: Key, entry: Entry): void {
    this.#entries.set(key, { index: this.#keys.length, entry });
    this.#keys.push(key);
    this.#undo.push(() => {
      this.#keys.pop();
      this.#entries.delete(key);
    });
  }

  /** The last key takes the place of the one that goes. */
  delete(key: Key): void {
    const held = this.#entries.get(key)!;
    const last = this.#keys.pop()!;
    this.#entries.delete(key);
    if (last !== key) this.#place(last, held.index);
    this.#undo.push(() => {
      if (last !== key) {
        this.#keys[held.index] = key;
        this.#entries.get(last)!.index = this.#keys.length;
      }
      this.#keys.push(last);
      this.#entries.set(key, held);
    });
  }

  clear(): void {
    const [keys, entries] = [this.#keys, this.#entries];
    this.#keys = [];
    this.#entries = new Map();
    this.#undo.push(() => {
      this.#keys = keys;
      this.#entries = entries;
    });
  }

  #place(key: Key, index: number): void {
    this.#keys[index] = key;
    this.#entries.get(key)!.index = index;
  }
}

export class CrmModel {
  readonly #undo: (() => void)[] = [];
  readonly accounts = new Pool(this.#undo);
  readonly contacts = new Pool(this.#undo);
  readonly opportunities = new Pool(this.#undo);
  readonly leads = new Pool(this.#undo);
  readonly activities = new Pool(this.#undo);
  /** The first id that no row has or had. */
  #nextId = 1;

  static async load(client: pg.ClientBase): Promise<CrmModel> {
    const model = new CrmModel();
    for (const [table, query] of Object.entries(contents) as [Table, string][]) {
      type Read = [id: string, account: string | null, contacts: number, openAmount: number | string];
      const { rows } = await client.query<Read>({ text: query, rowMode: 'array' });
      for (const [id, account, contacts, openAmount] of rows) {
        const key = table === 'leads' ? id : Number(id);
        model[table].add(key, {
          account: account && Number(account),
          contacts,
          openAmount: Number(openAmount),
        });
      }
    }
    const { rows } = await client.query<{ next: string }>(
      `SELECT coalesce(max(id), 0) + 1 AS next FROM (SELECT id FROM accounts UNION ALL SELECT id FROM contacts
         UNION ALL SELECT id FROM opportunities UNION ALL SELECT id FROM activities) ids`,
    );
    model.#nextId = Number(rows[0]!.next);
    model.commit();
    return model;
  }

  /** `count` fresh ids, never given out twice, like a sequence's. @returns the first */
  newIds(count = 1): number {
    this.#nextId += count;
    return this.#nextId - count;
  }

  savepoint(): number {
    return this.#undo.length;
  }

  rollbackTo(savepoint: number): void {
    while (this.#undo.length > savepoint) this.#undo.pop()!();
  }

  commit(): void {
    this.#undo.length = 0;
  }
}
