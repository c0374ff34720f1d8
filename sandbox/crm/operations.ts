// What the traffic does within its transactions: each operation writes SQL and keeps the model in step with it. Between them they
// do to the source what breaks change data capture.
import pg from 'pg';
import type { CrmModel, Entry, Table } from './model.ts';
import { fourDecimals, type Random } from './random.ts';
import type { Key } from './rows.ts';
import * as rows from './rows.ts';

const text = (value: string | null) => (value === null ? 'NULL' : pg.escapeLiteral(value));
const alone: Entry = { account: null, contacts: 0, openAmount: 0 };

/** A transaction in the making. */
export class Draft {
  readonly statements = ['BEGIN'];
  /** Rows written, without those of cascades. */
  changes = 0;
  readonly random: Random;
  readonly model: CrmModel;
  readonly #hotShare: number;

  constructor(random: Random, model: CrmModel, hotShare: number) {
    this.random = random;
    this.model = model;
    this.#hotShare = hotShare;
  }

  write(sql: string, changes = 1): void {
    this.statements.push(sql);
    this.changes += changes;
  }

  /** A key of the table, at `hotShare` one of its eight hot ones; null when it is empty. */
  pick(table: Table): Key | null {
    const { size } = this.model[table];
    if (size === 0) return null;
    return this.model[table].keyAt(
      this.random.below(this.random.chance(this.#hotShare) ? Math.min(8, size) : size),
    );
  }

  /** A key of the table, of a new row if it is empty. */
  any(table: Table): Key {
    return this.pick(table) ?? creators[table](this);
  }

  insert(table: Table, row: rows.Row, entry = alone): Key {
    const key = table === 'leads' ? row.id! : Number(row.id);
    this.write(insertSql(table, row));
    this.model[table].add(key, entry);
    this.#adjust(entry, 1);
    return key;
  }

  update(table: Table, key: Key, row: rows.Row): void {
    const assignments = Object.entries(row).map(([name, value]) => `${name} = ${text(value)}`);
    this.write(`UPDATE ${table} SET ${assignments.join(', ')} WHERE id = ${text(String(key))}`);
  }

  /** Another place in its account's sums, or another account. */
  reassign(table: Table, key: Key, entry: Entry): void {
    this.#adjust(this.model[table].get(key), -1);
    this.#adjust(entry, 1);
    this.model[table].delete(key);
    this.model[table].add(key, entry);
  }

  rekey(table: Table, key: Key, newKey: Key): void {
    this.update(table, key, { id: String(newKey) });
    const entry = this.model[table].get(key);
    this.model[table].delete(key);
    this.model[table].add(newKey, entry);
  }

  delete(table: Table, key = this.any(table)): Key {
    this.write(`DELETE FROM ${table} WHERE id = ${text(String(key))}`);
    this.#adjust(this.model[table].get(key), -1);
    this.model[table].delete(key);
    return key;
  }

  /** The invariant's upkeep; see traffic.ts. */
  #adjust({ account, contacts, openAmount }: Entry, sign: 1 | -1): void {
    if (account === null) return;
    this.write(
      `UPDATE accounts SET contact_count = contact_count + ${sign * contacts}, open_amount = open_amount + ${fourDecimals(sign * openAmount)}
         WHERE id = ${account}`,
    );
  }
}

const insertSql = (table: string, row: rows.Row) =>
  `INSERT INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${Object.values(row).map(text).join(', ')})`;

function insertAccount(draft: Draft, id = draft.model.newIds()): Key {
  return draft.insert('accounts', rows.accountRow(draft.random, id, draft.pick('accounts')));
}

function insertContact(draft: Draft, account = draft.any('accounts'), id: Key = draft.model.newIds()): Key {
  return draft.insert('contacts', rows.contactRow(draft.random, id, account), {
    account,
    contacts: 1,
    openAmount: 0,
  });
}

function insertOpportunity(draft: Draft): Key {
  const { random, model } = draft;
  const [account, openAmount] = [draft.any('accounts'), rows.amountUnits(random)];
  const row = rows.opportunityRow(random, model.newIds(), account, random.pick(rows.openStages), openAmount);
  return draft.insert('opportunities', row, { account, contacts: 0, openAmount });
}

function insertLead(draft: Draft): Key {
  return draft.insert('leads', rows.leadRow(draft.random, draft.pick('contacts')));
}

function insertActivity(draft: Draft, id: Key = draft.model.newIds()): Key {
  return draft.insert(
    'activities',
    rows.activityRow(draft.random, id, draft.pick('contacts'), draft.pick('opportunities')),
  );
}

const creators: Record<Table, (draft: Draft) => Key> = {
  accounts: insertAccount,
  contacts: insertContact,
  opportunities: insertOpportunity,
  leads: insertLead,
  activities: insertActivity,
};

function insertLink(draft: Draft): void {
  const row = rows.opportunityContactRow(draft.random, draft.any('opportunities'), draft.any('contacts'));
  draft.write(
    `${insertSql('opportunity_contacts', row)} ON CONFLICT (opportunity_id, contact_id) DO UPDATE SET role = EXCLUDED.role`,
  );
}

function changeAccount(draft: Draft): void {
  const { annual_revenue, attributes, updated_at } = rows.accountRow(draft.random, 0, null);
  draft.update('accounts', draft.any('accounts'), { annual_revenue, attributes, updated_at });
}

/** Leaves `notes`, where it is in TOAST, as it was: the WAL does not carry it. So does `finishActivity` with `body`. */
function changeContact(draft: Draft): void {
  const { phone, tags, is_opted_in, updated_at } = rows.contactRow(draft.random, 0, 0);
  draft.update('contacts', draft.any('contacts'), { phone, tags, is_opted_in, updated_at });
}

function finishActivity(draft: Draft): void {
  draft.update('activities', draft.any('activities'), { is_done: 't' });
}

function changeBody(draft: Draft): void {
  draft.update('activities', draft.any('activities'), { body: draft.random.noise(9_000) });
}

function changeLead(draft: Draft): void {
  const { status, score, payload, updated_at } = rows.leadRow(draft.random, null);
  draft.update('leads', draft.any('leads'), { status, score, payload, updated_at });
}

function changeOpportunity(draft: Draft): void {
  const { random, model } = draft;
  const id = draft.any('opportunities');
  const [isOpen, units] = [random.chance(0.7), rows.amountUnits(random)];
  const stage = random.pick<string>(isOpen ? rows.openStages : rows.closedStages);
  draft.update('opportunities', id, { stage, amount: fourDecimals(units) });
  draft.reassign('opportunities', id, { ...model.opportunities.get(id), openAmount: isOpen ? units : 0 });
}

function moveContact(draft: Draft): void {
  const [id, account] = [draft.any('contacts'), draft.any('accounts')];
  draft.update('contacts', id, { account_id: String(account) });
  draft.reassign('contacts', id, { account, contacts: 1, openAmount: 0 });
}

/** Its activities, leads and opportunities follow by cascade. */
function changeContactKey(draft: Draft): void {
  draft.rekey('contacts', draft.any('contacts'), draft.model.newIds());
}

const changeLeadKey = (draft: Draft) => draft.rekey('leads', draft.any('leads'), draft.random.uuid());

function changeActivityKey(draft: Draft): void {
  draft.rekey('activities', draft.any('activities'), draft.model.newIds());
}

/** The first pair at or after an opportunity: pairs are not in the model. */
const linkFrom = (opportunity: Key) =>
  `SELECT opportunity_id, contact_id FROM opportunity_contacts WHERE opportunity_id >= ${opportunity} ORDER BY 1, 2 LIMIT 1`;

function changeLinkKey(draft: Draft): void {
  const [opportunity, contact] = [draft.any('opportunities'), draft.any('contacts')];
  draft.write(
    `UPDATE opportunity_contacts l SET contact_id = ${contact} WHERE (opportunity_id, contact_id) = (${linkFrom(opportunity)})
       AND NOT EXISTS (SELECT FROM opportunity_contacts o WHERE o.opportunity_id = l.opportunity_id AND o.contact_id = ${contact})`,
  );
}

function swapEmails(draft: Draft): void {
  const [one, picked] = [draft.any('contacts'), draft.any('contacts')];
  const pair = `(${one}, ${picked === one ? insertContact(draft) : picked})`;
  draft.write(
    `UPDATE contacts c SET email = o.email FROM contacts o WHERE c.id IN ${pair} AND o.id IN ${pair} AND c.id <> o.id`,
    2,
  );
}

const deleteContact = (draft: Draft) => draft.delete('contacts');
const deleteOpportunity = (draft: Draft) => draft.delete('opportunities');

function deleteLink(draft: Draft): void {
  draft.write(
    `DELETE FROM opportunity_contacts WHERE (opportunity_id, contact_id) = (${linkFrom(draft.any('opportunities'))})`,
  );
}

const deleteLead = (draft: Draft) => draft.delete('leads');
const deleteActivity = (draft: Draft) => draft.delete('activities');

/** The same key goes and comes back in one transaction, with other values. */
const reinsertActivity = (draft: Draft) => insertActivity(draft, draft.delete('activities'));

function reinsertContact(draft: Draft): void {
  const id = draft.any('contacts');
  const { account } = draft.model.contacts.get(id);
  insertContact(draft, account!, draft.delete('contacts', id));
}

const insertAndDelete = (draft: Draft) => draft.delete('accounts', insertAccount(draft));

export function truncateActivities(draft: Draft): void {
  draft.write('TRUNCATE activities');
  draft.model.activities.clear();
  for (let count = draft.random.below(20); count > 0; count--) insertActivity(draft);
}

/** Deletes the last large transaction's rows, inserts `count` new ones, updates every tenth. */
export function changeMany(draft: Draft, count: number): void {
  const id = draft.model.newIds(count);
  draft.write(`DELETE FROM activities WHERE kind = 'bulk'`, count);
  draft.write(
    `INSERT INTO activities (id, kind, subject, body, occurred_at)
       SELECT i, 'bulk', 'bulk ' || i, repeat(md5(i::text), 4), timestamptz '2025-01-01' + i * interval '1 microsecond'
       FROM generate_series(${id}, ${id + count - 1}) i`,
    count,
  );
  draft.write(
    `UPDATE activities SET is_done = true WHERE kind = 'bulk' AND id % 10 = 0`,
    Math.floor(count / 10),
  );
}

type Weighted = readonly (readonly [operation: (draft: Draft) => unknown, weight: number])[];

// biome-ignore format: one line a kind of row
export const operations: Record<'insert' | 'update' | 'delete', Weighted> = {
  insert: [
    [insertAccount, 1], [insertContact, 4], [insertOpportunity, 4], [insertLink, 3], [insertLead, 3], [insertActivity, 6],
  ],
  update: [
    [changeAccount, 3],
    [changeContact, 4], [moveContact, 2], [changeContactKey, 1], [swapEmails, 1],
    [changeOpportunity, 4], [changeLinkKey, 1],
    [changeLead, 3], [changeLeadKey, 1],
    [finishActivity, 3], [changeBody, 1], [changeActivityKey, 1],
  ],
  delete: [
    [insertAndDelete, 1],
    [deleteContact, 2], [reinsertContact, 1],
    [deleteOpportunity, 2], [deleteLink, 2],
    [deleteLead, 2],
    [deleteActivity, 4], [reinsertActivity, 1],
  ],
};
