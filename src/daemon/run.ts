// The daemon: starts the roles, follows the signals, serves metrics and health, ends with the first fault.
// Guarantees: SIGTERM and SIGINT stop within the grace, without loss; SIGHUP takes new mappings only where they are valid.
import type { Settings } from '../config/settings.ts';
import { asWalbridgeError, WalbridgeError } from '../fault/fault.ts';
import { type LoadedMappings, loadMappings } from './load-mappings.ts';
import { faultFields, type Logger } from './log.ts';
import type { OpsService } from './ops-service.ts';
import { type Role, type RunningRole, startRole } from './role.ts';

/** Resolves when everything has ended: null after a stop that was asked for, else the fault that ended it. */
export async function runDaemon(
  settings: Settings,
  roles: readonly Role[],
  log: Logger,
): Promise<WalbridgeError | null> {
  // Bad mappings end the start, not a thread.
  let loaded = await loadMappings(settings);
  const ops = await openOps(settings, roles, log);
  let running: RunningRole[] = [];
  let reloading: Promise<void> | null = null;
  let isStopping = false;
  let resolveEnd: (fault: WalbridgeError | null) => void = () => {};
  const end = new Promise<WalbridgeError | null>((resolve) => {
    resolveEnd = resolve;
  });

  const start = () => {
    running = roles.map((role) => startRole(role, settings, (report) => ops?.take(role, report)));
    ops?.watch(running);
    for (const role of running) {
      void role.ended.then((fault) => {
        if (running.includes(role) && !isStopping) resolveEnd(fault);
      });
    }
  };
  const stop = async () => {
    const ending = running;
    running = [];
    await Promise.all(ending.map((role) => role.stop()));
  };

  const onStop = (name: NodeJS.Signals) => {
    log.info({ signal: name }, 'stopping');
    resolveEnd(null);
  };
  const onReload = () => {
    reloading ??= reload().finally(() => {
      reloading = null;
    });
  };
  const reload = async () => {
    try {
      const renewed = await loadMappings(settings);
      refuseMoves(loaded, renewed);
      loaded = renewed;
    } catch (error) {
      const fault = asWalbridgeError(error);
      log.error(faultFields(fault), `the mappings stay as they were: ${fault.what}`);
      return;
    }
    log.info('taking the new mappings');
    await stop();
    if (!isStopping) start();
  };

  process.on('SIGTERM', onStop).on('SIGINT', onStop).on('SIGHUP', onReload);
  try {
    start();
    log.info({ roles }, 'walbridge runs');
    const fault = await end;
    isStopping = true;
    ops?.stopping();
    await reloading;
    await stop();
    return fault;
  } finally {
    process.off('SIGTERM', onStop).off('SIGINT', onStop).off('SIGHUP', onReload);
    await ops?.close();
  }
}

/** Loaded only where somebody is to be served. Throws WB7300. */
async function openOps({ http }: Settings, roles: readonly Role[], log: Logger): Promise<OpsService | null> {
  if (http.listen === undefined) return null;
  const service = await import('./ops-service.ts');
  return service.OpsService.open(http.listen, roles, log);
}

/** An entity changes its lane only at a start, where capture sees whether its lanes are drained. Throws WB7005. */
function refuseMoves(before: LoadedMappings, after: LoadedMappings): void {
  const lanes = new Map(before.mappings.map(({ entity, lane }) => [entity, lane]));
  const moved = after.mappings.filter(({ entity, lane }) => (lanes.get(entity) ?? lane) !== lane);
  if (moved.length === 0) return;
  const names = moved.map(({ entity, lane }) => `${entity} (${lanes.get(entity)} to ${lane})`).join(', ');
  throw new WalbridgeError({
    code: 'WB7005',
    kind: 'permanent',
    what: `The new mappings move entities to other lanes: ${names}.`,
    safe: 'The daemon goes on with the mappings that it has.',
    next: 'Stop walbridge when `walbridge status` shows nothing queued and no lag, then start it with the new lanes.',
  });
}
