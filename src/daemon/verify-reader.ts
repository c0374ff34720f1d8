// A verification's connection to the source.
// Guarantees: opened when it is first needed, and anew after a fault; one use at a time.
import { ChunkReader } from '../capture/chunk-reader.ts';
import type { WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import type { sourceOf } from './connections.ts';

export interface Waiting {
  readonly backoff: Backoff;
  readonly signal: AbortSignal;
  /** What it throws ends the repetition. `attempt`: from 1. */
  readonly onRetry: (fault: WalbridgeError, attempt: number) => void;
}

/** A connection to the source that is opened anew after a fault. */
export class SourceReader {
  readonly #source: ReturnType<typeof sourceOf>;
  readonly waiting: Waiting;
  #reader: ChunkReader | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: ReturnType<typeof sourceOf>, waiting: Waiting) {
    this.#source = source;
    this.waiting = waiting;
  }

  /** With a connection of its own. */
  another(): SourceReader {
    return new SourceReader(this.#source, this.waiting);
  }

  /** Repeats `work` while the source is away. One at a time: a connection has one transaction. */
  use<T>(work: (reader: ChunkReader) => Promise<T>): Promise<T> {
    const mine = this.#last.then(() => this.#retried(work));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  #retried<T>(work: (reader: ChunkReader) => Promise<T>): Promise<T> {
    return retry(async () => {
      this.#reader ??= await ChunkReader.open(this.#source, this.waiting.signal);
      try {
        return await work(this.#reader);
      } catch (error) {
        await this.close();
        throw error;
      }
    }, this.waiting);
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    await reader?.close(this.waiting.signal);
  }
}
