// Judges a source before anything is read from it: server, role, tables, publications, slot. Pure: facts in, findings out.
// Guarantees: every finding at once, each with the statement that mends it; no finding: the tail loses nothing.

import { escapeIdentifier, escapeLiteral } from 'pg';
import { isSameTable } from '../change/table-name.ts';
import { nearestName } from '../text/nearest-name.ts';
import type { Finding } from './finding.ts';
import { inspectPublications } from './inspect-publications.ts';
import { inspectTable } from './inspect-table.ts';
import { slotFault } from './slot-facts.ts';
import type { SourceFacts, WantedSource, WantedTable } from './source-facts.ts';

const OLDEST_MAJOR = 14;
const NEWEST_MAJOR = 18;

export function inspect(facts: SourceFacts, wanted: WantedSource): Finding[] {
  return [
    ...inspectServer(facts),
    ...inspectRole(facts, wanted),
    ...wanted.tables.flatMap((table) => [...inspectWantedTable(facts, table)]),
    ...inspectPublications(facts, wanted),
    ...inspectSlot(facts, wanted.slot),
  ];
}

function* inspectServer(facts: SourceFacts): Generator<Finding> {
  const major = Math.floor(facts.serverVersion / 10_000);
  if (major < OLDEST_MAJOR || major > NEWEST_MAJOR) {
    yield {
      severity: major < OLDEST_MAJOR ? 'error' : 'warning',
      code: 'WB2101',
      what: `The server is PostgreSQL ${major}; versions ${OLDEST_MAJOR} to ${NEWEST_MAJOR} are supported.`,
      next: major < OLDEST_MAJOR ? 'Upgrade the server.' : 'Upgrade walbridge.',
    };
  }
  if (facts.walLevel !== 'logical') {
    yield {
      severity: 'error',
      code: 'WB2102',
      what: `wal_level is ${facts.walLevel}, not logical.`,
      next: 'ALTER SYSTEM SET wal_level = logical; and restart the server.',
    };
  }
  if (facts.encoding === 'SQL_ASCII') {
    yield {
      severity: 'warning',
      code: 'WB2106',
      what: "The database's encoding is SQL_ASCII: the server does not know what its text means.",
      next: 'Nothing, if all of it is UTF-8; rows with any other bytes go to quarantine.',
    };
  }
  if (facts.slot === null && facts.usedReplicationSlots >= facts.maxReplicationSlots) {
    yield {
      severity: 'error',
      code: 'WB2103',
      what: `All ${facts.maxReplicationSlots} replication slots are in use.`,
      next: `ALTER SYSTEM SET max_replication_slots = ${facts.usedReplicationSlots + 2}; and restart the server, or drop a slot that nobody reads.`,
    };
  }
  if (facts.slot?.active !== true && facts.usedWalSenders >= facts.maxWalSenders) {
    yield {
      severity: 'error',
      code: 'WB2104',
      what: `All ${facts.maxWalSenders} WAL senders are in use.`,
      next: `ALTER SYSTEM SET max_wal_senders = ${facts.usedWalSenders + 4}; and restart the server.`,
    };
  }
  if (facts.walSenderTimeoutMs === 0) {
    yield {
      severity: 'warning',
      code: 'WB2105',
      what: 'wal_sender_timeout is 0: the slot of a reader whose machine died stays taken, and no stand-by takes over.',
      next: "ALTER SYSTEM SET wal_sender_timeout = '60s'; SELECT pg_reload_conf();",
    };
  }
}

function* inspectRole({ role, ...facts }: SourceFacts, wanted: WantedSource): Generator<Finding> {
  if (!role.canReplicate) {
    yield {
      severity: 'error',
      code: 'WB2110',
      what: `The role ${role.name} may not read the WAL.`,
      next: `ALTER ROLE ${escapeIdentifier(role.name)} REPLICATION; (Amazon RDS: GRANT rds_replication TO ${escapeIdentifier(role.name)};)`,
    };
  }
  const isPublicationMissing = wanted.publications.some(
    (name) => !facts.publications.some((publication) => publication.name === name),
  );
  if (isPublicationMissing && !role.canCreateInDatabase) {
    yield {
      severity: 'error',
      code: 'WB2111',
      what: `The role ${role.name} may not create the publication.`,
      next: `GRANT CREATE ON DATABASE ${escapeIdentifier(facts.database)} TO ${escapeIdentifier(role.name)}; or run \`walbridge init\` as the tables' owner.`,
    };
  }
}

function* inspectWantedTable(facts: SourceFacts, wanted: WantedTable): Generator<Finding> {
  const found = facts.tables.find(({ description }) => isSameTable(description, wanted));
  const name = `${wanted.schema}.${wanted.table}`;
  if (found === undefined) {
    const nearest = nearestName(name, facts.allTables);
    yield {
      severity: 'error',
      code: 'WB2120',
      what: `There is no table ${name}.`,
      next: nearest === null ? 'Name a table that exists.' : `Name a table that exists; nearest: ${nearest}.`,
    };
    return;
  }
  yield* inspectTable(found, wanted, facts.role);
}

function* inspectSlot(facts: SourceFacts, slot: string): Generator<Finding> {
  if (facts.slot === null) {
    yield {
      severity: 'error',
      code: 'WB2140',
      what: `The replication slot "${slot}" does not exist.`,
      next: 'Run `walbridge init`; if it was there before, `walbridge backfill --all --prune` after it.',
    };
    return;
  }
  const unusable = slotFault(slot, facts.slot, facts.database);
  if (unusable !== null) {
    yield { severity: 'error', code: unusable.code, what: unusable.what, next: unusable.next };
    return;
  }
  const { temporary, twoPhase, active, activePid, walStatus } = facts.slot;
  const again = `SELECT pg_drop_replication_slot(${escapeLiteral(slot)}); then \`walbridge init\` and \`walbridge backfill --all --prune\`.`;
  if (temporary) {
    yield {
      severity: 'error',
      code: 'WB2141',
      what: `The slot "${slot}" is temporary: it goes with the session that made it.`,
      next: again,
    };
  }
  if (twoPhase) {
    yield {
      severity: 'error',
      code: 'WB2142',
      what: `The slot "${slot}" decodes prepared transactions before their commit (two_phase).`,
      next: again,
    };
  }
  if (active) {
    yield {
      severity: 'warning',
      code: 'WB2143',
      what: `The slot "${slot}" is being read by process ${activePid}: another capture waits as its stand-by.`,
      next: `Nothing, if that is a walbridge; else SELECT * FROM pg_stat_activity WHERE pid = ${activePid};`,
    };
  }
  if (walStatus === 'unreserved') {
    yield {
      severity: 'warning',
      code: 'WB2144',
      what: `The WAL that the slot "${slot}" needs may be removed at the next checkpoint.`,
      next: 'Start the capture at once, and raise max_slot_wal_keep_size.',
    };
  }
}
