// Waiting for a condition, never for time to pass.
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks again and again until the answer is neither false, null nor undefined. Throws when it is not there in time; `what` says
 * what was waited for, and `state`, where given, how things stood.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T> | T,
  {
    withinMs = 60_000,
    everyMs = 50,
    state,
  }: { withinMs?: number; everyMs?: number; state?: () => string } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  for (const deadline = Date.now() + withinMs; ; await pause(everyMs)) {
    const answer = await ask();
    if (answer !== false && answer !== null && answer !== undefined) {
      return answer as NonNullable<Exclude<T, false>>;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited ${withinMs} ms in vain until ${what}${state ? `\n${state()}` : ''}`);
    }
  }
}
