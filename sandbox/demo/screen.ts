// What the demo shows: a table that is redrawn in place on a terminal, and a line every other second where there is none.
import Table from 'cli-table3';

export interface Reading {
  /** Seconds since the first reading. */
  readonly seconds: number;
  /** Seconds since the newest change that is in the warehouse was committed in the source; null before the first. */
  readonly lag: number | null;
  /** Changes that the warehouse has taken in each second. */
  readonly applied: number;
  readonly entities: readonly EntityReading[];
}

export interface EntityReading {
  readonly name: string;
  readonly sourceRows: number;
  readonly warehouseRows: number;
  /** Changes a second in the source. */
  readonly rate: number;
}

const LINE_EVERY_SECONDS = 2;

export class Screen {
  readonly #out: NodeJS.WriteStream;
  #drawn = '';
  #lastLine = Number.NEGATIVE_INFINITY;

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out;
  }

  /** A line that stays, above the table. */
  say(text: string): void {
    this.#erase();
    this.#out.write(`${text}\n`);
    this.#out.write(this.#drawn);
  }

  show(reading: Reading): void {
    if (!this.#out.isTTY) {
      if (reading.seconds - this.#lastLine < LINE_EVERY_SECONDS) return;
      this.#lastLine = reading.seconds;
      this.#out.write(`${asLine(reading)}\n`);
      return;
    }
    this.#erase();
    this.#drawn = `${asTable(reading)}\n`;
    this.#out.write(this.#drawn);
  }

  /** Leaves the table as it is; what is said from now on comes below. */
  release(): void {
    this.#drawn = '';
  }

  #erase(): void {
    const height = this.#drawn.split('\n').length - 1;
    if (height > 0) this.#out.write(`\x1b[${height}A\x1b[J`);
  }
}

const seconds = (value: number | null) => (value === null ? '-' : `${value.toFixed(2)} s`);

function asTable({ seconds: time, lag, applied, entities }: Reading): string {
  const table = new Table({
    head: ['entity', 'source rows', 'warehouse rows', 'lag', 'changes/s'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: ['cyan'], border: ['grey'] },
    // No lines between rows.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const { name, sourceRows, warehouseRows, rate } of entities) {
    table.push([name, sourceRows, warehouseRows, seconds(lag), Math.round(rate)]);
  }
  return `${table.toString()}\n${time.toFixed(0)} s; the warehouse takes in ${Math.round(applied)} changes/s`;
}

function asLine({ seconds: time, lag, applied, entities }: Reading): string {
  const rows = entities.map(
    ({ name, sourceRows, warehouseRows }) => `${name} ${warehouseRows}/${sourceRows}`,
  );
  return `${time.toFixed(0).padStart(3)} s  lag ${seconds(lag)}  ${Math.round(applied)} changes/s  ${rows.join('  ')}`;
}
