// What a session remembers between statements: options, counters, the last errors; and the tables it knows.
import type { SqlType, Value } from '../session.ts';
import type { Name } from './ast.ts';
import type { Connection } from './connection.ts';
import { errors, type SqlError, unsupported } from './errors.ts';
import type { ParameterSource, Surroundings, Write } from './expression.ts';
import { quote, same, shown, type TableMeta } from './scope.ts';
import { type Sight, suits, together } from './seen.ts';
import { loadTable, TableCache } from './tables.ts';
import { Transaction } from './transaction.ts';

/** The databases of the server. */
export interface Databases {
  /** @throws the PostgreSQL error of a name that is taken */
  create(name: string): Promise<void>;
  /** False if there is none of that name. */
  drop(name: string): Promise<boolean>;
}

export interface Login {
  readonly user: string;
  readonly hostname: string;
  readonly application: string;
}

/** What a batch or sp_executesql has of its own: gone at its end. */
export interface Frame {
  readonly variables: Map<string, { type: SqlType; value: Value }>;
  /** Table variables, and the #temporary tables of a procedure. */
  readonly tables: Set<string>;
  /** sp_executesql and EXEC: its #temporary tables end with it. */
  readonly isProcedure: boolean;
}

export const newFrame = (isProcedure: boolean): Frame => ({
  variables: new Map(),
  tables: new Set(),
  isProcedure,
});

/** Thrown by a translation that met a table it does not know yet: load it and translate again. */
class UnknownTable extends Error {
  readonly schema: string;
  readonly table: string;
  readonly written: string;
  constructor(schema: string, table: string, written: string) {
    super(written);
    this.schema = schema;
    this.table = table;
    this.written = written;
  }
}

const VERSION =
  'Microsoft SQL Server 2019 (RTM) - 15.0.2000.5 (X64) \n\twalbridge sandbox: a stand-in over PostgreSQL, not SQL Server';

const ownKey = (name: string): string => `pg_temp.${name}`.toLowerCase();

export class State {
  connection: Connection;
  database: string;
  cache: TableCache;
  readonly login: Login;
  readonly databases: Databases;
  readonly transaction: Transaction;
  xactAbort = false;
  nocount = false;
  lockTimeout = -1;
  rowcount = 0;
  error = 0;
  identity: Value = null;
  identityInsert = '';
  /** Errors that CATCH blocks are handling, innermost last. */
  readonly caught: SqlError[] = [];
  private readonly own = new TableCache();
  /** What is known of the texts in the session's own tables: by table and column. */
  private readonly sights = new Map<string, Map<string, Sight>>();
  /** Tables as this session's uncommitted definitions have them. */
  private uncommitted: TableCache | null = null;
  private appliedTimeout = -1;

  constructor(
    connection: Connection,
    database: string,
    cache: TableCache,
    login: Login,
    databases: Databases,
  ) {
    this.connection = connection;
    this.database = database;
    this.cache = cache;
    this.login = login;
    this.databases = databases;
    this.transaction = new Transaction(
      () => this.connection,
      (committed) => this.transactionEnded(committed),
    );
  }

  private transactionEnded(committed: boolean): void {
    if (committed && this.uncommitted) this.cache.clear();
    this.uncommitted = null;
    if (committed) return;
    this.forgetOwn();
    // PostgreSQL takes SET back with the transaction.
    this.appliedTimeout = Number.NaN;
  }

  /** As after a login: sp_reset_connection. */
  reset(): void {
    this.transaction.count = 0;
    this.transaction.doomed = false;
    this.transaction.isolation = 'READ COMMITTED';
    this.transactionEnded(false);
    this.xactAbort = false;
    this.nocount = false;
    this.lockTimeout = -1;
    this.rowcount = 0;
    this.identity = null;
    this.identityInsert = '';
  }

  /** A definition was run; `own`: of a #temporary table or table variable only, with what is known of a new one. */
  defined(own?: { readonly name: string; readonly created: TableMeta | null }): void {
    if (own) {
      const key = ownKey(own.name);
      this.own.delete(key);
      this.sights.delete(key);
      if (!own.created) return;
      this.own.set(key, own.created);
      this.sights.set(key, new Map(own.created.columns.map((c) => [c.name, 'nothing'])));
      return;
    }
    this.forgetOwn();
    if (this.transaction.live) this.uncommitted = new TableCache();
    else this.cache.clear();
  }

  async leave(frame: Frame): Promise<void> {
    for (const table of frame.tables) {
      await this.connection.script(`DROP TABLE IF EXISTS pg_temp.${quote(table)}`);
      this.defined({ name: table, created: null });
    }
  }

  private forgetOwn(): void {
    this.own.clear();
    this.sights.clear();
  }

  private sightsOf(table: TableMeta): Map<string, Sight> | undefined {
    return table.schema === 'pg_temp' ? this.sights.get(ownKey(table.name)) : undefined;
  }

