// Waiting for an answer, and not for longer than somebody has.
// Guarantees: no timer is left behind; what comes too late goes nowhere, a failure too.

/** The work's result, or after `ms` milliseconds that of `late`. Throws what the one of them throws that was first. */
export async function inTime<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  work.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const instead = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  }).then(late);
  try {
    return await Promise.race([work, instead]);
  } finally {
    clearTimeout(timer);
  }
}
