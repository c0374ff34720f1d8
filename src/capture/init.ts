// What `walbridge init` does at the source: the publication, named tables only, and the slot. The tables are left alone.
// Guarantees: the plan is the whole of it, in order, printable; run twice it does nothing the second time; the slot comes last,
// so that no change falls between the publication and the slot.
// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION

import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';
import { isSameTable } from '../change/table-name.ts';
import { OPERATIONS, partitionsPublishedBy, publishedBy } from './inspect-publications.ts';
import { quoted } from './inspect-table.ts';
import type { SourceFacts, WantedSource } from './source-facts.ts';
import { errorCode, fault } from './source-fault.ts';

/** Statements that bring the source to what is wanted, in order; each is run on its own. Empty: nothing to do. */
export function planInit(facts: SourceFacts, wanted: WantedSource): string[] {
  const options = publicationOptions(facts, wanted);
  const unpublished = wanted.tables.filter((table) => {
    const found = facts.tables.find(({ description }) => isSameTable(description, table));
    return (
      found !== undefined &&
      publishedBy(facts, table).length === 0 &&
      partitionsPublishedBy(facts, found).length === 0
    );
  });
  const statements = wanted.publications.flatMap((name, index) => {
    const publication = facts.publications.find((one) => one.name === name);
    const tables = index === 0 ? unpublished.map(quoted).join(', ') : '';
    const quotedName = escapeIdentifier(name);
    if (publication === undefined) {
      const forTables = tables === '' ? '' : ` FOR TABLE ${tables}`;
      return [`CREATE PUBLICATION ${quotedName}${forTables} WITH (${assignments(options)})`];
    }
    const lacking = options.filter(({ isMet }) => !isMet(publication));
    return [
      ...(lacking.length > 0 ? [`ALTER PUBLICATION ${quotedName} SET (${assignments(lacking)})`] : []),
      ...(tables === '' ? [] : [`ALTER PUBLICATION ${quotedName} ADD TABLE ${tables}`]),
    ];
  });
  if (facts.slot !== null) return statements;
  // Where stand-bys synchronise slots, it goes over to the one that is promoted; elsewhere that means nothing.
  const failover = facts.serverVersion >= 170_000 ? ', failover => true' : '';
  return [
    ...statements,
    `SELECT pg_catalog.pg_create_logical_replication_slot(${escapeLiteral(wanted.slot)}, 'pgoutput'${failover})`,
  ];
}

interface PublicationOption {
  readonly assignment: string;
  isMet(publication: SourceFacts['publications'][number]): boolean;
}

function publicationOptions(facts: SourceFacts, wanted: WantedSource): PublicationOption[] {
  const options: PublicationOption[] = [
    {
      assignment: `publish = '${OPERATIONS.join(', ')}'`,
      isMet: ({ operations }) => OPERATIONS.every((operation) => operations.includes(operation)),
    },
  ];
  if (facts.tables.some(({ description }) => description.kind === 'partitioned')) {
    options.push({
      assignment: 'publish_via_partition_root = true',
      isMet: ({ isViaPartitionRoot }) => isViaPartitionRoot,
    });
  }
  const mapsGenerated = facts.tables.some(({ description }) => {
    const columns = wanted.tables.find((table) => isSameTable(table, description))?.columns ?? [];
    return description.columns.some(
      ({ name, generated }) => generated === 'stored' && columns.includes(name),
    );
  });
  if (mapsGenerated && facts.serverVersion >= 180_000) {
    options.push({
      assignment: 'publish_generated_columns = stored',
      isMet: ({ generatedColumns }) => generatedColumns === 'stored',
    });
  }
  return options;
}

function assignments(options: readonly PublicationOption[]): string {
  return options.map(({ assignment }) => assignment).join(', ');
}

/**
 * Runs a plan. Creating the slot waits for the transactions that are open in the source.
 * @throws WalbridgeError WB2014 naming the statement that failed; those before it stay done and are not planned again.
 */
export async function runInit(
  client: ClientBase,
  statements: readonly string[],
  onDone: (statement: string) => void = () => {},
): Promise<void> {
  for (const statement of statements) {
    try {
      await client.query(statement);
    } catch (error) {
      throw fault('WB2014', 'permanent', {
        what: `The source refused a statement (SQLSTATE ${errorCode(error)}): ${statement}`,
        next: 'Run `walbridge init --dry-run` for every finding, mend them, and run `walbridge init` again.',
        cause: error,
      });
    }
    onDone(statement);
  }
}
