/** A request in plain HTTP, passed on: written anew to the address that was judged, and its reply back, both with backpressure. */
import http from 'node:http';
import type net from 'node:net';
import type { HttpRequest } from '@cordon/policy/decide/egress.ts';
import { CordonError } from '@cordon/policy/errors.ts';
import { canonicalUrlPath } from '@cordon/policy/match/url-path.ts';
import { problem } from './denial.ts';
import { dial } from './dial.ts';
import { forwardable, isAmbiguous } from './headers.ts';
import type { Cut } from './held.ts';
import { openTls, type Attachment, type Origination } from './originate.ts';
import { rule, type Pass } from './ruling.ts';
import { absoluteTarget, type Target } from './target.ts';
import type { Way } from './way.ts';

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
export const readRequest = (method: string, path: string): HttpRequest => {
  try {
    return { method, path: canonicalUrlPath(path) };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return { method, path: undefined };
  }
};

/** A reply that cannot be written anew is none. */
const passReply = (reply: http.IncomingMessage, response: http.ServerResponse, { budget }: Way): void => {
  try {
    response.writeHead(reply.statusCode ?? 502, reply.statusMessage ?? '', forwardable(reply));
  } catch {
    reply.destroy();
    return answer(response, 502, problem('egress.upstream', 'the reply is not HTTP'));
  }
  response.flushHeaders(); // whoever waits for events wants to know that they will come
  reply.on('data', (chunk: Buffer) => budget.spend('down', chunk.length));
  reply.pipe(response);
  reply.on('error', () => response.destroy());
};

/** Where TLS is opened for it, it is a request to port 443. */
export const originated = (target: Target, { origination, rules }: Way): Origination | undefined =>
  target.port === 80 && rules().identity.has(target.host) ? origination : undefined;

export interface Asked {
  readonly target: Target;
  /** As the request to the host says it. */
  readonly path: string;
  readonly authority: string;
  readonly pass: Pass;
}

/**
 * The request, not sent yet, on a connection of its own: no two runs, nor two requests of one, share one.
 * @param more fields of this connection
 * @throws CordonError `egress.upstream`, `egress.upstream-proxy`, `egress.certificate`
 */
const prepare = async (
  request: http.IncomingMessage,
  { target, path, authority, pass }: Asked,
  secured: Origination | undefined,
  way: Way,
  opened: (socket: net.Socket) => void,
): Promise<http.ClientRequest> => {
  // What the company's proxy can read is asked of it in the form for that (RFC 9112 §3.2.2): many open tunnels to port 443 alone.
  const upstream = pass.addresses.length === 0 && secured === undefined ? way.upstream : undefined;
  let socket = await dial(target, pass, way.upstream, opened, upstream !== undefined);
  let attached: Attachment | undefined;
  if (secured !== undefined) {
    socket = await openTls(socket, target.host, secured);
    opened(socket);
    attached = await secured.attach(target.host);
  }
  // A body of unknown length keeps its framing: without it, it would be read as the next request.
  const coding = request.headers['transfer-encoding'] === undefined ? [] : ['transfer-encoding', 'chunked'];
  return http.request({
    createConnection: () => socket,
    method: request.method ?? 'GET',
    path: upstream === undefined ? path : `http://${authority}${path}`,
    headers: [
      ...(upstream?.authorization === undefined ? [] : ['proxy-authorization', upstream.authorization]),
      'host',
      authority,
      ...coding,
      ...forwardable(request, attached?.name),
      ...(attached === undefined ? [] : [attached.name, attached.value]),
    ],
    setHost: false,
  });
};

/** @throws CordonError `egress.request`, `host.invalid`, and as `prepare` */
export const forward = async (request: http.IncomingMessage, response: http.ServerResponse, way: Way): Promise<void> => {
  if (isAmbiguous(request))
    return answer(response, 400, problem('egress.request', 'a field stands twice or has a coding other than chunked'));
  const { path, authority, ...plain } = absoluteTarget(request.url ?? '');
  const secured = originated(plain, way);
  const target = secured === undefined ? plain : { host: plain.host, port: 443 };
  const pass = await rule(target, readRequest(request.method ?? 'GET', path), way);
  if ('status' in pass) return answer(response, pass.status, pass.body);
  if (response.destroyed) return;
  let socket: net.Socket | undefined;
  const { host, port } = target;
  const cut = (why: Cut): void => {
    way.decided({ verdict: 'denied', host, port, policy: 'builtin egress', ...why });
    request.socket.destroy();
    socket?.destroy();
  };
  const release = way.holding.hold({ stands: (rules) => pass.stands(rules, socket?.remoteAddress), cut });
  response.once('close', () => {
    release();
    socket?.destroy();
  });
  const upstream = await prepare(request, { target, path, authority, pass }, secured, way, (opened) => (socket = opened));
  if (response.destroyed) return void upstream.destroy();
  upstream.once('response', (reply) => passReply(reply, response, way));
  upstream.on('error', (error) => answer(response, 502, problem('egress.upstream', `${host}:${port} did not answer: ${error.message}`)));
  // An upgrade that nobody asked for ends without an error.
  upstream.once('close', () => {
    if (!response.headersSent && !response.destroyed) answer(response, 502, problem('egress.upstream', 'the reply is not HTTP'));
  });
  request.on('error', () => upstream.destroy());
  request.on('data', (chunk: Buffer) => way.budget.spend('up', chunk.length));
  request.pipe(upstream);
};
