// Quoting of names and text for T-SQL that is built as text.
// Guarantees: whatever the name or text holds, it stays one identifier or one literal.
// https://learn.microsoft.com/sql/relational-databases/databases/database-identifiers

/** A schema-qualified table's name, unquoted. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** `[name]`, as QUOTENAME does it. */
export function quoteName(name: string): string {
  return `[${name.replaceAll(']', ']]')}]`;
}

/** `[schema].[table]` */
export function quoteTable(name: TableName): string {
  return `${quoteName(name.schema)}.${quoteName(name.table)}`;
}

/** `N'text'`: a Unicode literal, so that no code page changes it. */
export function quoteText(text: string): string {
  return `N'${text.replaceAll("'", "''")}'`;
}

/** `N'a', N'b'`, for IN. */
export function quoteTexts(texts: readonly string[]): string {
  return texts.map(quoteText).join(', ');
}

/** `schema.table` for messages. */
export function displayTable(name: TableName): string {
  return `${name.schema}.${name.table}`;
}

/**
 * True for names that are one under a case-insensitive collation, the server's default. Names are compared so wherever
 * a mapping's name meets a catalog's: a case-sensitive database with two names that differ by case only isn't supported.
 */
export function isSameName(a: string, b: string): boolean {
  return a === b || a.toUpperCase() === b.toUpperCase();
}
