// The HTTP side by itself: paths, methods, and what fails.
import { afterEach, expect, it } from 'vitest';
import { type HttpServer, serveHttp } from '../../src/ops/http-server.ts';
import type { Readiness } from '../../src/ops/readiness.ts';

const here = { host: '127.0.0.1', port: 0 };
let server: HttpServer | null = null;

afterEach(async () => {
  await server?.close();
  server = null;
});

async function served(readiness: () => Promise<Readiness>): Promise<string> {
  server = await serveHttp(here, {
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'metric 1\n' }),
    readiness,
  });
  return `http://${server.address}`;
}

const ready: Readiness = { ready: true, roles: { apply: 'working' }, reasons: [] };

it('answers its paths to GET and HEAD, and nothing else', async () => {
  const base = await served(async () => ready);
  const metrics = await fetch(`${base}/metrics?of=all`);
  expect([metrics.status, metrics.headers.get('content-type'), await metrics.text()]).toEqual([
    200,
    'text/plain; version=0.0.4',
    'metric 1\n',
  ]);
  const head = await fetch(`${base}/metrics`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '9', '']);
  expect((await fetch(`${base}/readyz`)).status).toBe(200);
  expect((await fetch(`${base}/`)).status).toBe(404);
  const post = await fetch(`${base}/metrics`, { method: 'POST', body: 'x' });
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
});

it('says why it is not ready, and goes on after a failure', async () => {
  const answers: (() => Promise<Readiness>)[] = [
    () => Promise.reject(new Error('unforeseen')),
    async () => ({ ...ready, ready: false, reasons: [{ part: 'queue', state: 'down', code: 'WB7301' }] }),
  ];
  const base = await served(async () => answers.shift()!());
  expect((await fetch(`${base}/readyz`)).status).toBe(500);
  const answer = await fetch(`${base}/readyz`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ ready: false, reasons: [{ code: 'WB7301' }] });
});

it('refuses an address that is taken', async () => {
  const base = await served(async () => ready);
  const port = Number(new URL(base).port);
  await expect(
    serveHttp({ ...here, port }, { metrics: expect.unreachable, readiness: expect.unreachable }),
  ).rejects.toThrow('EADDRINUSE');
});
