// The HTTP side: /metrics, /healthz, /readyz, read-only, over node:http.
// Guarantees: what fails in answering is a 500 and nobody else's; a stop leaves no connection open.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readiness } from './readiness.ts';

export interface HttpHandlers {
  metrics(): Promise<{ readonly contentType: string; readonly body: string }>;
  readiness(): Promise<Readiness>;
}

export interface HttpServer {
  /** `127.0.0.1:9464`. */
  readonly address: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const MAX_CONNECTIONS = 100;
const TEXT = 'text/plain; charset=utf-8';

/** Rejects with node's error where the address cannot be listened on. Port 0: any that is free. */
export async function serveHttp(
  { host, port }: { readonly host: string; readonly port: number },
  handlers: HttpHandlers,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    answerTo(request, handlers)
      .catch((): Answer => ({ status: 500, contentType: TEXT, body: 'could not answer\n' }))
      .then((answer) => send(request, response, answer));
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      // Of a single connection, after which others go on.
      server.on('error', () => undefined);
      resolve();
    });
  });
  const bound = server.address() as AddressInfo;
  return {
    address: bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answerTo(request: IncomingMessage, handlers: HttpHandlers): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return { status: 405, contentType: TEXT, body: 'only GET and HEAD\n' };
  switch (request.url?.split('?', 1)[0]) {
    case '/metrics':
      return { status: 200, ...(await handlers.metrics()) };
    case '/healthz':
      return { status: 200, contentType: TEXT, body: 'ok\n' };
    case '/readyz': {
      const readiness = await handlers.readiness();
      return {
        status: readiness.ready ? 200 : 503,
        contentType: 'application/json',
        body: `${JSON.stringify(readiness)}\n`,
      };
    }
    default:
      return { status: 404, contentType: TEXT, body: 'there are /metrics, /healthz and /readyz\n' };
  }
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status, contentType, body }: Answer,
): void {
  const headers = {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(status === 405 && { allow: 'GET, HEAD' }),
  };
  response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body);
}
