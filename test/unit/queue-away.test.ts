// A command asks the queue's server once: one that is away is a fault within seconds, on either backend.
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { readLaneQueue } from '../../src/lanes/lane-queue.ts';
import { QueueBackend, type QueueBackendSettings } from '../../src/lanes/queue-backend.ts';

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

const backends: Record<string, (port: number) => QueueBackendSettings> = {
  redis: (port) => ({ kind: 'redis', url: `redis://127.0.0.1:${port}`, prefix: 'p' }),
  postgres: (port) => ({
    kind: 'postgres',
    connectionString: `postgresql://127.0.0.1:${port}/q`,
    schema: 'p',
  }),
};

it.each(Object.keys(backends))('names a server on %s that refuses connections', async (kind) => {
  const backend = new QueueBackend(backends[kind]!(await freePort()), () => undefined, 'command');
  await expect(readLaneQueue(backend, 'main')).rejects.toMatchObject({
    code: 'WB5001',
    what: expect.stringContaining('(ECONNREFUSED)'),
  });
});

it('names what a Redis refuses the login with', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const commands = String(chunk).match(/^\*\d+\r$/gm) ?? [];
      for (const _ of commands) socket.write('-WRONGPASS invalid username-password pair\r\n');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address() as { port: number };
  const url = `redis://:no@127.0.0.1:${port}`;
  const backend = new QueueBackend({ kind: 'redis', url, prefix: 'p' }, () => undefined, 'command');
  await expect(readLaneQueue(backend, 'main')).rejects.toMatchObject({
    what: expect.stringContaining('(WRONGPASS)'),
  });
  server.close();
});
