// The built daemon as a process, and what the kernel says of it: CPU time and peak of resident memory (Linux's /proc).
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Of utime and stime: USER_HZ is 100 on every Linux that Node runs on. */
const MICROS_A_TICK = 10_000;

/** walbridge refuses variables of its prefix that it does not know, and must not see those of this shell. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('WALBRIDGE_')),
);

/** Runs a command of walbridge to its end. @throws Error with its output when it fails */
export async function walbridge(main: string, config: string, ...command: string[]): Promise<void> {
  await run(process.execPath, [main, '-c', config, ...command], { env });
}

export interface Daemon {
  /** User and system time of all its threads so far, microseconds. */
  cpuMicros(): number;
  /** VmHWM: the most memory that was ever resident, bytes. */
  peakBytes(): number;
  stop(): Promise<void>;
}

/** WALBRIDGE_BENCH_NODE_OPTIONS: given to its Node, such as `--cpu-prof --cpu-prof-dir=profiles`. */
export function startDaemon(main: string, config: string): Daemon {
  const nodeOptions = process.env.WALBRIDGE_BENCH_NODE_OPTIONS?.split(' ') ?? [];
  const child = spawn(process.execPath, [...nodeOptions, main, '-c', config, 'run'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
  });
  const exited = once(child, 'exit');
  const proc = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
  return {
    cpuMicros: () => {
      // Behind the command's name, which may hold anything: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
      const fields = proc('stat').split(') ').at(-1)?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * MICROS_A_TICK;
    },
    peakBytes: () => Number(/VmHWM:\s+(\d+) kB/.exec(proc('status'))?.[1]) * 1024,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
