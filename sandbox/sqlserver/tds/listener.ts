// Listens for TDS clients and serves each over one engine. Knows nothing of what the engine is.

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import type { SqlEngine } from '../session.ts';
import { Connection } from './connection.ts';

export interface TdsListener {
  readonly port: number;
  /** Cuts every open connection, as a network that breaks; new ones are still accepted. */
  dropConnections(): void;
  /** While true, new connections are cut as soon as they are made. */
  refuseConnections(refuse: boolean): void;
  /** Cuts all and stops listening; resolves once every session is closed. */
  stop(): Promise<void>;
}

/** @param port 0 or absent: any free one. Listens on the loopback interface only. */
export function listen(engine: SqlEngine, port = 0): Promise<TdsListener> {
  const connections = new Set<Connection>();
  let refusing = false;
  const server = createServer((socket: Socket) => {
    if (refusing) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, engine, () => connections.delete(connection));
    connections.add(connection);
  });
  const dropConnections = (): void => {
    for (const connection of connections) connection.destroy();
  };
  return new Promise((resolve, reject) => {
    // Stays on: an error of accept() later must not end the process.
    server.on('error', reject);
    server.listen(port, '127.0.0.1', () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        dropConnections,
        refuseConnections: (refuse) => {
          refusing = refuse;
        },
        stop: async () => {
          const sessions = [...connections].map((connection) => connection.finished);
          const closed = new Promise<void>((done) => server.close(() => done()));
          dropConnections();
          await Promise.all([closed, ...sessions]);
        },
      }),
    );
  });
}
