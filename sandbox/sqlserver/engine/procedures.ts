// EXEC: statements as text, and the system procedures that the warehouse uses.

import type { Value } from '../session.ts';
import type { Argument, Expr, Of } from './ast.ts';
import { readBatch } from './batch.ts';
import { sqlError, unsupported } from './errors.ts';
import { evaluate } from './evaluate.ts';
import { HELP } from './help-procedures.ts';
import { runBatch } from './interpreter.ts';
import { parseBatch } from './parse.ts';
import { guarded, type Running, variable } from './run.ts';
import { same } from './scope.ts';
import { type Frame, newFrame } from './state.ts';
import { nvarchar } from './types.ts';

type Execute = Of<'execute'>;

export async function executeText(run: Running, e: Expr): Promise<void> {
  await nested(run, (await evaluate(run, e, nvarchar('max'))) ?? '', newFrame(true));
}

async function nested(run: Running, sql: string, frame: Frame): Promise<void> {
  try {
    await runBatch({ ...run, frame, before: 0, sent: undefined }, readBatch(sql));
  } catch (error) {
    // What it made goes with the batch then.
    for (const table of frame.tables) run.frame.tables.add(table);
    throw error;
  }
  await run.state.leave(frame);
}

export async function executeProcedure(run: Running, s: Execute): Promise<void> {
  const name = s.procedure.at(-1)!.toLowerCase();
  const help = HELP[name];
  if (help) return runHelp(run, s, help);
  const handler = PROCEDURES[name];
  if (!handler && KNOWN.test(name)) throw unsupported(name);
  if (!handler) throw sqlError(2812, s.procedure.join('.'));
  const status = await handler(run, s.args);
  if (s.result) variable(run, s.result).value = String(status);
}

async function runHelp(run: Running, s: Execute, { parameters, sql }: (typeof HELP)[string]): Promise<void> {
  const given = await named(run, s.args, parameters);
  const frame = newFrame(true);
  for (const name of parameters)
    frame.variables.set(name, { type: nvarchar(776), value: given.get(name) ?? null });
  await nested(run, sql, frame);
  if (s.result) variable(run, s.result).value = '0';
}

/** Arguments by name, or by position under the given names. */
async function named(
  run: Running,
  args: readonly Argument[],
  names: readonly string[],
): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for (const [i, arg] of args.entries()) {
    const name = arg.name?.toLowerCase() ?? names[i];
    if (!name || !names.includes(name)) throw sqlError(8145, arg.name ?? 'An argument');
    const value = await evaluate(run, arg.e, nvarchar('max'));
    if (value !== null) values.set(name, value);
  }
  return values;
}

/** SQL Server's own, of which only a few are done here. */
const KNOWN =
  /^(sp|xp)_(help|who|lock|space|column|table|fkeys|pkeys|stat|server|database|configure|depends|rename|stored|describe|cursor|prepare|un|update|add|drop|set|cmdshell|msforeach)/;

const PROCEDURES: Readonly<Record<string, (run: Running, args: readonly Argument[]) => Promise<number>>> = {
  sp_executesql: async (run, args) => {
    const [statement, definitions, ...given] = args;
    if (!statement) throw sqlError(201);
    const sql = (await evaluate(run, statement.e, nvarchar('max'))) ?? '';
    const frame = newFrame(true);
    if (definitions)
      await bindParameters(run, frame, (await evaluate(run, definitions.e, nvarchar('max'))) ?? '', given);
    await nested(run, sql, frame);
    for (const arg of given) {
      if (!arg.output || arg.e.k !== 'variable') continue;
      const inner = frame.variables.get((arg.name ?? arg.e.name).toLowerCase());
      if (inner) variable(run, arg.e.name).value = inner.value;
    }
    return 0;
  },
  sp_getapplock: async (run, args) => {
    const given = await named(run, args, [
      '@resource',
      '@lockmode',
      '@lockowner',
      '@locktimeout',
      '@dbprincipal',
    ]);
    const mode = (given.get('@lockmode') ?? '').toLowerCase();
    const isSession = same(given.get('@lockowner') ?? 'Transaction', 'Session');
    if (!['exclusive', 'shared', 'update'].includes(mode))
      throw unsupported(`sp_getapplock with lock mode '${mode}'`);
    if (!isSession && run.state.transaction.count === 0) {
      run.sink.error(sqlError(15626).sqlMessage);
      return -999;
    }
    if (run.state.transaction.doomed) throw sqlError(3930);
    const timeout = Number(given.get('@locktimeout') ?? run.state.lockTimeout);
    return guarded(run, 'EXECUTE', async () => {
      const [row] = await run.state.connection.rows('SELECT _sandbox.get_lock($1,$2,$3,$4)', [
        given.get('@resource') ?? '',
        mode === 'shared' ? 't' : 'f',
        isSession ? 't' : 'f',
        String(timeout),
      ]);
      return Number(row?.[0]);
    });
  },
  sp_releaseapplock: async (run, args) => {
    const given = await named(run, args, ['@resource', '@lockowner', '@dbprincipal']);
    if (!same(given.get('@lockowner') ?? 'Transaction', 'Session'))
      throw unsupported("sp_releaseapplock of a transaction's lock");
    const [row] = await run.state.connection.rows(
      'SELECT pg_advisory_unlock(hashtextextended($1, 0)) OR pg_advisory_unlock_shared(hashtextextended($1, 0))',
      [given.get('@resource') ?? ''],
    );
    if (row?.[0] !== 't') throw sqlError(1223);
    return 0;
  },
};

/** sp_executesql's '@a int, @b nvarchar(10) OUTPUT' and the values given for them. */
async function bindParameters(
  run: Running,
  frame: Frame,
  definitions: string,
  given: readonly Argument[],
): Promise<void> {
  if (!definitions.trim()) return;
  const [declared] = parseBatch(`DECLARE ${definitions.replace(/\b(OUTPUT|OUT|READONLY)\b/gi, '')}`);
  if (declared?.k !== 'declare') throw sqlError(102, definitions);
  for (const [i, { name, type }] of declared.variables.entries()) {
    const arg =
      given.find((g) => g.name !== null && same(g.name, name)) ??
      (given[i]?.name === null ? given[i] : undefined);
    if (!arg) throw sqlError(8178, name);
    const value: Value = await evaluate(run, arg.e, type);
    frame.variables.set(name.toLowerCase(), { type, value });
  }
}
