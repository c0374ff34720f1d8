// Tells the daemon that reads the slot, by the queue, that a backfill was asked for or steered.
// Guarantees: never in the way: what was asked for stands in the control table already, and the daemon looks there by itself.
import type { Settings } from '../config/settings.ts';
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';
import { BackfillQueue } from '../lanes/backfill-queue.ts';
import { openQueueBackendOnce, sourceName } from './connections.ts';

/** The daemon is not told at once, and why. */
export type OnUnannounced = (fault: WalbridgeError) => void;

/** `id`: a request that is to have a job; null: one was steered, whatever its job does. Resolves within seconds. */
export async function announceBackfill(
  settings: Settings,
  id: string | null,
  onUnannounced: OnUnannounced,
): Promise<void> {
  try {
    const backend = openQueueBackendOnce(settings, { report: () => undefined });
    // A fresh schema is for the daemon to make.
    const queue = await BackfillQueue.open(backend, settings.source.slot, sourceName(settings), false);
    try {
      if (id !== null) await queue.announce(id);
      await queue.nudge();
    } finally {
      await queue.close().catch(() => undefined);
    }
  } catch (error) {
    const { what } = asWalbridgeError(error);
    onUnannounced(
      new WalbridgeError(
        {
          code: 'WB7027',
          kind: 'transient',
          what: `The queue could not be told of the backfill: ${what}`,
          safe: 'It stands in the control table.',
          next: 'The daemon that reads the slot finds it there by itself.',
        },
        { cause: error },
      ),
    );
  }
}
