// Why a first load, or a table of it, goes on in chunks.
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';

/** `of`: what is left. */
export function leftToChunks(of: string, reason: string, cause?: unknown): WalbridgeError {
  return new WalbridgeError(
    {
      code: 'WB7030',
      kind: 'transient',
      what: `The first load leaves ${of} to chunks: ${reason}`,
      safe: 'What is recorded is in the warehouse, and nothing is lost.',
      next: 'It goes on by itself; `walbridge backfill show` tells how far it is.',
    },
    { cause },
  );
}

/** A fault of reading from the snapshot. */
export function unreadable(entity: string, error: unknown): WalbridgeError {
  const { code, what } = asWalbridgeError(error);
  return leftToChunks(entity, `the snapshot is gone, or cannot be read (${code} ${what})`, error);
}
