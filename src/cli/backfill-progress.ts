// A backfill's progress on the screen: a bar a step on a terminal, a JSON line a change elsewhere.
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { BackfillStatus } from '../daemon/backfill-control.ts';
import { requestState } from '../warehouse/backfill-step.ts';

/** Nothing more will happen by itself. */
export function isOver(steps: readonly BackfillStatus[]): boolean {
  const state = requestState(steps);
  return state !== 'queued' && state !== 'running';
}

/** Of a step that was split, what its ranges come to together: the state is that of the one that needs attention most. */
export function withoutRanges(steps: readonly BackfillStatus[]): BackfillStatus[] {
  const whole = new Map<string, BackfillStatus>();
  for (const step of steps) {
    const name = `${step.id} ${step.entity} ${step.kind}`;
    const other = whole.get(name);
    whole.set(name, other === undefined ? step : together(other, step));
  }
  return [...whole.values()];
}

const ATTENTION = ['failed', 'paused', 'cancelled', 'running', 'queued', 'done'];

function together(a: BackfillStatus, b: BackfillStatus): BackfillStatus {
  const [first, second] = ATTENTION.indexOf(a.state) <= ATTENTION.indexOf(b.state) ? [a, b] : [b, a];
  // Ranges that wait for their turn behind one that is done: the whole of it runs.
  const isBetween = first.state === 'queued' && second.state === 'done';
  const troubled = first.errorCode === null ? second : first;
  return {
    ...first,
    state: isBetween ? 'running' : first.state,
    chunksDone: a.chunksDone + b.chunksDone,
    // Of a range that has not begun nothing is known yet.
    rowsEstimated:
      a.rowsEstimated === null || b.rowsEstimated === null
        ? (a.rowsEstimated ?? b.rowsEstimated)
        : a.rowsEstimated + b.rowsEstimated,
    rowsRead: a.rowsRead + b.rowsRead,
    rowsWritten: a.rowsWritten + b.rowsWritten,
    rowsYielded: a.rowsYielded + b.rowsYielded,
    rowsPruned: a.rowsPruned + b.rowsPruned,
    errorCode: troubled.errorCode,
    error: troubled.error,
    updatedAt: [a.updatedAt, b.updatedAt].sort()[1] ?? a.updatedAt,
  };
}

/** As JSON; of keys that the step names, their number. */
export function stepLine(step: BackfillStatus): string {
  const { keys, ...options } = step.options;
  return JSON.stringify({
    ...step,
    options: { ...options, ...(keys !== undefined && { keys: keys.length }) },
  });
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
    const bars = this.#bars;
    if (bars === null) {
      for (const step of steps) this.#line(`${step.entity} ${step.kind} ${step.range}`, step);
    } else {
      for (const step of withoutRanges(steps)) this.#bar(bars, `${step.entity} ${step.kind}`, step, now);
    }
  }

  #line(name: string, step: BackfillStatus): void {
    const line = stepLine(step);
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
