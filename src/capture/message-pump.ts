// Hands messages to a handler one after the other and holds the socket back while the handler waits.
// Guarantees: strict order, keepalives included; what waits here is at most what one read of the socket brought.
//
// pg-logical-replication's own flow control is not used: it reports keepalives past queued changes, goes on with the next
// change after a listener failed, and makes a promise a message.

export interface Flow {
  pause(): void;
  resume(): void;
}

export class MessagePump {
  readonly #handle: (message: Buffer) => void | Promise<void>;
  readonly #flow: Flow;
  readonly #fail: (error: unknown) => void;
  /** Slices of the driver's buffer: valid for as long as nothing more is read. */
  readonly #waiting: Buffer[] = [];
  #isPaused = false;
  #isStopped = false;
  #work: Promise<void> | null = null;

  /** `fail` is called once, with what the handler threw; nothing is handled after that. */
  constructor(handle: (message: Buffer) => void | Promise<void>, flow: Flow, fail: (error: unknown) => void) {
    this.#handle = handle;
    this.#flow = flow;
    this.#fail = fail;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  push(message: Buffer): void {
    if (this.#isStopped) return;
    if (this.#isPaused) {
      this.#waiting.push(message);
      return;
    }
    try {
      const pending = this.#handle(message);
      if (pending !== undefined) this.#work = this.#drainAfter(pending);
    } catch (error) {
      this.#isStopped = true;
      this.#fail(error);
    }
  }

  /** Hands nothing more over; resolves when the handler is done with what it has in hand. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
  }

  async #drainAfter(pending: Promise<void>): Promise<void> {
    this.#isPaused = true;
    this.#flow.pause();
    try {
      await pending;
      for (let index = 0; index < this.#waiting.length && !this.#isStopped; index += 1) {
        const next = this.#handle(this.#waiting[index]!);
        if (next !== undefined) await next;
      }
    } catch (error) {
      // A failure after the stop belongs to nobody any more: all of it is read again.
      if (!this.#isStopped) {
        this.#isStopped = true;
        this.#fail(error);
      }
    }
    this.#waiting.length = 0;
    this.#isPaused = false;
    if (!this.#isStopped) this.#flow.resume();
  }
}
