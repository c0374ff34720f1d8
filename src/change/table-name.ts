// `schema.table` as people write it, on a command line and in a mapping.
// Guarantees: `parseTableName(formatTableName(name))` is `name`; names are exact, as the catalogue has them: no folding of case.
import type { TableName } from './table-description.ts';

const part = /"((?:[^"]|"")+)"|([^".]+)/y;

/**
 * `schema.table`, each part as it is, or in double quotes where it holds a dot or a quote (`public."sales.v2"`). Null for
 * anything else.
 */
export function parseTableName(text: string): TableName | null {
  const parts: string[] = [];
  part.lastIndex = 0;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (part.lastIndex === text.length) break;
    if (text[part.lastIndex] !== '.') return null;
    part.lastIndex += 1;
  }
  const [schema, table] = parts;
  if (part.lastIndex !== text.length || parts.length !== 2 || !schema || !table) return null;
  return { schema, table };
}

export function formatTableName({ schema, table }: TableName): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

function quoted(name: string): string {
  return /[".]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

/** Schema and table as a SQL statement names them. */
export function sqlTableName({ schema, table }: TableName): string {
  return `${sqlIdentifier(schema)}.${sqlIdentifier(table)}`;
}

export function sqlIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function isSameTable(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}
