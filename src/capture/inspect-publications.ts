// Judges what the publications send of the wanted tables. A table may be in several; the server then sends the union.
// https://www.postgresql.org/docs/current/sql-createpublication.html

import { escapeIdentifier } from 'pg';
import type { TableName } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import type { Finding } from './finding.ts';
import { quoted } from './inspect-table.ts';
import type {
  PublicationFacts,
  PublishedTable,
  SourceFacts,
  TableFacts,
  WantedSource,
  WantedTable,
} from './source-facts.ts';

export const OPERATIONS = ['insert', 'update', 'delete', 'truncate'] as const;

export function* inspectPublications(facts: SourceFacts, wanted: WantedSource): Generator<Finding> {
  for (const name of wanted.publications) {
    if (facts.publications.some((publication) => publication.name === name)) continue;
    yield {
      severity: 'error',
      code: 'WB2130',
      what: `The publication "${name}" does not exist.`,
      next: `Run \`walbridge init\`: CREATE PUBLICATION ${escapeIdentifier(name)} …`,
    };
  }
  for (const table of wanted.tables) {
    const found = facts.tables.find(({ description }) => isSameTable(description, table));
    if (found !== undefined) yield* inspectPublished(facts, found, table, wanted.tables);
  }
  yield* inspectOperations(facts, wanted);
}

/** Publications that send the table under its own name, each with what it sends of it. */
export function publishedBy(
  facts: SourceFacts,
  table: TableName,
): { publication: PublicationFacts; published: PublishedTable }[] {
  return facts.publications.flatMap((publication) =>
    publication.tables
      .filter((published) => isSameTable(published, table))
      .map((published) => ({ publication, published })),
  );
}

/** Publications that name a partitioned table (or all tables) but send its changes under its partitions' names. */
export function partitionsPublishedBy(facts: SourceFacts, { description }: TableFacts): PublicationFacts[] {
  if (description.kind !== 'partitioned') return [];
  return facts.publications.filter(
    ({ isViaPartitionRoot, isForAllTables, namedTables }) =>
      !isViaPartitionRoot && (isForAllTables || namedTables.some((named) => isSameTable(named, description))),
  );
}

/** Whether a publication sends a partitioned table's changes under its own name, or `init` will make it. */
function isSentAs(facts: SourceFacts, wanted: readonly WantedTable[], root: TableName): boolean {
  return (
    wanted.some((other) => isSameTable(other, root)) ||
    facts.publications.some(
      ({ isViaPartitionRoot, isForAllTables, namedTables }) =>
        isViaPartitionRoot && (isForAllTables || namedTables.some((named) => isSameTable(named, root))),
    )
  );
}

function* inspectPublished(
  facts: SourceFacts,
  table: TableFacts,
  wanted: WantedTable,
  tables: readonly WantedTable[],
): Generator<Finding> {
  const name = `${wanted.schema}.${wanted.table}`;
  if (table.root !== null && isSentAs(facts, tables, table.root)) {
    const root = `${table.root.schema}.${table.root.table}`;
    yield {
      severity: 'error',
      code: 'WB2126',
      what: `${name} is a partition of ${root}, and its changes are sent under that name.`,
      next: `Map ${root} instead.`,
    };
    return;
  }
  const entries = publishedBy(facts, wanted);
  const [partitionWise] = partitionsPublishedBy(facts, table);
  if (partitionWise !== undefined) {
    yield {
      severity: 'error',
      code: 'WB2131',
      what: `The publication "${partitionWise.name}" sends the changes of ${name} under its partitions' names.`,
      next: `ALTER PUBLICATION ${escapeIdentifier(partitionWise.name)} SET (publish_via_partition_root = true);`,
    };
    return;
  }
  const [first] = entries;
  if (first === undefined) {
    const publication = facts.publications[0];
    if (publication !== undefined) {
      yield {
        severity: 'error',
        code: 'WB2132',
        what: `${name} is in none of the publications: its changes are not sent.`,
        next: `ALTER PUBLICATION ${escapeIdentifier(publication.name)} ADD TABLE ${quoted(wanted)}; (as the table's owner), then \`walbridge backfill\` with its mapping's entity.`,
      };
    }
    if (!table.isOwned) yield notOwner(facts, wanted);
    return;
  }
  if (entries.every(({ published }) => published.hasRowFilter)) {
    yield {
      severity: 'error',
      code: 'WB2134',
      what: `The publication "${first.publication.name}" filters the rows of ${name}: rows that do not match are not sent, and a row that leaves the filter is never deleted.`,
      next: `ALTER PUBLICATION ${escapeIdentifier(first.publication.name)} DROP TABLE ${quoted(wanted)}, ADD TABLE ${quoted(wanted)}; as two statements in one transaction.`,
    };
  }
  yield* inspectColumns(table, wanted, entries);
}

