// The figures of a run: as a table for the terminal and as the generated section of docs/benchmarks.md.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import Table from 'cli-table3';

export interface Figure {
  readonly name: string;
  readonly value: string;
  /** What is aimed at, and whether it is reached; empty where there is no aim. */
  readonly aim: string;
  readonly reached: boolean | null;
}

export interface Run {
  readonly command: string;
  readonly engine: string;
  readonly queue: string;
  readonly loadBefore: readonly number[];
  readonly figures: readonly Figure[];
}

const BEGIN = '<!-- bench: begin -->';
const END = '<!-- bench: end -->';

export function printTable({ figures }: Run): void {
  const table = new Table({ head: ['', 'measured', 'aim', ''] });
  for (const { name, value, aim, reached } of figures) table.push([name, value, aim, verdict(reached)]);
  process.stdout.write(`${table.toString()}\n`);
}

/** Replaces the generated section of `file`, or begins one at its end. */
export function writeSection(file: string, run: Run): void {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : `# Benchmarks\n\n${BEGIN}\n${END}\n`;
  const [head, rest = ''] = before.split(BEGIN);
  const tail = rest.split(END)[1] ?? '\n';
  writeFileSync(file, `${head?.trimEnd()}\n\n${BEGIN}\n${section(run)}\n${END}${tail}`);
}

function section({ command, engine, queue, loadBefore, figures }: Run): string {
  const load = (average: readonly number[]) => average.map((value) => value.toFixed(1)).join(', ');
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`;
  return [
    '```sh',
    command,
    '```',
    '',
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC · ${machine} · warehouse: ${engine} · queue: ${queue} · everything on this one machine · load average before: ${load(loadBefore)}, after: ${load(loadavg())}`,
    '',
    '| | measured | aim | |',
    '|---|---:|---:|---|',
    ...figures.map(
      ({ name, value, aim, reached }) => `| ${name} | ${value} | ${aim} | ${verdict(reached)} |`,
    ),
  ].join('\n');
}

function verdict(reached: boolean | null): string {
  return reached === null ? '' : reached ? 'reached' : 'missed';
}
