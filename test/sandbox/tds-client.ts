// tedious behind promises, for the wire's own tests: one connection, one request at a time.

import { Connection, type ConnectionOptions, Request, TYPES } from 'tedious';
import { PASSWORD, USER } from './tds-scripted.ts';

interface Column {
  readonly colName: string;
  readonly type: { readonly name: string };
  readonly dataLength?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly flags: number;
}

export interface Answer {
  readonly rows: unknown[][];
  readonly columns: Column[];
  readonly rowCount: number | undefined;
  readonly outputs: Record<string, unknown>;
  readonly returnStatus: number | undefined;
}

export function connect(
  port: number,
  options: ConnectionOptions = {},
  login: { user?: string; password?: string } = {},
): Promise<Connection> {
  const connection = new Connection({
    server: 'localhost',
    authentication: {
      type: 'default',
      options: { userName: login.user ?? USER, password: login.password ?? PASSWORD },
    },
    options: {
      port,
      encrypt: false,
      trustServerCertificate: true,
      useUTC: true,
      database: 'crm',
      ...options,
    },
  });
  // Without a listener tedious' error of a cut connection would end the test run.
  connection.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve(connection)));
  });
}

/** Runs what `start` starts; the request's parameters are added by `prepare`. */
export function run(
  connection: Connection,
  sql: string,
  start: 'execSql' | 'execSqlBatch' | 'callProcedure' = 'execSqlBatch',
  prepare: (request: Request) => void = () => undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const answer = {
      rows: [] as unknown[][],
      columns: [] as Column[],
      outputs: {} as Record<string, unknown>,
      returnStatus: undefined as number | undefined,
    };
    const request = new Request(sql, (error, rowCount) =>
      error ? reject(error) : resolve({ ...answer, rowCount }),
    );
    request.on('columnMetadata', (columns) => {
      answer.columns = columns as unknown as Column[];
    });
    request.on('row', (columns: { value: unknown }[]) => {
      answer.rows.push(columns.map(({ value }) => value));
    });
    request.on('returnValue', (name: string, value: unknown) => {
      answer.outputs[name] = value;
    });
    request.on('doneProc', (_count, _more, status: number | undefined) => {
      answer.returnStatus = status;
    });
    prepare(request);
    connection[start](request);
  });
}

export { TYPES };
