// What the traffic does within its transactions: each operation writes SQL and keeps the model in step with it. Between them they
// do to the source what breaks change data capture.
import pg from 'pg';
import type { CrmModel, Opportunity, Pool } from './model.ts';
import { fourDecimals, type Random } from './random.ts';
import {
  accountRow,
  activityRow,
  amountUnits,
  closedStages,
  contactRow,
  leadRow,
  openStages,
  opportunityContactRow,
  opportunityRow,
  type Row,
} from './rows.ts';

/** A transaction in the making. */
export interface Draft {
  /** Share of the picks that go to eight rows of a table. */
  readonly hotShare: number;
  readonly random: Random;
  readonly model: CrmModel;
  write(sql: string, changes?: number): void;
}

const text = (value: string | null) => (value === null ? 'NULL' : pg.escapeLiteral(value));
const assignments = (row: Row) =>
  Object.entries(row)
    .map(([name, value]) => `${name} = ${text(value)}`)
    .join(', ');
const insert = (table: string, row: Row) =>
  `INSERT INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${Object.values(row).map(text).join(', ')})`;

function update(draft: Draft, table: string, id: number | string, row: Row): void {
  draft.write(`UPDATE ${table} SET ${assignments(row)} WHERE id = ${text(String(id))}`);
}

function remove(draft: Draft, table: string, id: number | string): void {
  draft.write(`DELETE FROM ${table} WHERE id = ${text(String(id))}`);
}

/** A key of `pool`, one of eight hot ones at `hotShare`. @returns undefined when it is empty */
function pick<K extends string | number, V>({ random, hotShare }: Draft, pool: Pool<K, V>): K | undefined {
  if (pool.size === 0) return undefined;
  return pool.keyAt(random.below(random.chance(hotShare) ? Math.min(8, pool.size) : pool.size));
}

const now = (random: Random) => ({ updated_at: `${random.moment()}+00` });

/** The invariant's upkeep; see traffic.ts. */
function adjust(draft: Draft, account: number, contacts: number, openAmount: number): void {
  draft.write(
    `UPDATE accounts SET contact_count = contact_count + ${contacts}, open_amount = open_amount + ${fourDecimals(openAmount)},
       ${assignments(now(draft.random))} WHERE id = ${account}`,
  );
}

function insertAccount(draft: Draft): number {
  const { random, model } = draft;
  const id = model.newIds();
  draft.write(insert('accounts', accountRow(random, id, pick(draft, model.accounts) ?? null)));
  model.accounts.set(id, { id });
  return id;
}

function insertContact(draft: Draft): number {
  const { random, model } = draft;
  const account = model.accounts.get(pick(draft, model.accounts) ?? insertAccount(draft));
  const id = model.newIds();
  draft.write(insert('contacts', contactRow(random, id, account.id)));
  adjust(draft, account.id, 1, 0);
  model.contacts.set(id, { account });
  return id;
}

function insertOpportunity(draft: Draft): number {
  const { random, model } = draft;
  const account = model.accounts.get(pick(draft, model.accounts) ?? insertAccount(draft));
  const id = model.newIds();
  const openAmount = amountUnits(random);
  draft.write(
    insert('opportunities', opportunityRow(random, id, account.id, random.pick(openStages), openAmount)),
  );
  adjust(draft, account.id, 0, openAmount);
  model.opportunities.set(id, { account, openAmount });
  return id;
}

function insertLink(draft: Draft): void {
  const { random, model } = draft;
  const opportunity = pick(draft, model.opportunities) ?? insertOpportunity(draft);
  const row = opportunityContactRow(random, opportunity, pick(draft, model.contacts) ?? insertContact(draft));
  draft.write(
    `${insert('opportunity_contacts', row)} ON CONFLICT (opportunity_id, contact_id) DO UPDATE SET role = EXCLUDED.role`,
  );
}

function insertLead(draft: Draft): string {
  const row = leadRow(draft.random, pick(draft, draft.model.contacts) ?? null);
  draft.write(insert('leads', row));
  draft.model.leads.set(row.id, null);
  return row.id;
}

function insertActivity(draft: Draft, id = draft.model.newIds()): number {
  const { random, model } = draft;
  const row = activityRow(
    random,
    id,
    pick(draft, model.contacts) ?? null,
    pick(draft, model.opportunities) ?? null,
  );
  draft.write(insert('activities', row));
  model.activities.set(id, null);
  return id;
}

