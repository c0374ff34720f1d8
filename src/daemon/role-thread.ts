// The entry of a role's thread: runs the role until it is told to stop, and meanwhile reads for the supervisor what it asks for.
import { parentPort, workerData } from 'node:worker_threads';
import { asWalbridgeError } from '../fault/fault.ts';
import type { Report } from '../ops/role-report.ts';
import { runApply } from './apply-role.ts';
import { runCapture } from './capture-role.ts';
import { loadMappings } from './load-mappings.ts';
import { createLog, faultFields } from './log.ts';
import { PartReader } from './part-reader.ts';
import type { FromRole, RoleData, ToRole } from './role.ts';
import { refuseLossySource } from './source-guard.ts';

const { role, settings } = workerData as RoleData;
const log = createLog(settings.log, role);
const stopping = new AbortController();
let exitCode = 0;
const say = (message: FromRole) => parentPort?.postMessage(message);

let hasStarted = false;
const report: Report | undefined =
  settings.http.listen === undefined
    ? undefined
    : (told) => {
        if (told.of === 'state' && told.state !== 'starting') hasStarted = true;
        say({ report: told });
      };
let reader: Promise<PartReader | null> = Promise.resolve(null);
parentPort?.on('message', async (message: ToRole) => {
  if (message.say === 'stop') {
    stopping.abort();
    return;
  }
  // A fresh queue is for the role to create: two that do it at once collide.
  const parts = message.parts.filter((part) => part !== 'queue' || hasStarted);
  say({ readings: (await (await reader)?.read(parts)) ?? {} });
});

try {
  const loading = loadMappings(settings);
  reader = loading.then(
    (loaded) => new PartReader(settings, loaded),
    () => null,
  );
  const loaded = await loading;
  if (role === 'capture') await refuseLossySource(settings, loaded, log, stopping.signal);
  await (role === 'capture' ? runCapture : runApply)(settings, loaded, log, stopping.signal, report);
} catch (error) {
  // Waiting for a server that is away ends with the abort's reason: that is a stop, no fault.
  if (!stopping.signal.aborted) {
    const fault = asWalbridgeError(error);
    const cause = fault.code === 'WB9000' && error instanceof Error ? error.stack : undefined;
    log.fatal({ ...faultFields(fault), cause }, fault.what);
    const { code, kind, what, safe, next } = fault;
    exitCode = 1;
    say({ fault: { code, kind, what, safe, next } });
  }
}
// Whatever is still open: the thread ends with its role.
process.exit(exitCode);
