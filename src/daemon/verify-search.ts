// Where the sides differ: key ranges first, then slots of key hashes within those that differ, then rows by key and digest.
// Guarantees: a row that differs all the while is found; one that is on its way may be found too, so that what is found is a
// suspicion; so many rows of a side as are listed at once are in memory, whatever differs.
import type { ChunkRead, ChunkReader } from '../capture/chunk-reader.ts';
import { selectBoundary } from '../capture/digest-statement.ts';
import {
  EVERY_KEY,
  HASHES,
  type HashInterval,
  type HashSlots,
  isSameSum,
  type KeyDigest,
  type KeyRange,
  NO_ROWS,
} from '../change/row-digest.ts';
import type { SourceReader } from './verify-reader.ts';
import type { Side } from './verify-side.ts';
import type { VerifiedTable } from './verify-table.ts';

/** What one range, or the whole table, came to. */
export interface Searched {
  readonly sourceRows: number;
  readonly targetRows: number;
  /** Rows whose key and digest were listed, of both sides. */
  readonly listedRows: number;
  readonly suspects: readonly (readonly string[])[];
}

export interface SearchOptions {
  /** Source rows of a range. */
  readonly rangeRows: number;
  /** 0 to 1. */
  readonly share: number;
  readonly random: () => number;
  /** About how many rows the source has. */
  readonly estimate: number;
  /** Rows of a side that are listed at once. */
  readonly mostListed: number;
}

const EVERYTHING: HashSlots = { first: 0, width: HASHES, slots: 1 };
const MOST_INTERVALS = 200;
const MOST_SLOTS = 65_536;
/** Rows of a slot, about: what has to be listed for one that differs. */
const SLOT_ROWS = 8;

/** Ranges one after the other; or, where the key has no order that both sides share, all of the table at once. */
export async function* search(
  table: VerifiedTable,
  source: Side,
  target: Side,
  reader: SourceReader,
  options: SearchOptions,
): AsyncGenerator<Searched> {
  if (table.ordered === 0) {
    yield* searchHashes(source, target, options);
    return;
  }
  const size = sampledRange(options);
  let isAny = false;
  // One that differs is mostly followed by others that do: rows change everywhere.
  let isLikely = false;
  for await (const range of ranges(table, reader, size)) {
    // One at least is looked at, and the last is where nobody can say how many follow.
    const isWanted = options.share >= 1 || options.random() < options.share || (range.to === null && !isAny);
    if (!isWanted) continue;
    isAny = true;
    isLikely = yield* searchRange(source, target, range, { ...options, isLikely });
  }
}

/** A sample of a small table still has some ranges to choose from. */
function sampledRange({ rangeRows, share, estimate }: SearchOptions): number {
  return share >= 1 ? rangeRows : Math.min(rangeRows, Math.max(100, Math.ceil(estimate / 200)));
}

/** All keys, in ranges of so many rows of the source; the first begins and the last ends with every key that there may be. */
async function* ranges(table: VerifiedTable, reader: SourceReader, rows: number): AsyncGenerator<KeyRange> {
  const { source, digest, ordered } = table;
  let after: readonly string[] | null = null;
  for (;;) {
    const behind: readonly string[] | null = after;
    const found: Pick<ChunkRead, 'rows'> = await reader.use((connection: ChunkReader) =>
      connection.select(source, selectBoundary(digest, ordered, behind, rows), false),
    );
    const [row] = found.rows;
    const to =
      row === undefined ? null : Array.from({ length: ordered }, (_, index) => row[`k${index}`] ?? '');
    // A key that the warehouse has no value for (infinity, NaN, a year before 1) bounds nothing there.
    const isBound = to?.every((text) => speakable.test(text)) === true;
    yield { after, to: isBound ? to : null };
    if (!isBound) return;
    after = to;
  }
}

/** Plain numbers, dates and times. */
const speakable = /^-?\d+(\.\d+)?$|^\d{4}-\d\d-\d\d( [\d:.]+)?$/;

