/** The proxy of one run: an HTTP server on the run's own socket. Rules decide, addresses are checked and dialled as checked, a denial says why. */
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import { problem } from './denial.ts';
import { answer, forward } from './forward.ts';
import { LIMITS } from './limits.ts';
import { reply } from './reply.ts';
import { tunnel } from './tunnel.ts';
import type { Way } from './way.ts';
import { isWebSocket, upgrade } from './websocket.ts';

/** What is said of an error: the request's fault, the host's, or nobody's. */
const saidOf = (error: unknown): { readonly status: number; readonly body: string } =>
  error instanceof CordonError
    ? { status: error.code.startsWith('egress.') && error.code !== 'egress.request' ? 502 : 400, body: problem(error.code, error.message) }
    : { status: 502, body: problem('egress.internal', 'the proxy could not serve this request') };

/** @returns a server that is not listening yet. Garbage, resets and half-open peers end their connection, never the process. */
export const createProxy = (way: Way): http.Server => {
  const server = http.createServer({
    maxHeaderSize: LIMITS.headerBytes,
    headersTimeout: LIMITS.headersMs,
    requestTimeout: 0,
    keepAliveTimeout: 5000,
    insecureHTTPParser: false,
    noDelay: true,
    shouldUpgradeCallback: isWebSocket,
  });
  server.maxConnections = LIMITS.connections;
  const serve = (client: Duplex, work: Promise<void>): void => {
    client.on('error', () => client.destroy());
    work.catch((error: unknown) => {
      const { status, body } = saidOf(error);
      reply(client, status, body);
    });
  };
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  server.on('request', (request, response) => {
    forward(request, response, way).catch((error: unknown) => {
      const { status, body } = saidOf(error);
      answer(response, status, body);
    });
  });
  server.on('connect', (request, client, head) => serve(client, tunnel(request, client, head, way)));
  server.on('upgrade', (request, client, head) => serve(client, upgrade(request, client, head, way)));
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    else socket.destroy();
  });
  return server;
};
