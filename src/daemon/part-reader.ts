// Reads source, warehouse and queue for metrics and readiness, in a role's thread, which has their drivers loaded.
// Guarantees: over connections of its own, so that the stream never waits for it; each part answers within a time or is down; one
// reading of a part at a time, whatever hangs.
import type { SlotHealth } from '../capture/slot-health.ts';
import { hoursLeft } from '../capture/slot-health.ts';
import { SlotReader } from '../capture/slot-reader.ts';
import type { Settings } from '../config/settings.ts';
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';
import { LaneQueueReader } from '../lanes/lane-queue.ts';
import type {
  Part,
  PartReading,
  QueueReading,
  Readings,
  SourceReading,
  WarehouseReading,
} from '../ops/part-reading.ts';
import { readAcknowledgementRecord } from '../warehouse/acknowledgement-record.ts';
import { openWarehouse } from '../warehouse/connection.ts';
import { countOpenQuarantine, readVerificationTimes, sumBackfills } from '../warehouse/control-gauges.ts';
import type { Warehouse } from '../warehouse/session.ts';
import { readLastVerifications } from '../warehouse/verification-store.ts';
import { readWatermarks } from '../warehouse/watermark.ts';
import { openQueueBackend, sourceOf, warehouseOf } from './connections.ts';
import { inTime } from './in-time.ts';
import type { LoadedMappings } from './load-mappings.ts';

/** Well within a scrape's usual 10 seconds, and the 5 that a probe should be given. */
const ANSWER_WITHIN_MS = 2000;
/** The write rate is that of so long a time. */
const RATE_WINDOW_MS = 600_000;

type Reader<P extends Part> = () => Promise<Extract<PartReading<P>, { is: 'up' }>['found']>;

export class PartReader {
  readonly #settings: Settings;
  readonly #loaded: LoadedMappings;
  readonly #slot: SlotReader;
  readonly #queues: readonly LaneQueueReader[];
  readonly #pending = new Map<Part, Promise<unknown>>();
  #warehouse: Promise<Warehouse> | null = null;
  /** Oldest first, within the window. */
  #health: { readonly at: number; readonly health: SlotHealth }[] = [];

  constructor(settings: Settings, loaded: LoadedMappings) {
    this.#settings = settings;
    this.#loaded = loaded;
    this.#slot = new SlotReader(sourceOf(settings), settings.source.slot, ANSWER_WITHIN_MS);
    // The role itself tells the log of its queue's server; a second voice would say everything twice.
    const backend = openQueueBackend(settings, { report: () => undefined });
    this.#queues = loaded.lanes.map((lane) => new LaneQueueReader(backend, lane));
  }

  /** Never rejects. */
  async read(wanted: readonly Part[]): Promise<Readings> {
    const [source, warehouse, queue] = await Promise.all([
      wanted.includes('source') ? this.#part('source', () => this.#source()) : undefined,
      wanted.includes('warehouse') ? this.#part('warehouse', () => this.#inWarehouse()) : undefined,
      wanted.includes('queue') ? this.#part('queue', () => this.#queue()) : undefined,
    ]);
    return {
      ...(source !== undefined && { source }),
      ...(warehouse !== undefined && { warehouse }),
      ...(queue !== undefined && { queue }),
    };
  }

  async #part<P extends Part>(part: P, read: Reader<P>): Promise<PartReading<P>> {
    let pending = this.#pending.get(part) as ReturnType<Reader<P>> | undefined;
    if (pending === undefined) {
      pending = read().finally(() => this.#pending.delete(part));
      this.#pending.set(part, pending);
    }
    const late = () => {
      throw silent(part);
    };
    try {
      return { is: 'up', found: await inTime(pending, ANSWER_WITHIN_MS, late) } as PartReading<P>;
    } catch (error) {
      const { code, what } = asWalbridgeError(error);
      return { is: 'down', trouble: { code, what } };
    }
  }

  async #source(): Promise<SourceReading> {
    const { slot } = this.#settings.source;
    const health = await this.#slot.read();
    if (health === null) return { slot, health: null };
    const at = performance.now();
    this.#health = [...this.#health.filter((one) => at - one.at <= RATE_WINDOW_MS), { at, health }];
    const oldest = this.#health[0]!;
    const hours = hoursLeft(health, oldest.health, at - oldest.at);
    const { confirmedLsn: _lsn, ...told } = health;
    return { slot, health: { ...told, safeSeconds: hours === null ? null : hours * 3600 } };
  }

  async #inWarehouse(): Promise<WarehouseReading> {
    const { slot } = this.#settings.source;
    const { lanes, mappings } = this.#loaded;
    const entities = mappings.map(({ entity }) => entity);
    this.#warehouse ??= openWarehouse(warehouseOf(this.#settings), {
      poolSize: 1,
      connectTimeoutMs: ANSWER_WITHIN_MS,
      requestTimeoutMs: ANSWER_WITHIN_MS,
    });
    const opening = this.#warehouse;
    const warehouse = await opening.catch((error) => {
      if (this.#warehouse === opening) this.#warehouse = null;
      throw error;
    });
    const watermarks = await readWatermarks(warehouse);
    const record = await readAcknowledgementRecord(warehouse, slot);
    const quarantine = await countOpenQuarantine(warehouse, entities, lanes);
    const backfills = await sumBackfills(warehouse, entities, lanes);
    const verifications = (await readLastVerifications(warehouse)) ?? [];
    const times = await readVerificationTimes(warehouse);
    return {
      slot,
      hasGap: record === null ? null : record.gap !== null,
      lanes: lanes.map((lane) => {
        const found = watermarks.find((watermark) => watermark.lane === lane);
        const micros = found?.commitTimeMicros ?? null;
        return {
          lane,
          lsn: Number(found?.position.lsn ?? 0n),
          committedAt: micros === null ? null : Number(micros) / 1000,
        };
      }),
      quarantine: entities.map((entity) => ({ entity, openRows: quarantine.get(entity) ?? 0 })),
      backfills,
      verifications: verifications.flatMap((last) => {
        const { entity, state, share, missing, extra, different, quarantined, unsettled } = last;
        if (!entities.includes(entity)) return [];
        const time = times.find((one) => one.entity === entity);
        const finishedAt = Date.parse(last.finishedAt);
        return {
          entity,
          state,
          finishedAt,
          stateSince: time === undefined ? finishedAt : Date.parse(time.stateSince),
          lastEqualAt: time?.lastEqualAt ? Date.parse(time.lastEqualAt) : null,
          ...{ share, missing, extra, different, quarantined, unsettled },
        };
      }),
    };
  }

  async #queue(): Promise<QueueReading> {
    const lanes = await Promise.all(
      this.#queues.map(async (queue) => {
        const { depth, trouble } = await queue.read();
        return {
          lane: queue.lane,
          batches: depth,
          trouble: trouble && { state: trouble.state, code: trouble.code, what: trouble.what },
        };
      }),
    );
    return { lanes };
  }
}

function silent(part: Part): WalbridgeError {
  return new WalbridgeError({
    code: 'WB7301',
    kind: 'transient',
    what: `The ${part} did not answer within ${ANSWER_WITHIN_MS / 1000} s.`,
    safe: 'Nothing depends on it but metrics and readiness.',
    next: 'walbridge asks again when somebody asks it.',
  });
}
