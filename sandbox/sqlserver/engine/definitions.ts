// Runs definitions: of tables, indexes, views, schemas and databases; and keeps what the session knows of tables true to them.
import type { Statement } from './ast.ts';
import * as define from './define.ts';
import { createIndex, dropIndex } from './define-key.ts';
import { SqlError, sqlError, unsupported } from './errors.ts';
import { finish, guarded, type Running, runDefinition, translated, writable } from './run.ts';
import { quote, reference, same, shown, type TableMeta } from './scope.ts';
import type { State } from './state.ts';

export async function runDatabase(
  { state }: Running,
  s: Extract<Statement, { k: 'createDatabase' | 'dropDatabase' }>,
): Promise<void> {
  const statement = s.k === 'createDatabase' ? 'CREATE DATABASE' : 'DROP DATABASE';
  if (state.transaction.count > 0) throw sqlError(226, statement);
  if (s.k === 'createDatabase') return state.databases.create(s.name);
  for (const name of s.names) {
    const dropped = await state.databases.drop(name);
    if (!dropped && !s.ifExists) throw sqlError(3701, 'database', name);
  }
}

/** USE: another connection, as a PostgreSQL session has one database. What lives in the session keeps it where it is. */
export async function useDatabase({ state, sink }: Running, name: string): Promise<void> {
  const previous = state.database;
  if (!same(name, previous)) {
    if (state.transaction.count > 0) throw unsupported('USE of another database within a transaction');
    const [kept] = await state.connection.rows(
      `SELECT CASE WHEN EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r') THEN '#temporary tables'
        WHEN EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') THEN 'application locks' END`,
      [],
    );
    if (kept?.[0]) throw unsupported(`USE of another database by a session with ${kept[0]}`);
    await state.move(name);
  }
  sink.database(state.database, previous);
  sink.info({
    number: 5701,
    state: 1,
    class: 0,
    message: `Changed database context to '${state.database}'.`,
    line: 1,
  });
}

export type Definition = Extract<
  Statement,
  {
    k:
      | 'createTable'
      | 'declareTable'
      | 'addColumns'
      | 'alterColumn'
      | 'dropColumns'
      | 'createIndex'
      | 'dropIndex'
      | 'drop'
      | 'createSchema'
      | 'createView';
  }
>;

export async function runDefinitionOf(run: Running, s: Definition): Promise<void> {
  switch (s.k) {
    case 'createTable':
      if (run.frame.isProcedure && s.table.at(-1)!.startsWith('#')) run.frame.tables.add(s.table.at(-1)!);
      return runDefinition(
        run,
        (b) => define.createTable(b, define.schemaOf(s.table), s.table.at(-1)!, s),
        ownTable(s.table, plainTable(s.table.at(-1)!, s)),
        plainTable(s.table.at(-1)!, s) && s,
      );
    case 'declareTable':
      run.frame.tables.add(s.name);
      return runDefinition(
        run,
        (b) =>
          `DROP TABLE IF EXISTS pg_temp.${quote(s.name)};\n${define.createTable(b, 'pg_temp', s.name, s)}`,
        ownTable([s.name], plainTable(s.name, s)),
      );
    case 'addColumns':
      return runDefinition(run, (b) => define.addColumns(b, s));
    case 'alterColumn':
      return runDefinition(run, (b) => define.alterColumn(b, s));
    case 'dropColumns':
      return runDefinition(run, (b) => define.dropParts(b, s));
    case 'createIndex':
      return runDefinition(run, (b) => createIndex(b, s));
    case 'dropIndex':
      return runDefinition(run, (b) => dropIndex(b, s));
    case 'createView':
      return runDefinition(run, (b) => define.createView(b, s));
    case 'createSchema':
      return runDefinition(run, () => `CREATE SCHEMA ${quote(s.name)}`);
    case 'drop':
      return dropAll(run, s);
  }
}

const plain = new WeakMap<object, TableMeta | null>();

/** The same each time that the statement runs, so that translations are good for the next table of its name. */
function plainTable(
  name: string,
  s: Extract<Statement, { k: 'createTable' | 'declareTable' }>,
): TableMeta | null {
  const known = plain.get(s);
  if (known !== undefined) return known;
  const made = define.plainTable('pg_temp', name, s);
  plain.set(s, made);
  return made;
}

/** Of a #temporary table or table variable; undefined of any other. */
function ownTable(name: readonly string[], created: TableMeta | null): Parameters<State['defined']>[0] {
  return define.schemaOf(name) === 'pg_temp' ? { name: name.at(-1)!, created } : undefined;
}

async function dropAll(run: Running, s: Extract<Statement, { k: 'drop' }>): Promise<void> {
  // The session's own are not referred to by others: one round trip for them all.
  const isOwn = s.what === 'TABLE' && s.names.every((name) => define.schemaOf(name) === 'pg_temp');
  for (const names of isOwn ? [s.names] : s.names.map((name) => [name])) await drop(run, s, names);
}

async function drop(
  run: Running,
  s: Extract<Statement, { k: 'drop' }>,
  names: readonly (readonly string[])[],
): Promise<void> {
  if (s.what === 'SCHEMA') {
    const name = quote(names[0]!.at(-1)!);
    return runDefinition(run, () => `DROP SCHEMA ${s.ifExists ? 'IF EXISTS ' : ''}${name}`);
  }
  const missing: string[] = [];
  const found: TableMeta[] = [];
  await guarded(run, 'DROP', async () => {
    writable(run);
    for (const name of names) {
      const table = await tableNamed(run, name);
      if (!table) missing.push(name.join('.'));
      else if ((table.kind === 'view') !== (s.what === 'VIEW'))
        throw sqlError(3705, s.what, shown(table), shown(table), table.kind);
      else found.push(table);
    }
    if (found.length > 0) await dropFound(run, s.what, found);
    for (const table of found)
      run.state.defined(table.schema === 'pg_temp' ? { name: table.name, created: null } : undefined);
    if (missing.length > 0 && !s.ifExists) throw sqlError(3701, s.what.toLowerCase(), missing[0]!);
  });
  finish(run, null);
}

async function dropFound({ state }: Running, what: string, found: readonly TableMeta[]): Promise<void> {
  const sql = `DROP ${what} ${found.map(reference).join(', ')}`;
  // Nobody but the session knows of its own, and any error would undo the transaction: this one waits for the next statement.
  if (state.xactAbort && state.transaction.live && found.every(({ schema }) => schema === 'pg_temp'))
    state.connection.defer(sql);
  else await state.connection.script(sql);
}

async function tableNamed(run: Running, name: readonly string[]): Promise<TableMeta | null> {
  try {
    return (await translated(run, null, '', (b) => b.around.table(name))).made;
  } catch (error) {
    if (error instanceof SqlError && error.number === 208) return null;
    throw error;
  }
}