function changeOpportunity(draft: Draft): void {
  const { random, model } = draft;
  const id = pick(draft, model.opportunities) ?? insertOpportunity(draft);
  const before: Opportunity = model.opportunities.get(id);
  const isOpen = random.chance(0.7);
  const amount = amountUnits(random);
  const openAmount = isOpen ? amount : 0;
  const stage = random.pick<string>(isOpen ? openStages : closedStages);
  update(draft, 'opportunities', id, { stage, amount: fourDecimals(amount), ...now(random) });
  adjust(draft, before.account.id, 0, openAmount - before.openAmount);
  model.opportunities.set(id, { account: before.account, openAmount });
}

function moveContact(draft: Draft): void {
  const { random, model } = draft;
  const id = pick(draft, model.contacts) ?? insertContact(draft);
  const from = model.contacts.get(id).account;
  const to = model.accounts.get(pick(draft, model.accounts)!);
  update(draft, 'contacts', id, { account_id: String(to.id), ...now(random) });
  adjust(draft, from.id, -1, 0);
  adjust(draft, to.id, 1, 0);
  model.contacts.set(id, { account: to });
}

function changeContactKey(draft: Draft): void {
  const { model } = draft;
  const id = pick(draft, model.contacts) ?? insertContact(draft);
  const newId = model.newIds();
  update(draft, 'contacts', id, { id: String(newId) });
  const value = model.contacts.get(id);
  model.contacts.delete(id);
  model.contacts.set(newId, value);
}

function changeAccountKey(draft: Draft): void {
  const { model } = draft;
  const id = pick(draft, model.accounts) ?? insertAccount(draft);
  const newId = model.newIds();
  update(draft, 'accounts', id, { id: String(newId) });
  model.rename(model.accounts.get(id), newId);
}

function changeLeadKey(draft: Draft): void {
  const { random, model } = draft;
  const id = pick(draft, model.leads) ?? insertLead(draft);
  const newId = random.uuid();
  update(draft, 'leads', id, { id: newId, ...now(random) });
  model.leads.delete(id);
  model.leads.set(newId, null);
}

/** Moves the first pair at or after a picked opportunity to another contact. */
function changeLinkKey(draft: Draft): void {
  const { model } = draft;
  const opportunity = pick(draft, model.opportunities) ?? insertOpportunity(draft);
  const contact = pick(draft, model.contacts) ?? insertContact(draft);
  draft.write(
    `UPDATE opportunity_contacts l SET contact_id = ${contact} WHERE (opportunity_id, contact_id) = (${linkFrom(opportunity)})
       AND NOT EXISTS (SELECT FROM opportunity_contacts o WHERE o.opportunity_id = l.opportunity_id AND o.contact_id = ${contact})`,
  );
}

const linkFrom = (opportunity: number) =>
  `SELECT opportunity_id, contact_id FROM opportunity_contacts WHERE opportunity_id >= ${opportunity} ORDER BY 1, 2 LIMIT 1`;

function swapEmails(draft: Draft): void {
  const one = pick(draft, draft.model.contacts) ?? insertContact(draft);
  let other = pick(draft, draft.model.contacts)!;
  if (other === one) other = insertContact(draft);
  draft.write(
    `UPDATE contacts c SET email = o.email FROM contacts o
       WHERE c.id IN (${one}, ${other}) AND o.id IN (${one}, ${other}) AND c.id <> o.id`,
    2,
  );
}

function deleteContact(draft: Draft): void {
  const { model } = draft;
  const id = pick(draft, model.contacts) ?? insertContact(draft);
  const { account } = model.contacts.get(id);
  remove(draft, 'contacts', id);
  adjust(draft, account.id, -1, 0);
  model.contacts.delete(id);
}

function deleteOpportunity(draft: Draft): void {
  const { model } = draft;
  const id = pick(draft, model.opportunities) ?? insertOpportunity(draft);
  const { account, openAmount } = model.opportunities.get(id);
  remove(draft, 'opportunities', id);
  adjust(draft, account.id, 0, -openAmount);
  model.opportunities.delete(id);
}

function deleteLead(draft: Draft): void {
  const id = pick(draft, draft.model.leads) ?? insertLead(draft);
  remove(draft, 'leads', id);
  draft.model.leads.delete(id);
}

function deleteActivity(draft: Draft): number {
  const id = pick(draft, draft.model.activities) ?? insertActivity(draft);
  remove(draft, 'activities', id);
  draft.model.activities.delete(id);
  return id;
}