  /** Rows were loaded into the columns; undefined for a column of which nothing can be said. */
  loaded(table: TableMeta, loads: ReadonlyMap<string, Sight>): void {
    const known = this.sightsOf(table);
    for (const [column, sight] of loads) known?.set(column, together(known.get(column), sight));
  }

  /** A statement writes the columns. */
  written({ table, columns }: Write): void {
    const known = this.sightsOf(table);
    for (const column of columns) known?.delete(column);
  }

  surroundings(frame: Frame): Surroundings {
    return {
      table: (name) => this.table(name),
      variable: (name) => frame.variables.get(name.toLowerCase())?.type,
      identityInsert: (table) => this.identityInsert !== '' && same(this.identityInsert, shown(table)),
      suits: (table, column, to) => suits(this.sightsOf(table)?.get(column), to),
    };
  }

  private table(name: Name): TableMeta {
    const table = name.at(-1)!;
    const database = name.length > 2 ? name.at(-3)! : '';
    if (database && !same(database, this.database) && !same(database, 'tempdb'))
      throw unsupported(`a name in another database (${name.join('.')})`);
    const isOwn = table.startsWith('#') || table.startsWith('@');
    const schema = isOwn ? 'pg_temp' : name.at(-2) || 'dbo';
    const found = this.cacheOf(schema).get(`${schema}.${table}`.toLowerCase());
    if (!found) throw new UnknownTable(schema, table, name.join('.'));
    return found;
  }

  private cacheOf(schema: string): TableCache {
    return schema === 'pg_temp' ? this.own : (this.uncommitted ?? this.cache);
  }

  /** Runs a translation, reading the tables that it asks for. Throws 208. */
  async translate<T>(make: () => T): Promise<T> {
    for (;;) {
      try {
        return make();
      } catch (error) {
        if (!(error instanceof UnknownTable)) throw error;
        const table = await loadTable(this.connection, error.schema, error.table);
        if (!table) throw errors.object(error.written);
        this.cacheOf(error.schema).set(`${error.schema}.${error.table}`.toLowerCase(), table);
      }
    }
  }

  key(schema: string, table: string, constraint: string): { name: string; kind: string } | undefined {
    const caches = [this.own, ...(this.uncommitted ? [this.uncommitted] : []), this.cache];
    for (const cache of caches) {
      const key = cache.key(schema, table, constraint);
      if (key) return key;
    }
    return undefined;
  }

  /** Sends SET LOCK_TIMEOUT where PostgreSQL does not have it yet. */
  async applyTimeout(): Promise<void> {
    if (this.appliedTimeout === this.lockTimeout) return;
    await this.connection.script(
      `SET lock_timeout = ${this.lockTimeout < 0 ? 0 : Math.max(1, this.lockTimeout)}`,
    );
    this.appliedTimeout = this.lockTimeout;
  }

  value(source: ParameterSource, frame: Frame): Value {
    if ('variable' in source) return frame.variables.get(source.variable)?.value ?? null;
    const last = this.caught.at(-1);
    switch (source.session) {
      case '@@ROWCOUNT':
      case 'ROWCOUNT_BIG':
        return String(this.rowcount);
      case '@@TRANCOUNT':
        return String(this.transaction.count);
      case '@@ERROR':
        return String(this.error);
      case '@@SPID':
        return String(this.connection.pid % 32768);
      case '@@VERSION':
        return VERSION;
      case '@@SERVERNAME':
      case '@@SERVICENAME':
        return 'SANDBOX';
      case '@@LANGUAGE':
        return 'us_english';
      case '@@IDENTITY':
      case 'SCOPE_IDENTITY':
        return this.identity;
      case '@@LOCK_TIMEOUT':
        return String(this.lockTimeout);
      case '@@OPTIONS':
        return String(5432 + (this.nocount ? 512 : 0) + (this.xactAbort ? 16384 : 0));
      case '@@NESTLEVEL':
        return '0';
      case '@@DATEFIRST':
        return '7';
      case '@@MAX_PRECISION':
        return '38';
      case 'XACT_STATE':
        return this.transaction.doomed ? '-1' : this.transaction.count > 0 ? '1' : '0';
      case 'ERROR_NUMBER':
        return last ? String(last.number) : null;
      case 'ERROR_MESSAGE':
        return last?.message ?? null;
      case 'ERROR_SEVERITY':
        return last ? String(last.class) : null;
      case 'ERROR_STATE':
        return last ? String(last.state) : null;
      case 'ERROR_LINE':
        return last ? String(Math.max(1, last.line)) : null;
      case 'DB_NAME':
        return this.database;
      case 'APP_NAME':
        return this.login.application;
      case 'HOST_NAME':
        return this.login.hostname;
      case 'USER_NAME':
      case 'CURRENT_USER':
      case 'SESSION_USER':
        return 'dbo';
      case 'ERROR_PROCEDURE':
        return null;
      default:
        return this.login.user;
    }
  }
}
