// What PostgreSQL says to a condition before it is asked for: the statement of a chunk is planned, and no row is read.
// Guarantees: nothing runs but the planning, read only and in seconds; only words about the condition itself are repeated.
import { type ClientConfig, DatabaseError } from 'pg';
import { type ChunkTable, selectChunk } from './chunk-statement.ts';
import { errorCode } from './source-fault.ts';
import { TableSession } from './table-session.ts';

export interface JudgedTable extends ChunkTable {
  readonly where: string;
}

/** Undefined table, column, function, type, bad syntax (42); a constant that is none of its type (22). Not a missing right. */
const OF_THE_CONDITION = /^(?:42(?!501)|22)/;
/** A parameter in it, which nobody gives a value. */
const PARAMETER = /^08P01 bind message supplies/;
const TIMEOUT_MS = 5000;
const SHOWN = 40;

/** What is said against a table's condition, each by the table; none where all would do. Throws WB2001 to WB2004, WB2030. */
export async function judgeConditions(
  config: ClientConfig,
  tables: readonly JudgedTable[],
): Promise<ReadonlyMap<JudgedTable, string>> {
  const { signal } = new AbortController();
  const session = await TableSession.open(config, signal);
  const said = new Map<JudgedTable, string>();
  try {
    for (const table of tables) {
      const words = await judge(session, table);
      if (words !== null) said.set(table, words);
    }
  } finally {
    await session.close(signal);
  }
  return said;
}

async function judge(session: TableSession, table: JudgedTable): Promise<string | null> {
  const { where } = table;
  // As a chunk is read: operators are looked for in the schemas of the key's types.
  await session.shape(table, []);
  const { text, values } = selectChunk(
    table,
    table.key,
    { from: null, to: null, since: null, where },
    null,
    1,
  );
  const explain = `EXPLAIN ${text}`;
  try {
    await session.readOnly(async () => {
      await session.query({ text: `SET LOCAL statement_timeout = ${TIMEOUT_MS}`, values: [] });
      await session.query({ text: explain, values });
    });
    return null;
  } catch (error) {
    const { cause } = error as Error;
    if (!(cause instanceof DatabaseError)) throw error;
    const isOfIt =
      OF_THE_CONDITION.test(errorCode(cause)) || PARAMETER.test(`${cause.code} ${cause.message}`);
    if (!isOfIt) throw error;
    return wordsOf(cause, where, explain);
  }
}

/** PostgreSQL counts characters of the statement, from 1. */
function wordsOf({ message, hint, position }: DatabaseError, where: string, statement: string): string {
  const condition = [...where];
  const before = [...statement.slice(0, statement.lastIndexOf(where))].length;
  const at = Number(position) - before;
  const isInside = at >= 1 && at <= condition.length;
  const rest = condition.slice(at - 1, at - 1 + SHOWN).join('');
  const place = isInside ? `, at character ${at}: ${rest}` : '';
  return `${message}${place}${hint === undefined ? '' : ` (${hint})`}`;
}