/** The same contact goes and comes back in one transaction, with other values. */
function reinsertContact(draft: Draft): void {
  const { random, model } = draft;
  const id = pick(draft, model.contacts) ?? insertContact(draft);
  remove(draft, 'contacts', id);
  draft.write(insert('contacts', contactRow(random, id, model.contacts.get(id).account.id)));
}

export type Operation = (draft: Draft) => unknown;

/** By kind and name, with weights. */
export const operations: Record<
  'insert' | 'update' | 'delete',
  Record<string, readonly [weight: number, operation: Operation]>
> = {
  insert: {
    insertAccount: [1, insertAccount],
    insertContact: [4, insertContact],
    insertOpportunity: [4, insertOpportunity],
    insertLink: [3, insertLink],
    insertLead: [3, insertLead],
    insertActivity: [6, insertActivity],
  },
  update: {
    changeAccount: [
      3,
      (draft) => {
        const { annual_revenue, attributes } = accountRow(draft.random, 0, null);
        update(draft, 'accounts', pick(draft, draft.model.accounts) ?? insertAccount(draft), {
          annual_revenue,
          attributes,
        });
      },
    ],
    // Leaves `notes` and `body`, where they are in TOAST, as they were: the WAL does not carry them.
    changeContact: [
      4,
      (draft) => {
        const { phone, tags, is_opted_in } = contactRow(draft.random, 0, 0);
        update(draft, 'contacts', pick(draft, draft.model.contacts) ?? insertContact(draft), {
          phone,
          tags,
          is_opted_in,
          ...now(draft.random),
        });
      },
    ],
    finishActivity: [
      3,
      (draft) =>
        update(draft, 'activities', pick(draft, draft.model.activities) ?? insertActivity(draft), {
          is_done: 't',
        }),
    ],
    changeBody: [
      1,
      (draft) =>
        update(draft, 'activities', pick(draft, draft.model.activities) ?? insertActivity(draft), {
          body: draft.random.noise(9_000),
        }),
    ],
    changeLead: [
      3,
      (draft) => {
        const { status, score, payload } = leadRow(draft.random, null);
        update(draft, 'leads', pick(draft, draft.model.leads) ?? insertLead(draft), {
          status,
          score,
          payload,
          ...now(draft.random),
        });
      },
    ],
    changeOpportunity: [4, changeOpportunity],
    moveContact: [2, moveContact],
    changeLinkKey: [1, changeLinkKey],
    changeContactKey: [1, changeContactKey],
    changeLeadKey: [1, changeLeadKey],
    changeAccountKey: [0.2, changeAccountKey],
    swapEmails: [1, swapEmails],
  },
  delete: {
    deleteContact: [2, deleteContact],
    deleteOpportunity: [2, deleteOpportunity],
    deleteLink: [
      2,
      (draft) => {
        const opportunity = pick(draft, draft.model.opportunities) ?? insertOpportunity(draft);
        draft.write(
          `DELETE FROM opportunity_contacts WHERE (opportunity_id, contact_id) = (${linkFrom(opportunity)})`,
        );
      },
    ],
    deleteLead: [2, deleteLead],
    deleteActivity: [4, deleteActivity],
    reinsertActivity: [1, (draft) => insertActivity(draft, deleteActivity(draft))],
    reinsertContact: [1, reinsertContact],
    insertAndDelete: [
      1,
      (draft) => {
        const id = insertAccount(draft);
        remove(draft, 'accounts', id);
        draft.model.accounts.delete(id);
      },
    ],
  },
};

export function truncateActivities(draft: Draft): void {
  draft.write('TRUNCATE activities');
  draft.model.activities.clear();
  for (let count = draft.random.below(20); count > 0; count--) insertActivity(draft);
}

/** Deletes the last large transaction's rows, inserts as many new ones, updates every tenth. */
export function largeChange(draft: Draft, rows: number): void {
  const { model } = draft;
  const { from, to } = model.bulk;
  const id = model.newIds(rows);
  draft.write(`DELETE FROM activities WHERE id >= ${from} AND id < ${to}`, to - from);
  draft.write(
    `INSERT INTO activities (id, kind, subject, body, occurred_at)
       SELECT i, 'bulk', 'bulk ' || i, repeat(md5(i::text), 4), timestamptz '2025-01-01' + i * interval '1 microsecond'
       FROM generate_series(${id}, ${id + rows - 1}) i`,
    rows,
  );
  draft.write(
    `UPDATE activities SET is_done = true WHERE id >= ${id} AND id < ${id + rows} AND id % 10 = 0`,
    Math.floor(rows / 10),
  );
  model.setBulk({ from: id, to: id + rows });
}
