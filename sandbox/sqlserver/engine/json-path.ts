// JSON paths of T-SQL as the text arrays that PostgreSQL's #> takes.
import { sqlError, unsupported } from './errors.ts';
import { type Bound, text } from './scope.ts';

const STEP = /\.\s*"((?:[^"\\]|\\.)*)"|\.\s*([\p{L}_$][\p{L}\p{N}_$]*)|\[(\d+)\]/gu;

/** Of a path that is an argument; the whole, without one. Throws 13607, or refuses what is no literal. */
export function jsonPath(path: Bound | undefined): string {
  if (path && path.literal === undefined) throw unsupported('a JSON path that is not a literal');
  return pathAsArray(path?.literal ?? '$');
}

/** `lax $.a."b c"[0]`. */
export function pathAsArray(path: string): string {
  const m = /^\s*(lax\s+|strict\s+)?\$(.*)$/s.exec(path);
  if (!m || m[1]?.startsWith('strict')) throw unsupported(`JSON path '${path}'`);
  const steps: string[] = [];
  const rest = m[2]!.replace(STEP, (_, quoted, word, index) => {
    steps.push(quoted ?? word ?? index);
    return '';
  });
  if (rest.trim()) throw sqlError(13607, rest.trim()[0], path.length - rest.length);
  const quoted = steps.map((s) => `"${s.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`);
  return `${text(`{${quoted.join(',')}}`)}::text[]`;
}
