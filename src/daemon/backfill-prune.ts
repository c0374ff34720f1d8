// Which keys a prune asks the source about: the warehouse's, page by page, and where a range of them may be cut.
// Guarantees: every key that the warehouse has in the range is asked about once; the order is the warehouse's own.
import type { KeyValues } from '../capture/chunk-statement.ts';
import { WalbridgeError } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import {
  type KeyBounds,
  readTargetBoundaries,
  readTargetKeys,
  type TargetKeyRange,
} from '../warehouse/backfill-keys.ts';
import type { BackfillStatus } from '../warehouse/backfill-step.ts';
import type { SqlSession } from '../warehouse/session.ts';
import { keyWayBack } from './backfill-table.ts';

const OPEN: KeyBounds = { from: null, to: null };

export class PruneKeys {
  readonly #mapping: CompiledMapping;
  readonly #session: SqlSession;

  constructor(mapping: CompiledMapping, session: SqlSession) {
    this.#mapping = mapping;
    this.#session = session;
  }

  /** Keys that cut the step into at most `parts` ranges. Throws WB7021 and a WarehouseError. */
  boundaries(step: BackfillStatus, parts: number): Promise<readonly KeyValues[]> {
    return readTargetBoundaries(this.#session, this.#mapping.target, parts, this.#rangeOf(step).source);
  }

  /** The next keys behind `after`, the target's, as keys of the source. Throws WB7021 and a WarehouseError. */
  async next(
    step: BackfillStatus,
    after: KeyValues | null,
  ): Promise<{ readonly keys: readonly KeyValues[]; readonly lastKey: KeyValues | null }> {
    const { target } = this.#mapping;
    const range = this.#rangeOf(step);
    const keys = await readTargetKeys(this.#session, target, after, step.options.chunkRows, range);
    const places = this.#way.map(({ column }) => target.key.indexOf(column));
    return {
      keys: keys.map((key) => places.map((place) => key[place] ?? '')),
      lastKey: keys.at(-1) ?? null,
    };
  }

  /** Of columns in another order than the source's, the source tells what of all the keys lies in the range that was asked for. */
  #rangeOf({ fromKey, toKey, options }: BackfillStatus): TargetKeyRange {
    const isSameOrder = this.#way.every(({ column }, index) => this.#mapping.target.key[index] === column);
    return {
      source: isSameOrder ? { from: fromKey, to: toKey } : OPEN,
      target: options.targetRange ?? OPEN,
    };
  }

  get #way() {
    const way = keyWayBack(this.#mapping);
    if (!('problem' in way)) return way;
    throw new WalbridgeError({
      code: 'WB7021',
      kind: 'permanent',
      what: `The entity ${this.#mapping.entity} cannot be pruned: ${way.problem}.`,
      safe: 'Nothing was deleted.',
      next: 'Use --truncate-first in place of --prune, or map the key columns as they are.',
    });
  }
}
