// The sandbox's Redis: emptied and killed as the fault tests do it.
import { connect } from 'node:net';
import { expect, inject, test } from 'vitest';
import { startRedis } from '../../sandbox/redis.ts';

async function command(port: number, line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(`${line}\r\nQUIT\r\n`);
  let reply = '';
  for await (const chunk of socket) reply += String(chunk);
  return reply.split('\r\n')[0]!;
}

test('Redis is there, or a plain message says why not', async () => {
  const redis = await startRedis();
  if ('missing' in redis) {
    expect(redis.missing).toBe(inject('redisMissing'));
    return;
  }
  expect(await command(redis.port, 'SET key value')).toBe('+OK');
  await redis.flushAll();
  expect(await command(redis.port, 'DBSIZE')).toBe(':0');
  await redis.kill();
  await expect(command(redis.port, 'PING')).rejects.toThrow('ECONNREFUSED');
  const again = await startRedis({ port: redis.port });
  expect('url' in again && again.url).toBe(redis.url);
  if ('stop' in again) await again.stop();
});
