// walbridge's own version.
import { readFileSync } from 'node:fs';

/** Of package.json, which stands beside `src` and `dist` alike. */
export const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };
