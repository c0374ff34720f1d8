// Whether a row that seems to differ does: looked at on both sides around a barrier in the WAL, while both go on.
// Guarantees: a difference is told only of a row that the source left alone from before the barrier until after the warehouse was
// read, and of which the warehouse had all that the source had committed. Why that is so: docs/verify.md
import { setTimeout as pause } from 'node:timers/promises';
import { type CanonicalText, shownText } from '../change/row-digest.ts';
import { retry } from '../fault/retry.ts';
import { readRowsOf, type TargetRow } from '../warehouse/digest-rows.ts';
import { readOpenQuarantine } from '../warehouse/open-quarantine.ts';
import type { Warehouse } from '../warehouse/session.ts';
import { Barrier, type BarrierOptions, type Stuck } from './verify-barrier.ts';
import type { SourceReader } from './verify-reader.ts';
import type { VerifyFinding } from './verify-report.ts';
import { type Expected, quarantineKeysOf, sourceKeyText, type VerifiedTable } from './verify-table.ts';

export interface SettleOptions extends Omit<BarrierOptions, 'lane'> {
  readonly showValues: boolean;
  readonly random: () => number;
}

export interface Settled {
  readonly findings: readonly VerifyFinding[];
  /** Why some are unsettled, where it is the watermark. */
  readonly stuck: Stuck | null;
}

const MOST_ROUNDS = 15;
/** A row that the source lacks leaves no trace of having come and gone: it has to be so this often in a row. */
const ABSENT_ROUNDS = 4;
/** Rows that change all the time, of those that are looked at again. */
const MOST_WATCHED = 100;
const LONGEST_PAUSE_MS = 500;

/** What the source has of a key. `version` null: no row. */
interface SourceState {
  readonly version: string | null;
  readonly expected: Expected | null;
}

const ABSENT: SourceState = { version: null, expected: null };

interface Suspect {
  readonly key: readonly string[];
  /** Digests that the source's row had around this round's barrier; null: there was none to be in the warehouse. */
  seen: Set<string | null>;
  absences: number;
}

type Found = ReadonlyMap<string, readonly TargetRow[]>;

export class Settlement {
  readonly #table: VerifiedTable;
  readonly #reader: SourceReader;
  /** A connection of its own, beside the one that waits. */
  readonly #watcher: SourceReader;
  readonly #warehouse: Warehouse;
  readonly #options: SettleOptions;
  readonly #barrier: Barrier;
  /** Rows that were read whole, of both sides. */
  readRows = 0;

  constructor(table: VerifiedTable, reader: SourceReader, warehouse: Warehouse, options: SettleOptions) {
    this.#table = table;
    this.#reader = reader;
    this.#watcher = reader.another();
    this.#barrier = new Barrier(reader, warehouse, { ...options, lane: table.mapping.lane });
    this.#warehouse = warehouse;
    this.#options = options;
  }

