#!/usr/bin/env node
import { Command, CommanderError, Help } from 'commander';
// The command line: one file a command; this one only puts them together. Commands load what they need when they run: the
// daemon's supervisor, which lives as long as it does, should not hold the drivers that its roles have.
import { version } from '../text/version.ts';
import { addBackfill } from './backfill.ts';
import { addCheck } from './check.ts';
import { exitCodes } from './context.ts';
import { addGenerate } from './generate.ts';
import { addHealth } from './health.ts';
import { addInit } from './init.ts';
import { addRewind } from './rewind.ts';
import { addRun } from './run.ts';
import { addSkip } from './skip.ts';
import { addStatus } from './status.ts';
import { addVerify } from './verify.ts';

const program = new Command('walbridge')
  .description('Change data capture from PostgreSQL to SQL Server: exactly once, transactions whole.')
  .version(version)
  .option(
    '-c, --config <file>',
    'configuration file',
    process.env.WALBRIDGE_CONFIG ?? 'config/walbridge.yaml',
  )
  // That a switch is off unless it is given goes without saying.
  .configureHelp({
    optionDescription: (option) =>
      option.defaultValue === false ? option.description : new Help().optionDescription(option),
  })
  .showHelpAfterError()
  .exitOverride();
for (const add of [
  addRun,
  addInit,
  addCheck,
  addGenerate,
  addStatus,
  addHealth,
  addBackfill,
  addRewind,
  addSkip,
  addVerify,
])
  add(program);
for (const command of program.commands) {
  command.exitOverride();
  for (const inner of command.commands) inner.exitOverride();
}

// `walbridge check | head`: whoever reads has enough, and the rest goes nowhere.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.badInput;
}
