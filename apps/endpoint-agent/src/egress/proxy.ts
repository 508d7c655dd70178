/** The proxy of one run: an HTTP server on the run's own socket. Rules decide, addresses are checked and dialled as checked, a denial says why. */
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import type { EgressIndex, HttpRequest } from '@cordon/policy/decide/egress.ts';
import { explainEgress } from '@cordon/policy/explain.ts';
import { canonicalUrlPath } from '@cordon/policy/match/url-path.ts';
import type { Decision } from './messages.ts';
import { resolveHost, type Lookup } from './resolve-host.ts';
import { absoluteTarget, connectTarget, type Target } from './target.ts';
import { checkServerName } from './tunnel.ts';

export interface ProxyOptions {
  readonly run: string;
  readonly rules: () => EgressIndex;
  readonly lookup: Lookup;
  readonly own: () => ReadonlySet<string>;
  readonly decided: (decision: Decision) => void;
}

const LIMITS = { connections: 256, headerBytes: 16_384, headersMs: 15_000, idleMs: 600_000, dialMs: 20_000 } as const;
/** Connection-specific fields are never forwarded (RFC 9110 §7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
]);

interface Denied {
  readonly status: 400 | 403 | 502;
  readonly body: string;
}

type Ruling = { readonly address: string; readonly family: number } | Denied;

/** A request in plain HTTP, as rules with methods and paths judge it. */
const readRequest = (method: string, path: string): HttpRequest => {
  try {
    return { method, path: canonicalUrlPath(path) };
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return { method, path: undefined };
  }
};

/** Decides about one target, tells the daemon, and finds the address to dial. */
const rule = async (target: Target, http: HttpRequest | undefined, options: ProxyOptions): Promise<Ruling> => {
  const rules = options.rules();
  const explained = explainEgress(rules, target.host, target.port, http);
  const said = {
    run: options.run,
    host: target.host,
    port: target.port,
    rule: explained.rule?.rule ?? 'default-deny',
    policy: explained.rule?.policy ?? '',
  };
  const deny = (status: Denied['status'], code: string, reason: string): Denied => {
    options.decided({ ...said, verdict: 'denied', code });
    const help = `ask the owner of the policy, or see: cordon why ${target.host}:${target.port}`;
    return {
      status,
      body: `${JSON.stringify({ error: code, host: target.host, port: target.port, policy: said.policy, rule: said.rule, reason, help })}\n`,
    };
  };
  if (explained.verdict === 'denied') return deny(403, 'egress.denied', explained.reason);
  try {
    const address = await resolveHost(target.host, explained.private, options.lookup, options.own());
    const [stop] = rules.addressStops(address.address, target.port);
    if (stop !== undefined)
      return deny(403, 'egress.network', `${target.host} leads to ${address.address}, which rule ${stop.rule} of ${stop.policy} stops`);
    options.decided({ ...said, verdict: 'allowed' });
    return address;
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return deny(error.code === 'egress.private' ? 403 : 502, error.code, error.message);
  }
};

const headersFor = (request: http.IncomingMessage, authority: string): string[] => {
  const named = new Set(
    (request.headers.connection ?? '')
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
  const headers = ['host', authority];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? '';
    if (!HOP_BY_HOP.has(name.toLowerCase()) && !named.has(name.toLowerCase())) headers.push(name, request.rawHeaders[i + 1] ?? '');
  }
  return headers;
};

const answer = (response: http.ServerResponse, status: number, body: string): void => {
  if (response.headersSent) return void response.destroy();
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), connection: 'close' })
    .end(body);
};

const problem = (code: string, reason: string): string => `${JSON.stringify({ error: code, reason })}\n`;

/** Fields whose repetition servers read differently (RFC 9112 §6): refused. */
const ambiguous = (request: http.IncomingMessage): boolean => {
  const names = request.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  const coding = request.headers['transfer-encoding'];
  return (
    ['host', 'content-length', 'transfer-encoding'].some((name) => names.indexOf(name) !== names.lastIndexOf(name)) ||
    (coding !== undefined && coding.toLowerCase() !== 'chunked')
  );
};

const forward = async (request: http.IncomingMessage, response: http.ServerResponse, options: ProxyOptions): Promise<void> => {
  if (ambiguous(request))
    return answer(response, 400, problem('egress.request', 'a field stands twice or has a coding other than chunked'));
  const target = absoluteTarget(request.url ?? '');
  const ruling = await rule(target, readRequest(request.method ?? 'GET', target.path), options);
  if ('status' in ruling) return answer(response, ruling.status, ruling.body);
  const upstream = http.request(
    {
      host: ruling.address,
      family: ruling.family,
      port: target.port,
      method: request.method ?? 'GET',
      path: target.path,
      headers: headersFor(request, target.authority),
      setHost: false,
      agent: false,
      timeout: LIMITS.idleMs,
    },
    (reply) => {
      const headers = reply.rawHeaders.filter((_, i) => !HOP_BY_HOP.has((reply.rawHeaders[i - (i % 2)] ?? '').toLowerCase()));
      response.writeHead(reply.statusCode ?? 502, reply.statusMessage ?? '', headers);
      reply.pipe(response);
      reply.on('error', () => response.destroy());
    },
  );
  upstream.on('error', (error) =>
    answer(response, 502, problem('egress.upstream', `${target.host}:${target.port} did not answer: ${error.message}`)),
  );
  upstream.on('timeout', () => upstream.destroy());
  response.on('close', () => upstream.destroy());
  request.on('error', () => upstream.destroy());
  request.pipe(upstream);
};

const tunnel = async (request: http.IncomingMessage, client: Duplex, head: Buffer, options: ProxyOptions): Promise<void> => {
  const reply = (status: number, reason: string, body: string): void =>
    void client.end(
      `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );
  let target: Target;
  try {
    target = connectTarget(request.url ?? '');
  } catch (error) {
    return reply(400, 'Bad Request', problem('egress.request', error instanceof Error ? error.message : 'not understood'));
  }
  const ruling = await rule(target, undefined, options);
  if ('status' in ruling) return reply(ruling.status, ruling.status === 403 ? 'Forbidden' : 'Bad Gateway', ruling.body);
  const upstream = net.connect({ host: ruling.address, port: target.port, family: ruling.family, timeout: LIMITS.dialMs });
  upstream.once('connect', () => {
    upstream.setTimeout(LIMITS.idleMs);
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    checkServerName({
      client,
      upstream,
      head,
      target,
      refused: () =>
        options.decided({
          run: options.run,
          verdict: 'denied',
          host: target.host,
          port: target.port,
          rule: 'server-name',
          policy: 'builtin egress',
          code: 'egress.server-name',
        }),
    });
  });
  upstream.on('timeout', () => upstream.destroy());
  upstream.on('error', () =>
    upstream.connecting
      ? reply(502, 'Bad Gateway', problem('egress.upstream', `${target.host}:${target.port} cannot be reached`))
      : client.destroy(),
  );
  upstream.on('close', () => client.destroy());
  client.on('close', () => upstream.destroy());
};

/** @returns a server that is not listening yet. Garbage, resets and half-open peers end their connection, never the process. */
export const createProxy = (options: ProxyOptions): http.Server => {
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
