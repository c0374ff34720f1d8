// A reading that many may ask for: made when somebody asks, at most every so often, one at a time.
// Guarantees: whoever asks while one is being made gets that one; without anybody who asks, nothing is read.

export class FreshReading<T> {
  readonly #read: () => Promise<T>;
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  #last: { readonly reading: Promise<T>; endedAt: number | null } | null = null;

  /** `now`: a clock in milliseconds that never goes back. */
  constructor(read: () => Promise<T>, maxAgeMs: number, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#maxAgeMs = maxAgeMs;
    this.#now = now;
  }

  /** Throws what the reading throws; the next one who asks tries again. */
  get(): Promise<T> {
    const last = this.#last;
    if (last !== null && (last.endedAt === null || this.#now() - last.endedAt < this.#maxAgeMs))
      return last.reading;
    const current: { readonly reading: Promise<T>; endedAt: number | null } = {
      reading: this.#read(),
      endedAt: null,
    };
    this.#last = current;
    current.reading.then(
      () => {
        current.endedAt = this.#now();
      },
      () => {
        if (this.#last === current) this.#last = null;
      },
    );
    return current.reading;
  }
}
