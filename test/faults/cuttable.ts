// A TCP relay in front of a server, so that a test can cut the network between the two: it works with any server.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Cuttable {
  readonly port: number;
  /** Cuts every open connection; new ones are served. */
  cut(): void;
  /** While true, every open connection is cut and new ones too. */
  refuse(refuse: boolean): void;
  stop(): Promise<void>;
}

export async function relay(host: string, port: number): Promise<Cuttable> {
  const sockets = new Set<Socket>();
  let isRefusing = false;
  const server = createServer({ noDelay: true }, (near) => {
    if (isRefusing) {
      near.destroy();
      return;
    }
    const far = connect({ host, port, noDelay: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    refuse: (refuse) => {
      isRefusing = refuse;
      if (refuse) cut();
    },
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      await closed;
    },
  };
}
