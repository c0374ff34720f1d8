// Whether every role of this process does its work, and why not. Pure.
// Guarantees: ready only where each role works or stands by, no lane of it is held up, and every part that it needs answers.
import { parts, type Readings, type Trouble } from './part-reading.ts';
import type { RoleStanding } from './role-board.ts';
import type { RoleState } from './role-report.ts';

/** Why not: of a role, of a lane, or of a part. */
export interface Unreadiness extends Partial<Trouble> {
  readonly role?: string;
  readonly lane?: string;
  readonly part?: string;
  readonly state: RoleState | 'retrying' | 'halted' | 'down' | 'stopping';
}

export interface Readiness {
  readonly ready: boolean;
  readonly roles: Readonly<Record<string, RoleState>>;
  readonly reasons: readonly Unreadiness[];
}

export function readinessOf(
  standings: readonly RoleStanding[],
  readings: Readings,
  isStopping: boolean,
): Readiness {
  const reasons: Unreadiness[] = isStopping ? [{ state: 'stopping' }] : [];
  if (standings.length === 0) reasons.push({ state: 'starting' });
  for (const { role, state, trouble, lanes } of standings) {
    if (state !== 'working' && state !== 'standby') reasons.push({ role, state, ...trouble });
    for (const [lane, { isHalted, ...fault }] of lanes)
      reasons.push({ role, lane, state: isHalted ? 'halted' : 'retrying', ...fault });
  }
  for (const part of parts) {
    const reading = readings[part];
    if (reading?.is === 'down') reasons.push({ part, state: 'down', ...reading.trouble });
  }
  return {
    ready: reasons.length === 0,
    roles: Object.fromEntries(standings.map(({ role, state }) => [role, state])),
    reasons,
  };
}
