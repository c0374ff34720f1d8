// The batch that a halted lane holds, read from outside: no worker is needed for it.
// Guarantees: changes nothing; a batch is told as halted only where a worker has said so of it.
import type { LaneBatch } from '../change/batch.ts';
import { fromJobData, type LaneTrouble, troubleSchema } from './job.ts';
import { laneQueueName } from './lane-queue.ts';
import { type QueueBackend, queueFault } from './queue-backend.ts';

export interface HaltedBatch {
  readonly batch: LaneBatch;
  readonly trouble: LaneTrouble;
}

/**
 * Null where the lane does not hold one of this stream: in the hands of a worker, or put back by one that was stopped.
 * Throws WB5001 (transient) where the queue's server is away, WB5003 where the batch cannot be read.
 */
export async function readHaltedBatch(
  backend: QueueBackend,
  lane: string,
  stream: string,
): Promise<HaltedBatch | null> {
  const queue = await backend
    .openQueue(laneQueueName(lane))
    .catch((error) => Promise.reject(queueFault(error)));
  try {
    const held = await queue
      .getActive(0, 0)
      .then(async (active) =>
        active.length > 0 ? active : queue.getJobs(['prioritized', 'waiting'], 0, 0, true),
      )
      .catch((error) => Promise.reject(queueFault(error)));
    const job = held[0];
    const trouble = troubleSchema.safeParse(job?.progress);
    if (job === undefined || !trouble.success || trouble.data.state !== 'halted') return null;
    const batch = fromJobData(job.data, lane, stream);
    return batch === null ? null : { batch, trouble: trouble.data };
  } finally {
    await queue.close();
  }
}
