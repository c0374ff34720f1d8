// Bulk load (MS-TDS 2.2.6.1): the INSERT BULK statement that announces it, and the stream of rows that follows.
// Guarantees bounded memory: the socket pauses while the engine is behind, and no cell is parsed twice for want of a packet's end.

import { TYPE } from 'tedious/lib/token/token.js';
import type { BulkTarget, ColumnMetadata, Value } from '../session.ts';
import { Cursor, isTruncated } from './bytes.ts';
import { ProtocolError } from './packets.ts';
import { readTypeInfo, type WireType } from './type-info.ts';

const INSERT_BULK = /^\s*insert\s+bulk\s+((?:\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*"|[^\s("[\]]+)+)\s*(?:\(|$)/i;
const PAUSE_AT = 1 << 20;
const NULLABLE = 0x01;
const DONE_LENGTH = 12;

/** The table of an INSERT BULK statement, as written; undefined for any other batch. */
export function bulkTable(sql: string): string | undefined {
  return INSERT_BULK.exec(sql)?.[1];
}

/** The payload of one BULK_LOAD message: packets go in, arrays of rows come out. */
export class BulkStream {
  readonly #backlog: (full: boolean) => void;
  #chunks: Buffer[] = [];
  #size = 0;
  #full = false;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #cursor = new Cursor(Buffer.alloc(0));
  #types: readonly WireType[] = [];

  /** `backlog` is told when more than a megabyte waits, and when it no longer does. */
  constructor(backlog: (full: boolean) => void) {
    this.#backlog = backlog;
  }

  push(payload: Buffer): void {
    this.#chunks.push(payload);
    this.#size += payload.length;
    this.#limit();
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The rest will not come, or is not wanted. */
  abort(reason: Error): void {
    this.#failure ??= reason;
    this.end();
  }

  /** Reads the COLMETADATA that opens the stream. */
  async target(table: string): Promise<BulkTarget> {
    for (;;) {
      const start = this.#cursor.offset;
      let needed: number;
      try {
        return { table, columns: this.#readColumns() };
      } catch (error) {
        needed = missing(error);
      }
      await this.#more(needed, start);
    }
  }

  /** All rows that are complete, time after time, until the stream's DONE (or, from FreeTDS, until its end). */
  async *rows(): AsyncGenerator<Value[][], void, undefined> {
    for (;;) {
      const rows: Value[][] = [];
      const cursor = this.#cursor;
      let start = cursor.offset;
      let needed = 0;
      try {
        while (cursor.peek() !== TYPE.DONE) {
          start = cursor.offset;
          rows.push(this.#readRow(cursor));
        }
        start = cursor.offset;
        cursor.skip(1 + DONE_LENGTH);
      } catch (error) {
        needed = missing(error);
      }
      if (rows.length > 0) yield rows;
      // While the engine was at work the client may have cancelled or gone.
      if (this.#failure !== undefined) throw this.#failure;
      if (needed === 0 || !(await this.#more(needed, start))) return;
    }
  }

  /** Throws away what is left of the message. */
  async drain(): Promise<void> {
    for (;;) {
      this.#cursor = new Cursor(Buffer.alloc(0));
      this.#take(0);
      if (this.#ended) return;
      await this.#arrival();
    }
  }

  #readColumns(): ColumnMetadata[] {
    const cursor = this.#cursor;
    if (cursor.u8() !== TYPE.COLMETADATA) throw new ProtocolError('A bulk load begins with COLMETADATA.');
    const types: WireType[] = [];
    const columns = Array.from({ length: cursor.u16() }, () => {
      cursor.skip(4);
      const nullable = (cursor.u16() & NULLABLE) !== 0;
      const type = readTypeInfo(cursor);
      types.push(type);
      return { name: cursor.shortText(), type: type.type, nullable };
    });
    this.#types = types;
    return columns;
  }

  #readRow(cursor: Cursor): Value[] {
    const types = this.#types;
    const row: Value[] = new Array(types.length);
    const token = cursor.u8();
    if (token === TYPE.ROW) {
      for (let i = 0; i < types.length; i++) row[i] = types[i]!.read(cursor);
    } else if (token === TYPE.NBCROW) {
      const bitmap = cursor.skip((types.length + 7) >> 3);
      for (let i = 0; i < types.length; i++) {
        const isNull = (cursor.bytes[bitmap + (i >> 3)]! >> (i & 7)) & 1;
        row[i] = isNull ? null : types[i]!.read(cursor);
      }
    } else {
      throw new ProtocolError(`Token 0x${token.toString(16)} in a bulk load's rows.`);
    }
    return row;
  }

  /** Waits until the read that failed at `start` can be tried again; false if the message ended there. */
  async #more(needed: number, start: number): Promise<boolean> {
    const left = this.#cursor.bytes.length - start;
    while (left + this.#size < needed - start) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) {
        if (left + this.#size === 0) return false;
        throw new ProtocolError('The bulk load ended in the middle of a row.');
      }
      await this.#arrival();
    }
    this.#take(start);
    return true;
  }

  async #arrival(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#limit();
    });
    this.#wake = undefined;
  }

  /** Puts what has arrived behind what is left of the current bytes. */
  #take(start: number): void {
    const rest = this.#cursor.bytes.subarray(start);
    this.#cursor = new Cursor(Buffer.concat([rest, ...this.#chunks]));
    this.#chunks = [];
    this.#size = 0;
    this.#limit();
  }

  /** Nobody is ever held back while the reader waits: one row may be larger than the limit. */
  #limit(): void {
    const full = this.#size > PAUSE_AT && this.#wake === undefined;
    if (full !== this.#full) this.#backlog(full);
    this.#full = full;
  }
}

/** How many bytes the buffer must hold for another try. The error is shared: read it at once. @throws any other error */
function missing(error: unknown): number {
  if (!isTruncated(error)) throw error;
  return error.needed;
}
