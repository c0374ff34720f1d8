// The entry of a role's thread: runs the role until it is told to stop.
import { parentPort, workerData } from 'node:worker_threads';
import { asWalbridgeError } from '../fault/fault.ts';
import { runApply } from './apply-role.ts';
import { runCapture } from './capture-role.ts';
import { loadMappings } from './load-mappings.ts';
import { createLog, faultFields } from './log.ts';
import type { RoleData, RoleFault } from './role.ts';
import { refuseLossySource } from './source-guard.ts';

const { role, settings } = workerData as RoleData;
const log = createLog(settings.log, role);
const stopping = new AbortController();
let exitCode = 0;
parentPort?.once('message', () => stopping.abort());

try {
  const loaded = await loadMappings(settings);
  if (role === 'capture') await refuseLossySource(settings, loaded, log, stopping.signal);
  await (role === 'capture' ? runCapture : runApply)(settings, loaded, log, stopping.signal);
} catch (error) {
  // Waiting for a server that is away ends with the abort's reason: that is a stop, no fault.
  if (!stopping.signal.aborted) {
    const fault = asWalbridgeError(error);
    const cause = fault.code === 'WB9000' && error instanceof Error ? error.stack : undefined;
    log.fatal({ ...faultFields(fault), cause }, fault.what);
    const { code, kind, what, safe, next } = fault;
    exitCode = 1;
    parentPort?.postMessage({ fault: { code, kind, what, safe, next } } satisfies RoleFault);
  }
}
// Whatever is still open: the thread ends with its role.
process.exit(exitCode);
