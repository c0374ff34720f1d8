// The names that `walbridge generate` gives: of mappings and their files, records, fields and target columns.
// Guarantees: valid where each is used, and unique there; a source's own name wherever that is possible.
// https://avro.apache.org/docs/1.11.1/specification/#names
import type { TableName } from '../change/table-description.ts';

/** A mapping that is there already. */
export interface KnownMapping {
  /** The file's name without its ending. */
  readonly stem: string;
  /** What it says; null where it can't be read. */
  readonly document: {
    readonly source: TableName;
    readonly entity: string;
    readonly record: string;
    readonly target: string;
  } | null;
}

/**
 * A name for each table's mapping and target table: the table's own, with its schema in front where another table has that.
 * A table that has a mapping keeps the name of it.
 */
export function nameTables(tables: readonly TableName[], known: readonly KnownMapping[]): string[] {
  const taken = new Set<string>();
  for (const { stem, document } of known) {
    if (document === null || tables.some((table) => isSame(table, document.source))) continue;
    taken.add(`file ${folded(stem)}`);
    for (const place of [document.entity, document.target]) for (const key of places(place)) taken.add(key);
    taken.add(`record ${folded(document.record)}`);
  }
  const names = new Map<TableName, string>();
  for (const table of tables) {
    const own = known.find(({ stem, document }) => document !== null && isOwn(table, stem, document));
    if (own?.document == null) continue;
    names.set(table, own.document.entity);
    for (const key of places(own.document.entity)) taken.add(key);
  }
  // Those first whose name can stand as it is everywhere: a-b must not take a_b's.
  for (const table of [...tables].sort((a, b) => Number(isAltered(a.table)) - Number(isAltered(b.table)))) {
    if (names.has(table)) continue;
    const prefixed = `${table.schema}_${table.table}`;
    let name = table.table;
    for (let count = 1; places(name).some((key) => taken.has(key)); count += 1) {
      name = count === 1 ? prefixed : `${prefixed}_${count}`;
    }
    for (const key of places(name)) taken.add(key);
    names.set(table, name);
  }
  return tables.map((table) => names.get(table) ?? table.table);
}

function isAltered(name: string): boolean {
  return avroName(name, new Set()) !== name;
}

/** Whether a mapping is one that `generate` wrote for the table. */
function isOwn(table: TableName, stem: string, { source, entity }: NonNullable<KnownMapping['document']>) {
  return isSame(table, source) && fileStem(entity) === stem;
}

/** Where a name has to be unique. */
function places(name: string): string[] {
  return [
    `name ${folded(name)}`,
    `file ${folded(fileStem(name))}`,
    `record ${folded(avroName(name, new Set()))}`,
  ];
}

function isSame(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}

/** As file systems and the warehouse's default collation compare names: without case and width. */
export function folded(name: string): string {
  return name.normalize('NFKC').toUpperCase();
}

/** The mapping's file, without its ending. */
export function fileStem(name: string): string {
  return name.replace(/[^\p{L}\p{N}_-]/gu, '_');
}

/** An Avro name near the given one, and new in `taken`. */
export function avroName(name: string, taken: Set<string>): string {
  const word = name.replace(/\W/g, '_');
  // `constructor` and the like: every object has them, so that a field of that name could not be told from an absent one.
  const base = word in Object.prototype ? `${word}_column` : /^[A-Za-z_]/.test(word) ? word : `_${word}`;
  return free(base, (candidate) => candidate, taken);
}

/** Nothing that SQL Server or a report's formula would trip over: letters, digits, and single signs between them. */
const PLAIN = /^[\p{L}\p{N}_][\p{L}\p{N}_$#@]*(?:[ .-][\p{L}\p{N}_$#@]+)*$/u;

/** The warehouse's column: named like the source's where that is plain, else like the field; new in `taken`, whatever the case. */
export function columnName(name: string, field: string, taken: Set<string>): string {
  const isPlain = PLAIN.test(name) && [...name].length === name.length;
  return free(isPlain ? name : field, folded, taken);
}

function free(base: string, compared: (name: string) => string, taken: Set<string>): string {
  let unique = base;
  for (let count = 2; taken.has(compared(unique)); count += 1) unique = `${base}_${count}`;
  taken.add(compared(unique));
  return unique;
}
