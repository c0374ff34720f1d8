// The stand-in for SQL Server: the T-SQL engine over PostgreSQL behind a TDS 7.4 listener, with one SQL login.
// Never claims to be SQL Server; serves the loopback interface only.

import { randomBytes } from 'node:crypto';
import { createEngine } from './engine/engine.ts';
import { listen } from './tds/listener.ts';

export interface SqlServerOptions {
  readonly postgres: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
  };
  /** A free one by default. */
  readonly port?: number;
  /** Of the login `sa`; made up by default. */
  readonly password?: string;
}

export interface SqlServer {
  readonly port: number;
  readonly user: 'sa';
  readonly password: string;
  /** For `mssql` and every client that reads ADO.NET connection strings; without a Database. */
  readonly connectionString: string;
  /** As CREATE DATABASE, without a login. @returns its connection string */
  createDatabase(name: string): Promise<string>;
  /** Cuts every open connection, as a network that breaks; new ones are served. For fault tests. */
  dropConnections(): void;
  /** While true, every new connection is cut at once. For fault tests. */
  refuseConnections(refuse: boolean): void;
  stop(): Promise<void>;
}

export async function startSqlServer(options: SqlServerOptions): Promise<SqlServer> {
  const user = 'sa';
  const password = options.password ?? `Sa1-${randomBytes(12).toString('hex')}`;
  const engine = await createEngine({ postgres: options.postgres, login: { user, password } });
  const listener = await listen(engine, options.port);
  const connectionString = `Server=127.0.0.1,${listener.port};User Id=${user};Password=${password};Encrypt=true;TrustServerCertificate=true`;
  return {
    port: listener.port,
    user,
    password,
    connectionString,
    createDatabase: async (name) => {
      await engine.createDatabase(name);
      return `${connectionString};Database=${name}`;
    },
    dropConnections: listener.dropConnections,
    refuseConnections: listener.refuseConnections,
    stop: async () => {
      await listener.stop();
      await engine.close();
    },
  };
}
