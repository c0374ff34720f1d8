// What capture asks of the source before it reads: whether the mapped tables' changes are sent at all.
// Guarantees: a publication or replica identity that somebody has edited since `init` ends the start with the statement that
// mends it; changes that would silently stay away are never waited for.
import type { Finding } from '../capture/finding.ts';
import { inspect } from '../capture/inspect.ts';
import { withSource } from '../capture/source-client.ts';
import { readSourceFacts } from '../capture/source-facts.ts';
import type { Settings } from '../config/settings.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { retry } from '../fault/retry.ts';
import { sourceOf } from './connections.ts';
import { wantedSource } from './inspection.ts';
import type { LoadedMappings } from './load-mappings.ts';
import { FaultLog, type Logger } from './log.ts';

/** Findings of tables and publications under which changes, or their keys, are not sent. The tail itself judges the slot. */
const lossy = new Set<string>([
  'WB2120',
  'WB2122',
  'WB2123',
  'WB2124',
  'WB2125',
  'WB2126',
  'WB2130',
  'WB2131',
  'WB2132',
  'WB2133',
  'WB2134',
  'WB2135',
  'WB2136',
  'WB2138',
]);

/** Waits for a source that is away. Throws WB7003 with every finding where changes would be missing. */
export async function refuseLossySource(
  settings: Settings,
  loaded: Pick<LoadedMappings, 'mappings'>,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const wanted = wantedSource(settings, loaded.mappings);
  const faults = new FaultLog(log);
  const findings = await retry(
    () =>
      withSource(sourceOf(settings), async (client) =>
        inspect(await readSourceFacts(client, wanted), wanted),
      ),
    { backoff: settings.retry, signal, onRetry: (fault) => faults.report('source', fault) },
  );
  const missing = findings.filter(isLossy);
  if (missing.length === 0) return;
  throw new WalbridgeError({
    code: 'WB7003',
    kind: 'permanent',
    what: `The source does not send all that the mappings need:\n${listed(missing)}\n`,
    safe: 'Nothing was read or acknowledged.',
    next: 'Mend it (`walbridge init` runs what it can), then start again; what was changed meanwhile needs `walbridge backfill --prune`.',
  });
}

/** Whether changes, or their keys, stay away because of it. */
export function isLossy({ code, severity }: Finding): boolean {
  return severity === 'error' && lossy.has(code);
}

/** The same while the stream runs. `edited`: when it happened, in words; `entities`: whose changes may be missing; none: any. */
export function lossySource(
  missing: readonly Finding[],
  edited: string,
  entities: readonly string[],
): WalbridgeError {
  const which = entities.length === 0 ? '--all' : entities.join(' ');
  return new WalbridgeError({
    code: 'WB7003',
    kind: 'permanent',
    what: `The source was edited ${edited} and does not send all that the mappings need:\n${listed(missing)}\n`,
    safe: 'Nothing that was committed after the edit was acknowledged. What was committed under it is not sent again, though: PostgreSQL reads the WAL with the publication as it was then.',
    next: `Mend it (\`walbridge init\` runs what it can), run \`walbridge backfill ${which} --prune --detach\`, then start again.`,
  });
}

function listed(missing: readonly Finding[]): string {
  return missing.map(({ code, what, next }) => `${code} ${what}\n  ${next}`).join('\n');
}
