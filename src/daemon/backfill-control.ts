// Backfills from outside of the daemon: asked for, looked at, steered, through the control table; the queue only wakes the daemon.
// Guarantees: no daemon need be there; what is asked for outlives the process that asks, and the queue.
import { readStreamSource } from '../capture/stream-source.ts';
import type { Settings } from '../config/settings.ts';
import { WalbridgeError } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { acceptGap } from '../warehouse/accept-gap.ts';
import { readAcknowledgementRecord } from '../warehouse/acknowledgement-record.ts';
import { type BackfillStatus, noOptions } from '../warehouse/backfill-step.ts';
import {
  hasBackfills,
  readBackfills,
  requestBackfill,
  steerBackfill,
  type steering,
} from '../warehouse/backfill-store.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { SourceState } from '../warehouse/source-branch.ts';
import { announceBackfill, type OnUnannounced } from './backfill-announce.ts';
import { type BackfillRequest, chooseEntities, planBackfill, refused } from './backfill-request.ts';
import { resolveSince } from './backfill-since.ts';
import { judgeWhere } from './backfill-where.ts';
import { sourceOf, sourceState, warehouseOf, writtenBy } from './connections.ts';
import { loadMappings } from './load-mappings.ts';

export type { BackfillRequest, BackfillStatus };

/** Whether it leaves every table that it names as the source has it: without a condition or a range, deletes too. */
function isWhole({ where, fromKey, toKey, prune, truncateFirst }: BackfillRequest): boolean {
  return where === null && fromKey === null && toKey === null && (prune || truncateFirst);
}

const everything: BackfillRequest = {
  entities: [],
  all: true,
  where: null,
  since: null,
  sinceColumn: null,
  fromKey: null,
  toKey: null,
  chunkRows: noOptions.chunkRows,
  parallel: null,
  prune: false,
  truncateFirst: false,
};

export class BackfillControl {
  readonly #settings: Settings;
  readonly #warehouse: Warehouse;
  readonly #actor: string;
  readonly #onUnannounced: OnUnannounced;

  private constructor(settings: Settings, warehouse: Warehouse, actor: string, onUnannounced: OnUnannounced) {
    this.#settings = settings;
    this.#warehouse = warehouse;
    this.#actor = actor;
    this.#onUnannounced = onUnannounced;
  }

  /** Throws a WarehouseError where the warehouse cannot be reached. `actor` is written into the audit. */
  static async open(
    settings: Settings,
    actor: string,
    onUnannounced: OnUnannounced = () => undefined,
  ): Promise<BackfillControl> {
    const warehouse = await openWarehouse(warehouseOf(settings), { poolSize: 1 });
    return new BackfillControl(settings, warehouse, actor, onUnannounced);
  }

  /**
   * Returns the id; null where all that it names are entities that changes are missing of and that no mapping has any more: there is
   * no table to fill then. One that brings whole tables to the source's state lets a daemon go on that changes are missing of.
   * Throws WB7024 for what cannot be done, WB7002 for bad mappings, WB2001 to WB2003 where the source is not to be had.
   */
  async request(request: BackfillRequest): Promise<string | null> {
    const { mappings } = await loadMappings(this.#settings);
    const { slot } = this.#settings.source;
    const gone = await this.#gone(request, mappings);
    const chosen = chooseEntities(request, mappings, gone);
    await judgeWhere(request.where, chosen, sourceOf(this.#settings));
    const since = await resolveSince(request, chosen, sourceOf(this.#settings));
    const steps = planBackfill(request, chosen, since);
    const id = steps[0]?.id ?? null;
    const source = isWhole(request) ? await this.#source() : null;
    await requestBackfill(this.#warehouse, steps, this.#actor, async (session) => {
      const entities = request.all ? null : request.entities;
      const isAccepted =
        source !== null &&
        (await acceptGap(session, {
          slot,
          source,
          writtenBy: () => writtenBy(this.#settings),
          entities,
          actor: this.#actor,
          backfill: id,
        }));
      if (gone.length > 0 && !isAccepted) throw notAllOfTheGap(gone);
    });
    await announceBackfill(this.#settings, id, this.#onUnannounced);
    return id;
  }

  /** Every entity, whole, where no backfill was ever asked for; null where one was. Throws as `request` does. */
  async requestFirst(): Promise<string | null> {
    return (await hasBackfills(this.#warehouse)) ? null : this.request(everything);
  }

  /** What it names of the gap that no mapping has any more. Only by its name: under another one, the table may still be mapped. */
  async #gone(request: BackfillRequest, mappings: readonly CompiledMapping[]): Promise<string[]> {
    const unmapped = request.entities.filter((name) => !mappings.some(({ entity }) => entity === name));
    if (unmapped.length === 0 || !isWhole(request)) return [];
    const record = await readAcknowledgementRecord(this.#warehouse, this.#settings.source.slot);
    return unmapped.filter((name) => record?.gap?.entities?.includes(name));
  }

  /** Null without the slot. */
  async #source(): Promise<SourceState | null> {
    const { slot, publications } = this.#settings.source;
    const found = await readStreamSource(sourceOf(this.#settings), slot, publications);
    return found === null ? null : sourceState(found, this.#settings);
  }

  /** The steps of one backfill. Throws WB7025 where there is none, or several, whose id begins so. */
  async show(idStart: string): Promise<BackfillStatus[]> {
    const all = await readBackfills(this.#warehouse, 'all');
    const ids = new Set(all.map(({ id }) => id).filter((id) => id.startsWith(idStart.toLowerCase())));
    const [id] = ids;
    if (ids.size === 1 && id !== undefined) return all.filter((step) => step.id === id);
    throw new WalbridgeError({
      code: 'WB7025',
      kind: 'permanent',
      what: `${ids.size === 0 ? 'No backfill has' : `${ids.size} backfills have`} an id that begins with "${idStart}".`,
      safe: 'Nothing was changed.',
      next: '`walbridge backfill list` shows them.',
    });
  }

  list(): Promise<BackfillStatus[]> {
    return readBackfills(this.#warehouse, 'all');
  }

  /** Returns the steps as they are then. Throws WB7025, and WB7026 where no step is in a state for it. */
  async steer(idStart: string, action: keyof typeof steering): Promise<BackfillStatus[]> {
    const steps = await this.show(idStart);
    const id = steps[0]?.id ?? '';
    if ((await steerBackfill(this.#warehouse, id, action, this.#actor)) === 0) {
      const states = [...new Set(steps.map(({ state }) => state))].join(', ');
      throw new WalbridgeError({
        code: 'WB7026',
        kind: 'permanent',
        what: `There is nothing to ${action}: the backfill is ${states}.`,
        safe: 'Nothing was changed.',
        next: 'See `walbridge backfill show`.',
      });
    }
    await announceBackfill(this.#settings, action === 'resume' ? id : null, this.#onUnannounced);
    return this.show(id);
  }

  close(): Promise<void> {
    return this.#warehouse.close();
  }
}

function notAllOfTheGap(gone: readonly string[]): WalbridgeError {
  return refused(
    `No mapping has ${gone.join(', ')} any more, and changes are missing of other entities, too, or of all.`,
    'Name every entity that `walbridge run` names with WB7004, mapped or not.',
  );
}
