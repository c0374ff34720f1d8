// COPY … TO STDOUT, as a query that the driver runs: its bytes up to a limit, and the rows that they spell.
// Guarantees: no more bytes are kept than the limit and one row; what is beyond it is read off the connection and dropped, cut
// between two rows; values are the same text that a SELECT gives.
// https://www.postgresql.org/docs/current/sql-copy.html (Text Format)
import type { Client, Submittable } from 'pg';
import type { SourceRow, SourceValue } from '../change/source-change.ts';
import { keyWithoutEncoding } from './source-fault.ts';
import { decodeText } from './source-text.ts';

export interface CopiedRows {
  /** COPY's text: whole rows. */
  readonly bytes: Buffer;
  readonly rows: number;
  /** The statement had more rows, which were dropped. */
  readonly isCut: boolean;
}

const NEWLINE = 0x0a;

/** @throws the driver's errors, WB2031 for a key that is no text. */
export function copyOut(client: Client, statement: string, maxBytes: number): Promise<CopiedRows> {
  if (!statement.isWellFormed()) return Promise.reject(keyWithoutEncoding());
  return new Promise((resolve, reject) => {
    client.query(new CopyOut(statement, maxBytes, resolve, reject));
  });
}

/** What the driver calls of a query; it has no published type for the rest. */
class CopyOut implements Submittable {
  readonly #statement: string;
  readonly #maxBytes: number;
  readonly #resolve: (rows: CopiedRows) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Buffer[] = [];
  #length = 0;
  #rows = 0;
  #isCut = false;

  constructor(
    statement: string,
    maxBytes: number,
    resolve: (rows: CopiedRows) => void,
    reject: (error: Error) => void,
  ) {
    this.#statement = statement;
    this.#maxBytes = maxBytes;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: unknown): void {
    (connection as { query(text: string): void }).query(this.#statement);
  }

  /** The server sends one message a row: https://www.postgresql.org/docs/current/protocol-flow.html (COPY Operations). */
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    if (this.#rows > 0 && this.#length >= this.#maxBytes) {
      this.#isCut = true;
      return;
    }
    // A copy: the driver reuses its buffer.
    this.#chunks.push(Buffer.from(chunk));
    this.#length += chunk.length;
    if (chunk.at(-1) === NEWLINE) this.#rows += 1;
  }

  handleError(error: Error): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve({
      bytes: Buffer.concat(this.#chunks, this.#length),
      rows: this.#rows,
      isCut: this.#isCut,
    });
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleEmptyQuery(): void {}
}

/** The rows of COPY's text, one after the other. `columns`: in the statement's order. */
export function* copiedRows(bytes: Buffer, columns: readonly string[]): Generator<SourceRow> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start);
    const line = decodeText(bytes, start, end < 0 ? bytes.length : end);
    const row: Record<string, SourceValue> = {};
    const values = line.split('\t');
    for (const [index, name] of columns.entries()) row[name] = unescaped(values[index] ?? '');
    yield row;
    start = end < 0 ? bytes.length : end + 1;
  }
}

const ESCAPED: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

function unescaped(value: string): string | null {
  if (value === '\\N') return null;
  if (!value.includes('\\')) return value;
  return value.replace(/\\([\s\S])/g, (_match, letter: string) => ESCAPED[letter] ?? letter);
}
