// The two sides of a verification, each by two ways: its server digests its rows, or they are read and digested here.
// Guarantees: all four give the same sums and digests of the same rows; what is read here is read page by page, never whole.
import type { ChunkRead } from '../capture/chunk-reader.ts';
import {
  listDigests as listInSource,
  rangeConditions,
  selectProbe,
  summarise as summariseInSource,
} from '../capture/digest-statement.ts';
import {
  DigestAdder,
  type DigestSum,
  digestOf,
  HASHES,
  type HashInterval,
  type HashSlots,
  hashOf,
  type KeyDigest,
  type KeyRange,
  rowText,
} from '../change/row-digest.ts';
import { retry } from '../fault/retry.ts';
import { digestHex, isDigestProven, readRowsBehind, type TargetRow } from '../warehouse/digest-rows.ts';
import { listDigests, summarise } from '../warehouse/digest-statement.ts';
import type { SqlSession } from '../warehouse/session.ts';
import type { SourceReader, Waiting } from './verify-reader.ts';
import { REJECTED_DIGEST, type VerifiedTable } from './verify-table.ts';

/** Sums by slot; a slot without rows is not in it. */
export type SlotSums = ReadonlyMap<number, DigestSum>;

export interface Side {
  summarise(range: KeyRange, slots: HashSlots): Promise<SlotSums>;
  /** Of all hashes where there is no interval. */
  list(range: KeyRange, hashes: readonly HashInterval[]): Promise<readonly KeyDigest[]>;
  /** Rows that were read whole so far. */
  readonly readRows: number;
}

interface SumRow {
  readonly slot: string | number;
  readonly n: string;
  readonly a: string | null;
  readonly b: string | null;
  readonly c: string | null;
  readonly d: string | null;
}

function slotSums(rows: readonly SumRow[]): SlotSums {
  return new Map(
    rows
      .filter(({ n }) => n !== '0')
      .map(({ slot, n, a, b, c, d }) => [Number(slot), { rows: Number(n), sums: `${a} ${b} ${c} ${d}` }]),
  );
}

type Texts = Readonly<Record<string, string>>;

const keyDigest = (row: Texts, columns: number, digest: string): KeyDigest => ({
  key: Array.from({ length: columns }, (_, index) => row[`k${index}`] ?? ''),
  digest,
});

const isScan = (range: KeyRange) => range.after === null && range.to === null;

export class SourceDigests implements Side {
  readonly readRows = 0;
  readonly #table: VerifiedTable;
  readonly #reader: SourceReader;

  constructor(table: VerifiedTable, reader: SourceReader) {
    this.#table = table;
    this.#reader = reader;
  }

  async summarise(range: KeyRange, slots: HashSlots): Promise<SlotSums> {
    const { source, digest } = this.#table;
    const { rows } = await this.#reader.use((reader) =>
      reader.select(source, summariseInSource(digest, range, slots), isScan(range)),
    );
    return slotSums(rows as unknown as SumRow[]);
  }

  async list(range: KeyRange, hashes: readonly HashInterval[]): Promise<readonly KeyDigest[]> {
    const { source, digest, key } = this.#table;
    const { rows } = await this.#reader.use((reader) =>
      reader.select(source, listInSource(digest, range, hashes), isScan(range)),
    );
    return rows.map((row) => keyDigest(row as Texts, key.length, (row as Texts).h ?? ''));
  }

  /** Whether the digests of some rows are what the mapping makes of them. */
  async isProven(rows: number): Promise<boolean> {
    const { source, digest, reads, bind } = this.#table;
    const probe = await this.#reader.use((reader) =>
      reader.select(source, selectProbe(digest, reads, rows), true),
    );
    const expect = bind(probe.relation);
    return probe.rows.every((row) => {
      const expected = expect(row);
      return expected.kind !== 'row' || expected.digest === row[' digest'];
    });
  }
}

export class TargetDigests implements Side {
  readonly readRows = 0;
  readonly #table: VerifiedTable;
  readonly #session: SqlSession;
  readonly #waiting: Waiting;

  constructor(table: VerifiedTable, session: SqlSession, waiting: Waiting) {
    this.#table = table;
    this.#session = session;
    this.#waiting = waiting;
  }

