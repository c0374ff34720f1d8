// The nearest valid name, for messages about a name that isn't there.
import { closest, distance } from 'fastest-levenshtein';

/** The candidate that a misspelt name most likely meant; null where none is near. */
export function nearestName(name: string, candidates: readonly string[]): string | null {
  if (candidates.length === 0) return null;
  const nearest = closest(name, candidates);
  return distance(name, nearest) <= Math.max(2, Math.floor(name.length / 3)) ? nearest : null;
}
