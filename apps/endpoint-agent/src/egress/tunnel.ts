/** CONNECT: a tunnel to an address that was judged, for a host that its first bytes must name too. */
import type { IncomingMessage } from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { CordonError } from '@cordon/policy/errors.ts';
import { problem } from './denial.ts';
import { dial } from './dial.ts';
import type { Cut } from './held.ts';
import { join } from './join.ts';
import { reply } from './reply.ts';
import { rule } from './ruling.ts';
import { checkServerName } from './server-name.ts';
import { connectTarget, type Target } from './target.ts';
import type { Way } from './way.ts';

const targetOf = (request: IncomingMessage): Target | string => {
  try {
    return connectTarget(request.url ?? '');
  } catch (error) {
    return problem('egress.request', error instanceof Error ? error.message : 'not understood');
  }
};

/** @param head what came with the request: it is held until everything is judged */
export const tunnel = async (request: IncomingMessage, client: Duplex, head: Buffer, way: Way): Promise<void> => {
  const target = targetOf(request);
  if (typeof target === 'string') return reply(client, 400, target);
  const pass = await rule(target, undefined, way);
  if ('status' in pass) return reply(client, pass.status, pass.body);
  if (client.destroyed) return;
  const { host, port } = target;
  const refuse = (why: Cut): void => {
    way.decided({ verdict: 'denied', host, port, policy: 'builtin egress', ...why });
    client.destroy();
    socket?.destroy();
  };
  let socket: net.Socket | undefined;
  let joined = false;
  const release = way.holding.hold({
    stands: (rules) => pass.stands(rules, socket?.remoteAddress),
    cut: refuse,
  });
  client.once('close', () => {
    release();
    if (!joined) socket?.destroy();
  });
  let upstream: net.Socket;
  try {
    upstream = await dial(target, pass, way.upstream, (opened) => (socket = opened));
  } catch (error) {
    if (!(error instanceof CordonError)) throw error;
    return reply(client, 502, problem(error.code, error.message));
  }
  if (client.destroyed) return void upstream.destroy();
  joined = true;
  client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
  const flow = join(client, upstream, way.budget);
  if (pass.raw) flow(head);
  else
    checkServerName({ client, upstream, head, target, flow, refused: () => refuse({ rule: 'server-name', code: 'egress.server-name' }) });
};
