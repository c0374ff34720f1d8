// One chunk of a backfill between its two watermarks in the WAL: what the stream changed there wins over what was read.
// Guarantees: what `close` hands back is, of the keys read, the source's state at the high watermark: a row that the stream
// brought whole, moved or deleted yields; one that it brought without its unchanged TOAST values is completed with them.
// After Netflix' DBLog, https://arxiv.org/abs/2010.12597; why it holds on PostgreSQL: docs/backfill.md
import type { SourceChange, SourceRow, SourceValue } from '../change/source-change.ts';
import type { TableName } from '../change/table-description.ts';

/**
 * rows: what was read is to be written. absent: the keys read have no row in the source and are to be deleted; any change of such
 * a key says that the stream knows better.
 */
export type WindowKind = 'rows' | 'absent';

export interface WindowResult {
  readonly rows: readonly SourceRow[];
  /** Rows read that are left to the stream. */
  readonly yielded: number;
  /** The window cannot tell what changed: the chunk has to be read again. */
  readonly isSpoiled: boolean;
}

/** Keys noted before the rows are there; more of them than this spoil the window. */
const MOST_NOTED = 100_000;

/** The values that the stream sent of a row, or `YIELDS`. */
type Noted = SourceRow | typeof YIELDS;
const YIELDS = null;

/** A row's key as one text; null where a part of it is NULL, undefined where one was not sent. */
type Key = string | null | undefined;

function keyText(row: SourceRow, key: readonly string[]): Key {
  const parts: SourceValue[] = key.map((column) => row[column]);
  if (parts.includes(undefined)) return undefined;
  return parts.includes(null) ? null : JSON.stringify(parts);
}

export class ChunkWindow {
  readonly #table: TableName;
  readonly #key: readonly string[];
  readonly #kind: WindowKind;
  readonly #noted = new Map<string, Noted>();
  #rows: Map<string, SourceRow> | null = null;
  #isOpen = false;
  #isEmptied = false;
  #isSpoiled = false;
  #yielded = 0;

  /** `key`: the source's columns that identify a row; every replica identity of the table must hold them. */
  constructor(table: TableName, key: readonly string[], kind: WindowKind) {
    this.#table = table;
    this.#key = key;
    this.#kind = kind;
  }

  /** The low watermark came. */
  open(): void {
    this.#isOpen = true;
  }

  /** A change that the stream delivers. Before the low watermark it is older than anything that is read. */
  change(change: SourceChange): void {
    const { relation } = change;
    if (!this.#isOpen || relation.table !== this.#table.table || relation.schema !== this.#table.schema)
      return;
    if (change.op === 'truncate') this.#isEmptied = true;
    else if (change.op === 'update') this.#update(change.row, change.old, change.relation.columns);
    else this.#yield(keyText(change.op === 'insert' ? change.row : change.old, this.#key));
  }

  #update(row: SourceRow, old: SourceRow | null, columns: readonly { readonly name: string }[]): void {
    const previous = old === null ? undefined : keyText(old, this.#key);
    // A key value that is stored out of line and did not change stands in the old row only.
    const key = old === null ? keyText(row, this.#key) : keyText({ ...old, ...sentOf(row) }, this.#key);
    if (previous !== undefined && previous !== key) {
      this.#yield(previous);
      this.#yield(key);
    } else if (this.#kind === 'rows' && columns.some(({ name }) => row[name] === undefined)) {
      this.#complete(key, sentOf(row));
    } else {
      this.#yield(key);
    }
  }

  #yield(key: Key): void {
    // No row that is read has NULL in its key.
    if (key === null) return;
    if (key === undefined) this.#isSpoiled = true;
    else if (this.#rows === null) this.#note(key, YIELDS);
    else if (this.#rows.delete(key)) this.#yielded += 1;
  }

  #complete(key: Key, sent: SourceRow): void {
    if (key === null) return;
    if (key === undefined) {
      this.#isSpoiled = true;
    } else if (this.#rows === null) {
      const noted = this.#noted.get(key);
      if (noted !== YIELDS) this.#note(key, { ...noted, ...sent });
    } else {
      const row = this.#rows.get(key);
      if (row !== undefined) this.#rows.set(key, { ...row, ...sent });
    }
  }

  #note(key: string, noted: Noted): void {
    this.#noted.set(key, noted);
    if (this.#noted.size <= MOST_NOTED) return;
    this.#isSpoiled = true;
    this.#noted.clear();
  }

  /** What was read, at a moment when every transaction that commits before the low watermark could be seen. */
  fill(rows: readonly SourceRow[]): void {
    const filled = new Map<string, SourceRow>();
    for (const row of rows) {
      const key = keyText(row, this.#key);
      if (typeof key !== 'string') continue;
      const noted = this.#noted.get(key);
      if (noted === YIELDS) this.#yielded += 1;
      else filled.set(key, noted === undefined ? row : { ...row, ...noted });
    }
    this.#noted.clear();
    this.#rows = filled;
  }

  /** The high watermark came. */
  close(): WindowResult {
    this.#isOpen = false;
    const rows = [...(this.#rows?.values() ?? [])];
    if (this.#isSpoiled) return { rows: [], yielded: 0, isSpoiled: true };
    if (this.#isEmptied) return { rows: [], yielded: rows.length + this.#yielded, isSpoiled: false };
    return { rows, yielded: this.#yielded, isSpoiled: false };
  }
}

function sentOf(row: SourceRow): SourceRow {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
}
