// The CRM's rows, made from a seeded generator: one function a table. Used by the seed and by the traffic.
import { fourDecimals, type Random } from './random.ts';

/** PostgreSQL's text of each column, by name; null is NULL. Every function below returns one. */
export type Row = Readonly<Record<string, string | null>>;

/** A bigint id, or a uuid. */
export type Key = number | string;

export const openStages = ['prospecting', 'proposal', 'negotiation'] as const;
export const closedStages = ['won', 'lost'] as const;

const largeText = (random: Random) => random.noise(9_000 + random.below(6_000));

export function accountRow(random: Random, id: Key, parentId: Key | null) {
  return {
    id: String(id),
    parent_id: parentId === null ? null : String(parentId),
    external_id: random.uuid(),
    name: `${random.word()} ${random.word()}`,
    industry: random.chance(0.2) ? null : random.word(),
    annual_revenue: random.chance(0.1)
      ? null
      : `${random.below(2 ** 31)}${random.below(900_000) + 100_000}.${random.below(90) + 10}`,
    attributes: JSON.stringify({
      tier: random.below(4),
      tags: [random.word()],
      address: { city: random.word(), lat: random.next() },
    }),
    created_at: `${random.moment()}+00`,
    updated_at: `${random.moment()}+00`,
  };
}

export function contactRow(random: Random, id: Key, accountId: Key) {
  return {
    id: String(id),
    account_id: String(accountId),
    email: `c${id}.${random.hex(4)}@example.com`,
    first_name: random.chance(0.1) ? null : random.word(),
    last_name: random.word(),
    phone: random.chance(0.3) ? null : `+49 ${random.below(1e9)}`,
    birth_date: random.chance(0.2) ? null : random.date(1940, 65),
    is_opted_in: random.chance(0.5) ? 't' : 'f',
    tags: random.chance(0.5) ? '{}' : `{vip,"two words",NULL,"${random.below(10)}"}`,
    photo: random.chance(0.9) ? null : `\\x${random.hex(24)}`,
    notes: random.chance(0.02) ? largeText(random) : random.chance(0.5) ? null : random.word(),
    created_at: `${random.moment()}+00`,
    updated_at: `${random.moment()}+00`,
  };
}

export function leadRow(random: Random, contactId: Key | null) {
  return {
    id: random.uuid(),
    company: random.word(),
    email: random.chance(0.2) ? null : `lead${random.below(1e6)}@example.com`,
    status: random.pick(['new', 'contacted', 'qualified', 'converted', 'lost']),
    score: random.chance(0.1) ? null : String(random.next() * 10 ** (random.below(20) - 10)),
    priority: random.chance(0.2) ? null : String(random.below(65_536) - 32_768),
    payload: random.chance(0.3)
      ? null
      : JSON.stringify({ form: random.word(), utm: [random.below(9), null, true] }),
    notes: random.chance(0.05) ? largeText(random) : null,
    contact_id: contactId === null ? null : String(contactId),
    received_at: random.moment(),
    updated_at: `${random.moment()}+00`,
  };
}

export function opportunityRow(random: Random, id: Key, accountId: Key, stage: string, amount: number) {
  return {
    id: String(id),
    account_id: String(accountId),
    name: `${random.word()} deal`,
    stage,
    amount: fourDecimals(amount),
    probability: random.chance(0.2) ? null : String(Math.fround(random.next())),
    close_date: random.chance(0.2) ? null : random.date(2024, 3),
    created_at: `${random.moment()}+00`,
    updated_at: `${random.moment()}+00`,
  };
}

export function opportunityContactRow(random: Random, opportunityId: Key, contactId: Key) {
  return {
    opportunity_id: String(opportunityId),
    contact_id: String(contactId),
    role: random.pick(['decides', 'uses', 'blocks', 'pays ']),
    weight: fourDecimals(random.below(10_000)),
  };
}

export function activityRow(random: Random, id: Key, contactId: Key | null, opportunityId: Key | null) {
  return {
    id: String(id),
    contact_id: contactId === null ? null : String(contactId),
    opportunity_id: opportunityId === null ? null : String(opportunityId),
    kind: random.pick(['call', 'mail', 'meeting', 'note']),
    subject: random.word(),
    body: random.chance(0.05) ? largeText(random) : random.word(),
    attachment: random.chance(0.95) ? null : `\\x${random.hex(200)}`,
    is_done: random.chance(0.5) ? 't' : 'f',
    starts_at: random.chance(0.5) ? null : random.moment().slice(11),
    occurred_at: `${random.moment()}+00`,
  };
}

/** An amount in ten-thousandths. */
export function amountUnits(random: Random): number {
  return random.below(5_000_000_000);
}
