// A batch as a BullMQ job: its name, its JSON, and back.
// Guarantees: the job's id is a function of what the batch spans, so that a batch sent twice is queued once;
// a job that another stream or another version wrote is told from a batch of ours.
import { z } from 'zod';
import type { LaneBatch } from '../change/batch.ts';
import { formatPosition, parsePosition } from '../change/position.ts';
import { WalbridgeError } from '../fault/fault.ts';

const position = z.string().transform((text, context) => {
  try {
    return parsePosition(text);
  } catch {
    context.addIssue('expected an LSN, or LSN+count');
    return z.NEVER;
  }
});

const jobSchema = z.object({
  format: z.literal(1),
  stream: z.string(),
  lane: z.string(),
  previous: position,
  last: position,
  /** Older versions have none. */
  epoch: z.number().int().optional(),
  changes: z.number().int().nonnegative(),
  commitTimeMicros: z
    .string()
    .regex(/^-?\d+$/)
    .transform(BigInt),
  // Not checked as base64: megabytes would be scanned twice; the payload carries its own checksum.
  payload: z.string(),
});

/** What BullMQ stores. */
export type LaneJobData = z.input<typeof jobSchema>;

/** What keeps a batch from being applied: the job's progress, for all to see. */
export const troubleSchema = z.object({
  state: z.enum(['retrying', 'halted']),
  code: z.string(),
  what: z.string(),
  /** ISO time. */
  at: z.string(),
});

export type LaneTrouble = z.output<typeof troubleSchema>;

/** `previous..last`, and the epoch: unique within a lane. */
export function batchId({ previous, last, epoch }: Pick<LaneBatch, 'previous' | 'last' | 'epoch'>): string {
  const span = `${formatPosition(previous)}..${formatPosition(last)}`;
  return epoch === undefined ? span : `${span}@${epoch}`;
}

/** `stream` names the source and slot that the batch was read from. */
export function toJobData(batch: LaneBatch, stream: string): LaneJobData {
  return {
    format: 1,
    stream,
    lane: batch.lane,
    previous: formatPosition(batch.previous),
    last: formatPosition(batch.last),
    ...(batch.epoch !== undefined && { epoch: batch.epoch }),
    changes: batch.changes,
    commitTimeMicros: batch.commitTimeMicros.toString(),
    payload: batch.payload.toString('base64'),
  };
}

/** The batch of a job; null where the job is not of this stream and lane. Throws WB5003 where it is ours but broken. */
export function fromJobData(data: unknown, lane: string, stream: string): LaneBatch | null {
  const named = z.object({ stream: z.string(), lane: z.string() }).safeParse(data);
  if (!named.success || named.data.stream !== stream || named.data.lane !== lane) return null;
  const parsed = jobSchema.safeParse(data);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new WalbridgeError({
      code: 'WB5003',
      kind: 'permanent',
      what: `A batch in lane '${lane}' cannot be read: ${issue?.path.join('.') ?? 'job'}: ${issue?.message ?? 'malformed'}.`,
      safe: 'It was not applied and is kept in the queue.',
      next: 'Check that capture and apply run the same version of walbridge, then restart; an emptied queue is filled again from the WAL.',
    });
  }
  const { payload, epoch, format: _format, stream: _stream, ...rest } = parsed.data;
  return { ...rest, ...(epoch !== undefined && { epoch }), payload: Buffer.from(payload, 'base64') };
}
