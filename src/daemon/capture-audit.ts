// What capture does once a second beside the stream: looks whether warehouse, queue and source are still what it believes, and
// only then lets go of WAL.
// Guarantees: nothing is acknowledged after a lane went back, a warehouse was restored or a publication was edited so that changes
// stay away; the first two are read again where the source still has everything, all else ends capture.
import type { SourceLook, SourceWatch } from '../capture/source-watch.ts';
import type { Watermark } from '../change/batch.ts';
import { comparePositions, formatLsn, formatPosition, ORIGIN, type Position } from '../change/position.ts';
import { asWalbridgeError, type WalbridgeError } from '../fault/fault.ts';
import { type Backoff, retry } from '../fault/retry.ts';
import type { LaneFeed } from '../lanes/feed.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { AcknowledgementGate } from './acknowledgement-gate.ts';
import type { CapturePipeline } from './capture-pipeline.ts';
import type { FaultLog, Logger } from './log.ts';
import { isLossy, lossySource } from './source-guard.ts';
import { WakeablePause } from './wakeable-pause.ts';

export interface AuditOptions {
  readonly feeds: ReadonlyMap<string, LaneFeed>;
  readonly mappings: readonly CompiledMapping[];
  readonly pipeline: CapturePipeline;
  readonly gate: AcknowledgementGate;
  readonly watch: SourceWatch;
  readonly readWatermarks: () => Promise<readonly Watermark[]>;
  readonly isStreaming: () => boolean;
  /** Reads every lane again from its watermark. */
  readonly restart: () => void;
  readonly everyMs: number;
  readonly backoff: Backoff;
  readonly faults: FaultLog;
  readonly log: Logger;
}

export class CaptureAudit {
  readonly #options: AuditOptions;
  #lastGood: SourceLook | null = null;
  readonly #pause = new WakeablePause();

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Audits at once: something of the source has changed. */
  hurry(): void {
    this.#pause.wake();
  }

  /** Until the signal. Throws the permanent faults after which nothing may be acknowledged any more. */
  async run(signal: AbortSignal): Promise<void> {
    const { everyMs, faults } = this.#options;
    while (!signal.aborted) {
      await this.#pause.wait(everyMs, signal);
      if (signal.aborted) return;
      try {
        await this.#round(signal);
        faults.clear('audit');
      } catch (error) {
        if (signal.aborted) return;
        const fault = asWalbridgeError(error);
        if (ending.has(fault.code)) throw fault;
        faults.report('audit', fault);
      }
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { feeds, pipeline, gate, readWatermarks, isStreaming } = this.#options;
    await gate.look();
    const known = [...feeds.values()].map((feed) => ({ feed, watermark: feed.watermark }));
    const watermarks = await readWatermarks();
    const back = known.filter(
      ({ feed, watermark }) => comparePositions(positionOf(feed.lane, watermarks), watermark) < 0,
    );
    if (back.length > 0) {
      // Otherwise it is about to begin there.
      if (!pipeline.isResuming) this.#readAgain(back, watermarks);
      return;
    }
    for (const { feed } of known) {
      feed.confirm(positionOf(feed.lane, watermarks));
      await feed.audit(async () => positionOf(feed.lane, await readWatermarks()));
    }
    const { generation } = pipeline;
    const lsn = pipeline.acknowledgeable();
    const lanes = [...feeds.values()].map(({ lane, watermark }) => ({ lane, position: watermark }));
    if (!isStreaming()) return;
    // Behind what would be acknowledged: an edit that committed before it is seen.
    await this.#lookAtSource(signal);
    // To the server that it was read from, and no other.
    if (lsn !== null && generation === pipeline.generation) await gate.pass(lsn, lanes);
  }

  /** A rewind, or a restore after which nothing was acknowledged: the source has all of it. */
  #readAgain(
    lanes: readonly { readonly feed: LaneFeed; readonly watermark: Position }[],
    watermarks: readonly Watermark[],
  ): void {
    for (const { feed, watermark } of lanes) {
      this.#options.log.warn(
        {
          lane: feed.lane,
          from: formatPosition(watermark),
          to: formatPosition(positionOf(feed.lane, watermarks)),
        },
        'the lane went back: reading again from its watermark',
      );
    }
    this.#options.restart();
  }

  async #lookAtSource(signal: AbortSignal): Promise<void> {
    const { watch, mappings, gate, backoff, faults, log } = this.#options;
    const look = await watch.look();
    const lossy = (look.findings ?? []).filter(isLossy);
    const before = this.#lastGood;
    if (lossy.length === 0) {
      if (look.isEdited && before !== null) {
        log.warn(
          { since: before.at.toISOString(), until: look.at.toISOString() },
          'a publication was edited, and sends all that is mapped: if it did not for a moment, `walbridge backfill --prune` brings what is missing',
        );
      }
      this.#lastGood = look;
      return;
    }
    const entities = mappings
      .filter(({ source }) => look.findingsOf(source).some(isLossy))
      .map(({ entity }) => entity);
    const fault = lossySource(lossy, windowOf(before, look), entities);
    log.error({ code: fault.code, entities }, fault.what);
    await retry(
      () =>
        gate.recordGap({
          code: fault.code,
          reason: fault.what,
          entities: entities.length === 0 ? null : entities,
        }),
      { backoff, signal, onRetry: (trouble) => faults.report('warehouse', trouble) },
    );
    throw fault;
  }
}

/** What `run` ends with: to go on would lose changes without a word. */
const ending = new Set<WalbridgeError['code']>(['WB6302', 'WB6303', 'WB7003', 'WB7004']);

function positionOf(lane: string, watermarks: readonly Watermark[]): Position {
  return watermarks.find((watermark) => watermark.lane === lane)?.position ?? ORIGIN;
}

function windowOf(before: SourceLook | null, look: SourceLook): string {
  const end = `${look.at.toISOString()} (${formatLsn(look.lsn)})`;
  return before === null
    ? `before ${end}`
    : `between ${before.at.toISOString()} (${formatLsn(before.lsn)}) and ${end}`;
}