/** Returns whether it differs; where that is likely, it is divided at once. */
async function* searchRange(
  source: Side,
  target: Side,
  range: KeyRange,
  { rangeRows, mostListed, isLikely }: SearchOptions & { readonly isLikely: boolean },
): AsyncGenerator<Searched, boolean> {
  if (isLikely) {
    let differs = false;
    for await (const part of narrow(source, target, range, 0, HASHES, rangeRows, mostListed)) {
      differs ||= part.listedRows > 0;
      yield part;
    }
    return differs;
  }
  const [ours, theirs] = await Promise.all([
    source.summarise(range, EVERYTHING),
    target.summarise(range, EVERYTHING),
  ]);
  const [a, b] = [ours.get(0) ?? NO_ROWS, theirs.get(0) ?? NO_ROWS];
  yield { sourceRows: a.rows, targetRows: b.rows, listedRows: 0, suspects: [] };
  if (isSameSum(a, b)) return false;
  for await (const part of narrow(source, target, range, 0, HASHES, Math.max(a.rows, b.rows), mostListed)) {
    yield { ...part, sourceRows: 0, targetRows: 0 };
  }
  return true;
}

async function* searchHashes(source: Side, target: Side, options: SearchOptions): AsyncGenerator<Searched> {
  const width = Math.max(1, Math.floor(HASHES * Math.min(1, options.share)));
  const first = Math.floor(options.random() * (HASHES - width + 1));
  const rows = Math.ceil(options.estimate * options.share);
  yield* narrow(source, target, EVERY_KEY, first, width, rows, options.mostListed);
}

/** Keys whose hash is in `[first, first + extent)`, of which there are about `rows`. */
async function* narrow(
  source: Side,
  target: Side,
  range: KeyRange,
  first: number,
  extent: number,
  rows: number,
  mostListed: number,
): AsyncGenerator<Searched> {
  const wanted = Math.min(MOST_SLOTS, extent, Math.max(2, Math.ceil(rows / SLOT_ROWS)));
  const width = Math.ceil(extent / wanted);
  const hashes = { first, width, slots: Math.ceil(extent / width) };
  const [ours, theirs] = await Promise.all([
    source.summarise(range, hashes),
    target.summarise(range, hashes),
  ]);
  const end = first + extent;
  let due: HashInterval[] = [];
  let dueRows = 0;
  let [sourceRows, targetRows] = [0, 0];
  for (const slot of [...new Set([...ours.keys(), ...theirs.keys()])].sort((a, b) => a - b)) {
    const [a, b] = [ours.get(slot) ?? NO_ROWS, theirs.get(slot) ?? NO_ROWS];
    sourceRows += a.rows;
    targetRows += b.rows;
    if (isSameSum(a, b)) continue;
    const most = Math.max(a.rows, b.rows);
    const from = first + slot * width;
    const to = Math.min(from + width, end);
    if (most > mostListed && to - from > 1) {
      for await (const part of narrow(source, target, range, from, to - from, most, mostListed)) {
        yield { ...part, sourceRows: 0, targetRows: 0 };
      }
      continue;
    }
    if (due.length > 0 && (dueRows + most > mostListed || due.length >= MOST_INTERVALS)) {
      yield await list(source, target, range, due);
      [due, dueRows] = [[], 0];
    }
    const last = due.at(-1);
    if (last?.end === from) due[due.length - 1] = { first: last.first, end: to };
    else due.push({ first: from, end: to });
    dueRows += most;
  }
  if (due.length > 0) yield await list(source, target, range, due);
  yield { sourceRows, targetRows, listedRows: 0, suspects: [] };
}

async function list(
  source: Side,
  target: Side,
  range: KeyRange,
  hashes: readonly HashInterval[],
): Promise<Searched> {
  const [ours, theirs] = await Promise.all([source.list(range, hashes), target.list(range, hashes)]);
  return {
    sourceRows: 0,
    targetRows: 0,
    listedRows: ours.length + theirs.length,
    suspects: differing(ours, theirs),
  };
}

/** Keys that one side lacks, or has another digest of, or has twice. */
function differing(ours: readonly KeyDigest[], theirs: readonly KeyDigest[]): (readonly string[])[] {
  const left = new Map<string, KeyDigest>(ours.map((row) => [JSON.stringify(row.key), row]));
  const suspects = new Map<string, readonly string[]>();
  const seen = new Set<string>();
  for (const { key, digest } of theirs) {
    const name = JSON.stringify(key);
    const isSame = left.get(name)?.digest === digest && !seen.has(name);
    seen.add(name);
    if (!isSame) suspects.set(name, key);
  }
  for (const [name, { key }] of left) if (!seen.has(name)) suspects.set(name, key);
  return [...suspects.values()];
}
