// A backfill's progress on the screen: a bar a step on a terminal, a JSON line a change elsewhere.
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { BackfillStatus } from '../daemon/backfill-control.ts';

/** Nothing more will happen by itself. */
export function isOver(steps: readonly BackfillStatus[]): boolean {
  return steps.every(
    (step) =>
      step.state === 'done' ||
      step.state === 'cancelled' ||
      step.state === 'failed' ||
      step.state === 'paused' ||
      steps.some(
        (other) =>
          other.entity === step.entity &&
          other.range < step.range &&
          (other.state === 'failed' || other.state === 'paused' || other.state === 'cancelled'),
      ),
  );
}

/** Of the usual entities with their step. */
const NAME_WIDTH = 29;

export class BackfillProgress {
  readonly #out: NodeJS.WriteStream;
  readonly #bars: MultiBar | null;
  readonly #steps = new Map<string, { bar: SingleBar; since: number; from: number }>();
  readonly #lines = new Map<string, string>();

  constructor(out: NodeJS.WriteStream, asLines: boolean) {
    this.#out = out;
    this.#bars = asLines
      ? null
      : new MultiBar(
          {
            stream: out,
            format: '{step} {bar} {value}/{total} {rate}/s ETA {left} {state}',
            barsize: 20,
            // Ctrl-C ends the process as ever: nothing of the terminal's state is changed, so nothing need be restored.
            gracefulExit: false,
            hideCursor: false,
            linewrap: true,
          },
          Presets.shades_classic,
        );
  }

  /** `now`: milliseconds. */
  show(steps: readonly BackfillStatus[], now: number): void {
    for (const step of steps) {
      const name = `${step.entity} ${step.kind}`;
      if (this.#bars === null) this.#line(name, step);
      else this.#bar(this.#bars, name, step, now);
    }
  }

  #line(name: string, step: BackfillStatus): void {
    const line = JSON.stringify(step);
    if (this.#lines.get(name) === line) return;
    this.#lines.set(name, line);
    this.#out.write(`${line}\n`);
  }

  #bar(bars: MultiBar, name: string, step: BackfillStatus, now: number): void {
    const rows = step.rowsRead;
    const isDone = step.state === 'done';
    const total = isDone ? Math.max(rows, 1) : Math.max(step.rowsEstimated ?? 0, rows, 1);
    let shown = this.#steps.get(name);
    if (shown === undefined) {
      shown = { bar: bars.create(total, 0), since: now, from: rows };
      this.#steps.set(name, shown);
    }
    const seconds = (now - shown.since) / 1000;
    const rate = seconds > 0 ? Math.round((rows - shown.from) / seconds) : 0;
    shown.bar.setTotal(total);
    shown.bar.update(isDone ? total : rows, {
      step: name.padEnd(NAME_WIDTH),
      rate,
      left: isDone ? '-' : rate > 0 ? `${Math.ceil((total - rows) / rate)} s` : '?',
      state: step.errorCode === null ? step.state : `${step.state} ${step.errorCode}`,
    });
  }

  end(): void {
    this.#bars?.stop();
  }
}
