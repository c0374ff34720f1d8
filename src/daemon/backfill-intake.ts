// Where the WAL tail and the backfills meet: the chunks whose watermarks are in the WAL and have not both come back yet.
// Guarantees: a chunk is handed over at its high watermark, once, or not at all; after a restart of the stream none of those that
// began before it is.
import type { CanonicalEvent } from '../canonical/event.ts';
import type { ChunkWindow, WindowResult } from '../capture/chunk-window.ts';
import type { Position } from '../change/position.ts';
import type { SourceChange, SourceTransaction } from '../change/source-change.ts';

export interface HandedChunk {
  readonly kind: 'handed';
  /** Of the high watermark's transaction: the chunk is in the warehouse when the lane's watermark has passed it. */
  readonly position: Position;
  readonly written: number;
  readonly yielded: number;
  /** The intake's at that moment: with a later one the lane may pass the position without the chunk. */
  readonly generation: number;
}

/** A chunk's end. `void`: the stream began anew; `spoiled`: nobody knows what changed. Read the chunk again. */
export type ChunkOutcome = HandedChunk | { readonly kind: 'void' | 'spoiled' };

/** A chunk between its watermarks. */
export interface Bracket {
  /** Names it in the WAL; never used again. */
  readonly token: string;
  readonly lane: string;
  readonly entity: string;
  readonly window: ChunkWindow;
  /** What the rows that the window left over come to, numbered from 1. */
  events(rows: WindowResult['rows'], transaction: SourceTransaction): Iterable<CanonicalEvent>;
}

/** A chunk at its high watermark, for the lane. */
export interface DueChunk {
  readonly bracket: Bracket;
  readonly events: Iterable<CanonicalEvent>;
  /** All events are in the lane; `position` covers them. */
  handed(position: Position, written: number): void;
}

interface OpenBracket {
  readonly bracket: Bracket;
  readonly settle: (outcome: ChunkOutcome) => void;
  isLowSeen: boolean;
}

const LOW = '/low';
const HIGH = '/high';

export const lowMark = (token: string) => `${token}${LOW}`;
export const highMark = (token: string) => `${token}${HIGH}`;

export class BackfillIntake {
  readonly #open = new Map<string, OpenBracket>();
  #generation = 0;

  /** Grows with each start of the stream. */
  get generation(): number {
    return this.#generation;
  }

  /** Call before the low watermark is written. */
  open(bracket: Bracket): { readonly outcome: Promise<ChunkOutcome>; readonly abandon: () => void } {
    let settle: (outcome: ChunkOutcome) => void = () => {};
    const outcome = new Promise<ChunkOutcome>((resolve) => {
      settle = resolve;
    });
    this.#open.set(bracket.token, { bracket, settle, isLowSeen: false });
    return {
      outcome,
      abandon: () => {
        this.#open.delete(bracket.token);
        settle({ kind: 'void' });
      },
    };
  }

  /** Each change that the stream delivers, whether its lane needs it or not. */
  changed(change: SourceChange): void {
    if (this.#open.size === 0) return;
    for (const { bracket } of this.#open.values()) bracket.window.change(change);
  }

  /** A watermark. Not null: the chunk that is due now. One of another process, or from before a restart, says nothing. */
  marked(content: string, transaction: SourceTransaction): DueChunk | null {
    const isHigh = content.endsWith(HIGH);
    const token = content.slice(0, content.lastIndexOf('/'));
    const open = this.#open.get(token);
    if (open === undefined) return null;
    const { bracket, settle } = open;
    if (!isHigh) {
      open.isLowSeen = true;
      bracket.window.open();
      return null;
    }
    this.#open.delete(token);
    const { rows, yielded, isSpoiled } = bracket.window.close();
    if (isSpoiled || !open.isLowSeen) {
      settle({ kind: 'spoiled' });
      return null;
    }
    const generation = this.#generation;
    return {
      bracket,
      events: bracket.events(rows, transaction),
      handed: (position, written) => settle({ kind: 'handed', position, written, yielded, generation }),
    };
  }

  /** The stream begins anew at the slot's position: what was between two watermarks cannot be told any more. */
  restarted(): void {
    this.#generation += 1;
    for (const { settle } of this.#open.values()) settle({ kind: 'void' });
    this.#open.clear();
  }
}