  /** Of some hundreds of keys at most. */
  async settle(keys: readonly (readonly string[])[]): Promise<Settled> {
    const findings: VerifyFinding[] = [];
    let pending: Suspect[] = keys.map((key) => ({ key, seen: new Set(), absences: 0 }));
    for (
      let round = 0;
      round < MOST_ROUNDS && pending.length > 0 && this.#barrier.stuck === null;
      round += 1
    ) {
      if (round > 0) await this.#pause(round);
      const before = await this.#readSource(pending, this.#reader);
      for (const suspect of pending)
        suspect.seen = new Set([digestOf(before.get(nameOf(suspect.key)) ?? ABSENT)]);
      const endWatch = round === 0 ? null : this.#watch(pending);
      const isPassed = await this.#barrier.pass();
      const target = isPassed ? await this.#readTarget(pending) : null;
      await endWatch?.();
      if (target === null) break;
      if (!(await this.#barrier.holds())) continue;
      const doubtful = pending.filter(({ key, seen }) => !isAmong(seen, target.get(nameOf(key))));
      if (doubtful.length === 0) {
        pending = [];
        break;
      }
      await this.#barrier.untilWritersEnded(this.#table.source);
      const after = await this.#readSource(doubtful, this.#reader);
      const still: Suspect[] = [];
      const different: { readonly suspect: Suspect; readonly state: SourceState }[] = [];
      for (const suspect of doubtful) {
        const name = nameOf(suspect.key);
        const [was, is] = [before.get(name) ?? ABSENT, after.get(name) ?? ABSENT];
        suspect.seen.add(digestOf(is));
        if (isAmong(suspect.seen, target.get(name))) continue;
        const isUntouched = was.version === is.version;
        suspect.absences = isUntouched && is.version === null ? suspect.absences + 1 : 0;
        const isSure = isUntouched && (is.version !== null || suspect.absences >= ABSENT_ROUNDS);
        if (isSure) different.push({ suspect, state: is });
        else still.push(suspect);
      }
      findings.push(...(await this.#tell(different, target)));
      pending = still;
    }
    for (const { key } of pending) findings.push(this.#finding('unsettled', key, [], null, null));
    return { findings, stuck: this.#barrier.stuck };
  }

  async #pause(round: number): Promise<void> {
    const most = Math.min(LONGEST_PAUSE_MS, 20 * 2 ** round);
    await pause(this.#options.random() * most, undefined, { signal: this.#reader.waiting.signal });
  }

  /**
   * Notes what the source's rows come to, as fast as it answers, until it is told to end: of rows that change all the time the
   * warehouse's is one of those in between.
   */
  #watch(suspects: readonly Suspect[]): () => Promise<void> {
    let isEnded = false;
    const watched = suspects.slice(0, MOST_WATCHED);
    const watching = (async () => {
      while (!isEnded) {
        const states = await this.#readSource(watched, this.#watcher);
        for (const { key, seen } of watched) seen.add(digestOf(states.get(nameOf(key)) ?? ABSENT));
      }
    })();
    watching.catch(() => undefined);
    return () => {
      isEnded = true;
      return watching;
    };
  }

  close(): Promise<void> {
    return this.#watcher.close();
  }

  async #readSource(
    suspects: readonly Suspect[],
    from: SourceReader,
  ): Promise<ReadonlyMap<string, SourceState>> {
    const { source, key, reads, bind } = this.#table;
    const asked = suspects.map((suspect) =>
      suspect.key.map((text, index) => sourceKeyText(key[index]?.form, text)),
    );
    const { relation, rows } = await from.use((reader) => reader.readVersions(source, reads, asked));
    this.readRows += rows.length;
    const expect = bind(relation);
    const states = new Map<string, SourceState>();
    for (const row of rows) {
      const suspect = suspects[Number(row[' n']) - 1];
      if (suspect === undefined) continue;
      const expected = expect(row);
      const name = nameOf(suspect.key);
      // A key that the source takes for the same (citext, a collation that ignores case) is another row's.
      const isOther = expected.kind === 'row' && nameOf(expected.key) !== name;
      if (!isOther) states.set(name, { version: row[' version'] ?? '', expected });
    }
    return states;
  }

  async #readTarget(suspects: readonly Suspect[]): Promise<Found> {
    const { target, key } = this.#table;
    const rows = await retry(
      () =>
        readRowsOf(
          this.#warehouse,
          target,
          key,
          suspects.map((suspect) => suspect.key),
        ),
      this.#reader.waiting,
    );
    this.readRows += rows.length;
    const found = new Map<string, TargetRow[]>();
    for (const row of rows) {
      const name = nameOf(row.key);
      const others = found.get(name);
      if (others === undefined) found.set(name, [row]);
      // One row may be found by several keys that the table takes for the same.
      else if (!others.some(({ digest }) => digest === row.digest)) others.push(row);
    }
    return found;
  }

  async #tell(
    different: readonly { readonly suspect: Suspect; readonly state: SourceState }[],
    target: Found,
  ): Promise<VerifyFinding[]> {
    if (different.length === 0) return [];
    const spellings = different.map(({ suspect, state }) =>
      state.expected === null || state.expected.kind === 'out'
        ? quarantineKeysOf(this.#table, suspect.key)
        : state.expected.quarantineKeys,
    );
    const codes = await retry(
      () => readOpenQuarantine(this.#warehouse, this.#table.mapping.entity, spellings.flat()),
      this.#reader.waiting,
    );
    return different.map(({ suspect: { key }, state: { expected } }, index) => {
      const row = target
        .get(nameOf(key))
        ?.find(({ digest }) => digest !== digestOf({ version: '', expected }));
      const open = spellings[index]
        ?.map((spelling) => codes.get(spelling))
        .find((code) => code !== undefined);
      const rejected = expected?.kind === 'rejected' ? expected.code : null;
      if (open !== undefined) return this.#finding('quarantined', key, [], open, null);
      if (row === undefined) return this.#finding('missing', key, [], rejected, null);
      if (expected?.kind !== 'row') {
        return this.#finding(rejected === null ? 'extra' : 'different', key, [], rejected, null);
      }
      return this.#finding('different', key, this.#differing(expected.values, row.values), null, {
        ours: expected.values,
        theirs: row.values,
      });
    });
  }

  #differing(ours: readonly CanonicalText[], theirs: readonly CanonicalText[]): number[] {
    return this.#table.target.columns.flatMap((_column, index) =>
      (ours[index] ?? null) === (theirs[index] ?? null) ? [] : [index],
    );
  }

  #finding(
    kind: VerifyFinding['kind'],
    key: readonly string[],
    differing: readonly number[],
    code: string | null,
    values: { readonly ours: readonly CanonicalText[]; readonly theirs: readonly CanonicalText[] } | null,
  ): VerifyFinding {
    const { sourceKey, key: keyColumns, target, mapping } = this.#table;
    const nameAt = (index: number) => target.columns[index]?.column ?? '';
    const shown = (index: number, texts: readonly CanonicalText[]) =>
      shownText(target.columns[index]?.form, texts[index] ?? null);
    return {
      entity: mapping.entity,
      kind,
      key: Object.fromEntries(
        sourceKey.map((column, index) => [column, sourceKeyText(keyColumns[index]?.form, key[index] ?? '')]),
      ),
      columns: differing.map(nameAt),
      code,
      values:
        values === null || !this.#options.showValues
          ? null
          : Object.fromEntries(
              differing.map((index) => [
                nameAt(index),
                { source: shown(index, values.ours), warehouse: shown(index, values.theirs) },
              ]),
            ),
    };
  }
}

function nameOf(key: readonly string[]): string {
  return JSON.stringify(key);
}

/** What the warehouse should have of it; null: nothing. A rejected row is like no other. */
function digestOf({ expected }: SourceState): string | null {
  if (expected === null || expected.kind === 'out') return null;
  return expected.kind === 'row' ? expected.digest : 'rejected';
}

/** One row, and that as the source's was at some time; or none, as in the source. */
function isAmong(seen: ReadonlySet<string | null>, rows: readonly TargetRow[] | undefined): boolean {
  if (rows === undefined || rows.length === 0) return seen.has(null);
  return rows.length === 1 && seen.has(rows[0]?.digest ?? '');
}
