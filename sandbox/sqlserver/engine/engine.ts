// The engine: logs sessions in and makes databases. Each is a PostgreSQL database copied from a template that carries
// SQL Server's collations, functions and catalog views, so that making one takes a tenth of a second.
import { createHash } from 'node:crypto';
import type { SqlEngine, SqlMessage, SqlSession } from '../session.ts';
import { DATES } from './catalog-dates.ts';
import { FUNCTIONS } from './catalog-functions.ts';
import { VIEWS } from './catalog-views.ts';
import { type Address, Connection } from './connection.ts';
import { SqlError } from './errors.ts';
import { quote } from './scope.ts';
import { Session } from './sql-session.ts';
import { type Databases, State } from './state.ts';
import { TableCache } from './tables.ts';

export interface EngineOptions {
  readonly postgres: Address;
  /** The one SQL login that is let in. */
  readonly login: { readonly user: string; readonly password: string };
}

export interface Engine extends SqlEngine {
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
const CATALOG = FUNCTIONS + DATES + VIEWS;
const TEMPLATE = `mssql_template_${createHash('md5').update(CATALOG).digest('hex').slice(0, 12)}`;

export async function createEngine(options: EngineOptions): Promise<Engine> {
  const admin = new Connection(options.postgres, 'postgres');
  await admin.open();
  await prepareTemplate(admin, options.postgres).catch(async (error: unknown) => {
    await admin.close();
    throw error;
  });
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
    async open(login) {
      const isKnown =
        login.user.toLowerCase() === options.login.user.toLowerCase() &&
        login.password === options.login.password;
      if (!isKnown)
        throw new LoginRefused(new SqlError(18456, `Login failed for user '${login.user}'.`, 1, 14));
      const database = await find(login.database || 'master');
      if (database === undefined) {
        throw new LoginRefused(
          new SqlError(
            4060,
            `Cannot open database "${login.database}" requested by the login. The login failed.`,
            1,
            11,
          ),
        );
      }
      const connection = new Connection(options.postgres, PREFIX + database);
      await connection.open();
      const cache = caches.get(database) ?? new TableCache();
      caches.set(database, cache);
      const session = new Session(new State(connection, database, cache, login, databases), async (pid) => {
        await admin.rows('SELECT pg_cancel_backend($1)', [String(pid)]);
      });
      sessions.add(session);
      connection.client.once('end', () => sessions.delete(session));
      return session;
    },
    async close() {
      await Promise.allSettled([...sessions].map((s) => s.close()));
      await admin.close();
    },
  };
}

/** Made once for a version of the catalog; another process may be at it. */
async function prepareTemplate(admin: Connection, postgres: Address): Promise<void> {
  await admin.script(`SELECT pg_advisory_lock(hashtext('${TEMPLATE}'))`);
  try {
    const [there] = await admin.rows('SELECT 1 FROM pg_database WHERE datname = $1', [TEMPLATE]);
    if (there) return;
    const half = `${TEMPLATE}_half`;
    await admin.script(`DROP DATABASE IF EXISTS ${half}`);
    await admin.script(
      `CREATE DATABASE ${half} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    const connection = new Connection(postgres, half);
    await connection.open();
    try {
      await connection.script(CATALOG);
    } finally {
      await connection.close();
    }
    await admin.script(`ALTER DATABASE ${half} RENAME TO ${TEMPLATE}`);
  } finally {
    await admin.script(`SELECT pg_advisory_unlock(hashtext('${TEMPLATE}'))`);
  }
}
