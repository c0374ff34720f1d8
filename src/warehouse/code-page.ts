// Which characters a char or varchar column holds, by its collation.
// Guarantees: never says yes to a character that SQL Server would replace; for code pages that it doesn't know, ASCII only.

/** What Windows-1252 has beyond Latin-1's printable characters, in 0x80 to 0x9F. */
const windows1252 = '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ';

const ascii = /^[\0-\x7f]*$/;
const latin1 = new RegExp(`^[\\0-\\x7f\\xa0-\\xff${windows1252}]*$`);

/**
 * Matches the texts that a column of the collation holds. Latin1_General_* and SQL_Latin1_General_CP1_* have code page
 * 1252 (https://learn.microsoft.com/sql/relational-databases/collations/collation-and-unicode-support).
 */
export function charactersOf(collation: string | null): RegExp {
  return collation !== null && /^(SQL_Latin1_General_CP1_|Latin1_General_)/i.test(collation) ? latin1 : ascii;
}
