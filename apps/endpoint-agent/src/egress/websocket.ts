/** An upgrade to WebSocket in plain HTTP (RFC 6455 §4): a tunnel only after the host has agreed to just that. Every other upgrade is none. */
import { createHash } from 'node:crypto';
import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import { problem } from './denial.ts';
import { dial } from './dial.ts';
import { readRequest } from './forward.ts';
import { forwardable, isAmbiguous } from './headers.ts';
import { join } from './join.ts';
import { LIMITS } from './limits.ts';
import { reply } from './reply.ts';
import { rule } from './ruling.ts';
import { absoluteTarget } from './target.ts';
import type { Way } from './way.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const UPGRADE = ['connection', 'upgrade', 'upgrade', 'websocket'] as const;

const acceptOf = (key: string): string => createHash('sha1').update(`${key}${GUID}`).digest('base64');

export const isWebSocket = ({ method, headers, httpVersion }: http.IncomingMessage): boolean =>
  method === 'GET' &&
  httpVersion === '1.1' &&
  headers.upgrade?.toLowerCase() === 'websocket' &&
  headers['content-length'] === undefined &&
  headers['transfer-encoding'] === undefined;

const headOf = (status: string, fields: readonly string[]): string =>
  `HTTP/1.1 ${status}\r\n${fields.reduce((text, field, i) => `${text}${field}${i % 2 === 0 ? ': ' : '\r\n'}`, '')}\r\n`;

/** Asks the host. @returns its connection, and what it said after it agreed; or its refusal */
const ask = (request: http.IncomingMessage, socket: net.Socket, path: string, authority: string): Promise<Agreed | http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    const asked = http.request({
      createConnection: () => socket,
      path,
      headers: ['host', authority, ...UPGRADE, ...forwardable(request)],
      setHost: false,
    });
    // A client that is gone meanwhile is not heard of: what it says is held.
    const late = setTimeout(() => asked.destroy(new CordonError('egress.upstream', 'the host did not agree in time')), LIMITS.dialMs);
    asked.once('close', () => clearTimeout(late));
    asked.once('upgrade', (response, upgraded, head) => {
      clearTimeout(late);
      resolve({ response, upgraded, head });
    });
    asked.once('response', (response) => {
      clearTimeout(late);
      resolve(response);
    });
    asked.once('error', reject);
    asked.once('close', () => reject(new CordonError('egress.upstream', 'the host ended the connection')));
    asked.end();
  });

interface Agreed {
  readonly response: http.IncomingMessage;
  readonly upgraded: net.Socket;
  readonly head: Buffer;
}

/** @param head what the client said before anybody agreed: nothing may be there. @throws CordonError as `dial`, and `egress.request`, `host.invalid` */
export const upgrade = async (request: http.IncomingMessage, client: Duplex, head: Buffer, way: Way): Promise<void> => {
  const key = request.headers['sec-websocket-key'];
  if (isAmbiguous(request) || head.length > 0 || key === undefined)
    return reply(client, 400, problem('egress.request', 'this is no request for a WebSocket'));
  const { path, authority, ...target } = absoluteTarget(request.url ?? '');
  const pass = await rule(target, readRequest('GET', path), way);
  if ('status' in pass) return reply(client, pass.status, pass.body);
  if (client.destroyed) return;
  let socket: net.Socket | undefined;
  const { host, port } = target;
  const release = way.holding.hold({
    stands: (rules) => pass.stands(rules, socket?.remoteAddress),
    cut: (why) => {
      way.decided({ verdict: 'denied', host, port, policy: 'builtin egress', ...why });
      client.destroy();
      socket?.destroy();
    },
  });
  client.once('close', release);
  const opened = await dial(target, pass, way.upstream, (dialled) => (socket = dialled));
  if (client.destroyed) return void opened.destroy();
  const early = (): void => void opened.destroy();
  client.once('close', early);
  const said = await ask(request, opened, path, authority);
  if (!('upgraded' in said)) {
    const status = said.statusCode ?? 502;
    client.write(headOf(`${status} ${http.STATUS_CODES[status] ?? 'Other'}`, [...forwardable(said), 'connection', 'close']), 'latin1');
    said.on('data', (chunk: Buffer) => way.budget.spend('down', chunk.length));
    said.on('error', () => client.destroy());
    return void said.pipe(client);
  }
  const { response, upgraded } = said;
  if (response.headers.upgrade?.toLowerCase() !== 'websocket' || response.headers['sec-websocket-accept'] !== acceptOf(key)) {
    upgraded.destroy();
    return reply(client, 502, problem('egress.upstream', `${host}:${port} agreed to something else than a WebSocket`));
  }
  client.off('close', early);
  if (said.head.length > 0) upgraded.unshift(said.head);
  const flow = join(client, upgraded, way.budget);
  client.write(headOf('101 Switching Protocols', [...UPGRADE, ...forwardable(response)]), 'latin1');
  flow(Buffer.alloc(0));
};
