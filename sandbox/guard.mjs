// The guard of one server process. It starts the server, and stops it when the pipe on its standard input closes: when its
// owner asks for that, ends, crashes or is killed with SIGKILL. So no way out leaves an orphan server or a temporary folder.
// Plain JavaScript, because it must start within milliseconds and cost little memory.
import { spawn } from 'node:child_process';
import { openSync, readFileSync, rmSync } from 'node:fs';

/** @type {import('./guarded.ts').GuardedCommand} */
const { command, args, user, folder, logFile, stopSignals, removeFolder } = JSON.parse(process.argv[2]);

// A terminal's Ctrl-C reaches the owner; the closing pipe then reaches us.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
process.stdout.on('error', () => {});

const log = openSync(logFile, 'a');
const server = spawn(command, args, { cwd: folder, stdio: ['ignore', log, log], ...user });

function ended(reason) {
  const tail = readFileSync(logFile, 'utf8').slice(-4000);
  if (removeFolder) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.stdout.write(JSON.stringify({ ended: reason, log: tail }), () => process.exit());
}
server.on('error', (error) => ended(error.message));
server.on('exit', (code, signal) => ended(signal ?? `exit code ${code}`));

function stop() {
  stopSignals.forEach(({ signal, afterMs }) => {
    setTimeout(() => server.kill(signal), afterMs);
  });
}
process.stdin.on('close', stop).on('error', stop).resume();
process.stdout.write(`${JSON.stringify({ pid: server.pid })}\n`);
