/** The proxy of one run: an HTTP server on the run's own socket. Rules decide, addresses are checked and dialled as checked, a denial says why. */
import http from 'node:http';
import { CordonError } from '@cordon/policy/errors.ts';
import { answer, forward } from './forward.ts';
import { LIMITS } from './limits.ts';
import { problem, type RulingOptions } from './ruling.ts';
import { tunnel } from './tunnel.ts';

/** @returns a server that is not listening yet. Garbage, resets and half-open peers end their connection, never the process. */
export const createProxy = (options: RulingOptions): http.Server => {
  const server = http.createServer({
    maxHeaderSize: LIMITS.headerBytes,
    headersTimeout: LIMITS.headersMs,
    requestTimeout: 0,
    keepAliveTimeout: 5000,
    insecureHTTPParser: false,
  });
  server.maxConnections = LIMITS.connections;
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  server.on('request', (request, response) => {
    forward(request, response, options).catch((error: unknown) =>
      error instanceof CordonError
        ? answer(response, 400, problem(error.code, error.message))
        : answer(response, 502, problem('egress.internal', 'the proxy could not serve this request')),
    );
  });
  server.on('connect', (request, client, head) => {
    client.on('error', () => client.destroy());
    tunnel(request, client, head, options).catch(() => client.destroy());
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    else socket.destroy();
  });
  return server;
};