function* inspectColumns(
  { description }: TableFacts,
  wanted: WantedTable,
  entries: ReturnType<typeof publishedBy>,
): Generator<Finding> {
  const name = `${wanted.schema}.${wanted.table}`;
  const { publication } = entries[0]!;
  const used = new Set([...wanted.columns, ...(wanted.key ?? [])]);
  const missing = description.columns.filter(
    (column) =>
      used.has(column.name) &&
      !entries.some(({ published, publication: { generatedColumns } }) => {
        // Before PostgreSQL 18 the catalogue may list generated columns that are never sent.
        if (column.generated === 'virtual' || (column.generated === 'stored' && generatedColumns === null))
          return false;
        return published.columns === null || published.columns.includes(column.name);
      }),
  );
  const generated = missing.filter((column) => column.generated !== 'no').map((column) => column.name);
  const stored = missing.filter((column) => column.generated === 'stored').map((column) => column.name);
  const unlisted = missing.filter((column) => column.generated === 'no').map((column) => column.name);
  const canPublish = publication.generatedColumns !== null ? stored : [];
  const unsendable = generated.filter((column) => !canPublish.includes(column));
  if (canPublish.length > 0) {
    yield {
      severity: 'error',
      code: 'WB2135',
      what: `${name}: generated columns are mapped but not sent: ${canPublish.join(', ')}.`,
      next: `ALTER PUBLICATION ${escapeIdentifier(publication.name)} SET (publish_generated_columns = stored);`,
    };
  }
  if (unsendable.length > 0) {
    yield {
      severity: 'error',
      code: 'WB2138',
      what: `${name}: generated columns are mapped that this server cannot send: ${unsendable.join(', ')}.`,
      next: 'Compute them in the mapping: stored ones are sent from PostgreSQL 18 on, virtual ones never.',
    };
  }
  if (unlisted.length > 0) {
    yield {
      severity: 'error',
      code: 'WB2136',
      what: `${name}: the column list in the publication "${publication.name}" leaves out mapped columns: ${unlisted.join(', ')}.`,
      next: `In one transaction: ALTER PUBLICATION ${escapeIdentifier(publication.name)} DROP TABLE ${quoted(wanted)}; ALTER PUBLICATION ${escapeIdentifier(publication.name)} ADD TABLE ${quoted(wanted)};`,
    };
  }
}

/** Somebody edited `publish`: deletes, say, would silently stay away. */
function* inspectOperations(facts: SourceFacts, wanted: WantedSource): Generator<Finding> {
  for (const publication of facts.publications) {
    const lacking = OPERATIONS.filter((operation) => !publication.operations.includes(operation));
    const hurt = wanted.tables.filter((table) => {
      const entries = publishedBy(facts, table);
      return (
        entries.some((entry) => entry.publication === publication) &&
        lacking.some((operation) =>
          entries.every((entry) => !entry.publication.operations.includes(operation)),
        )
      );
    });
    if (hurt.length === 0) continue;
    yield {
      severity: 'error',
      code: 'WB2133',
      what: `The publication "${publication.name}" does not send ${lacking.join(', ')} (its \`publish\` setting), which ${hurt.length} mapped tables need.`,
      next: `ALTER PUBLICATION ${escapeIdentifier(publication.name)} SET (publish = '${OPERATIONS.join(', ')}');`,
    };
  }
}

function notOwner({ role }: SourceFacts, wanted: WantedTable): Finding {
  return {
    severity: 'error',
    code: 'WB2137',
    what: `The role ${role.name} does not own ${wanted.schema}.${wanted.table}, so it cannot add it to a publication.`,
    next: 'Run `walbridge init --dry-run` and let the owner run the statements that it prints.',
  };
}
