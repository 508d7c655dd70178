/** A request in plain HTTP, passed on: written anew to the address that was judged, and its reply back, both with backpressure. */
import http from 'node:http';
import type { HttpRequest } from '@cordon/policy/decide/egress.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalUrlPath } from '@cordon/policy/match/url-path.ts';
import { forwardable, isAmbiguous } from './headers.ts';
import { LIMITS } from './limits.ts';
import { problem, rule, type RulingOptions } from './ruling.ts';
import { absoluteTarget } from './target.ts';

export const answer = (response: http.ServerResponse, status: number, body: string): void => {
  if (response.headersSent) return void response.destroy();
  response
    .writeHead(status, http.STATUS_CODES[status], {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    })
    .end(body);
};

/** The request as rules with methods and paths judge it. */
const readRequest = (method: string, path: string): HttpRequest => {
  try {
    return { method, path: canonicalUrlPath(path) };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return { method, path: undefined };
  }
};

/** A reply that cannot be written anew is none. */
const passReply = (reply: http.IncomingMessage, response: http.ServerResponse): void => {
  try {
    response.writeHead(reply.statusCode ?? 502, reply.statusMessage ?? '', forwardable(reply));
  } catch {
    reply.destroy();
    return answer(response, 502, problem('egress.upstream', 'the reply is not HTTP'));
  }
  reply.pipe(response);
  reply.on('error', () => response.destroy());
};

/** @throws CordonError `egress.request`, `host.invalid` */
export const forward = async (request: http.IncomingMessage, response: http.ServerResponse, options: RulingOptions): Promise<void> => {
  if (isAmbiguous(request))
    return answer(response, 400, problem('egress.request', 'a field stands twice or has a coding other than chunked'));
  const target = absoluteTarget(request.url ?? '');
  const method = request.method ?? 'GET';
  const ruling = await rule(target, readRequest(method, target.path), options);
  if ('status' in ruling) return answer(response, ruling.status, ruling.body);
  if (response.destroyed) return;
  // A body of unknown length keeps its framing: without it, it would be read as the next request.
  const coding = request.headers['transfer-encoding'] === undefined ? [] : ['transfer-encoding', 'chunked'];
  const upstream = http.request({
    host: target.host,
    lookup: ruling.lookup,
    port: target.port,
    method,
    path: target.path,
    headers: ['host', target.authority, ...coding, ...forwardable(request)],
    setHost: false,
    agent: false,
    timeout: LIMITS.dialMs,
  });
  upstream.once('socket', (socket) => socket.once('connect', () => upstream.setTimeout(LIMITS.idleMs)));
  upstream.once('response', (reply) => passReply(reply, response));
  upstream.on('error', (error) =>
    answer(response, 502, problem('egress.upstream', `${target.host}:${target.port} did not answer: ${error.message}`)),
  );
  // An upgrade that nobody asked for ends without an error.
  upstream.once('close', () => {
    if (!response.headersSent && !response.destroyed) answer(response, 502, problem('egress.upstream', 'the reply is not HTTP'));
  });
  upstream.on('timeout', () => upstream.destroy(new Error('it took too long')));
  response.on('close', () => upstream.destroy());
  request.on('error', () => upstream.destroy());
  request.pipe(upstream);
};
