// What PostgreSQL, its driver and the network throw, told apart: transient or permanent, and the way on.
// Guarantees: no statement text, value or secret of the foreign error is repeated in the message.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
import { DatabaseError } from 'pg';
import { type FaultDetail, WalbridgeError } from '../fault/fault.ts';

const NOTHING_LOST =
  'Nothing beyond the last durable position was acknowledged, so the source sends the rest again.';

/** Classes that pass by themselves: connection, rollback, resources, object in use, operator intervention, system, internal. */
const TRANSIENT_CLASSES = new Set(['08', '40', '53', '55', '57', '58', 'XX']);
/** Of those classes, what does not pass: wrong state (a slot's), and a database or WAL that is gone. */
const PERMANENT_STATES = new Set(['55000', '57P04', '58P01']);

const refusals: Readonly<Record<string, string>> = {
  '28P01': 'user or password',
  '28000': 'no line of pg_hba.conf, or a role that may not log in',
  '3D000': 'no such database',
  '42501': 'a privilege misses',
};

/** Any error of a connection to the source. WB2001 transient; WB2002 access refused, WB2003 other permanent ones. */
export function sourceFault(error: unknown): WalbridgeError {
  if (error instanceof WalbridgeError) return error;
  if (error instanceof DatabaseError) return serverFault(error);
  const code = errorCode(error);
  if (/CERT|SELF_SIGNED|ERR_TLS|ERR_SSL/.test(code) || /does not support SSL/.test(String(error))) {
    return fault('WB2002', 'permanent', {
      what: `The source's TLS handshake failed (${code || 'TLS is not offered'}).`,
      next: "Check the source connection's TLS settings and the server's certificate.",
      cause: error,
    });
  }
  return fault('WB2001', 'transient', {
    what: `The connection to the source failed (${code || 'it was closed'}).`,
    next: 'The daemon tries again by itself; if it goes on, check host, port, network and server.',
    cause: error,
  });
}

function serverFault(error: DatabaseError): WalbridgeError {
  const state = error.code ?? '';
  if (state.startsWith('28') || state === '3D000' || state === '42501') {
    return fault('WB2002', 'permanent', {
      what: `The source refused access: ${refusals[state] ?? 'login'} (SQLSTATE ${state}).`,
      next: "Check the source's user, password, database and pg_hba.conf; `walbridge init --dry-run` lists the privileges that miss.",
      cause: error,
    });
  }
  const isTransient = TRANSIENT_CLASSES.has(state.slice(0, 2)) && !PERMANENT_STATES.has(state);
  if (isTransient) {
    return fault('WB2001', 'transient', {
      what: `The source ended the connection or could not serve it (SQLSTATE ${state}).`,
      next: "The daemon tries again by itself; if it goes on, see the source's log.",
      cause: error,
    });
  }
  return fault('WB2003', 'permanent', {
    what: `The source refused a command (SQLSTATE ${state}).`,
    next: "Look the time up in the source's log, mend it, and run `walbridge init --dry-run` to see every finding at once.",
    cause: error,
  });
}

/** SQLSTATE of a server's error, else Node's error code, else ''. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

interface Detail {
  readonly what: string;
  readonly next: string;
  readonly cause?: unknown;
}

export function fault(
  code: FaultDetail['code'],
  kind: 'transient' | 'permanent',
  { what, next, cause }: Detail,
): WalbridgeError {
  return new WalbridgeError({ code, kind, what, safe: NOTHING_LOST, next }, { cause });
}

export function missingPublication(names: string): WalbridgeError {
  return fault('WB2013', 'permanent', {
    what: `A publication does not exist in the source: ${names}.`,
    next: 'Run `walbridge init` and start again. Where tables were written while it was missing, that ends here again, for the WAL cannot be read past that: drop the slot, `walbridge init`, `walbridge backfill --all --prune --detach`, start.',
  });
}

export function silentSource(): WalbridgeError {
  return fault('WB2004', 'transient', {
    what: 'The source sent nothing for twice its wal_sender_timeout, though asked to.',
    next: 'The connection is made anew by itself; if it goes on, look at the network between the two.',
  });
}

export function standbySource(slot: string): WalbridgeError {
  return fault('WB2005', 'transient', {
    what: `The source is a stand-by, and has no slot "${slot}" that could be read before it is promoted.`,
    next: 'It is tried again by itself. If it is not about to be promoted, point source.url at the primary.',
  });
}

export function keyWithoutEncoding(): WalbridgeError {
  return fault('WB2031', 'permanent', {
    what: "A key holds bytes that are no UTF-8, and the database's encoding (SQL_ASCII) does not say what they are: rows behind it cannot be looked for.",
    next: 'Mend the key in the source, or move its data to a database with an encoding.',
  });
}
