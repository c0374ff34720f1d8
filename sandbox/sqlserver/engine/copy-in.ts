// COPY FROM STDIN as a query of pg's client. The statement, the data and their end need not wait for PostgreSQL's answer to the
// first: it drops what follows a COPY that it refused (https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-COPY).
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type pg from 'pg';

interface Wire {
  readonly stream: Writable;
  query(sql: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

export class CopyIn {
  /** PostgreSQL's error, once it has sent one: what is written then is dropped. */
  failure: unknown;
  private readonly sql: string;
  private wire!: Wire;
  private settle!: () => void;
  private readonly settled = new Promise<void>((resolve) => {
    this.settle = resolve;
  });

  constructor(sql: string) {
    this.sql = sql;
  }

  submit(connection: pg.Connection): void {
    this.wire = connection as unknown as Wire;
    const { stream } = this.wire;
    // A small load is one write.
    stream.cork();
    setImmediate(() => stream.uncork());
    this.wire.query(this.sql);
  }

  /** A promise while PostgreSQL is behind. */
  write(text: string): undefined | Promise<unknown> {
    if (this.failure) return undefined;
    const { stream } = this.wire;
    this.wire.sendCopyFromChunk(Buffer.from(text));
    return stream.writableNeedDrain ? Promise.race([once(stream, 'drain'), this.settled]) : undefined;
  }

  /** Resolves when all is in. @throws PostgreSQL's error */
  async end(): Promise<void> {
    if (!this.failure) this.wire.endCopyFrom();
    await this.settled;
    if (this.failure) throw this.failure;
  }

  /** Nothing of it goes in. */
  async abandon(): Promise<void> {
    if (!this.failure) this.wire.sendCopyFail('abandoned');
    await this.settled;
  }

  handleError(error: unknown): void {
    this.failure = error;
    this.settle();
  }

  handleReadyForQuery(): void {
    this.settle();
  }

  handleCopyInResponse(): void {}
  handleCommandComplete(): void {}
}
