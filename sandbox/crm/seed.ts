// Fills an empty CRM with rows that depend on the seed alone. One transaction, by COPY: 100,000 contacts in a few seconds.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { createRandom, fourDecimals, type Random } from './random.ts';
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

export interface SeedOptions {
  readonly seed?: number;
  /** Rows per table. */
  readonly accounts?: number;
  readonly contacts?: number;
  readonly leads?: number;
  readonly opportunities?: number;
  readonly activities?: number;
}

/** Ids run from 1. The invariant of traffic.ts holds afterwards. */
export async function seedCrm(client: pg.ClientBase, options: SeedOptions = {}): Promise<void> {
  const {
    seed = 1,
    accounts = 300,
    contacts = 1_500,
    leads = 600,
    opportunities = 900,
    activities = 2_500,
  } = options;
  // A generator for each table: more rows of one leave the others as they are.
  const random = (table: number) => createRandom(seed * 16 + table);

  const counts = new Int32Array(accounts + 1);
  const openAmounts = new Float64Array(accounts + 1);
  const owner = random(0);
  const contactOwners = Array.from({ length: contacts }, () => 1 + owner.below(accounts));
  for (const account of contactOwners) counts[account]! += 1;
  const deals = Array.from({ length: opportunities }, () => {
    const isOpen = owner.chance(0.7);
    const deal = {
      account: 1 + owner.below(accounts),
      stage: owner.pick(isOpen ? openStages : closedStages),
      amount: amountUnits(owner),
    };
    if (isOpen) openAmounts[deal.account]! += deal.amount;
    return deal;
  });

  await client.query('BEGIN');
  await copyRows(client, 'accounts', accounts, random(1), (r, id) => ({
    ...accountRow(r, id, id > 1 && r.chance(0.3) ? 1 + r.below(id - 1) : null),
    contact_count: String(counts[id]),
    open_amount: fourDecimals(openAmounts[id]!),
  }));
  await copyRows(client, 'contacts', contacts, random(2), (r, id) =>
    contactRow(r, id, contactOwners[id - 1]!),
  );
  await copyRows(client, 'leads', leads, random(3), (r) => leadRow(r, anyOf(r, contacts)));
  await copyRows(client, 'opportunities', opportunities, random(4), (r, id) => {
    const { account, stage, amount } = deals[id - 1]!;
    return opportunityRow(r, id, account, stage, amount);
  });
  await copyRows(client, 'opportunity_contacts', contacts > 0 ? opportunities : 0, random(5), (r, id) =>
    opportunityContactRow(r, id, 1 + r.below(contacts)),
  );
  await copyRows(client, 'activities', activities, random(6), (r, id) =>
    activityRow(r, id, anyOf(r, contacts), anyOf(r, opportunities)),
  );
  await client.query('COMMIT');
  await client.query('ANALYZE');
}

/** An id from 1 to `count`, or null now and then. */
function anyOf(random: Random, count: number): number | null {
  return count === 0 || random.chance(0.3) ? null : 1 + random.below(count);
}

async function copyRows(
  client: pg.ClientBase,
  table: string,
  count: number,
  random: Random,
  row: (random: Random, id: number) => Row,
): Promise<void> {
  if (count === 0) return;
  function* chunks(): Generator<string> {
    let chunk = '';
    for (let id = 1; id <= count; id++) {
      chunk += `${Object.values(id === 1 ? first : row(random, id))
        .map(copyText)
        .join('\t')}\n`;
      if (chunk.length > 65_536 || id === count) {
        yield chunk;
        chunk = '';
      }
    }
  }
  const first = row(random, 1);
  const copy = client.query(copyFrom(`COPY ${table} (${Object.keys(first).join(', ')}) FROM STDIN`));
  await pipeline(Readable.from(chunks()), copy);
}

const copyEscapes: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** https://www.postgresql.org/docs/18/sql-copy.html, text format */
function copyText(value: string | null): string {
  return value === null ? '\\N' : value.replace(/[\\\t\n\r]/g, (character) => copyEscapes[character]!);
}
