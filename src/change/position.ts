// LSNs and commit positions: where in the source's WAL something stands, and what "up to there" means.
// Guarantees: a total order; text and back without loss.
// https://www.postgresql.org/docs/current/datatype-pg-lsn.html

/** A byte position in the WAL, 64 bits. */
export type Lsn = bigint;

/**
 * "Everything of the transactions that commit before `lsn`, and of the one that commits at `lsn` the first `ordinal`
 * row changes." `ordinal` is WHOLE where all of it is meant, which is the rule; only a transaction too large for one
 * batch leaves positions within it. Ordinals count every row change that the server sent of the transaction, from 1.
 */
export interface Position {
  readonly lsn: Lsn;
  readonly ordinal: number;
}

export const WHOLE = Number.MAX_SAFE_INTEGER;

/** Before everything: the position of a lane that has nothing yet. */
export const ORIGIN: Position = { lsn: 0n, ordinal: WHOLE };

/** The position that covers the whole transaction which commits at `lsn`. */
export function wholeAt(lsn: Lsn): Position {
  return { lsn, ordinal: WHOLE };
}

/** PostgreSQL's text of an LSN, `16/B374D848`. Throws a RangeError for anything else. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match === null)
    throw new RangeError(`not an LSN: expected hex/hex such as 16/B374D848, found ${JSON.stringify(text)}`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** `16/B374D848` for a whole transaction, `16/B374D848+200000` for its first 200,000 row changes. */
export function formatPosition(position: Position): string {
  const lsn = formatLsn(position.lsn);
  return position.ordinal === WHOLE ? lsn : `${lsn}+${position.ordinal}`;
}

export function parsePosition(text: string): Position {
  const plus = text.indexOf('+');
  if (plus < 0) return wholeAt(parseLsn(text));
  const ordinal = Number(text.slice(plus + 1));
  if (!Number.isSafeInteger(ordinal) || ordinal < 0) {
    throw new RangeError(`not a position: expected LSN+count, found ${JSON.stringify(text)}`);
  }
  return { lsn: parseLsn(text.slice(0, plus)), ordinal };
}

/** Negative: a before b; zero: the same; positive: a after b. */
export function comparePositions(a: Position, b: Position): number {
  if (a.lsn !== b.lsn) return a.lsn < b.lsn ? -1 : 1;
  return a.ordinal - b.ordinal;
}
