// Collations of SQL Server by name, and the one that keys of text get.
// Guarantees: pure; what is no name of a collation by SQL Server's own rules is told apart without asking a server.
// https://learn.microsoft.com/sql/t-sql/statements/windows-collation-name-transact-sql

/** Compares UTF-16 code units; there since SQL Server 2005. */
export const KEY_COLLATION = 'Latin1_General_BIN2';

/** A designator, then binary, or case and accent with what else is told apart. */
const NAME =
  /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*_(?:BIN2?(?:_UTF8)?|C[IS]_A[IS](?:_KS)?(?:_WS)?(?:_VSS)?(?:_SC)?(?:_UTF8)?)$/i;

export function isCollationName(text: string): boolean {
  return text.length <= 128 && NAME.test(text);
}

export function isBinaryCollation(name: string): boolean {
  return /_BIN2?(_UTF8)?$/i.test(name);
}

/** As SQL Server compares them: two columns of one collation can be compared (else error 468). */
export function isSameCollation(a: string, b: string): boolean {
  return a.toUpperCase() === b.toUpperCase();
}
