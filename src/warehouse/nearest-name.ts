// The nearest valid name, for messages about a name that isn't there.
import { closest } from 'fastest-levenshtein';

/** `; nearest: x`, or nothing where there is none to offer. */
export function nearestName(name: string, known: readonly string[]): string {
  return known.length === 0 ? '' : `; nearest: ${closest(name, [...known])}`;
}
