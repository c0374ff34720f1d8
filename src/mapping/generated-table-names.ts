// What `walbridge generate` calls each table: its mapping, its record, its target table.
// Guarantees: unique where each has to be; the table's own name wherever that is free, else with its schema in front.
import type { TableName } from '../change/table-description.ts';
import { avroName, fileStem, folded } from './generated-names.ts';

export interface GivenNames {
  /** Of the mapping, and of its file but for signs that no file should have. */
  readonly entity: string;
  /** Without the namespace. */
  readonly record: string;
  /** In the warehouse's schema. */
  readonly table: string;
}

/** A mapping that is there already. */
export interface KnownMapping {
  /** The file's name without its ending. */
  readonly stem: string;
  /** What it says; null where it can't be read. */
  readonly document: {
    readonly source: TableName;
    readonly entity: string;
    /** With the namespace. */
    readonly record: string;
    readonly target: TableName;
  } | null;
}

interface Places {
  readonly namespace: string;
  readonly targetSchema: string;
}

/** In the order of `tables`. A table that `generate` has written a mapping of keeps that mapping's names. */
export function nameTables(
  tables: readonly TableName[],
  known: readonly KnownMapping[],
  { namespace, targetSchema }: Places,
): GivenNames[] {
  const taken = new Set<string>();
  const entityKeys = (name: string) => [`entity ${folded(name)}`, `file ${folded(fileStem(name))}`];
  const recordKeys = (name: string) => [`record ${folded(`${namespace}.${name}`)}`];
  const tableKeys = (name: string) => [`table ${folded(targetSchema)} ${folded(name)}`];
  for (const { stem, document } of known) {
    taken.add(`file ${folded(stem)}`);
    if (document === null) continue;
    taken.add(`entity ${folded(document.entity)}`);
    taken.add(`record ${folded(document.record)}`);
    taken.add(`table ${folded(document.target.schema)} ${folded(document.target.table)}`);
  }
  const names = new Map<TableName, GivenNames>();
  const claimed = new Set<KnownMapping>();
  for (const table of tables) {
    const own = known.find((one) => !claimed.has(one) && isOwn(table, one));
    if (own === undefined) continue;
    claimed.add(own);
    const { entity = table.table, record = '', target } = own.document ?? {};
    names.set(table, {
      entity,
      record: record.slice(record.lastIndexOf('.') + 1) || avroName(table.table, new Set()),
      table: target?.table ?? table.table,
    });
  }
  // Those first whose name can stand as it is everywhere: a-b must not take a_b's.
  for (const table of [...tables].sort((a, b) => Number(isAltered(a.table)) - Number(isAltered(b.table)))) {
    if (names.has(table)) continue;
    names.set(table, {
      entity: free(table, (name) => name, entityKeys, taken),
      record: free(table, (name) => avroName(name, new Set()), recordKeys, taken),
      table: free(table, (name) => name, tableKeys, taken),
    });
  }
  return tables.map((table) => names.get(table) ?? { entity: table.table, record: '', table: table.table });
}

function free(
  { schema, table }: TableName,
  spelt: (name: string) => string,
  keys: (name: string) => string[],
  taken: Set<string>,
): string {
  let name = spelt(table);
  for (let count = 1; keys(name).some((key) => taken.has(key)); count += 1) {
    name = spelt(count === 1 ? `${schema}_${table}` : `${schema}_${table}_${count}`);
  }
  for (const key of keys(name)) taken.add(key);
  return name;
}

function isAltered(name: string): boolean {
  return avroName(name, new Set()) !== name;
}

/** Whether a mapping is one that `generate` wrote for the table, as far as can be told. */
function isOwn({ schema, table }: TableName, { stem, document }: KnownMapping): boolean {
  if (document === null) return stem === fileStem(table);
  const { source, entity } = document;
  return source.schema === schema && source.table === table && fileStem(entity) === stem;
}
