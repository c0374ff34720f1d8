// What the traffic has to know of the CRM to choose its next transaction without asking: which keys exist, whose they are, and
// the open amounts. Every change can be taken back, as a transaction or a savepoint can.
import type pg from 'pg';
import { openStages } from './rows.ts';

export interface Account {
  id: number;
}
export interface Opportunity {
  readonly account: Account;
  /** In ten-thousandths; 0 when it is closed. */
  readonly openAmount: number;
}

/** A map from which an entry can be picked by index in constant time. */
export class Pool<Key extends string | number, Value> {
  #keys: Key[] = [];
  #entries = new Map<Key, { index: number; value: Value }>();
  readonly #undo: (() => void)[];

  constructor(undo: (() => void)[]) {
    this.#undo = undo;
  }

  get size(): number {
    return this.#keys.length;
  }

  keyAt(index: number): Key {
    return this.#keys[index] as Key;
  }

  get(key: Key): Value {
    return this.#entries.get(key)!.value;
  }

  set(key: Key, value: Value): void {
    const entry = this.#entries.get(key);
    if (entry) {
      const previous = entry.value;
      entry.value = value;
      this.#undo.push(() => {
        entry.value = previous;
      });
      return;
    }
    this.#entries.set(key, { index: this.#keys.length, value });
    this.#keys.push(key);
    this.#undo.push(() => {
      this.#keys.pop();
      this.#entries.delete(key);
    });
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key)!;
    const last = this.#keys.pop() as Key;
    this.#entries.delete(key);
    if (last !== key) this.#place(last, entry.index);
    this.#undo.push(() => {
      this.#entries.set(key, entry);
      if (last !== key) {
        this.#keys[entry.index] = key;
        this.#entries.get(last)!.index = this.#keys.length;
      }
      this.#keys.push(last);
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
  readonly accounts = new Pool<number, Account>(this.#undo);
  readonly contacts = new Pool<number, { readonly account: Account }>(this.#undo);
  readonly opportunities = new Pool<number, Opportunity>(this.#undo);
  readonly leads = new Pool<string, null>(this.#undo);
  readonly activities = new Pool<number, null>(this.#undo);
  /** Ids of the last large transaction's activities, which the next one deletes. */
  bulk = { from: 0, to: 0 };
  #nextId = 1;

  static async load(client: pg.ClientBase): Promise<CrmModel> {
    const model = new CrmModel();
    const rows = async (query: string) =>
      (await client.query<unknown[]>({ text: query, rowMode: 'array' })).rows;
    for (const [id] of await rows('SELECT id FROM accounts ORDER BY id')) {
      model.accounts.set(Number(id), { id: Number(id) });
    }
    for (const [id, account] of await rows('SELECT id, account_id FROM contacts ORDER BY id')) {
      model.contacts.set(Number(id), { account: model.accounts.get(Number(account)) });
    }
    const open = openStages.map((stage) => `'${stage}'`).join(', ');
    for (const [id, account, units] of await rows(
      `SELECT id, account_id, CASE WHEN stage IN (${open}) THEN amount * 10000 ELSE 0 END FROM opportunities ORDER BY id`,
    )) {
      model.opportunities.set(Number(id), {
        account: model.accounts.get(Number(account)),
        openAmount: Number(units),
      });
    }
    for (const [id] of await rows('SELECT id FROM leads ORDER BY id')) model.leads.set(String(id), null);
    for (const [id] of await rows(`SELECT id FROM activities WHERE kind <> 'bulk' ORDER BY id`)) {
      model.activities.set(Number(id), null);
    }
    const [bulk] = await rows(
      `SELECT coalesce(min(id), 0), coalesce(max(id) + 1, 0) FROM activities WHERE kind = 'bulk'`,
    );
    model.bulk = { from: Number(bulk![0]), to: Number(bulk![1]) };
    const [highest] = await rows(
      `SELECT max(id) FROM (SELECT id FROM accounts UNION ALL SELECT id FROM contacts
         UNION ALL SELECT id FROM opportunities UNION ALL SELECT id FROM activities) ids`,
    );
    model.#nextId = Number(highest![0]) + 1;
    model.commit();
    return model;
  }

  /** `count` fresh ids, never given out twice, like a sequence's. @returns the first */
  newIds(count = 1): number {
    this.#nextId += count;
    return this.#nextId - count;
  }

  rename(account: Account, id: number): void {
    const previous = account.id;
    this.accounts.delete(previous);
    account.id = id;
    this.accounts.set(id, account);
    this.#undo.push(() => {
      account.id = previous;
    });
  }

  setBulk(bulk: { from: number; to: number }): void {
    const previous = this.bulk;
    this.bulk = bulk;
    this.#undo.push(() => {
      this.bulk = previous;
    });
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
