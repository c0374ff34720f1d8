// Judges one wanted table: may the role read it, and does an update or a delete tell which row it was?
// https://www.postgresql.org/docs/current/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY
import { escapeIdentifier } from 'pg';
import { identityStatement } from '../change/replica-identity.ts';
import type { TableDescription, TableName } from '../change/table-description.ts';
import type { Finding } from './finding.ts';
import type { RoleFacts, TableFacts, WantedTable } from './source-facts.ts';

export function* inspectTable(
  { description, isReadable, hidesRows, persistence }: TableFacts,
  wanted: WantedTable,
  role: RoleFacts,
): Generator<Finding> {
  const name = `${wanted.schema}.${wanted.table}`;
  if (!isReadable) {
    yield {
      severity: 'error',
      code: 'WB2121',
      what: `The role ${role.name} may not read ${name}; backfills need to.`,
      next: `GRANT USAGE ON SCHEMA ${escapeIdentifier(wanted.schema)} TO ${escapeIdentifier(role.name)}; GRANT SELECT ON ${quoted(wanted)} TO ${escapeIdentifier(role.name)};`,
    };
  }
  if (persistence !== 'permanent') {
    const permanent = `ALTER TABLE ${quoted(wanted)} SET LOGGED;`;
    yield {
      severity: 'error',
      code: 'WB2125',
      what: `${name} is ${persistence}: its changes are not in the WAL.`,
      next: `${persistence === 'unlogged' ? `${permanent} or` : 'Make it a permanent table, or'} take its mapping out.`,
    };
  }
  if (hidesRows) {
    yield {
      severity: 'warning',
      code: 'WB2127',
      what: `Row-level security hides rows of ${name} from the role ${role.name}: the stream has all of them, but backfills are refused.`,
      next: `ALTER ROLE ${escapeIdentifier(role.name)} BYPASSRLS;`,
    };
  }
  const key = wanted.key ?? description.primaryKey;
  if (key === null) {
    yield {
      severity: 'error',
      code: 'WB2122',
      what: `${name} has no primary key, and its mapping names no key.`,
      next: `Give it one (ALTER TABLE ${quoted(wanted)} ADD PRIMARY KEY (…);), or name the mapping's \`key\` and ${identityStatement(description, null)}`,
    };
    return;
  }
  const unusable = key.filter(
    (column) => description.columns.find((one) => one.name === column)?.nullable !== false,
  );
  if (unusable.length > 0) {
    yield {
      severity: 'error',
      code: 'WB2123',
      what: `${name}: a key column is missing or can be NULL: ${unusable.join(', ')}.`,
      next: unusable
        .map((column) => `ALTER TABLE ${quoted(wanted)} ALTER ${escapeIdentifier(column)} SET NOT NULL;`)
        .join(' '),
    };
  }
  const identity = description.replicaIdentityColumns ?? [];
  if (!key.every((column) => identity.includes(column))) {
    yield {
      severity: 'error',
      code: 'WB2124',
      what: `${name}: updates and deletes do not carry the key (${key.join(', ')}): its replica identity is ${identityText(description)}.`,
      next: identityStatement(description, key),
    };
  }
}

/** Schema and table as a statement names them. */
export function quoted({ schema, table }: TableName): string {
  return `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
}

function identityText({ kind, replicaIdentity, replicaIdentityColumns }: TableDescription): string {
  if (replicaIdentity === 'nothing') return 'NOTHING';
  if (replicaIdentityColumns === null) {
    if (kind === 'partitioned') return 'not on all its partitions one that holds a key';
    return replicaIdentity === 'index'
      ? 'an index that is gone'
      : 'the primary key, which it lacks or which is deferrable';
  }
  return `(${replicaIdentityColumns.join(', ')})`;
}
