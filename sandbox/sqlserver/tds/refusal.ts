// The wire's own errors: what it refuses by name, and what it makes of an error that reaches it.

import type { CarriesSqlMessage, SqlMessage } from '../session.ts';
import { isTruncated } from './bytes.ts';
import { ProtocolError } from './packets.ts';

/** Ends one request (or login) with an ERROR token; the connection goes on. */
export class RequestError extends Error implements CarriesSqlMessage {
  readonly sqlMessage: SqlMessage;

  constructor(number: number, message: string, state = 1, severity = 16) {
    super(message);
    this.sqlMessage = { number, state, class: severity, message, line: 1 };
  }
}

export function refusal(what: string): RequestError {
  // SQL Server's number for a statement that its edition lacks.
  return new RequestError(40510, `sandbox: ${what} is not supported`);
}

/** The message that an error carries; undefined if it is a fault of the stream or of the sandbox. */
export function carriedMessage(error: unknown): SqlMessage | undefined {
  const carried = (error as Partial<CarriesSqlMessage> | null)?.sqlMessage;
  return carried !== undefined && typeof carried.number === 'number' ? carried : undefined;
}

/** What to tell the client of any error: 4002 for a broken stream; a fault of the sandbox has the class that ends a connection. */
export function reason(error: unknown): SqlMessage {
  const carried = carriedMessage(error);
  if (carried !== undefined) return carried;
  if (error instanceof ProtocolError || isTruncated(error)) {
    return { number: 4002, state: 1, class: 16, message: error.message, line: 1 };
  }
  const message = `sandbox: internal error: ${error instanceof Error ? error.message : String(error)}`;
  // SQL Server's "a system assertion check has failed".
  return { number: 3624, state: 1, class: 20, message, line: 1 };
}
