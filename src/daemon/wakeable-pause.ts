// The pause between two rounds of a loop, which somebody may cut short.
// Guarantees: it ends at the time, at `wake` or at the signal, whichever is first, and leaves no timer or listener behind.

export class WakeablePause {
  #wake = () => {};

  /** Ends the pause in hand; without one, nothing happens. */
  wake(): void {
    this.#wake();
  }

  /** Resolves after `ms` milliseconds, or earlier. A signal that has aborted before is for the caller to see. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      this.#wake = done;
    });
  }
}
