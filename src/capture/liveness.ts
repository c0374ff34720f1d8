// Keeps the server from giving the connection up, and gives it up itself when the server has gone silent.
// Guarantees: a status message every interval, under backpressure too; a half-open connection is noticed. Counts its own ticks
// and not the clock, so that a process that was suspended does not blame the server.

export interface LivenessHooks {
  /** Sends the durable position; asks the server for an answer where `replyRequested`. */
  sendStatus(replyRequested: boolean): void;
  /** Messages received so far; any change of it is a sign of life. */
  received(): number;
  /** Nothing is read at the moment, by the consumer's wish: silence proves nothing. */
  isPaused(): boolean;
  /** Nothing was heard for `silenceMs`, though asked. */
  onSilent(): void;
}

/** How often to send a status, and after what silence to give up, for a server's wal_sender_timeout (0: disabled). */
export function livenessIntervals(
  walSenderTimeoutMs: number,
  statusIntervalMs: number,
): { statusMs: number; silenceMs: number } {
  const timeout = walSenderTimeoutMs > 0 ? walSenderTimeoutMs : 60_000;
  return { statusMs: Math.max(10, Math.min(statusIntervalMs, timeout / 2)), silenceMs: timeout * 2 };
}

/** Returns the function that stops it. */
export function watchLiveness(
  intervals: { readonly statusMs: number; readonly silenceMs: number },
  hooks: LivenessHooks,
): () => void {
  const patience = Math.max(2, Math.ceil(intervals.silenceMs / intervals.statusMs));
  let heard = hooks.received();
  let silentTicks = 0;
  const timer = setInterval(() => {
    const received = hooks.received();
    silentTicks = received !== heard || hooks.isPaused() ? 0 : silentTicks + 1;
    heard = received;
    if (silentTicks >= patience) {
      clearInterval(timer);
      hooks.onSilent();
    } else {
      hooks.sendStatus(silentTicks > 0);
    }
  }, intervals.statusMs);
  return () => clearInterval(timer);
}