  async summarise(range: KeyRange, slots: HashSlots): Promise<SlotSums> {
    const { target, key } = this.#table;
    const { sql, parameters } = summarise(target, key, range, slots);
    const { rows } = await retry(() => this.#session.query<SumRow>(sql, parameters), this.#waiting);
    return slotSums(rows);
  }

  async list(range: KeyRange, hashes: readonly HashInterval[]): Promise<readonly KeyDigest[]> {
    const { target, key } = this.#table;
    const { sql, parameters } = listDigests(target, key, range, hashes);
    const { rows } = await retry(() => this.#session.query<Texts>(sql, parameters), this.#waiting);
    return rows.map(({ h, ...row }) => keyDigest(row, key.length, digestHex(h)));
  }

  isProven(rows: number): Promise<boolean> {
    return retry(() => isDigestProven(this.#session, this.#table.target, rows), this.#waiting);
  }
}

/** Rows read here, whichever side they are of. */
abstract class ReadRows implements Side {
  readRows = 0;
  readonly #table: VerifiedTable;

  constructor(table: VerifiedTable) {
    this.#table = table;
  }

  protected abstract pages(range: KeyRange): AsyncIterable<readonly KeyDigest[]>;

  async summarise(range: KeyRange, { first, width, slots }: HashSlots): Promise<SlotSums> {
    const sums = new Map<number, DigestAdder>();
    const isWhole = slots === 1 && width === HASHES;
    for await (const page of this.pages(range)) {
      for (const { key, digest } of page) {
        const slot = isWhole ? 0 : Math.floor((this.#hash(key) - first) / width);
        if (slot < 0 || slot >= slots) continue;
        let sum = sums.get(slot);
        if (sum === undefined) {
          sum = new DigestAdder();
          sums.set(slot, sum);
        }
        sum.add(digest);
      }
    }
    return new Map([...sums].map(([slot, { sum }]) => [slot, sum]));
  }

  async list(range: KeyRange, hashes: readonly HashInterval[]): Promise<readonly KeyDigest[]> {
    const found: KeyDigest[] = [];
    for await (const page of this.pages(range)) {
      for (const row of page) {
        if (hashes.length === 0) found.push(row);
        else {
          const hash = this.#hash(row.key);
          if (hashes.some(({ first, end }) => hash >= first && hash < end)) found.push(row);
        }
      }
    }
    return found;
  }

  #hash(key: readonly string[]): number {
    const forms = this.#table.key.map(({ form }) => form);
    return hashOf(digestOf(rowText(forms, key)));
  }
}

const PAGE_ROWS = 2_000;
/** Characters of values that a page of the source has, about. */
const PAGE_CHARACTERS = 8 * 1024 * 1024;

export class SourceRows extends ReadRows {
  readonly #table: VerifiedTable;
  readonly #reader: SourceReader;

  constructor(table: VerifiedTable, reader: SourceReader) {
    super(table);
    this.#table = table;
    this.#reader = reader;
  }

  protected async *pages(range: KeyRange): AsyncGenerator<readonly KeyDigest[]> {
    const { source, reads, bind } = this.#table;
    const conditions = rangeConditions(source, range);
    const where = conditions.length === 0 ? null : conditions.join(' AND ');
    const limits = { rows: PAGE_ROWS, bytes: PAGE_CHARACTERS };
    let after: readonly string[] | null = null;
    for (let isLast = false; !isLast; ) {
      const page: ChunkRead = await this.#reader.use((reader) =>
        reader.read(source, reads, { from: null, to: null, where, since: null }, after, limits),
      );
      this.readRows += page.rows.length;
      const expect = bind(page.relation);
      yield page.rows.flatMap((row) => {
        const expected = expect(row);
        if (expected.kind === 'out') return [];
        return { key: expected.key, digest: expected.kind === 'row' ? expected.digest : REJECTED_DIGEST };
      });
      after = page.lastKey ?? after;
      isLast = page.isLast;
    }
  }
}

export class TargetRows extends ReadRows {
  readonly #table: VerifiedTable;
  readonly #session: SqlSession;
  readonly #waiting: Waiting;

  constructor(table: VerifiedTable, session: SqlSession, waiting: Waiting) {
    super(table);
    this.#table = table;
    this.#session = session;
    this.#waiting = waiting;
  }

  protected async *pages(range: KeyRange): AsyncGenerator<readonly KeyDigest[]> {
    const { target, key } = this.#table;
    let after: readonly string[] | null = null;
    for (;;) {
      const behind: readonly string[] | null = after;
      const rows: TargetRow[] = await retry(
        () => readRowsBehind(this.#session, target, key, range, behind, PAGE_ROWS),
        this.#waiting,
      );
      this.readRows += rows.length;
      yield rows;
      after = rows.at(-1)?.key ?? null;
      if (rows.length < PAGE_ROWS) return;
    }
  }
}
