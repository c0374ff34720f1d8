// walbridge as an operator runs it: the built command line, each call a process of the operating system.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const main = process.env.WALBRIDGE_MAIN ?? fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Log lines that are kept of a process. */
const KEPT_LINES = 2_000;

export type Role = 'all' | 'capture' | 'apply';

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Finished extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function start(args: readonly string[]): ChildProcess {
  // What the machine's environment says of walbridge is no part of the test.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(WALBRIDGE|NODE_OPTIONS)/.test(name)),
  );
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}

/** A command that ends by itself. */
export async function runCommand(config: string, ...args: string[]): Promise<Finished> {
  const child = start(['-c', config, ...args]);
  let [stdout, stderr] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** A running `walbridge run`. */
export class Daemon {
  readonly role: Role;
  readonly lines: LogLine[] = [];
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #stderr = '';
  #exit: Exit | null = null;

  constructor(config: string, role: Role) {
    this.role = role;
    this.#child = start(['-c', config, 'run', '--role', role]);
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.lines.push(parseLine(line));
      if (this.lines.length > KEPT_LINES) this.lines.shift();
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get isRunning(): boolean {
    return this.#exit === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** SIGTERM; resolves with how it ended. */
  stop(): Promise<Exit> {
    this.#child.kill('SIGTERM');
    return this.exited;
  }

  has(text: string): boolean {
    return this.lines.some(({ msg, code }) => msg.includes(text) || code === text);
  }

  /** The first line whose message has `text` in it, or whose fault has it as its code. */
  untilLogged(text: string, withinMs = 30_000): Promise<LogLine> {
    return until(
      `${this.role} logs "${text}"`,
      () => this.lines.find(({ msg, code }) => msg.includes(text) || code === text),
      { withinMs, state: () => this.tail() },
    );
  }

  /** The last lines, for a failing test's message. */
  tail(): string {
    const state = this.#exit === null ? 'running' : `ended with ${this.#exit.code ?? this.#exit.signal}`;
    const lines = this.lines.slice(-15).map((line) => JSON.stringify(line).slice(0, 600));
    return [`${this.role} (${state}):`, ...lines, this.#stderr.slice(-2_000)].join('\n');
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 0, msg: line };
  }
}
