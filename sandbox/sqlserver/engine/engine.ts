// The engine: logs sessions in and makes databases. Each is a PostgreSQL database copied from a template that carries
// SQL Server's collations, functions and catalog views, so that making one takes a tenth of a second.
import type { SqlEngine, SqlMessage, SqlSession } from '../session.ts';
import { type Address, Connection } from './connection.ts';
import { type SqlError, sqlError } from './errors.ts';
import { quote } from './scope.ts';
import { Session } from './sql-session.ts';
import { type Databases, State } from './state.ts';
import { TableCache } from './tables.ts';
import { prepareTemplate, TEMPLATE } from './template.ts';

export interface EngineOptions {
  readonly postgres: Address;
  /** The one SQL login that is let in. */
  readonly login: { readonly user: string; readonly password: string };
}

export interface Engine extends SqlEngine {
  /** As CREATE DATABASE. */
  createDatabase(name: string): Promise<void>;
  close(): Promise<void>;
}

/** Carries the SqlMessage that the wire sends before it closes the connection. */
class LoginRefused extends Error {
  readonly sqlMessage: SqlMessage;
  constructor(error: SqlError) {
    super(error.message);
    this.sqlMessage = error.sqlMessage;
  }
}

const PREFIX = 'mssql_';

export async function createEngine(options: EngineOptions): Promise<Engine> {
  await prepareTemplate(options.postgres);
  const admin = new Connection(options.postgres, 'postgres');
  await admin.open();
  const caches = new Map<string, TableCache>();
  const sessions = new Set<SqlSession>();

  const find = async (name: string): Promise<string | undefined> => {
    const [row] = await admin.rows('SELECT datname FROM pg_database WHERE lower(datname) = lower($1)', [
      PREFIX + name,
    ]);
    return row?.[0]?.slice(PREFIX.length);
  };

  // Case is kept, and not told apart.
  const databases: Databases = {
    async open(name) {
      const database = await find(name);
      if (database === undefined) return undefined;
      const connection = new Connection(options.postgres, PREFIX + database);
      await connection.open();
      const cache = caches.get(database) ?? new TableCache();
      caches.set(database, cache);
      return { connection, database, cache };
    },
    async create(name) {
      await admin.script(
        `CREATE DATABASE ${quote(PREFIX + ((await find(name)) ?? name))} TEMPLATE ${TEMPLATE}`,
      );
    },
    async drop(name) {
      const found = await find(name);
      if (found === undefined) return false;
      await admin.script(`DROP DATABASE ${quote(PREFIX + found)}`);
      caches.delete(found);
      return true;
    },
  };
  if ((await find('master')) === undefined) await databases.create('master');

  return {
    createDatabase: databases.create,
    async open(login) {
      const isKnown =
        login.user.toLowerCase() === options.login.user.toLowerCase() &&
        login.password === options.login.password;
      if (!isKnown) throw new LoginRefused(sqlError(18456, login.user));
      const place = await databases.open(login.database || 'master');
      if (place === undefined) throw new LoginRefused(sqlError(4060, login.database));
      const session = new Session(new State(place, login, databases), {
        cancel: async (pid) => {
          await admin.rows('SELECT pg_cancel_backend($1)', [String(pid)]);
        },
        closed: () => sessions.delete(session),
      });
      sessions.add(session);
      return session;
    },
    async close() {
      await Promise.allSettled([...sessions].map((s) => s.close()));
      await admin.close();
    },
  };
}
