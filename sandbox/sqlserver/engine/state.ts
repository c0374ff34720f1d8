// What a session remembers between statements: options, counters, the last errors; and the tables it knows.
import type { SqlType, Value } from '../session.ts';
import type { Name } from './ast.ts';
import type { Connection } from './connection.ts';
import { type FailureContext, fromPostgres, type SqlError, sqlError, unsupported } from './errors.ts';
import type { Surroundings, Write } from './expression.ts';
import { quote, same, shown, type TableMeta } from './scope.ts';
import { type Sight, suits, together } from './seen.ts';
import { loadTable, TableCache } from './tables.ts';
import { Transaction } from './transaction.ts';

/** A connection into one database, and what is known of its tables. */
export interface Place {
  readonly connection: Connection;
  /** As it was named when it was made. */
  readonly database: string;
  readonly cache: TableCache;
}

/** The databases of the server. */
export interface Databases {
  /** Undefined if there is none of that name. */
  open(name: string): Promise<Place | undefined>;
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

const ownKey = (name: string): string => `pg_temp.${name}`.toLowerCase();

export class State {
  private place: Place;
  /** Where the session began, and is again after a reset. */
  readonly home: string;
  readonly login: Login;
  readonly databases: Databases;
  readonly transaction: Transaction;
  xactAbort = false;
  nocount = false;
  /** SET FMTONLY: results are described, nothing is run. */
  formatOnly = false;
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

  constructor(place: Place, login: Login, databases: Databases) {
    this.place = place;
    this.home = place.database;
    this.login = login;
    this.databases = databases;
    this.transaction = new Transaction(
      () => this.connection,
      (committed) => this.transactionEnded(committed),
    );
  }

  get connection(): Connection {
    return this.place.connection;
  }

  get database(): string {
    return this.place.database;
  }

  private get cache(): TableCache {
    return this.place.cache;
  }

  /** Goes on in another database, without a transaction and #temporary tables. Throws 911. */
  async move(name: string): Promise<void> {
    const place = await this.databases.open(name);
    if (!place) throw sqlError(911, name);
    const left = this.place;
    this.place = place;
    this.appliedTimeout = Number.NaN;
    this.forgetOwn();
    await left.connection.close();
  }

  private transactionEnded(committed: boolean): void {
    if (committed && this.uncommitted) this.cache.clear();
    this.uncommitted = null;
    if (committed) return;
    this.forgetOwn();
    // PostgreSQL takes SET back with the transaction.
    this.appliedTimeout = Number.NaN;
  }

  /** As after a login, on the same connection. */
  fresh(): State {
    return new State(this.place, this.login, this.databases);
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
        if (!table && /^(sys|information_schema)$/i.test(error.schema))
          throw unsupported(`view ${error.written}`);
        if (!table) throw sqlError(208, error.written);
        this.cacheOf(error.schema).set(`${error.schema}.${error.table}`.toLowerCase(), table);
      }
    }
  }

  /** What SQL Server says of an error of PostgreSQL's. */
  failure(error: unknown, verb: string): Error {
    const caches = [this.own, this.uncommitted, this.cache];
    const key: FailureContext['key'] = (schema, table, constraint) => {
      for (const cache of caches) {
        const found = cache?.key(schema, table, constraint);
        if (found) return found;
      }
      return undefined;
    };
    return fromPostgres(error, { database: this.database, verb, key });
  }

  /** Sends SET LOCK_TIMEOUT where PostgreSQL does not have it yet. */
  async applyTimeout(): Promise<void> {
    if (this.appliedTimeout === this.lockTimeout) return;
    await this.connection.script(
      `SET lock_timeout = ${this.lockTimeout < 0 ? 0 : Math.max(1, this.lockTimeout)}`,
    );
    this.appliedTimeout = this.lockTimeout;
  }
}
