// Runs definitions: of tables, indexes, views, schemas and databases; and keeps what the session knows of tables true to them.
import type { Name, Of } from './ast.ts';
import * as define from './define.ts';
import { createIndex } from './define-key.ts';
import { SqlError, sqlError, unsupported } from './errors.ts';
import type { Binder } from './expression.ts';
import { finish, guarded, type Running, runDefinition, translated, writable } from './run.ts';
import { quote, reference, same, shown, type TableMeta } from './scope.ts';
import type { State } from './state.ts';

/** How each kind of definition is run, and USE. */
export const DEFINITIONS = {
  createTable: (run: Running, s: Of<'createTable'>) => {
    const name = s.table.at(-1)!;
    if (run.frame.isProcedure && name.startsWith('#')) run.frame.tables.add(name);
    const plain = plainTable(name, s);
    const make = (b: Binder): string => define.createTable(b, define.schemaOf(s.table), name, s);
    return runDefinition(run, make, ownTable(s.table, plain), plain && s);
  },
  declareTable: (run: Running, s: Of<'declareTable'>) => {
    run.frame.tables.add(s.name);
    const make = (b: Binder): string =>
      `DROP TABLE IF EXISTS pg_temp.${quote(s.name)};\n${define.createTable(b, 'pg_temp', s.name, s)}`;
    return runDefinition(run, make, ownTable([s.name], plainTable(s.name, s)));
  },
  addColumns: defined(define.addColumns),
  alterColumn: defined(define.alterColumn),
  dropColumns: defined(define.dropColumns),
  dropConstraints: defined(define.dropConstraints),
  createIndex: defined(createIndex),
  createView: defined(define.createView),
  createSchema: defined((_, s: Of<'createSchema'>) => `CREATE SCHEMA ${quote(s.name)}`),
  dropSchema: defined(
    (_, s: Of<'dropSchema'>) => `DROP SCHEMA ${s.ifExists ? 'IF EXISTS ' : ''}${quote(s.name)}`,
  ),
  dropTable: async (run: Running, s: Of<'dropTable'>) => {
    // The session's own are not referred to by others: one round trip for them all.
    const isOwn = s.names.every((name) => define.schemaOf(name) === 'pg_temp');
    for (const names of isOwn ? [s.names] : s.names.map((name) => [name]))
      await dropTables(run, names, s.ifExists);
  },
  createDatabase: database('CREATE DATABASE', ({ databases }, s: Of<'createDatabase'>) =>
    databases.create(s.name),
  ),
  dropDatabase: database('DROP DATABASE', async ({ databases }, s: Of<'dropDatabase'>) => {
    for (const name of s.names) {
      const dropped = await databases.drop(name);
      if (!dropped && !s.ifExists) throw sqlError(3701, 'database', name);
    }
  }),
  use: async (run: Running, s: Of<'use'>) => {
    await guarded(run, 'USE', () => useDatabase(run, s.name));
    finish(run, null);
  },
};

function defined<S>(make: (binder: Binder, s: S) => string) {
  return (run: Running, s: S): Promise<void> => runDefinition(run, (b) => make(b, s));
}

function database<S>(statement: string, act: (state: State, s: S) => Promise<void>) {
  return async (run: Running, s: S): Promise<void> => {
    if (run.state.transaction.count > 0) throw sqlError(226, statement);
    await guarded(run, statement, () => act(run.state, s));
    finish(run, null);
  };
}

/** USE: another connection, as a PostgreSQL session has one database. What lives in the session keeps it where it is. */
async function useDatabase({ state, sink }: Running, name: string): Promise<void> {
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
  const message = `Changed database context to '${state.database}'.`;
  sink.info({ number: 5701, state: 1, class: 0, message, line: 1 });
}

const plain = new WeakMap<object, TableMeta | null>();

/** The same each time that the statement runs, so that translations are good for the next table of its name. */
function plainTable(name: string, s: Of<'createTable' | 'declareTable'>): TableMeta | null {
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

async function dropTables(run: Running, names: readonly Name[], ifExists: boolean): Promise<void> {
  const { state } = run;
  await guarded(run, 'DROP', async () => {
    writable(run);
    const found: TableMeta[] = [];
    const missing: string[] = [];
    for (const name of names) {
      const table = await tableNamed(run, name);
      if (!table) missing.push(name.join('.'));
      else if (table.kind === 'view') throw sqlError(3705, 'TABLE', shown(table), shown(table), 'view');
      else found.push(table);
    }
    const sql = `DROP TABLE ${found.map(reference).join(', ')}`;
    // Nobody but the session knows of its own, and any error would undo the transaction: this one waits for the next statement.
    const isOwn = found.every(({ schema }) => schema === 'pg_temp');
    if (found.length > 0 && isOwn && state.xactAbort && state.transaction.live) state.connection.defer(sql);
    else if (found.length > 0) await state.connection.script(sql);
    for (const { schema, name } of found)
      state.defined(schema === 'pg_temp' ? { name, created: null } : undefined);
    if (missing.length > 0 && !ifExists) throw sqlError(3701, 'table', missing[0]);
  });
  finish(run, null);
}

async function tableNamed(run: Running, name: readonly string[]): Promise<TableMeta | null> {
  try {
    return (await translated(run, null, '', (b) => b.around.table(name))).made;
  } catch (error) {
    if (error instanceof SqlError && error.number === 208) return null;
    throw error;
  }
}
