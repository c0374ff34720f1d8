// Finds the rows that the warehouse refuses, by trials on subsets of a batch that are all rolled back.
// Guarantees: what is left can be applied together; every refused row was refused beside all rows that were found good;
// about k log n trials for k refused rows of n.

export interface Refused<Row, Refusal> {
  readonly row: Row;
  readonly refusal: Refusal;
}

/**
 * `attempt` tries a subset and resolves with the refusal, or null where it passes. All of `rows` together must be known to
 * be refused. Resolves with the refused rows; null as soon as there are more than `limit`.
 */
export async function isolate<Row, Refusal>(
  rows: readonly Row[],
  attempt: (rows: readonly Row[]) => Promise<Refusal | null>,
  refusal: Refusal,
  limit: number,
): Promise<Refused<Row, Refusal>[] | null> {
  const search = new Search(attempt, limit);
  await search.split(rows, refusal);
  if (search.exceeded) return null;
  await search.readmitOneByOne();
  await search.readmitAllButOne();
  return search.refused;
}

/** Above this many, rows that need one another aren't looked for. */
const FEW = 16;

class Search<Row, Refusal> {
  readonly #attempt: (rows: readonly Row[]) => Promise<Refusal | null>;
  readonly #limit: number;
  readonly #good: Row[] = [];
  refused: Refused<Row, Refusal>[] = [];

  constructor(attempt: (rows: readonly Row[]) => Promise<Refusal | null>, limit: number) {
    this.#attempt = attempt;
    this.#limit = limit;
  }

  get exceeded(): boolean {
    return this.refused.length > this.#limit;
  }

  /** `rows` are known to be refused beside what is good so far. */
  async split(rows: readonly Row[], refusal: Refusal): Promise<void> {
    const [only] = rows;
    if (only === undefined || this.exceeded) return;
    if (rows.length === 1) {
      this.refused.push({ row: only, refusal });
      return;
    }
    const middle = rows.length >> 1;
    const left = rows.slice(0, middle);
    const right = rows.slice(middle);
    const leftRefusal = await this.#tryWith(left);
    if (leftRefusal === null) {
      // Beside the left half, the right one is the whole again: no trial needed.
      await this.split(right, refusal);
      return;
    }
    await this.split(left, leftRefusal);
    const rightRefusal = await this.#tryWith(right);
    if (rightRefusal !== null) await this.split(right, rightRefusal);
  }

  /** A row may have been refused for want of one that was tried after it. */
  async readmitOneByOne(): Promise<void> {
    for (let progress = true; progress; ) {
      progress = false;
      const still: Refused<Row, Refusal>[] = [];
      for (const one of this.refused) {
        if ((await this.#tryWith([one.row])) === null) progress = true;
        else still.push(one);
      }
      this.refused = still;
    }
  }

  /** Rows that trade unique values pass together only: perhaps one stranger among the refused kept them apart. */
  async readmitAllButOne(): Promise<void> {
    if (this.refused.length < 3 || this.refused.length > FEW) return;
    for (const stranger of this.refused) {
      const others = this.refused.filter((one) => one !== stranger);
      if ((await this.#tryWith(others.map((one) => one.row))) === null) {
        this.refused = [stranger];
        return;
      }
    }
  }

  async #tryWith(rows: readonly Row[]): Promise<Refusal | null> {
    const refusal = await this.#attempt([...this.#good, ...rows]);
    if (refusal === null) this.#good.push(...rows);
    return refusal;
  }
}
